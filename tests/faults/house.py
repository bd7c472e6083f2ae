"""A payment folder with members, money and bills, and the subsystem's service driven by hand in this process.

A `House` is the folder, which tests copy; a `Desk` is a service at work on a copy. Requests are really sealed, frames
really encoded: only sockets, threads and the clock are the test's own.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.tables import Row
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, Type
from payment.audit import Operator
from payment.bill_import import load_bills
from payment.billing import BillerInfo
from payment.contract.keys import KeyConfig, verify_key_configs
from payment.contract.messages import Amount, Answer, Envelope, Pay, Request
from payment.contract.sealing import ResponseContext, seal_request
from payment.core import Core, system_clock
from payment.imports import Record, load_customers
from payment.limits import LimitSet
from payment.operations import Operations
from payment.service import Service

FIRST_MEMBER = 10_001
EXACT, PARTS, CREDIT = 101, 102, 103
RULES = {EXACT: "exact", PARTS: "up_to_due", CREDIT: "over_is_credit"}
PIN = "580213"
MEMBERS, BILLS_EACH = 4, 6
OPENING_MINOR = 100_000
BILL_MINOR = 4_321
NO_LIMITS = LimitSet(10**12, 10**12, 10**6)
Clock = Callable[[], int]


@dataclass(frozen=True)
class Due:
    """A bill of the house, as the members know it."""

    bill_id: int
    biller_id: int
    customer_number: str
    minor: int


@dataclass
class House:
    """The folder, and what is in it."""

    path: Path
    config: KeyConfig
    accounts: dict[int, str]
    bills: list[Due]
    root: bytes
    opening_minor: int = OPENING_MINOR

    @classmethod
    def build(
        cls,
        path: Path,
        *,
        members: int = MEMBERS,
        bills_each: int = BILLS_EACH,
        opening_minor: int = OPENING_MINOR,
        bill_minor: int = BILL_MINOR,
    ) -> House:
        """Members share customer numbers two by two, so that they can get in each other's way."""
        core = Core(path)
        pin = core.credentials.prepare(PIN)
        with core.store.bound(), core.store.transaction():
            operations = Operations(core, Operator("faults", "test"))
            for biller_id, rule in RULES.items():
                wanted = BillerInfo(biller_id, f"Biller {biller_id}", "other", rule, "CNY", "", "", 0)  # type: ignore[arg-type]
                operations.put_biller(wanted, may_exist=False)
            ids = range(FIRST_MEMBER, FIRST_MEMBER + members)
            for member_id in ids:
                operations.open_account(member_id, f"Member {member_id}", "CNY", pin)
                operations.top_up(member_id, _text(opening_minor))
            load_customers(operations, [_customer(b, n) for b in RULES for n in _numbers(ids)])
            wanted_bills = [(b, n, i) for i in range(bills_each) for b in RULES for n in _numbers(ids)]
            load_bills(operations, [_bill(*one, bill_minor) for one in wanted_bills])
            core.limits.set(0, NO_LIMITS)
        rows = core.store.all("SELECT id, biller_id, customer_number, total FROM bill ORDER BY id")
        now_ms = core.clock()
        config = verify_key_configs(core.keystore.body(now_ms), core.keystore.root_public, now_ms)[0]
        accounts = {member_id: core.ledger.accounts_of(member_id)[0].number for member_id in ids}
        house = cls(path, config, accounts, [Due(*row) for row in rows], core.keystore.root_public, opening_minor)
        core.close()
        return house

    @property
    def members(self) -> list[int]:
        return list(self.accounts)

    @property
    def opened_minor(self) -> int:
        """All the money there is."""
        return self.opening_minor * len(self.accounts)

    def copy(self, target: Path) -> Path:
        """The folder once more, as it is on the disk now."""
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.path, target, ignore=shutil.ignore_patterns("*.sock"))
        return target

    def order(self, payment_id: bytes, member_id: int, due: Due, minor: int | None = None) -> Pay:
        """A complete order for a bill."""
        amount = Amount(due.minor if minor is None else minor, "CNY")
        account = self.accounts[member_id]
        return Pay(payment_id, due.biller_id, due.customer_number, due.bill_id, amount, account, PIN)

    def seal(
        self, member_id: int, request: Request, nonce: bytes, made_at_ms: int = 0
    ) -> tuple[bytes, ResponseContext]:
        """The body of a SEALED_REQUEST. `made_at_ms` 0: now."""
        return seal_request(self.config, Envelope(nonce, made_at_ms or system_clock(), "en", request), member_id)


