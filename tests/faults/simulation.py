"""The real client logic and the real service, with a network and clocks that a test drives: no time passes.

The relay between them drops, delays, repeats and reorders packets; the clocks of both sides jump by a day; the service
and the clients are killed. Everything follows from one seed, so that a failure can be replayed step by step.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desktop_client.config import Timings
from desktop_client.events import EventBus, OrderChanged, SessionReady
from desktop_client.history import History
from desktop_client.outbox import Order, Outbox
from desktop_client.outcomes import Outcome
from desktop_client.payments import Payments
from desktop_client.sealer import Sealer
from desktop_client.session import TIMED_OUT
from desktop_client.store import Store
from im_protocol.codec import Frame, decode_body
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, Refusal, Type
from payment.contract.keys import root_fingerprint
from payment.contract.messages import Amount
from tests.faults.house import PIN, Desk, Due, House

DAY_MS = 86_400_000
START_MS = 1_800_000_000_000
WRONG_PIN = "907153"
GATHER_MS = 30
TRIES_MAX = 3
"""How often a member pays for one thing anew, under a new payment id, after each word that it was not paid."""


class World:
    """Simulated time: things to do, each at its moment, in milliseconds since the start."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._todo: list[tuple[int, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def later(self, ms: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._todo, (self.now_ms + int(ms), next(self._count), work))

    def skip(self, ms: int) -> None:
        """Time passes in which nobody does anything, as if everything that is due had been put off."""
        self.now_ms += ms
        self._todo = [(at + ms, number, work) for at, number, work in self._todo]

    def run_until(self, end_ms: int) -> None:
        """Does everything that is due by then."""
        while self._todo and self._todo[0][0] <= end_ms:
            self.now_ms, _, work = heapq.heappop(self._todo)
            work()
        self.now_ms = end_ms


@dataclass
class Clock:
    """A wall clock that may be wrong."""

    world: World
    wrong_by_ms: int = 0

    def ms(self) -> int:
        return START_MS + self.world.now_ms + self.wrong_by_ms

    def seconds(self) -> float:
        return self.ms() / 1000


@dataclass
class Faults:
    """How bad the relay is: shares of packets."""

    dropped: float = 0.0
    repeated: float = 0.0
    slow: float = 0.0

    def delays_ms(self, dice: random.Random) -> list[float]:
        """When the copies of a packet arrive; empty: never."""
        if dice.random() < self.dropped:
            return []
        copies = 1 + (dice.randint(1, 3) if dice.random() < self.repeated else 0)
        return [self._delay(dice, copy) for copy in range(copies)]

    def _delay(self, dice: random.Random, copy: int) -> float:
        if copy or dice.random() < self.slow:  # a second copy may come much later
            return dice.choice((5, 500, 5_000, 60_000, 400_000)) * (0.5 + dice.random())
        return 1 + 20 * dice.random()


class Bank:
    """The service on its folder; killed and started again at will.

    What arrives within `GATHER_MS` is one turn, and so one group, in any order: questions and orders mixed.
    """

    def __init__(self, world: World, house: House, path: Path, dice: random.Random) -> None:
        self.clock = Clock(world)
        self.groups: Counter[int] = Counter()
        self._world = world
        self._dice = dice
        self._inbox: list[Frame] = []
        self._house = house
        self._path = path
        self.desk = self._open()
        self.deliver: dict[int, Callable[[Frame], None]] = {}
        self.everything: list[Frame] = []

    def _open(self) -> Desk:
        return Desk.open(self._house, self._path, clock=self.clock.ms)

    def take(self, frame: Frame) -> None:
        """A request arrives; its answer goes to whoever sent it."""
        if not self._inbox:
            self._world.later(GATHER_MS, self.turn)
        self._inbox.append(frame)

    def turn(self) -> None:
        """Handles all that has arrived."""
        frames, self._inbox = self._inbox, []
        if not frames:
            return  # killed meanwhile
        self._dice.shuffle(frames)
        self.groups[len(frames)] += 1
        self.desk.turn(frames)
        for answer in self.desk.take_answers().values():
            self.deliver[answer.receiver_id](answer)

    def kill(self) -> None:
        self._inbox = []
        self.desk.end()
        self.desk = self._open()


class Relay:
    """What the sessions of the clients talk to: the chat server and its relay, at their worst."""

    def __init__(self, world: World, bank: Bank, dice: random.Random) -> None:
        self.faults = Faults()
        self.seen: Counter[str] = Counter()
        self.kept: list[Frame] = []
        self._world = world
        self._bank = bank
        self._dice = dice
        self._ids = itertools.count(1)
        self._waiting: dict[int, Callable[[Frame], None]] = {}

    def open_for(self, member_id: int) -> None:
        self._bank.deliver[member_id] = self._answered

    def request(self, member_id: int, kind: Type, body: bytes, done: Callable[[Frame], None]) -> None:
        """Passes a client's packet on, as often as the faults say."""
        relay_id = next(self._ids)
        self._waiting[relay_id] = done
        frame = Frame(kind, 0, relay_id, member_id, PAYMENT_ID, body)
        self.kept.append(frame)
        self._carry(lambda: self._bank.take(frame))

    def replay(self, frame: Frame) -> None:
        """Sends a packet of long ago once more; nobody waits for its answer."""
        self._bank.take(frame._replace(request_id=next(self._ids)))

    def _answered(self, frame: Frame) -> None:
        self._carry(lambda: self._deliver(frame))

    def _deliver(self, frame: Frame) -> None:
        done = self._waiting.pop(frame.request_id, None)
        if done is not None:
            done(frame)

    def _carry(self, work: Callable[[], None]) -> None:
        delays = self.faults.delays_ms(self._dice)
        self.seen["dropped" if not delays else "repeated" if len(delays) > 1 else "passed"] += 1
        for delay in delays:
            self.seen["delayed"] += delay > 100
            self._world.later(delay, work)


