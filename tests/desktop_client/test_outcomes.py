"""What may be said of money: whatever was answered before and now, "not paid" is said only where it is proved."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_client.config import Timings
from desktop_client.events import EventBus
from desktop_client.history import History
from desktop_client.outbox import Order, Outbox
from desktop_client.outcomes import NOTHING_SENT, REUSED, Outcome
from desktop_client.payments import Payments
from desktop_client.sealer import CLOCK_WRONG, PAYMENT_KEY_CHANGED
from desktop_client.session import BAD_ANSWER, NOT_CONNECTED, TIMED_OUT
from desktop_client.store import Store
from desktop_client.transport import LOST
from im_protocol import codes
from im_protocol.packets import Refusal
from payment.contract import messages
from payment.contract.messages import NotPaid, Paid, PaymentUnknown, Prompt, Refused
from tests.desktop_client.subsystem import ELECTRICITY, PIN, Subsystem, cny

MEMBER = 10_001
OURS = (NOT_CONNECTED, PAYMENT_KEY_CHANGED, CLOCK_WRONG, LOST, TIMED_OUT, BAD_ANSWER)
ALL_CODES = sorted({v for n, v in vars(codes).items() if n.isupper()} | set(OURS) | {"never_heard_of"})
NOT_FINAL = ("wrong_pin", "pin_locked", "no_pin", "no_account", "limit_daily", "limit_rate")
FINAL = ("not_enough_money", "no_such_bill", "already_paid", "amount_not_allowed", "limit_single")
REFUSED = ("bad_request", "stale", "replayed", "no_such_biller", "no_such_customer", "no_account")
SEALED_ANSWERS: list[Any] = [
    *(NotPaid(code, "words", False) for code in NOT_FINAL),
    *(NotPaid(code, "words") for code in FINAL),
    *(Refused(code, "words") for code in REFUSED),
    Prompt("Electricity", "Which amount?", [], []),
    messages.Done("words"),
    messages.OverviewIs([], []),
]
REFUSALS = [Refusal(code, "words") for code in ALL_CODES]


class FakeSealer:
    """Answers what it is told to. `seals`: whether the request got as far as being sealed and sent."""

    def __init__(self, root: bytes) -> None:
        self.root, self.at_ms = root, 1_700_000_000_000
        self.answer: Any = None
        self.seals = True

    def now_ms(self) -> int:
        self.at_ms += 1
        return self.at_ms

    def ask(self, request: Any, done: Callable[[Any], None], sealed: Callable[[int], None] | None = None) -> None:
        if self.seals and sealed is not None:
            sealed(self.now_ms())
        done(self.answer)


class Device:
    """One member's payments on a store of its own, and a subsystem that signs receipts."""

    def __init__(self, folder: Path) -> None:
        self.subsystem = Subsystem()
        self.sealer = FakeSealer(self.subsystem.root_bytes)
        self.store = Store(folder)
        self.outbox, self.history = Outbox(self.store), History(self.store)
        self.start()

    def start(self) -> None:
        """A new run of the program on what is stored."""
        session = SimpleNamespace(call_after=lambda seconds, work: None, signed_in=True, on_push=lambda *a: None)
        self.payments = Payments(
            session,  # type: ignore[arg-type]
            EventBus(),
            self.sealer,  # type: ignore[arg-type]
            self.outbox,
            self.history,
            MEMBER,
            Timings(),
            watching=False,
        )

    def order(self) -> Order:
        return self.payments.new_order(ELECTRICITY, "Electricity", "88201402", 7, "Bill", cny(8_640), "62")

    def pay(self, order: Order, answer: Any, *, seals: bool = True) -> Outcome:
        self.sealer.answer, self.sealer.seals = answer, seals
        got: list[Outcome] = []
        self.payments.pay(order, order.account, PIN, got.append)
        return got[0]

    def ask(self, order: Order, answer: Any) -> Outcome | Refusal:
        self.sealer.answer, self.sealer.seals = answer, True
        got: list[Outcome | Refusal] = []
        self.payments.ask_payment(order.payment_id, got.append)
        return got[0]

    def paid(self, order: Order) -> Paid:
        request = messages.Pay(order.payment_id, order.biller_id, None, 7, order.amount, "62", PIN)
        answer = self.subsystem.decide(request, MEMBER)
        assert isinstance(answer, Paid)
        return answer

    def state(self, order: Order) -> str:
        row = self.outbox.get(order.payment_id)
        return row.state if row is not None else ""


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    made = Device(tmp_path)
    yield made
    made.store.close()


def test_refusals_that_prove_that_nothing_was_sent_are_those_of_the_protocol_page() -> None:
    page = (Path(__file__).parents[2] / "im_protocol" / "PROTOCOL.md").read_text("utf-8")
    sentence = re.search(r"That an order did not reach the\s+subsystem is told by (.*?) only\.", page, re.S)
    assert sentence is not None
    ours = {NOT_CONNECTED, PAYMENT_KEY_CHANGED, CLOCK_WRONG}
    assert set(re.findall(r"`(\w+)`", sentence.group(1))) | ours == NOTHING_SENT


