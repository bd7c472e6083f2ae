"""A biller's conversation beside the ledger: whatever comes in whatever order, in the end both say the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_client.config import Timings
from desktop_client.events import EventBus, OrderChanged, PaymentNoticed
from desktop_client.history import History
from desktop_client.i18n import set_language
from desktop_client.outbox import Outbox
from desktop_client.payments import Payments
from desktop_client.presenters.payment import BillPresenter
from desktop_client.presenters.views import Card, PaySheetForm
from desktop_client.store import Store
from desktop_client.untold import Untold
from im_protocol.codes import OUTCOME_UNKNOWN
from im_protocol.packets import Refusal
from payment import credentials
from payment.contract.messages import Answer, Request
from tests.desktop_client.fakes import FakeWindows
from tests.payment.house import LIN, PIN, WANG, WATER, WRONG_PIN, House

NUMBER = "40200402"
HEADER = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref,minimum"
BILLS = 3


class Wire:
    """Stands for sealer and session: asked at once, answered when the test lets an answer come, or loses it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.root = house.core.keystore.root_public
        self.signed_in = True
        self.waiting: list[tuple[Callable[[Answer | Refusal], None], Answer]] = []
        self.later: list[Callable[[], None]] = []

    def now_ms(self) -> int:
        return self.house.clock()

    def ask(self, request: Request, done: Callable[[Answer | Refusal], None], sealed: Any = None) -> None:
        self.house.clock.forward(1)
        if sealed is not None:
            sealed(self.house.clock())
        self.waiting.append((done, self.house.ask(LIN, request)))

    def call_after(self, _seconds: float, work: Callable[[], None]) -> None:
        self.later.append(work)

    def deliver(self, *, lost: bool = False) -> None:
        if self.waiting:
            done, answer = self.waiting.pop(0)
            done(Refusal(OUTCOME_UNKNOWN, "") if lost else answer)


