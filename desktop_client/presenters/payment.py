"""Prompt parsing and display: the conversation with a biller. It asks by itself what is due, and keeps the receipts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from desktop_client.app import Member
from desktop_client.events import OrderChanged, OverviewChanged, PaymentNoticed, RosterChanged, SessionReady
from desktop_client.i18n import _
from desktop_client.outcomes import NOTHING_SENT, Outcome
from desktop_client.presenters import cards
from desktop_client.presenters.bill_stream import BillStream
from desktop_client.presenters.chat import PinGuard
from desktop_client.presenters.pay_sheet import PaySheetPresenter
from desktop_client.presenters.views import ConversationHead, Entry, FormCard, TimeMark, Windows
from desktop_client.wording import time_mark, unanswered
from im_protocol.packets import Refusal
from payment.contract.messages import Account, Answer, Bill, BillerState, BillsAre, Prompt, Refused
from payment.contract.money import with_sign

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
        self._bills: BillsAre | None = None
        self._prompt: Prompt | None = None
        self._sheet: PaySheetPresenter | None = None
        self._asking = False
        self._asked_number: str | None = None
        self._wanted: list[str | None] = []  # what is to be asked as soon as the answer is here
        self._number_told = ""
        self._not_paid: dict[bytes, Outcome] = {}  # what was said here of orders that took no money
        self._retry_wait = RETRY_MILLISECONDS
        self._cancel_retry: Callable[[], None] = lambda: None
        self.view = windows.conversation(biller_id, "biller")
        self._stream = BillStream(self.view)
        self._guard = PinGuard(self.view)
        self.view.on_card_action = self.act
        self.view.on_form = self.submit_form
        self.view.on_check_bill = self.check
        self.view.on_send_text = self.refuse_text
        self.view.on_close = self.close
        bus = member.bus
        self._cancels = [
            bus.subscribe(OrderChanged, self._on_order),
            bus.subscribe(PaymentNoticed, lambda event: self._ask(None)),
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
        elif action == cards.CHANGE_NUMBER:
            self._ask_for_number()
        elif action.startswith("save:"):
            text, tone = cards.save_receipt(self._member, action.removeprefix("save:"), self._downloads())
            self.view.show_banner(text, tone)

    def submit_form(self, key: str, values: dict[str, str]) -> None:
        """The form of a prompt was filled in, or the one for another customer number."""
        form = self._stream.form(key)
        if form is None:
            return
        for field in form.fields:
            value = values.get(field.name, "").strip()
            if field.rule and re.fullmatch(field.rule, value) is None:
                self._stream.put(replace(form, error=field.error or _("This is not filled in rightly.")))
                return
        number = values.get("customer_number", "").strip()
        if number or key == cards.FORM_KEY:
            self._ask(number or None)

    def refuse_text(self, text: str) -> None:
        """Nobody reads texts here; least of all a payment password."""
        if self._guard.lets_through(text):
            self.view.set_draft("")
            self.view.show_banner(_("A biller reads no messages. Nothing was sent."), "warning")

    def close(self) -> None:
        """The window is gone. What becomes of an order that is on its way is told by the roster."""
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()
        self._cancel_retry()
        flying = self._sheet.leave() if self._sheet is not None else None
        self._closed()
        if flying is not None:
            self._member.bus.publish(OrderChanged(Outcome("deciding", flying)))

    def redraw(self) -> None:
        """Shows everything again, and asks again for what the subsystem words: the language is another one now."""
        is_changing = self._stream.form(cards.CHANGE_NUMBER) is not None
        self.view.show_banner("", "plain")
        self._prompt = None
        self._show_head()
        self._show_history()
        if self._bills is not None:
            self._put_bills(self._bills)
        for outcome in list(self._not_paid.values()):
            self._show_outcome(outcome)
        if is_changing:
            self._ask_for_number()
        if self._sheet is not None:
            self._sheet.redraw()
        self._guard.tell()
        self.check()

    # -- asking

    def _ask(self, customer_number: str | None) -> None:
        """Asks for the bills. While an answer is awaited, what is wanted then is kept: nothing that came is dropped."""
        if self._asking:
            if customer_number not in self._wanted:
                self._wanted.append(customer_number)
            return
        self._asking = True
        self._asked_number = customer_number

        def on_answer(answer: Answer | Refusal) -> None:
            self._asking = False
            if not self._cancels:
                return
            self._on_bills(answer)
            if self._wanted:
                self._ask(self._wanted.pop())

        self._member.payments.ask_bill(self._biller_id, customer_number, on_answer)

    def _on_bills(self, answer: Answer | Refusal) -> None:
        changing = self._stream.form(cards.CHANGE_NUMBER)
        if isinstance(answer, BillsAre):
            self._show_bills(answer)
        elif isinstance(answer, Prompt):
            self._show_prompt(answer)
        elif isinstance(answer, Refused) and changing is not None and self._asked_number:
            self._stream.put(replace(changing, error=answer.text))
        elif isinstance(answer, Refused) and self._prompt is not None:
            self._stream.put(cards.form_card(self._prompt, answer.text))
        elif isinstance(answer, Refused):
            self.view.show_banner(answer.text, "danger")
        elif isinstance(answer, Refusal):
            is_open = bool(self._member.outbox.deciding())
            self.view.show_banner(unanswered(answer.code, answer.message, is_open=is_open), "warning")
            self._retry_later()

    def _show_prompt(self, prompt: Prompt) -> None:
        if prompt == self._prompt and self._stream.form(cards.FORM_KEY) is not None:
            return  # it is being filled in
        self._prompt = prompt
        self._stream.mark()
        self._stream.put(cards.form_card(prompt))
        self.view.see(cards.FORM_KEY)

    def _ask_for_number(self) -> None:
        """A number that was mistyped can be changed."""
        number = self._bills.customer_number if self._bills is not None else ""
        self._stream.put(cards.number_form(number, self._prompt))
        self.view.see(cards.CHANGE_NUMBER)

    def _retry_later(self) -> None:
        self._cancel_retry()
        self._cancel_retry = self._windows.call_later(self._retry_wait, self.check)
        self._retry_wait = min(self._retry_wait * 2, RETRY_MILLISECONDS_MAX)

    def _show_bills(self, answer: BillsAre) -> None:
        self.view.show_banner("", "plain")
        old, self._bills = self._bills, answer
        self._cancel_retry()
        self._retry_wait = RETRY_MILLISECONDS
        other_number = old is not None and old.customer_number != answer.customer_number
        self._stream.drop(lambda e: self._is_past(e, other_number=other_number))
        open_keys = {cards.bill_key(b.bill_id) for b in answer.bills}
        self._stream.settle(lambda card: card.key.startswith("bill-") and card.key not in open_keys)
        self._stream.mark()
        self._put_bills(answer)
        self._show_head()
        self._update_sheet(answer)
        self._tell_number(answer.customer_number)

    def _is_past(self, entry: Entry, *, other_number: bool) -> bool:
        """Forms that were answered, what was said of nothing due, and the open bills of another number."""
        if isinstance(entry, FormCard):
            return entry.key == cards.FORM_KEY or bool(self._asked_number)
        key = getattr(entry, "key", "")
        return key in (cards.NOTHING_KEY, cards.MORE_KEY) or (other_number and key.startswith("bill-"))

    def _put_bills(self, answer: BillsAre) -> None:
        today = date.today()  # noqa: DTZ011 the member's own day counts
        deciding = {o.bill_id for o in self._member.outbox.deciding(self._biller_id)}
        held = self._member.history.receipt_held_for
        shown = [
            cards.bill_card(
                bill, self._name, today, deciding=bill.bill_id in deciding, held=held(bill), with_number=at == 0
            )
            for at, bill in enumerate(answer.bills)
        ]
        if answer.more:
            shown.append(cards.more_bills_card(len(answer.bills), answer.open_bills, answer.open_due))
        if not shown:
            state = self._state()
            credit = with_sign(answer.credit) if answer.credit is not None and answer.credit.minor > 0 else ""
            shown.append(cards.nothing_due_card(self._name, state.last_paid_on if state else "", credit))
        self._stream.put_all(shown)

    def _tell_number(self, number: str) -> None:
        """The roster learns the number that was just given: it is not needed any more."""
        state = self._state()
        if state is not None and state.customer_number != number != self._number_told:
            self._number_told = number
            self._member.payments.refresh_overview()

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

    def _update_sheet(self, answer: BillsAre) -> None:
        if self._sheet is not None:
            bill = next((b for b in answer.bills if b.bill_id == self._sheet.bill_id), None)
            self._sheet.update(bill, answer.accounts)

    def _sheet_closed(self) -> None:
        self._sheet = None

    def _bill(self, key: str) -> Bill | None:
        bills = self._bills.bills if self._bills is not None else []
        return next((b for b in bills if cards.bill_key(b.bill_id) == key), None)

    def _on_outcome(self, outcome: Outcome) -> None:
        self._sheet = None
        if not self._cancels:  # the window was closed meanwhile
            self._member.bus.publish(OrderChanged(outcome))
            return
        self._show_outcome(outcome)
        if outcome.state == "paid":
            self._ask_after_payment(outcome)
        elif outcome.code not in NOTHING_SENT:
            self._ask(None)

    def _ask_after_payment(self, outcome: Outcome) -> None:
        """The bill's card stays above the receipt without its button; when something is still due it comes again."""
        self._stream.settle(lambda card: card.key == cards.bill_key(outcome.order.bill_id))
        remaining = outcome.receipt.remaining.minor if outcome.receipt is not None else 0
        others = [b for b in self._bills.bills if b.bill_id != outcome.order.bill_id] if self._bills else []
        if remaining > 0 or others:
            self._ask(None)

    def _on_order(self, event: OrderChanged) -> None:
        if event.outcome.order.biller_id == self._biller_id:
            self._show_outcome(event.outcome)
            self._ask(None)

    def _show_outcome(self, outcome: Outcome) -> None:
        bill_id = outcome.order.bill_id
        if outcome.state == "paid" and outcome.receipt is not None:
            self._stream.put_outcome(bill_id, cards.receipt_card(outcome.receipt, outcome.verified, self._accounts()))
        elif outcome.state == "paid":
            self._stream.put_outcome(bill_id, cards.paid_card(outcome))
        elif outcome.state in ("not_paid", "prompt"):
            self._not_paid[outcome.order.payment_id] = outcome
            self._stream.put_outcome(bill_id, cards.refusal_card(outcome))
        else:
            bill = self._bill(cards.bill_key(bill_id))
            if bill is not None:
                today = date.today()  # noqa: DTZ011 the member's own day
                self._stream.put(cards.bill_card(bill, self._name, today, deciding=True))
            self._stream.put_outcome(bill_id, cards.deciding_card(outcome.order))

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
        """Receipts, orders that are still being decided, and outcomes that came while nobody looked here."""
        now = int(time.time() * 1000)
        entries: list[Entry] = []
        for _signed, receipt in self._member.history.receipts(self._biller_id):
            entries.append(TimeMark(time_mark(receipt.paid_at_ms, now)))
            entries.append(cards.receipt_card(receipt, True, self._accounts()))
        for order in self._member.outbox.deciding(self._biller_id):
            entries.append(TimeMark(time_mark(order.made_at_ms, now)))
            entries.append(cards.deciding_card(order))
        self._stream.begin(entries)
        untold = self._member.untold.take(self._biller_id)
        for outcome in untold:
            self._show_outcome(outcome)
        if untold:
            self._member.bus.publish(RosterChanged(self._biller_id))
