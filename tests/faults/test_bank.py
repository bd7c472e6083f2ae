"""The bank test: payers and snapshot readers at the same time, and a history that is checked afterwards.

In every snapshot the sum is what it was at the start. All operations fit one order, the order of commits, in which a
model gives the same balances, receipts and refusals; and that order agrees with real time: what was answered before
something else was asked comes before it (strict serializability).
"""

from __future__ import annotations

import queue
import random
import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import pytest

from im_protocol.codec import Frame
from payment.contract.messages import NotPaid, Paid, Pay, Receipt
from payment.contract.receipts import verify_receipt
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.house import EXACT, Asked, Desk, House, open_answer

pytestmark = [pytest.mark.faults, pytest.mark.slow]
PAYERS, READERS = 6, 2
PAYMENTS_EACH, PAYMENTS_EACH_LONG = 60, 900
POOR_MINOR = 60_000  # enough for some of the bills only
ANSWER_SECONDS_MAX = 30


@dataclass(frozen=True)
class Operation:
    """One order as its payer saw it. Times are monotonic nanoseconds."""

    asked_ns: int
    answered_ns: int
    member_id: int
    pay: Pay
    answer: Paid | NotPaid
    receipt: Receipt | None


@dataclass(frozen=True)
class Snapshot:
    """What a reader saw in one read transaction."""

    began_ns: int
    ended_ns: int
    last_no: int
    balances: dict[int, int]
    bills: dict[int, int]
    owed: int
    held: int


class Running:
    """The service on its own thread, with callers on theirs."""

    def __init__(self, house: House, path: Path) -> None:
        self._inbox: queue.SimpleQueue[tuple[Asked, queue.SimpleQueue[Frame]] | None] = queue.SimpleQueue()
        self._house, self._path = house, path
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service")
        self._seal_lock = threading.Lock()  # guards the desk's request ids
        self.desk: Desk
        self.groups: Counter[int] = Counter()

    def __enter__(self) -> Running:
        self._thread.start()
        assert self._ready.wait(ANSWER_SECONDS_MAX)
        return self

    def __exit__(self, *_: object) -> None:
        self._inbox.put(None)
        self._thread.join(ANSWER_SECONDS_MAX)

    def ask(self, member_id: int, pay: Pay, nonce: bytes) -> Paid | NotPaid:
        """From any thread: waits for the answer."""
        with self._seal_lock:
            asked = self.desk.ask(member_id, pay, nonce)
        box: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._inbox.put((asked, box))
        answer = open_answer(asked, box.get(timeout=ANSWER_SECONDS_MAX))
        assert isinstance(answer, Paid | NotPaid), answer
        return answer

    def _run(self) -> None:
        self.desk = Desk.open(self._house, self._path)
        self._ready.set()
        while (first := self._inbox.get()) is not None:
            group = [first]
            while not self._inbox.empty() and (more := self._inbox.get()) is not None:
                group.append(more)
            self.groups[len(group)] += 1
            self.desk.turn([asked.frame for asked, _ in group])
            answers = self.desk.take_answers()
            for asked, box in group:
                box.put(answers[asked.frame.request_id])
        self.desk.close()


