"""A conversation with another member."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

from desktop_client.app import Member
from desktop_client.events import ChatChanged, ConnectionChanged, RosterChanged
from desktop_client.history import SHOWN_MESSAGES_MAX, ChatMessage, Place
from desktop_client.i18n import _
from desktop_client.presenters.views import Bubble, ConversationHead, ConversationView, Dot, Entry, TimeMark, Windows
from desktop_client.wording import clock_time, looks_like_pin, time_mark
from im_protocol.limits import TEXT_CHARS_MAX

MARK_EVERY_MS = 5 * 60_000  # a pause this long gets a time mark


class PinGuard:
    """Catches a payment password typed into a chat: six digits are sent only when they are sent twice."""

    def __init__(self, view: ConversationView) -> None:
        self._view = view
        self._held = ""

    def lets_through(self, text: str) -> bool:
        """Whether the text may be sent; if not, it is back in the box with a warning over it."""
        if not looks_like_pin(text) or text == self._held:
            if self._held:
                self._view.show_banner("", "plain")
            self._held = ""
            return True
        self._held = text
        self.tell()
        self._view.set_draft(text)
        return False

    def tell(self) -> None:
        """Says what was held back, again too (in another language)."""
        if not self._held:
            return
        warning = _("This looks like a payment password. It was NOT sent. Send it again if it is something else.")
        self._view.show_banner(warning, "warning")


class ChatPresenter:
    """Drives one chat window."""

    def __init__(self, member: Member, windows: Windows, peer_id: int, closed: Callable[[], None]) -> None:
        self._member = member
        self._peer_id = peer_id
        self._closed = closed
        self._last_at_ms = 0
        self._connection = ConnectionChanged("connected")
        self._shown: dict[str, Place] = {}  # as the window has them, in its order
        self.view = windows.conversation(peer_id, "member")
        self._guard = PinGuard(self.view)
        self.view.on_send_text = self.send
        self.view.on_card_action = self.act
        self.view.on_form = lambda key, values: None
        self.view.on_check_bill = lambda: None
        self.view.on_close = self.close
        self.view.on_older = self._show_older
        self.view.on_seen = lambda: member.messages.mark_read(peer_id)
        bus = member.bus
        self._cancels = [
            bus.subscribe(ChatChanged, self._on_chat),
            bus.subscribe(RosterChanged, self._on_roster),
            bus.subscribe(ConnectionChanged, self._on_connection),
        ]
        self._show_head()
        self._show_all()
        self._show_unread()
        self.view.on_draft = self._keep_draft
        self.view.set_draft(member.drafts.get(peer_id, ""))

    def send(self, text: str) -> None:
        """Send button or Enter."""
        text = text.strip()
        if not text:
            return
        if len(text) > TEXT_CHARS_MAX:
            too_long = _("A message has at most {n} characters. It was not sent.").format(n=TEXT_CHARS_MAX)
            self.view.show_banner(too_long, "warning")
            self.view.set_draft(text)
            return
        if self._guard.lets_through(text):
            self._member.messages.send(self._peer_id, text)

    def _keep_draft(self, text: str) -> None:
        """What is typed and not sent stays when the window goes; a payment password does not."""
        if text and not looks_like_pin(text):
            self._member.drafts[self._peer_id] = text
        else:
            self._member.drafts.pop(self._peer_id, None)

    def act(self, key: str, action: str) -> None:
        """`resend` on a message that was not sent."""
        if action == "resend":
            self._member.messages.resend(bytes.fromhex(key))

    def close(self) -> None:
        """The window is gone."""
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()
        self._closed()

    def redraw(self) -> None:
        """Shows everything again: the language is another one now."""
        self._show_head()
        self._show_all()
        self._on_connection(self._connection)
        self._guard.tell()

    def _on_chat(self, event: ChatChanged) -> None:
        if event.peer_id != self._peer_id:
            return
        if not event.message_id:
            self._show_unread()
            return
        message = self._member.history.message(event.message_id, event.sender_id)
        if message is None:
            return
        if self._is_out_of_order(message):
            self._show_all()
        elif message.key in self._shown:
            self._shown[message.key] = message.place
            self.view.replace(message.key, self._bubble(message))
        else:
            for entry in self._entries(message):
                self.view.append(entry)
        if event.arrived:
            self._show_unread()

    def _show_unread(self) -> None:
        """A message is read when it could be seen, and not before."""
        if self.view.is_seen():
            self._member.messages.mark_read(self._peer_id)
        self.view.show_unread(self._member.history.unread(self._peer_id))

    def _show_all(self) -> None:
        count = max(len(self._shown), SHOWN_MESSAGES_MAX)
        self._shown.clear()
        entries = self._page(self._member.history.messages(self._peer_id, count))
        self.view.show_entries(entries)

    def _page(self, messages: Sequence[ChatMessage]) -> list[Entry]:
        """A run of messages, which begins with its time."""
        self._last_at_ms = 0
        return [entry for message in messages for entry in self._entries(message)]

    def _show_older(self) -> None:
        """The reader comes to the first message: the page before it."""
        newer, last_at_ms = self._shown, self._last_at_ms
        older = self._member.history.messages(self._peer_id, SHOWN_MESSAGES_MAX, skip=len(newer))
        self._shown = {}
        entries = self._page([message for message in older if message.key not in newer])
        self._shown, self._last_at_ms = {**self._shown, **newer}, last_at_ms
        if entries:
            self.view.insert(0, entries)

    def _is_out_of_order(self, message: ChatMessage) -> bool:
        """Whether it has no longer, or would not get, the place that its number gives it."""
        places = list(({**self._shown, message.key: message.place}).values())
        return any(earlier > later for earlier, later in pairwise(places))

    def _entries(self, message: ChatMessage) -> list[Entry]:
        entries: list[Entry] = []
        if message.at_ms - self._last_at_ms >= MARK_EVERY_MS:
            entries.append(TimeMark(time_mark(message.at_ms, int(time.time() * 1000))))
        self._last_at_ms = max(self._last_at_ms, message.at_ms)
        self._shown[message.key] = message.place
        entries.append(self._bubble(message))
        return entries

    def _bubble(self, m: ChatMessage) -> Bubble:
        name = self._member.name if m.own else self._member.roster.name_of(self._peer_id)
        at = clock_time(m.at_ms)
        words = {"received": at, "sending": _("sending…"), "sent": f"{at} ✓", "failed": _("not sent")}
        return Bubble(m.key, m.own, name, m.text, words.get(m.state, ""), m.state == "failed")

    def _show_head(self) -> None:
        contact = self._member.roster.contact(self._peer_id)
        presence: Dot = contact.presence if contact is not None else "offline"
        words = {"online": _("online"), "away": _("away"), "busy": _("busy"), "offline": _("offline")}
        detail = contact.signature if contact is not None and contact.signature else words[presence]
        name = self._member.roster.name_of(self._peer_id)
        self.view.show_head(ConversationHead(self._peer_id, "member", name, detail, presence))

    def _on_roster(self, event: RosterChanged) -> None:
        if event.member_id in (0, self._peer_id):
            self._show_head()

    def _on_connection(self, event: ConnectionChanged) -> None:
        self._connection = event
        if event.state == "connected":
            self.view.show_banner("", "plain")
        elif event.state == "reconnecting":
            self.view.show_banner(_("Reconnecting… messages are sent when the connection is back."), "warning")
