"""Paying, without a window: ask for bills, pay, and find out what became of a payment.

An order ends in one of three outcomes: paid (there is a receipt), not paid (no money moved) or deciding (nobody here
knows yet). While it is deciding, it is asked after by its id: soon, then less often, and whenever the connection is
back.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import msgspec

from desktop_client.bills import ask_all_bills
from desktop_client.config import Timings
from desktop_client.events import EventBus, OrderChanged, OverviewChanged, PaymentNoticed, SessionReady
from desktop_client.guarded import call_guarded
from desktop_client.history import History
from desktop_client.outbox import Order, Outbox
from desktop_client.outcomes import (
    FROM_RECEIPT,
    NOT_STORED,
    REUSED,
    Outcome,
    outcome_unless_paid,
    stands_for,
    stranger,
)
from desktop_client.sealer import Sealer
from desktop_client.session import Session
from im_protocol.packets import Refusal, Type
from payment.contract.messages import (
    Amount,
    Answer,
    AskPayment,
    AskReceipts,
    NotPaid,
    Overview,
    OverviewIs,
    Paid,
    Pay,
    PaymentUnknown,
    Receipt,
    ReceiptsAre,
    SetPin,
    SignedReceipt,
)

log = logging.getLogger(__name__)

OutcomeDone = Callable[[Outcome], None]
AnswerDone = Callable[["Answer | Refusal"], None]


class Payments:
    """The payment requests of one member."""

    def __init__(
        self,
        session: Session,
        bus: EventBus,
        sealer: Sealer,
        outbox: Outbox,
        history: History,
        member_id: int,
        timings: Timings,
        *,
        watching: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`watching`: ask by itself after orders that are still being decided, and for the overview."""
        self.overview: OverviewIs | None = None
        self.sealer = sealer
        self.outbox = outbox
        self.history = history
        self._session = session
        self._bus = bus
        self._member_id = member_id
        self._timings = timings
        self._clock = clock
        self._asking: set[bytes] = set()
        self._own: set[bytes] = set()  # ids made here of which every try so far is accounted for
        self._tries: Counter[bytes] = Counter()  # by payment id: how often each was sent since the start
        self._waits: dict[bytes, float] = {}
        self._armed: set[bytes] = set()
        self._overview_asked = False
        self._overview_again = False
        self._watching = watching
        if watching:
            self.notice_pushes()
            bus.subscribe(SessionReady, self._on_ready)

    # -- asking

    def notice_pushes(self) -> None:
        """Says PaymentNoticed when the subsystem does, also without watching."""
        self._session.on_push(Type.PAYMENT_NOTICE, lambda frame: self._on_notice())

    def refresh_overview(self, done: AnswerDone | None = None) -> None:
        """Asks for balance and billers' states; says OverviewChanged."""
        if self._overview_asked and done is None:
            self._overview_again = True
            return
        self._overview_asked = True

        def on_answer(answer: Answer | Refusal) -> None:
            self._overview_asked = False
            if isinstance(answer, OverviewIs):
                self.overview = answer
                self._bus.publish(OverviewChanged(answer))
            elif self._watching and self._session.signed_in:
                self._session.call_after(self._timings.overview_again_seconds, self.refresh_overview)
            if done is not None:
                done(answer)
            if self._overview_again:
                self._overview_again = False
                self.refresh_overview()

        self.sealer.ask(Overview(self.history.newest_receipt()), on_answer)

    def ask_bill(self, biller_id: int, customer_number: str | None, done: AnswerDone) -> None:
        """What is owed to a biller: BillsAre with all open bills, Prompt, Refused, or a Refusal."""
        ask_all_bills(self.sealer, biller_id, customer_number, done)

    def set_pin(self, new: str, old: str | None, done: AnswerDone) -> None:
        """Sets or changes the payment password: Done, Refused, or a Refusal."""
        self.sealer.ask(SetPin(new, old), done)

    def fetch_receipts(self, done: Callable[[list[Receipt] | Refusal], None]) -> None:
        """Fetches all receipts of the member and keeps the verified ones here."""
        found: list[Receipt] = []

        def ask(before: int) -> None:
            self.sealer.ask(AskReceipts(before), on_answer)

        def on_answer(answer: Answer | Refusal) -> None:
            if not isinstance(answer, ReceiptsAre):
                done(answer if isinstance(answer, Refusal) else Refusal("bad_answer", "no receipts in the answer"))
                return
            page = [r for signed in answer.receipts if (r := self._keep(signed)) is not None]
            found.extend(page)
            if answer.more and page:
                ask(min(r.transfer_no for r in page))
            else:
                done(found)

        ask(0)

    # -- paying

    def new_order(
        self,
        biller_id: int,
        biller_name: str,
        customer_number: str,
        bill_id: int,
        title: str,
        amount: Amount,
        account: str,
    ) -> Order:
        """An order with a fresh payment id; nothing is stored or sent yet."""
        payment_id = secrets.token_bytes(16)
        self._own.add(payment_id)
        made_at_ms = self.sealer.now_ms()
        return Order(
            payment_id, biller_id, biller_name, customer_number, bill_id, title, amount, account, made_at_ms
        )

    def pay(self, order: Order, account: str | None, pin: str | None, done: OutcomeDone) -> None:
        """Stores the order, sends it sealed, and tells its outcome. The same order may be given again after a cut.

        An id that was not made here just now may have been sent before, by an earlier run or another device.
        """
        payment_id = order.payment_id
        earlier = self.outbox.get(payment_id)
        others = payment_id not in self._own or (earlier is not None and earlier.state == "deciding")
        self._tries[payment_id] += 1
        number = self._tries[payment_id]
        order = replace(order, state="deciding", code="", text="", settled_at_ms=0)
        self._asking.add(payment_id)
        sealed: list[int] = []
        answered: list[Answer | Refusal] = []

        def on_sealed(at_ms: int) -> None:
            sealed.append(at_ms)
            self.outbox.put(replace(order, made_at_ms=at_ms))

        def on_answer(answer: Answer | Refusal) -> None:
            answered.append(answer)
            self._asking.discard(payment_id)
            if earlier is not None and isinstance(answer, NotPaid) and answer.code == REUSED:
                self.outbox.put(earlier)  # the id stands for that order, whatever was asked now
            if isinstance(answer, Refusal) and sealed:
                self._own.discard(payment_id)  # nobody signed what became of this try
            outcome = self._settled(order, answer, others=others or self._tries[payment_id] != number)
            if outcome.state == "deciding":
                if not sealed:
                    self.outbox.put(order)  # not sent now, but perhaps before, or by another device: to be asked after
                self._watch(payment_id)
            done(outcome)

        try:
            self.sealer.ask(_request_of(order, account, pin), on_answer, on_sealed)
            if not sealed and not answered:  # the key is being fetched: whoever looks meanwhile finds the order
                self.outbox.put(order)
        except Exception:
            self._asking.discard(payment_id)
            raise

    def ask_payment(self, payment_id: bytes, done: Callable[[Outcome | Refusal], None]) -> None:
        """What became of a payment id, of this device or another. A Refusal when nobody could be asked."""

        asked_at_ms = 0

        def on_sealed(at_ms: int) -> None:
            nonlocal asked_at_ms
            asked_at_ms = at_ms

        def on_answer(answer: Answer | Refusal) -> None:
            order = self.outbox.get(payment_id) or stranger(payment_id)
            if isinstance(answer, PaymentUnknown) and order.made_at_ms > asked_at_ms and order.state == "deciding":
                # It was sealed after the question, which killed older orders only: this one may still arrive.
                done(Outcome("deciding", order))
                return
            if isinstance(answer, PaymentUnknown):
                self._own.add(payment_id)  # whatever was sealed before the question is dead: a try may begin anew
            if isinstance(answer, Refusal) and self._kept(payment_id) is None:
                done(answer)
                return
            done(self._settled(order, answer, others=True))

        self.sealer.ask(AskPayment(payment_id), on_answer, on_sealed)

    def resolve(self) -> None:
        """Asks now after every order that is still being decided."""
        for order in self.outbox.deciding():
            self._waits.pop(order.payment_id, None)
            call_guarded("asking after an order", self._ask_again, order.payment_id)

    # -- outcomes

    def _settled(self, order: Order, answer: Answer | Refusal, *, others: bool) -> Outcome:
        """As `_settle`; what cannot be stored is not settled, and asked after again."""
        try:
            return self._settle(order, answer, others=others)
        except Exception:  # a full disk, a damaged file: the subsystem still knows the outcome
            log.exception("the outcome of an order could not be stored")
            return Outcome("deciding", order, NOT_STORED)

    def _settle(self, order: Order, answer: Answer | Refusal, *, others: bool) -> Outcome:
        """The outcome of an answer, noted; `others`: another try under this id may have arrived, or still may."""
        if isinstance(answer, Paid):
            return self._settle_paid(order, answer)
        is_reused = isinstance(answer, NotPaid) and answer.code == REUSED
        known = None if is_reused else self.known_paid(order)
        if known is not None:
            return known
        outcome = outcome_unless_paid(order, answer, others=others)
        if outcome.state != "deciding" and not is_reused:
            self._note(order, "not_paid", outcome.code, outcome.text)
        return outcome

    def known_paid(self, order: Order) -> Outcome | None:
        """What this device knows for sure by itself: that the order's payment id was paid. None when it does not."""
        kept, row = self._kept(order.payment_id), self.outbox.get(order.payment_id)
        if kept is None:
            is_paid = row is not None and row.state == "paid"
            return Outcome("paid", order, FROM_RECEIPT) if is_paid else None
        signed, receipt = kept
        if not order.biller_id or stands_for(receipt, order):
            return Outcome("paid", order, FROM_RECEIPT, "", signed, receipt, True)
        return Outcome("not_paid", order, REUSED)

    def _kept(self, payment_id: bytes) -> tuple[SignedReceipt, Receipt] | None:
        """The receipt that is kept of a payment, if it is still genuine."""
        from payment.contract.receipts import ReceiptError, verify_receipt

        kept = self.history.receipt_of_payment(payment_id)
        if kept is None:
            return None
        try:
            return kept[0], verify_receipt(kept[0], self.sealer.root)
        except ReceiptError as error:
            log.warning("a stored receipt does not verify: %s", error)
            return None

    def _settle_paid(self, order: Order, paid: Paid) -> Outcome:
        with self.outbox.atomic():  # the receipt and the outcome that it proves are one
            receipt = self._keep(paid.receipt)
            self._note(order, "paid", "", paid.text)
        verified = receipt is not None and receipt.payment_id == order.payment_id
        if receipt is None:
            try:
                receipt = msgspec.msgpack.decode(paid.receipt.receipt, type=Receipt)
            except msgspec.DecodeError:
                log.warning("a receipt that cannot be read")
        self._own.discard(order.payment_id)
        if self._watching:
            self.refresh_overview()
        return Outcome("paid", order, "", paid.text, paid.receipt, receipt, verified, paid.balance_after)

    def _keep(self, signed: SignedReceipt) -> Receipt | None:
        """Verifies a receipt against the pinned root and keeps it; None when it does not verify."""
        from payment.contract.receipts import ReceiptError, verify_receipt

        try:
            receipt = verify_receipt(signed, self.sealer.root)
        except ReceiptError as error:
            log.warning("a receipt does not verify: %s", error)
            return None
        if receipt.member_id != self._member_id:
            return None
        self.history.add_receipt(signed, receipt)
        return receipt

    def _note(self, order: Order, state: Literal["paid", "not_paid"], code: str, text: str) -> None:
        self.outbox.settle(order.payment_id, state, code, text, self._now())
        self._waits.pop(order.payment_id, None)

    # -- watching

    def _on_ready(self, event: SessionReady) -> None:
        self._overview_asked = False
        self.refresh_overview()
        self.resolve()

    def _on_notice(self) -> None:
        if self._watching:
            self.refresh_overview()
        self._bus.publish(PaymentNoticed())

    def _watch(self, payment_id: bytes) -> None:
        if payment_id in self._armed:
            return
        self._armed.add(payment_id)
        wait = self._waits.get(payment_id, self._timings.ask_again_first_seconds)
        self._waits[payment_id] = min(wait * 2, self._timings.ask_again_max_seconds)
        self._session.call_after(wait, lambda: self._ask_again(payment_id))

    def _ask_again(self, payment_id: bytes) -> None:
        """Asks after one order; whatever goes wrong, it is asked after again."""
        self._armed.discard(payment_id)
        try:
            self._ask_if_open(payment_id)
        except Exception:
            self._asking.discard(payment_id)
            self._watch(payment_id)
            raise

    def _ask_if_open(self, payment_id: bytes) -> None:
        order = self.outbox.get(payment_id)
        if order is None or order.state != "deciding" or payment_id in self._asking:
            return
        if not self._session.signed_in:
            self._watch(payment_id)
            return
        self._asking.add(payment_id)
        self.ask_payment(payment_id, lambda result: self._on_asked(payment_id, result))

    def _on_asked(self, payment_id: bytes, result: Outcome | Refusal) -> None:
        self._asking.discard(payment_id)
        if isinstance(result, Refusal) or result.state in ("deciding", "prompt"):
            self._watch(payment_id)
            return
        self._bus.publish(OrderChanged(result))

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _request_of(order: Order, account: str | None, pin: str | None) -> Pay:
    return Pay(
        payment_id=order.payment_id,
        biller_id=order.biller_id,
        customer_number=order.customer_number or None,
        bill_id=order.bill_id or None,
        amount=order.amount if order.amount.minor else None,
        account=account or None,
        pin=pin,
    )
