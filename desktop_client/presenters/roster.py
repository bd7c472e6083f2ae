"""The roster: who is there, what is due, and whether we are connected."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import get_args

from desktop_client.app import Client, Member
from desktop_client.events import (
    ChatChanged,
    ConnectionChanged,
    OrderChanged,
    OverviewChanged,
    RecordsWentBack,
    RosterChanged,
    ToldElsewhere,
)
from desktop_client.i18n import _
from desktop_client.presenters.cards import due_tone, outcome_line
from desktop_client.presenters.views import Dot, Me, RosterGroup, RosterRow, RosterView, Tone, Windows
from desktop_client.wording import clock_time, presence_word, short_day, went_back
from host.text import one_line
from im_protocol.packets import Contact, Presence
from payment.contract.messages import BillerState
from payment.contract.money import add, with_sign

TOAST_CHARS = 60
REDRAW_MILLISECONDS = 60  # many presences in a burst are one redraw
REDRAW_MANY_MILLISECONDS = 500  # a redraw of this many contacts costs tens of milliseconds
MANY_CONTACTS = 2_000


class RosterPresenter:
    """Drives the roster window of one signed-in member."""

    def __init__(
        self,
        client: Client,
        member: Member,
        windows: Windows,
        open_contact: Callable[[int], None],
        sign_out: Callable[[], None],
    ) -> None:
        self._client = client
        self._member = member
        self._windows = windows
        self._search = ""
        self._presence: Dot = client.session.presence
        self._signature = ""
        self._redraw: Callable[[], None] | None = None
        self._unread: dict[int, int] = {}
        self._told: set[str] = set()  # the operator's notices that were shown
        self.is_seen_chat: Callable[[int], bool] = lambda contact_id: False
        self.is_open: Callable[[int], bool] = lambda contact_id: False
        self.view: RosterView = windows.roster()
        self.view.on_open_contact = open_contact
        self.view.on_search = self.search
        self.view.on_set_presence = self.set_presence
        self.view.on_sign_out = sign_out
        bus = member.bus
        bus.subscribe(RosterChanged, lambda event: self._later())
        bus.subscribe(OverviewChanged, self._on_overview)
        bus.subscribe(ChatChanged, self._on_chat)
        bus.subscribe(ConnectionChanged, self._on_connection_changed)
        bus.subscribe(RecordsWentBack, lambda event: self.view.show_toast(went_back(event.what), "warning"))
        bus.subscribe(OrderChanged, self._on_order)
        bus.subscribe(ToldElsewhere, lambda e: self.view.show_toast(e.text, "good" if e.is_good else "warning"))
        self._on_connection(ConnectionChanged("connected"))
        self.draw()

    def search(self, text: str) -> None:
        """Shows only contacts whose name, number or line holds the text."""
        self._search = text.strip().casefold()
        self.draw()

    def set_presence(self, presence: str) -> None:
        """How the member wants to be seen."""
        for known in get_args(Presence):
            if known == presence:
                self._presence = known
                self._member.roster.set_presence(known)
                self._client.keep_presence()
                self.draw()

    def close(self) -> None:
        if self._redraw is not None:
            self._redraw()
            self._redraw = None
        self.view.close()

    def draw(self) -> None:
        """Shows everything as it is now."""
        self._redraw = None
        self._unread = self._member.history.unread_all()
        self.view.show_me(self._me())
        groups = [self._group(g.name, g.kind, g.contacts) for g in self._member.roster.groups]
        self._on_connection(self._connection)  # the language may be another one now
        groups.sort(key=lambda g: g.key != "billpay")  # stable: the others keep the server's order
        self.view.show_groups([g for g in groups if g.rows or not self._search])

    def _later(self) -> None:
        if self._redraw is None:
            many = sum(len(group.contacts) for group in self._member.roster.groups) > MANY_CONTACTS
            wait = REDRAW_MANY_MILLISECONDS if many else REDRAW_MILLISECONDS
            self._redraw = self._windows.call_later(wait, self.draw)

    def _me(self) -> Me:
        own = self._member.roster.own
        if own is not None:
            self._presence, self._signature = self._client.session.presence, own.signature
        overview = self._member.payments.overview
        balance = ""
        if overview is not None and overview.accounts:
            total = overview.accounts[0].balance
            for account in overview.accounts[1:]:
                if account.balance.currency == total.currency:
                    total = add(total, account.balance)
            balance = with_sign(total)
        seen: Dot = self._presence if self._connection.state == "connected" else "offline"
        return Me(self._member.member_id, self._member.name, seen, self._signature, balance)

    def _group(self, name: str, kind: str, contacts: list[Contact]) -> RosterGroup:
        if kind == "billpay":
            rows = [self._biller_row(c) for c in contacts]
            return RosterGroup("billpay", _("Bill-pay"), str(len(contacts)), self._found(rows))
        others = [c for c in contacts if c.id != self._member.member_id]
        online = sum(1 for c in others if c.presence != "offline")
        rows = [self._member_row(c) for c in sorted(others, key=lambda c: c.presence == "offline")]
        return RosterGroup(f"members:{name}", name, f"{online}/{len(others)}", self._found(rows))

    def _found(self, rows: list[RosterRow]) -> tuple[RosterRow, ...]:
        wanted = self._search
        if not wanted:
            return tuple(rows)
        return tuple(r for r in rows if _holds(self._searched_in(r), wanted))

    def _searched_in(self, row: RosterRow) -> str:
        """All that is known of a contact: name, number, line, amount, and of a biller place and customer number."""
        state = self._state_of(row.contact_id)
        known = [row.name, str(row.contact_id), row.detail, row.trailing]
        if state is not None:
            known += [state.place, state.customer_number, with_sign(state.due) if state.due is not None else ""]
        return "\n".join(known).casefold()

    def _state_of(self, biller_id: int) -> BillerState | None:
        overview = self._member.payments.overview
        states = overview.billers if overview is not None else []
        return next((s for s in states if s.biller_id == biller_id), None)

    def _biller_row(self, contact: Contact) -> RosterRow:
        state = self._state_of(contact.id)
        detail, trailing, tone, dot = _biller_words(state)
        if contact.presence == "offline":  # what is due is as it was told last
            detail, dot = _("The payment service is away."), "offline"
        untold = self._member.untold.of(contact.id)
        if untold:
            detail = outcome_line(untold[-1])[0]
        return RosterRow(
            contact.id, "biller", contact.name, detail, dot, contact.icon, trailing, tone, unread=len(untold)
        )

    def _member_row(self, contact: Contact) -> RosterRow:
        unread = self._unread.get(contact.id, 0)
        offline = contact.presence == "offline"
        detail = contact.signature or presence_word(contact.presence)
        if offline:
            detail = presence_word("offline")
            if contact.last_seen_ms:
                detail += " · " + _("last seen {time}").format(time=_seen(contact.last_seen_ms))
        if unread:
            unread_texts = [m.text for m in self._member.history.messages(contact.id, 10) if not m.own]
            detail = one_line(unread_texts[-1], TOAST_CHARS) if unread_texts else detail
        return RosterRow(
            contact.id, "member", contact.name, detail, contact.presence, unread=unread, dimmed=offline and not unread
        )

    def _on_chat(self, event: ChatChanged) -> None:
        self._later()
        if event.arrived and not self.is_seen_chat(event.peer_id):
            message = self._member.history.message(event.message_id, event.sender_id)
            if message is not None:
                text = f"{self._member.roster.name_of(event.peer_id)}: {message.text}"
                self.view.show_toast(one_line(text, TOAST_CHARS), "accent")

    def _on_order(self, event: OrderChanged) -> None:
        """A late outcome is told where one is; with its conversation closed it is kept until that is opened."""
        outcome = event.outcome
        biller_id = outcome.order.biller_id
        if not self.is_open(biller_id):
            self._member.untold.add(outcome)
            self._later()
        if not self.is_seen_chat(biller_id):
            text, tone = outcome_line(outcome)
            self.view.show_toast(f"{self._member.roster.name_of(biller_id)}: {text}", tone)

    def _on_overview(self, event: OverviewChanged) -> None:
        self._later()
        for text in event.overview.notices:
            if text not in self._told:
                self._told.add(text)
                self.view.show_toast(text, "warning")

    def _on_connection_changed(self, event: ConnectionChanged) -> None:
        self._on_connection(event)
        self._later()  # the header: nobody is online without a network

    def _on_connection(self, event: ConnectionChanged) -> None:
        self._connection = event
        words: dict[str, tuple[str, Tone]] = {
            "connected": (_("connected"), "good"),
            "connecting": (_("connecting…"), "muted"),
            "reconnecting": (_("reconnecting…"), "warning"),
            "offline": (_("offline"), "danger"),
        }
        self.view.show_connection(*words[event.state])


def _holds(known: str, wanted: str) -> bool:
    """Whether the text is there, blanks counted or not: "¥86.40" is found in "¥ 86.40"."""
    return wanted in known or "".join(wanted.split()) in "".join(known.split(" "))


def _biller_words(state: BillerState | None) -> tuple[str, str, Tone, Dot]:
    """Detail line, trailing text, its tone, and the dot of a biller's row."""
    if state is None:
        return "", "", "plain", "none"
    if state.state == "no_customer":
        return _("customer number needed"), "", "muted", "none"
    if state.state == "nothing_due" or state.due is None:
        detail = _("nothing due")
        if state.last_paid_on:
            detail = _("paid {day}").format(day=short_day(state.last_paid_on))
        return detail, "✓", "good", "online"
    overdue = state.state == "overdue"
    due = _("overdue {day}") if overdue else _("due {day}")
    detail = " · ".join(part for part in (state.place, due.format(day=short_day(state.due_on))) if part)
    tone: Tone = "danger" if overdue else due_tone(state.due_on, date.today())  # noqa: DTZ011 the member's own day
    return detail, with_sign(state.due), tone, "busy" if tone == "danger" else "away"


def _seen(at_ms: int) -> str:
    """The time, with the day unless it was in the last 24 hours."""
    if time.time() * 1000 - at_ms < 86_400_000:
        return clock_time(at_ms)
    from datetime import datetime

    return short_day(datetime.fromtimestamp(at_ms / 1000).astimezone().date().isoformat())