class FakeSession:
    """Stands for desktop_client.session: requests with a deadline, timers. Dies with its client."""

    def __init__(self, world: World, relay: Relay, member_id: int, timings: Timings) -> None:
        self.bus = EventBus()
        self.signed_in = True
        self.is_dead = False
        self._world = world
        self._relay = relay
        self._member_id = member_id
        self._timings = timings

    def request(self, packet_type: Type, body: Any, done: Callable[[Any], None], *, receiver_id: int) -> None:
        is_open = True

        def on_answer(result: Frame | Refusal) -> None:
            nonlocal is_open
            if is_open and not self.is_dead:
                is_open = False
                done(result)

        raw = body if isinstance(body, bytes) else b"\x90"
        self._relay.request(self._member_id, packet_type, raw, lambda frame: on_answer(_typed(frame)))
        self._world.later(1000 * self._timings.request_seconds, lambda: on_answer(Refusal(TIMED_OUT, "too late")))

    def call_after(self, seconds: float, work: Callable[[], None]) -> None:
        self._world.later(1000 * seconds, lambda: None if self.is_dead else work())

    def on_push(self, packet_type: Type, handler: Callable[[Frame], None]) -> None:
        """Pushes are not simulated."""


def _typed(frame: Frame) -> Frame | Refusal:
    assert frame.flags & Flag.ANSWER
    return decode_body(frame, Refusal) if frame.type == Type.REFUSAL else frame


@dataclass
class Wanted:
    """Something that a member wants to pay once, and the payment ids that he tried, one after the other."""

    due: Due
    minor: int
    ids: list[bytes] = field(default_factory=list)


class Device:
    """A member's client: its outbox on disk, and the logic on top of it, which dies with `kill`."""

    def __init__(self, world: World, relay: Relay, house: House, member_id: int, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.member_id = member_id
        self.clock = Clock(world)
        self.told: dict[bytes, set[str]] = {}
        self.wanted: dict[bytes, Wanted] = {}
        self._world = world
        self._relay = relay
        self._house = house
        self._folder = folder
        relay.open_for(member_id)
        self._start()

    def _start(self) -> None:
        house = self._house
        timings = Timings()
        self.session = FakeSession(self._world, self._relay, self.member_id, timings)
        self.store = Store(self._folder)
        self.outbox = Outbox(self.store)
        fingerprint = root_fingerprint(house.root)
        self.sealer = Sealer(self.session, self.member_id, fingerprint, lambda: "en", self.clock.seconds)  # type: ignore[arg-type]
        bus = EventBus()
        bus.subscribe(OrderChanged, lambda event: self.hear(event.outcome))
        self.payments = Payments(
            self.session,  # type: ignore[arg-type]
            bus,
            self.sealer,
            self.outbox,
            History(self.store),
            self.member_id,
            timings,
            clock=self.clock.seconds,
        )
        bus.publish(SessionReady(self.member_id, "", 0, True))

    def set_clock_by(self, server: Clock) -> None:
        """As signing in does."""
        self.sealer.clock_offset_ms = server.ms() - self.clock.ms()

    def pay(self, due: Due, minor: int, pin: str = PIN) -> None:
        """The member wants to pay this once."""
        self._pay(Wanted(due, minor), pin)

    def _pay(self, wanted: Wanted, pin: str) -> None:
        due, minor = wanted.due, wanted.minor
        account = self._house.accounts[self.member_id]
        amount = Amount(minor, "CNY")
        order = self.payments.new_order(
            due.biller_id, "Biller", due.customer_number, due.bill_id, "Bill", amount, account
        )
        wanted.ids.append(order.payment_id)
        self.wanted[order.payment_id] = wanted
        self.payments.pay(order, account, pin, lambda outcome: self.hear(outcome))

    def pay_again(self, order: Order, pin: str = PIN) -> None:
        """The member presses Pay once more on an order that is still being decided."""
        self.payments.pay(order, self._house.accounts[self.member_id], pin, self.hear)

    def hear(self, outcome: Outcome) -> None:
        """What the window shows. The member does what it says: told *not paid*, he pays anew."""
        payment_id = outcome.order.payment_id
        if outcome.state in ("paid", "not_paid"):
            self.told.setdefault(payment_id, set()).add(outcome.state)
        wanted = self.wanted.get(payment_id)
        if outcome.state == "not_paid" and wanted and wanted.ids[-1] == payment_id and len(wanted.ids) < TRIES_MAX:
            self._world.later(1_000, lambda: self._pay(wanted, PIN) if wanted.ids[-1] == payment_id else None)

    def kill(self) -> None:
        """kill -9, and the next start."""
        self.session.is_dead = True
        self.store.close()
        self._start()

    def orders(self) -> list[Order]:
        rows = self.store.rows("SELECT payment_id FROM orders")
        return [order for (payment_id,) in rows if (order := self.outbox.get(bytes(payment_id)))]