class Desk:
    """One member's program without windows, and a room mate."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house = house
        self.wire = wire = Wire(house)
        self.windows = FakeWindows()
        self.store = Store(folder)
        bus, history, outbox = EventBus(), History(self.store), Outbox(self.store)
        payments: Any = Payments(wire, bus, wire, outbox, history, LIN, Timings(), watching=False)  # type: ignore[arg-type]
        roster = SimpleNamespace(name_of=lambda _id: "Water", contact=lambda _id: None)
        self.member: Any = SimpleNamespace(
            bus=bus, history=history, outbox=outbox, payments=payments, roster=roster, untold=Untold(), sealer=wire
        )
        self.presenter: BillPresenter | None = None
        self.told: list[str] = []
        self.sheet: Any = None
        bus.subscribe(OrderChanged, self._on_order)

    def _on_order(self, event: OrderChanged) -> None:
        """As the roster does."""
        if self.presenter is None:
            self.member.untold.add(event.outcome)
            self.told.append(event.outcome.state)

    def _closed(self) -> None:
        self.presenter = None

    def cards(self, start: str) -> list[Card]:
        return self.windows.last("conversation").keyed(start) if self.presenter is not None else []

    def open(self, _bill: int) -> None:
        if self.presenter is None:
            self.presenter = BillPresenter(self.member, self.windows, WATER, self._closed, Path)  # type: ignore[arg-type]

    def close(self, _bill: int) -> None:
        if self.presenter is not None:
            self.windows.last("conversation").on_close()

    def press_pay(self, bill: int) -> None:
        payable = [card for card in self.cards("bill-") if card.buttons and card.buttons[0].action == "pay"]
        if self.presenter is not None and payable:
            self.windows.last("conversation").on_card_action(payable[bill % len(payable)].key, "pay")
            self.sheet = self.windows.opened.get("pay_sheet", [None])[-1]

    def _submit(self, pin: str) -> None:
        if self.sheet is not None and not self.sheet.closed:
            model = self.sheet.last("show")[0]
            self.sheet.on_pay(PaySheetForm("full", "", self.house.account(LIN), pin, model.pay_text))

    def pay(self, _bill: int) -> None:
        self._submit(PIN)

    def order(self, bill: int) -> None:
        """From looking at the bills to the password, in one go."""
        self.open(bill)
        self.wire.deliver()
        self.press_pay(bill)
        self._submit(PIN)

    def pay_wrongly(self, _bill: int) -> None:
        self._submit(WRONG_PIN)

    def cancel(self, _bill: int) -> None:
        if self.sheet is not None and not self.sheet.closed:
            self.sheet.on_cancel()

    def mate_pays(self, bill: int) -> None:
        found = self.house.bills(WANG, WATER, NUMBER).bills
        if found:
            one = found[bill % len(found)]
            order = self.house.order(
                WANG, minor=one.due.minor, biller_id=WATER, customer_number=NUMBER, bill_id=one.bill_id,
                account=self.house.account(WANG),
            )  # fmt: skip
            self.house.ask(WANG, order)
            self.notice(bill)

    def notice(self, _bill: int) -> None:
        self.member.bus.publish(PaymentNoticed())

    def deliver(self, _bill: int) -> None:
        self.wire.deliver()

    def lose(self, _bill: int) -> None:
        self.wire.deliver(lost=True)

    def settle(self) -> None:
        """Everything that is on its way arrives, open orders are asked after, and the conversation is looked at."""
        self.open(0)
        self.notice(0)
        for _turn in range(60):
            while self.wire.waiting:
                self.wire.deliver()
            later, self.wire.later = self.wire.later, []
            for work in later:
                work()
            if not self.wire.waiting:
                break
        self.cancel(0)


WEIGHTS = {
    "open": 1, "order": 2, "close": 1, "press_pay": 2, "pay": 2, "pay_wrongly": 1, "cancel": 1, "mate_pays": 1,
    "notice": 1, "deliver": 3, "lose": 1,
}  # fmt: skip
NAMES = [name for name, times in WEIGHTS.items() for _time in range(times)]
DOINGS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, BILLS - 1)), max_size=30)


def test_in_the_end_the_conversation_shows_what_the_ledger_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_SCRYPT_N", 2)
    house = House(tmp_path / "payment")
    for member in (LIN, WANG):
        house.do("account", "top-up", "--member", str(member), "--amount", "90000.00")
    house.do("limits", "set", "--single", "9000.00", "--daily", "9000000.00", "--per-minute", "10000")
    house.bills(LIN, WATER, NUMBER)  # the number is known from here on
    paid_in_all: Counter[str] = Counter()

    @settings(max_examples=50, derandomize=True, database=None, deadline=None)
    @given(DOINGS)
    def whatever(doings: list[tuple[str, int]]) -> None:
        set_language("en")
        house.clock.forward(1_000)  # longer than a lock
        rows = [
            f"{WATER},{NUMBER},2026-01,Bill {n},Use,{10 + n}.00,2026-01-2{n},R{house.clock()}-{n},"
            for n in range(BILLS)
        ]
        house.load("\n".join([HEADER, *rows]) + "\n")
        with tempfile.TemporaryDirectory() as folder:
            desk = Desk(house, Path(folder))
            first = len(ledger(house))
            desk.open(0)
            for doing, bill in doings:
                getattr(desk, doing)(bill)
            desk.settle()
            check(desk, ledger(house)[first:])
            paid_in_all.update(row[0].hex() for row in ledger(house)[first:])
            desk.close(0)
            desk.store.close()
        for bill in house.bills(LIN, WATER, NUMBER).bills:  # the next example begins with its own bills alone
            house.ask(WANG, house.order(
                WANG, minor=bill.due.minor, biller_id=WATER, customer_number=NUMBER, bill_id=bill.bill_id,
                account=house.account(WANG),
            ))  # fmt: skip

    whatever()
    house.close()
    assert len(paid_in_all) >= 5, "too few of the ways came to a payment"


def ledger(house: House) -> list[tuple[bytes, int, int]]:
    """Payment id, bill and minor units of every payment of the member."""
    return [
        (row[0], row[1], row[2])
        for row in house.core.store.all(
            "SELECT payment_id, bill_id, amount FROM transfer WHERE kind = 'payment' AND member_id = ? ORDER BY no",
            (LIN,),
        )
    ]


def check(desk: Desk, taken: list[tuple[bytes, int, int]]) -> None:
    is_open = {f"bill-{bill.bill_id}": bill for bill in desk.house.bills(LIN, WATER, NUMBER).bills}
    cards = {card.key: card for card in desk.cards("bill-")}
    payable = {key for key, card in cards.items() if card.buttons and card.buttons[0].action == "pay"}
    assert payable == set(is_open), "bills that can be pressed are the bills that are open"
    assert all(cards[key].buttons[0].enabled for key in payable), "nothing is being decided any more"
    receipts = [card.key for card in desk.cards("order-") if card.banner.startswith("✓ Paid")]
    assert sorted(receipts) == sorted(f"order-{payment_id.hex()}" for payment_id, _bill, _minor in taken)
    assert all(count == 1 for count in Counter(bill for _id, bill, _minor in taken).values()), "paid twice"
    assert not [card for card in desk.cards("order-") if card.banner == "Still deciding"]