@dataclass
class History:
    """What payers and readers saw; lists that each thread only appends to."""

    operations: list[Operation] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    def guarded(self, work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 the test fails with it
                self.faults.append(error)

        return run


def pay_much(running: Running, house: House, history: History, member_id: int, dice: random.Random, count: int) -> None:
    for _ in range(count):
        due = dice.choice(house.bills)
        minor = None if due.biller_id == EXACT else dice.randint(1, 3_000)
        pay = house.order(dice.randbytes(16), member_id, due, minor)
        asked_ns = time.monotonic_ns()
        answer = running.ask(member_id, pay, dice.randbytes(16))
        answered_ns = time.monotonic_ns()
        receipt = verify_receipt(answer.receipt, house.root) if isinstance(answer, Paid) else None
        history.operations.append(Operation(asked_ns, answered_ns, member_id, pay, answer, receipt))


def read_much(running: Running, history: History, stop: threading.Event) -> None:
    while not stop.is_set():
        history.snapshots.append(snapshot(running))


def snapshot(running: Running) -> Snapshot:
    began_ns = time.monotonic_ns()
    with running.desk.core.store.reader() as reader:
        accounts = reader.execute("SELECT id, kind, balance FROM account").fetchall()
        (last_no,) = reader.execute("SELECT max(no) FROM transfer").fetchall()[0]
        bills = dict(reader.execute("SELECT id, paid FROM bill").fetchall())
    held = sum(balance for _, kind, balance in accounts if kind == "cash")
    owed = sum(balance for _, kind, balance in accounts if kind != "cash")
    balances = {account_id: balance for account_id, _, balance in accounts}
    return Snapshot(began_ns, time.monotonic_ns(), last_no, balances, bills, owed, held)


State = tuple[dict[int, int], dict[int, int]]
"""Balances by account, and what was paid by bill."""


class Model:
    """Plays the payments in commit order. `after[i]` is the state after the first i of them."""

    def __init__(self, house: House, first: Snapshot, paid: list[Operation], path: Path) -> None:
        self.wallets, self.billers = _account_ids(house, path)
        self.after: list[State] = [(first.balances, first.bills)]
        for operation in paid:
            balances, bills = dict(self.after[-1][0]), dict(self.after[-1][1])
            receipt = operation.receipt
            assert receipt is not None
            minor = receipt.paid.minor
            total = next(due.minor for due in house.bills if due.bill_id == receipt.bill_id)
            cleared = min(minor, total - bills[receipt.bill_id])
            assert receipt.billed.minor == total - bills[receipt.bill_id], "the receipt's bill is not the model's"
            balances[self.wallets[operation.member_id]] -= minor
            balances[self.billers[receipt.biller_id]] += minor
            bills[receipt.bill_id] += cleared
            assert receipt.remaining.minor == total - bills[receipt.bill_id]
            assert operation.answer.balance_after.minor == balances[self.wallets[operation.member_id]]  # type: ignore[union-attr]
            assert min(balances.values()) >= 0
            self.after.append((balances, bills))


def _account_ids(house: House, path: Path) -> tuple[dict[int, int], dict[int, int]]:
    import apsw

    connection = apsw.Connection(str(path / "payment.db"))
    rows = connection.execute("SELECT owner_id, id, kind FROM account").fetchall()
    connection.close()
    return {r[0]: r[1] for r in rows if r[2] == "wallet"}, {r[0]: r[1] for r in rows if r[2] == "biller"}


@pytest.fixture
def poor_house(tmp_path: Path, quick_passwords: None, is_long: bool) -> House:
    times = 12 if is_long else 1
    return House.build(tmp_path / "poor", members=PAYERS, bills_each=8 * times, opening_minor=POOR_MINOR * times)


@pytest.mark.timeout(1_800)
def test_history_of_payers_and_readers_is_strictly_serializable(
    poor_house: House, tmp_path: Path, luck: Luck, tally: Tally, is_long: bool
) -> None:
    path, history = poor_house.copy(tmp_path / "bank"), History()
    count = PAYMENTS_EACH_LONG if is_long else PAYMENTS_EACH
    with Running(poor_house, path) as running:
        history.snapshots.append(snapshot(running))
        run_all(running, poor_house, history, luck, count)
        history.snapshots.append(snapshot(running))
        groups = max(running.groups)
    assert not history.faults, history.faults
    for seen in history.snapshots:
        assert seen.owed == seen.held == poor_house.opened_minor, "a snapshot saw money created or lost"
    paid = sorted((o for o in history.operations if o.receipt), key=lambda o: o.receipt.transfer_no)  # type: ignore[union-attr]
    model = Model(poor_house, history.snapshots[0], paid, path)
    base = history.snapshots[0].last_no
    check_real_time(paid, history.snapshots, base)
    for seen in history.snapshots:
        assert (seen.balances, seen.bills) == model.after[seen.last_no - base], "a snapshot is no state of the model"
    refused = [o for o in history.operations if o.receipt is None]
    must_see, may_see = bounds(paid)
    for operation in refused:
        states = model.after[must_see(operation.asked_ns) : may_see(operation.answered_ns) + 1]
        check_refusal(operation, states, model, poor_house)
    ledger_check(path)
    codes = Counter(o.answer.code for o in refused)  # type: ignore[union-attr]
    distinct = len({seen.last_no for seen in history.snapshots})
    snapshots = len(history.snapshots)
    tally.say(paid=len(paid), refused=dict(codes), snapshots=snapshots, states_seen=distinct, largest_group=groups)


def run_all(running: Running, house: House, history: History, luck: Luck, count: int) -> None:
    stop = threading.Event()
    dice = [random.Random(luck.randrange(2**32)) for _ in house.members]
    payers = [
        threading.Thread(target=history.guarded(lambda m=m, d=d: pay_much(running, house, history, m, d, count)))
        for m, d in zip(house.members, dice, strict=True)
    ]
    reading = history.guarded(lambda: read_much(running, history, stop))
    readers = [threading.Thread(target=reading) for _ in range(READERS)]
    for thread in (*payers, *readers):
        thread.start()
    for thread in payers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()


def check_real_time(paid: list[Operation], snapshots: list[Snapshot], base: int) -> None:
    """Commit order agrees with real time, for payments among themselves and with snapshots."""
    numbers = [o.receipt.transfer_no for o in paid]  # type: ignore[union-attr]
    assert numbers == list(range(base + 1, base + 1 + len(paid))), "a transfer that nobody was told of"
    latest_asked = 0
    for operation in paid:
        latest_asked = max(latest_asked, operation.asked_ns)
        assert operation.answered_ns > latest_asked, "a payment was answered before an earlier one was asked"
    must_see, may_see = bounds(paid)
    for seen in snapshots:
        assert must_see(seen.began_ns) <= seen.last_no - base <= may_see(seen.ended_ns), "a snapshot of another time"


def bounds(paid: list[Operation]) -> tuple[Callable[[int], int], Callable[[int], int]]:
    """For a moment: how many of the payments surely were, and how many can have been, committed by then."""
    answered = sorted((o.answered_ns, at + 1) for at, o in enumerate(paid))
    surely = list(accumulate((at for _, at in answered), max, initial=0))
    answered_ns = [ns for ns, _ in answered]
    asked_later = list(_latest_asked(paid))

    def must_see(ns: int) -> int:
        return surely[bisect_left(answered_ns, ns)]

    def may_see(ns: int) -> int:
        return bisect_right(asked_later, ns)

    return must_see, may_see


def _latest_asked(paid: list[Operation]) -> Iterator[int]:
    """The latest question up to each commit: a payment is there only when all before it are."""
    return accumulate((o.asked_ns for o in paid), max)


def check_refusal(operation: Operation, states: list[State], model: Model, house: House) -> None:
    """In some state between question and answer the refusal is what the model would say."""
    pay, code = operation.pay, operation.answer.code  # type: ignore[union-attr]
    assert pay.amount is not None and pay.bill_id is not None
    total = next(due.minor for due in house.bills if due.bill_id == pay.bill_id)
    wallet = model.wallets[operation.member_id]
    fits = {
        "already_paid": lambda balances, bills: bills[pay.bill_id] == total,
        "amount_not_allowed": lambda balances, bills: 0 < total - bills[pay.bill_id] != pay.amount.minor,
        "not_enough_money": lambda balances, bills: balances[wallet] < pay.amount.minor,
    }[code]
    assert any(fits(balances, bills) for balances, bills in states), f"nothing explains {code}"


def test_the_check_of_histories_finds_a_lost_update(poor_house: House, tmp_path: Path, luck: Luck) -> None:
    """The check itself is checked: a history with a payment that the ledger forgot does not pass."""
    path, history = poor_house.copy(tmp_path / "bank"), History()
    with Running(poor_house, path) as running:
        history.snapshots.append(snapshot(running))
        run_all(running, poor_house, history, luck, 10)
    paid = sorted((o for o in history.operations if o.receipt), key=lambda o: o.receipt.transfer_no)  # type: ignore[union-attr]
    with pytest.raises(AssertionError):
        Model(poor_house, history.snapshots[0], paid[: len(paid) // 2] + paid[len(paid) // 2 + 1 :], path)
        check_real_time(paid[1:], history.snapshots, history.snapshots[0].last_no)