def _numbers(members: Sequence[int]) -> list[str]:
    return [f"88{at:06}" for at in range((len(members) + 1) // 2)]


def _customer(biller_id: int, number: str) -> Record:
    values = {"biller_id": str(biller_id), "customer_number": number, "place": "here"}
    return Record(Row("customers.csv", 1, values, values))


def _bill(biller_id: int, number: str, at: int, minor: int) -> Record:
    values = {
        "biller_id": str(biller_id),
        "customer_number": number,
        "period": f"2026-{at + 1:04}",
        "title": f"Bill {at}",
        "line_text": "use",
        "line_amount": _text(minor),
        "due_on": "2027-01-31",
    }
    return Record(Row("bills.csv", at + 2, values, values))


def _text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


@dataclass
class Asked:
    """A request that was sealed: its frame, and what opens its answer."""

    frame: Frame
    context: ResponseContext
    member_id: int
    request: Any


@dataclass
class Desk:
    """The service at work on a folder, one turn after the other. `end` is a crash, `close` a clean stop."""

    house: House
    core: Core
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.service = Service(self.core, self._send, self._slow)
        self._ids = itertools.count(1)
        self._reader = FrameReader()
        self._back: list[Callable[[], None]] = []
        self.frames: list[Frame] = []

    @classmethod
    def open(cls, house: House, path: Path, *, vfs: str = "", clock: Clock = system_clock) -> Desk:
        return cls(house, Core(path, vfs=vfs, clock=clock))

    def _send(self, packets: bytes) -> None:
        self.frames += self._reader.receive_data(packets)

    def _slow(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        result = work()
        self._back.append(lambda: then(result))

    def ask(self, member_id: int, request: Request, nonce: bytes, made_at_ms: int = 0) -> Asked:
        """Seals a request under a new request id; nothing is sent yet."""
        body, context = self.house.seal(member_id, request, nonce, made_at_ms or self.core.clock())
        frame = Frame(Type.SEALED_REQUEST, 0, next(self._ids), member_id, PAYMENT_ID, body)
        return Asked(frame, context, member_id, request)

    def turn(self, frames: Sequence[Frame]) -> None:
        """Turns until nothing is left to do."""
        items: list[Frame | Callable[[], None]] = list(frames)
        while items or self.service.has_work:
            self.service.turn(items)
            items, self._back = list(self._back), []

    def take_answers(self) -> dict[int, Frame]:
        """The answers that were sent since the last call, by request id."""
        answers = {frame.request_id: frame for frame in self.frames if frame.flags & Flag.ANSWER}
        self.frames = []
        return answers

    def answers(self, asked: Sequence[Asked]) -> list[Answer]:
        """Sends all in one turn and opens their answers."""
        self.turn([one.frame for one in asked])
        frames = self.take_answers()
        return [open_answer(one, frames[one.frame.request_id]) for one in asked]

    def answer(self, member_id: int, request: Request, nonce: bytes) -> Answer:
        return self.answers([self.ask(member_id, request, nonce)])[0]

    def end(self) -> None:
        """Closes files and lock without a word to the database."""
        self.core.abandon()

    def close(self) -> None:
        self.core.close()


def open_answer(asked: Asked, frame: Frame) -> Answer:
    assert frame.type == Type.SEALED_ANSWER, f"type {frame.type:#06x}: {frame.body!r}"
    return asked.context.open(frame.body)
