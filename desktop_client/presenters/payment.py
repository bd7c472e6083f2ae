"""Prompt parsing and display: the conversation with a biller. It asks by itself what is due, and keeps the receipts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from desktop_client.app import Member
from desktop_client.events import OrderChanged, OverviewChanged, PaymentNoticed, SessionReady
from desktop_client.i18n import _
from desktop_client.outcomes import NOTHING_SENT, Outcome
from desktop_client.presenters import cards
from desktop_client.presenters.chat import PinGuard
from desktop_client.presenters.pay_sheet import PaySheetPresenter
from desktop_client.presenters.views import Card, ConversationHead, Entry, FormCard, TimeMark, Windows
from desktop_client.wording import problem, time_mark
from im_protocol.codes import PAYMENT_AWAY
from im_protocol.packets import Refusal
from payment.contract.messages import Account, Answer, Bill, BillerState, BillsAre, Prompt, Refused
from payment.contract.money import with_sign

MARK_EVERY_MS = 60_000
RETRY_MILLISECONDS = 2_000  # while the payment service is away, its bills are asked for again, less and less often
RETRY_MILLISECONDS_MAX = 30_000


class BillPresenter:
    """Drives one bill-pay conversation."""

    def __init__(
        self,
        member: Member,
        windows: Windows,
        biller_id: int,
        closed: Callable[[], None],
        downloads: Callable[[], Path],
    ) -> None:
        """`downloads`: where saved receipts go."""
        self._member = member
        self._windows = windows
        self._biller_id = biller_id
        self._closed = closed
        self._downloads = downloads
        self._entries: list[Entry] = []
        self._bills: BillsAre | None = None
        self._prompt: Prompt | None = None
        self._sheet: PaySheetPresenter | None = None
        self._asking = False
        self._last_mark_ms = 0
        self._retry_wait = RETRY_MILLISECONDS
        self._cancel_retry: Callable[[], None] = lambda: None
        self.view = windows.conversation(biller_id, "biller")
        self._guard = PinGuard(self.view)
        self.view.on_card_action = self.act
        self.view.on_form = self.submit_form
        self.view.on_check_bill = self.check
        self.view.on_send_text = self.refuse_text
        self.view.on_close = self.close
        bus = member.bus
        self._cancels = [
            bus.subscribe(OrderChanged, self._on_order),
            bus.subscribe(PaymentNoticed, lambda event: self._check_quietly()),
            bus.subscribe(SessionReady, lambda event: self.check()),
            bus.subscribe(OverviewChanged, lambda event: self._show_head()),
        ]
        self._show_head()
        self._show_history()
        self.check()

    # -- what the person does

    def check(self) -> None:
        """Asks the subsystem what is due."""
        self._ask(None)

    def act(self, key: str, action: str) -> None:
        """A button of a card."""
        if action == "pay":
            self._open_sheet(key)
        elif action.startswith("save:"):
            text, tone = cards.save_receipt(self._member, action.removeprefix("save:"), self._downloads())
            self.view.show_banner(text, tone)

    def submit_form(self, key: str, values: dict[str, str]) -> None:
        """The form of a prompt was filled in."""
        if self._prompt is None or key != cards.FORM_KEY:
            return
        for field in self._prompt.fields:
            value = values.get(field.name, "").strip()
            if field.rule and re.fullmatch(field.rule, value) is None:
                self._put(cards.form_card(self._prompt, field.error or _("This is not filled in rightly.")))
                return
        self._ask(values.get("customer_number", "").strip() or None)

    def refuse_text(self, text: str) -> None:
        """Nobody reads texts here; least of all a payment password."""
        if self._guard.lets_through(text):
            self.view.set_draft("")
            self.view.show_banner(_("A biller reads no messages. Nothing was sent."), "warning")

    def close(self) -> None:
        """The window is gone."""
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()
        self._cancel_retry()
        if self._sheet is not None:
            self._sheet.cancel()
        self._closed()

    # -- asking

    def _check_quietly(self) -> None:
        if self._sheet is None and self._prompt is None:
            self._ask(None)

    def _ask(self, customer_number: str | None) -> None:
        if self._asking:
            return
        self._asking = True

        def on_answer(answer: Answer | Refusal) -> None:
            self._asking = False
            if self._cancels:
                self._on_bills(answer)

        self._member.payments.ask_bill(self._biller_id, customer_number, on_answer)

    def _on_bills(self, answer: Answer | Refusal) -> None:
        if isinstance(answer, BillsAre):
            self._show_bills(answer)
        elif isinstance(answer, Prompt):
            self._prompt = answer
            self._mark()
            self._put(cards.form_card(answer))
        elif isinstance(answer, Refused) and self._prompt is not None:
            self._put(cards.form_card(self._prompt, answer.text))
        elif isinstance(answer, Refused):
            self.view.show_banner(answer.text, "danger")
        elif isinstance(answer, Refusal):
            self.view.show_banner(self._unanswered_words(answer), "warning")
            self._retry_later()

    def _unanswered_words(self, refusal: Refusal) -> str:
        """Says nothing of charges while an order is still being decided: that one may have been paid."""
        if refusal.code == PAYMENT_AWAY and self._member.outbox.deciding(self._biller_id):
            return _("The payment service is away.")
        return problem(refusal.code, refusal.message)

    def _retry_later(self) -> None:
        self._cancel_retry()
        self._cancel_retry = self._windows.call_later(self._retry_wait, self._check_quietly)
        self._retry_wait = min(self._retry_wait * 2, RETRY_MILLISECONDS_MAX)

    def _show_bills(self, answer: BillsAre) -> None:
        self.view.show_banner("", "plain")
        self._bills, self._prompt = answer, None
        self._cancel_retry()
        self._retry_wait = RETRY_MILLISECONDS
        open_keys = {cards.bill_key(b.bill_id) for b in answer.bills}
        self._drop(lambda e: isinstance(e, FormCard) or e.key == cards.NOTHING_KEY)
        self._settle_cards(lambda card: card.key.startswith("bill-") and card.key not in open_keys)
        self._mark()
        today = date.today()  # noqa: DTZ011 the member's own day counts
        deciding = {o.bill_id for o in self._member.outbox.deciding(self._biller_id)}
        for bill in answer.bills:
            held = self._member.history.receipt_held_for(bill)
            self._put(cards.bill_card(bill, self._name, today, deciding=bill.bill_id in deciding, held=held))
        if not answer.bills:
            state = self._state()
            credit = with_sign(answer.credit) if answer.credit is not None and answer.credit.minor > 0 else ""
            self._put(cards.nothing_due_card(self._name, state.last_paid_on if state else "", credit))
        self._show_head()

    # -- paying

    def _open_sheet(self, key: str) -> None:
        bill = self._bill(key)
        if bill is None or self._bills is None or self._sheet is not None:
            return
        if bill.bill_id in {o.bill_id for o in self._member.outbox.deciding(self._biller_id)}:
            self.view.show_banner(_("A payment of this bill is still being decided. Don't pay again."), "warning")
            return
        self._sheet = PaySheetPresenter(
            self._windows.pay_sheet(self.view),
            self._member.payments,
            bill,
            self._name,
            self._bills.place,
            list(self._bills.accounts),
            self._on_outcome,
            self._sheet_closed,
        )

    def _sheet_closed(self) -> None:
        self._sheet = None

    def _bill(self, key: str) -> Bill | None:
        bills = self._bills.bills if self._bills is not None else []
        return next((b for b in bills if cards.bill_key(b.bill_id) == key), None)

    def _on_outcome(self, outcome: Outcome) -> None:
        self._sheet = None
        if not self._cancels:
            return  # the window was closed meanwhile; the receipt is in the history
        self._mark(force=True)
        self._show_outcome(outcome)
        if outcome.state == "paid":
            self._ask_after_payment(outcome)
        elif outcome.code not in NOTHING_SENT:
            self._ask(None)

    def _ask_after_payment(self, outcome: Outcome) -> None:
        """The bill's card stays above the receipt without its button; what is still due comes below."""
        self._settle_cards(lambda card: card.key == cards.bill_key(outcome.order.bill_id))
        remaining = outcome.receipt.remaining.minor if outcome.receipt is not None else 0
        others = [b for b in self._bills.bills if b.bill_id != outcome.order.bill_id] if self._bills else []
        if remaining > 0 or others:
            self._drop(lambda e: e.key.startswith("bill-") and remaining > 0)
            self._ask(None)

    def _on_order(self, event: OrderChanged) -> None:
        if event.outcome.order.biller_id == self._biller_id:
            self._show_outcome(event.outcome)
            self._check_quietly()

    def _show_outcome(self, outcome: Outcome) -> None:
        if outcome.state == "paid" and outcome.receipt is not None:
            self._put(cards.receipt_card(outcome.receipt, outcome.verified, self._accounts()))
        elif outcome.state == "not_paid":
            self._put(cards.refusal_card(outcome))
        else:
            self._put(cards.deciding_card(outcome.order))
            bill = self._bill(cards.bill_key(outcome.order.bill_id))
            if bill is not None:
                today = date.today()  # noqa: DTZ011 the member's own day
                self._put(cards.bill_card(bill, self._name, today, deciding=True))

    # -- showing

    @property
    def _name(self) -> str:
        return self._member.roster.name_of(self._biller_id)

    def _accounts(self) -> list[Account]:
        overview = self._member.payments.overview
        return list(overview.accounts) if overview is not None else list(self._bills.accounts) if self._bills else []

    def _state(self) -> BillerState | None:
        overview = self._member.payments.overview
        states = overview.billers if overview is not None else []
        return next((s for s in states if s.biller_id == self._biller_id), None)

    def _show_head(self) -> None:
        contact = self._member.roster.contact(self._biller_id)
        state = self._state()
        place, number = (state.place, state.customer_number) if state is not None else ("", "")
        if self._bills is not None:
            place, number = self._bills.place, self._bills.customer_number
        parts = [place, _("customer {number}").format(number=number) if number else ""]
        verified = contact is not None and contact.verified
        self.view.show_head(
            ConversationHead(
                self._biller_id,
                "biller",
                self._name,
                " · ".join(part for part in parts if part),
                "none",
                contact.icon if contact is not None else "",
                _("verified biller") if verified else "",
                _("Sealed for the payment service — the chat server cannot read it"),
            )
        )

    def _show_history(self) -> None:
        now = int(time.time() * 1000)
        for _signed, receipt in self._member.history.receipts(self._biller_id):
            self._entries.append(TimeMark(time_mark(receipt.paid_at_ms, now)))
            self._entries.append(cards.receipt_card(receipt, True, self._accounts()))
        for order in self._member.outbox.deciding(self._biller_id):
            self._entries.append(TimeMark(time_mark(order.made_at_ms, now)))
            self._entries.append(cards.deciding_card(order))
        self.view.show_entries(tuple(self._entries))

    def _mark(self, *, force: bool = False) -> None:
        now = int(time.time() * 1000)
        if force or now - self._last_mark_ms >= MARK_EVERY_MS:
            self._last_mark_ms = now
            mark = TimeMark(time_mark(now, now))
            shown = [e for e in self._entries if isinstance(e, TimeMark)]
            if not (shown and shown[-1] == mark):
                self._entries.append(mark)
                self.view.append(mark)

    def _put(self, entry: Card | FormCard) -> None:
        """Shows a card: in its place when it is there already, otherwise at the end."""
        for at, old in enumerate(self._entries):
            if not isinstance(old, TimeMark) and old.key == entry.key:
                if old != entry:
                    self._entries[at] = entry
                    self.view.replace(entry.key, entry)
                return
        self._entries.append(entry)
        self.view.append(entry)

    def _drop(self, unwanted: Callable[[Card | FormCard], bool]) -> None:
        kept = [e for e in self._entries if not (isinstance(e, (Card, FormCard)) and unwanted(e))]
        if len(kept) != len(self._entries):
            self._entries = kept
            self.view.show_entries(tuple(kept))

    def _settle_cards(self, wanted: Callable[[Card], bool]) -> None:
        for entry in list(self._entries):
            if isinstance(entry, Card) and wanted(entry) and entry.buttons:
                self._put(cards.settled_bill_card(entry))