def test_first_try_is_not_paid_only_by_a_refusal_that_says_so(device: Device) -> None:
    for answer in REFUSALS:
        order = device.order()
        expected = "not_paid" if answer.code in NOTHING_SENT else "deciding"
        assert (device.pay(order, answer).state, device.state(order)) == (expected, expected), answer


@pytest.mark.parametrize("is_same_run", [True, False], ids=["same run", "next run"])
def test_what_was_paid_stays_paid_whatever_comes_after(device: Device, is_same_run: bool) -> None:
    order = device.order()
    assert device.pay(order, device.paid(order)).state == "paid"
    for answer in [*SEALED_ANSWERS, *REFUSALS, PaymentUnknown(order.payment_id)]:
        if not is_same_run:
            device.start()
        for outcome in (device.pay(order, answer), device.ask(order, answer)):
            assert isinstance(outcome, Outcome)
            assert (outcome.state, outcome.verified) == ("paid", True), answer
            assert outcome.receipt is not None and outcome.receipt.payment_id == order.payment_id
        if isinstance(answer, Refusal):
            assert device.pay(order, answer, seals=False).state == "paid", answer
    assert device.state(order) == "paid"


def test_receipt_that_came_from_another_device_counts_as_well(device: Device) -> None:
    order = device.order()
    paid = device.paid(order)
    device.sealer.answer = messages.ReceiptsAre([paid.receipt], False)
    device.payments.fetch_receipts(lambda found: None)
    device.start()
    assert device.pay(order, Refusal(codes.PAYMENT_AWAY, "")).state == "paid"
    assert device.ask(order, PaymentUnknown(order.payment_id)).state == "paid"  # type: ignore[union-attr]


def test_paid_id_with_other_contents_is_refused_and_keeps_its_receipt(device: Device) -> None:
    order = device.order()
    device.pay(order, device.paid(order))
    other = replace(order, amount=cny(1))
    for answer in (Refusal(codes.PAYMENT_AWAY, ""), NotPaid(REUSED, "words"), NotPaid("wrong_pin", "words", False)):
        outcome = device.pay(other, answer)
        assert (outcome.state, outcome.code) == ("not_paid", REUSED)
    assert device.state(order) == "paid"


@pytest.mark.parametrize("before", ["crash", "cut", "another device", "refused unsigned"])
def test_id_that_may_have_been_sent_before_is_decided_by_sealed_answers_for_all_tries_only(
    device: Device, before: str
) -> None:
    tries = [(answer, True) for answer in [*SEALED_ANSWERS, *REFUSALS]] + [(answer, False) for answer in REFUSALS]
    for number, (answer, seals) in enumerate(tries):
        order = device.order()
        if before == "crash":
            device.outbox.put(order)  # stored; nobody knows whether it was sent
            device.start()
        elif before == "cut":
            assert device.pay(order, Refusal(LOST, "")).state == "deciding"
        elif before == "another device":
            order = replace(order, payment_id=number.to_bytes(16))
        else:
            device.pay(order, Refusal(codes.PAYMENT_AWAY, ""))
        expected = "not_paid" if isinstance(answer, NotPaid) and answer.final else "deciding"
        told = device.pay(order, answer, seals=seals).state
        assert (told, device.state(order)) == (expected, expected), (answer, seals)
        if expected == "deciding":
            asked = device.ask(order, PaymentUnknown(order.payment_id))
            assert isinstance(asked, Outcome) and asked.state == "not_paid"
            again = device.pay(order, NotPaid("wrong_pin", "words", False))
            assert again.state == "not_paid", "every try is accounted for by then"


STEPS = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from([*SEALED_ANSWERS, *REFUSALS]), st.just(True)),
    st.tuples(st.just("pay"), st.sampled_from(REFUSALS), st.just(False)),
    st.tuples(st.just("ask"), st.sampled_from([*REFUSALS, PaymentUnknown(bytes(16)), Refused("stale", "")]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=8))
def test_no_history_of_tries_makes_an_open_order_not_paid(steps: list[tuple[str, Any, Any]]) -> None:
    """A model beside it: which tries may have arrived without anybody having said what became of them."""
    with tempfile.TemporaryDirectory() as folder:
        device = Device(Path(folder))
        order = device.order()
        is_open = is_finished = False
        for kind, answer, seals in steps:
            if kind == "restart":
                device.start()
                continue
            if kind == "ask":
                result = device.ask(order, answer)
                is_open = is_open and not isinstance(answer, PaymentUnknown)
            else:
                result = device.pay(order, answer, seals=seals)
                refused = isinstance(answer, Refusal) and answer.code in NOTHING_SENT
                unclear = isinstance(answer, messages.Done | messages.OverviewIs)
                is_finished = is_finished or (isinstance(answer, NotPaid) and answer.final)
                is_open = is_open or unclear or (isinstance(answer, Refusal) and not refused)
            if isinstance(result, Outcome) and result.state == "not_paid":
                assert is_finished or not is_open
        device.store.close()
