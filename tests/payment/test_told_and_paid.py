"""A member who does what he is told, on the worst of networks: he never pays twice.

He wants to pay something once. Told *not paid* or *unknown* he pays anew, under a new payment id; told nothing, he asks
or sends the same order again. The network delays and repeats what he sends and hands it over in groups of any order,
questions and orders mixed; answers get lost, the link breaks, the service is killed between any two turns, clocks are
set. Whatever is still under way at the end arrives after all. Then the ledger is asked.
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, Type
from payment.contract import sealing
from payment.contract.messages import (
    Answer,
    AskPayment,
    Envelope,
    NotPaid,
    Paid,
    Pay,
    PaymentUnknown,
    Prompt,
    Refused,
)
from tests.payment.house import LIN, PIN, WRONG_PIN, House

ROUNDS, STEPS = 40, 40
GROUP_MAX = 6
KEPT_MAX = 40
PINS = (PIN, PIN, PIN, WRONG_PIN, None)
CLOCK_STEPS_SECONDS = (-86_400, -400, -60, -1, 1, 61, 301, 1_000, 86_400)


@dataclass
class Seal:
    """One packet of the member, under way or arrived, and what he heard of it."""

    request: Pay | AskPayment
    made_at_ms: int
    body: bytes
    context: sealing.ResponseContext
    answer: Answer | None = None

    @property
    def payment_id(self) -> bytes:
        return self.request.payment_id


@dataclass
class Intent:
    """Something that is to be paid once, and the payment ids that the member tried in turn."""

    minor: int
    ids: list[bytes]
    seals: list[Seal] = field(default_factory=list)
    told_not_paid: set[bytes] = field(default_factory=set)

    def of_now(self) -> list[Seal]:
        return [seal for seal in self.seals if seal.payment_id == self.ids[-1]]

    def is_told_not_paid(self) -> bool:
        """What SEALING.md says that the answers mean for the newest id."""
        seals = self.of_now()
        orders = [seal for seal in seals if isinstance(seal.request, Pay)]
        if any(isinstance(seal.answer, Paid) for seal in seals):
            return False
        newest_ms = max((seal.made_at_ms for seal in orders), default=-1)
        for seal in seals:
            answer = seal.answer
            if isinstance(answer, NotPaid) and answer.final and answer.code != "payment_id_reused":
                return True
            if isinstance(answer, PaymentUnknown) and seal.made_at_ms >= newest_ms:
                return True
            if isinstance(seal.request, Pay) and isinstance(answer, NotPaid | Prompt | Refused):
                others = [other for other in orders if other is not seal]
                if all(other.made_at_ms < seal.made_at_ms for other in others):
                    return True
        return False


class Play:
    """One run. Everything follows from the dice."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.dice = dice
        self.house = House(path, furnish=False)
        argv = ("account", "open", "--member", str(LIN), "--name", "Lin", "--pin-stdin")
        self.house.do(*argv, stdin=PIN)
        self.house.do("account", "top-up", "--member", str(LIN), "--amount", "1000.00")
        self.house.do("biller", "add", "--name", "Water", "--id", "102", "--rule", "up_to_due")
        self.house.do("limits", "set", "--per-minute", "3")
        self.house.load(
            "biller_id,customer_number,period,title,line_text,line_amount,due_on\n"
            "102,1,2026-01,Water,Usage,1000.00,2026-01-20\n"
        )
        self.intents: list[Intent] = []
        self.post: list[Seal] = []
        self.kept: list[Seal] = []
        self.last_ms = 0
        self.config = self.house.config()

    ACTIONS = {"want": 3, "go_on": 8, "hand_over": 8, "finish": 1, "crash": 1, "restart": 1, "set_clock": 2}

    def step(self) -> None:
        name = self.dice.choices(list(self.ACTIONS), list(self.ACTIONS.values()))[0]
        getattr(self, name)()

    def mostly(self) -> bool:
        return self.dice.random() < 0.8

    # ---- the member ---------------------------------------------------------------------------------------------

    def made_at_ms(self) -> int:
        """Larger with every seal, unless the clock was put back by more than its orders would survive."""
        now_ms = self.house.clock()
        self.last_ms = self.last_ms + 1 if now_ms <= self.last_ms <= now_ms + 240_000 else now_ms
        return self.last_ms

    def seal(self, intent: Intent, request: Pay | AskPayment) -> None:
        made_at_ms = self.made_at_ms()
        envelope = Envelope(secrets.token_bytes(16), made_at_ms, "en", request)
        seal = Seal(request, made_at_ms, *sealing.seal_request(self.config, envelope, LIN))
        intent.seals.append(seal)
        self.post.append(seal)

    def order(self, intent: Intent, pin: str | None) -> Pay:
        fields: dict[str, Any] = {"payment_id": intent.ids[-1], "biller_id": 102, "customer_number": "1", "bill_id": 1}
        return self.house.order(LIN, minor=intent.minor, pin=pin, **fields)

    def want(self) -> None:
        intent = Intent(self.dice.randint(1, 4_000), [secrets.token_bytes(16)])
        self.intents.append(intent)
        self.seal(intent, self.order(intent, self.dice.choice(PINS)))

    def go_on(self) -> None:
        if self.intents:
            self.act(self.dice.choice(self.intents), self.dice.choice(PINS), asks=self.dice.random() < 0.6)

    def act(self, intent: Intent, pin: str | None, *, asks: bool) -> None:
        """He looks at what he was told, and does that; otherwise he asks, or sends the order again."""
        if any(isinstance(seal.answer, Paid) for seal in intent.seals):
            return
        if intent.is_told_not_paid():
            intent.told_not_paid.add(intent.ids[-1])
            intent.ids.append(secrets.token_bytes(16))
            self.seal(intent, self.order(intent, pin))
        elif asks:
            self.seal(intent, AskPayment(intent.ids[-1]))
        else:
            self.seal(intent, self.order(intent, pin))

    # ---- the network and the service ----------------------------------------------------------------------------

    def hand_over(self) -> None:
        """A group in any order, old copies among it; what passwords need is checked at once, or later, or never."""
        left_out = self.dice.choice((0, 0, 0, 1, 2))
        group = self.dice.sample(self.post, max(0, len(self.post) - left_out))[:GROUP_MAX]
        group += self.dice.sample(self.kept, min(len(self.kept), self.dice.choice((0, 0, 1, 2))))
        self.turn(group, is_heard=self.mostly(), finish=self.mostly())

    def turn(self, seals: list[Seal], *, is_heard: bool, finish: bool) -> None:
        house, under_way = self.house, dict(enumerate(seals))
        frames = [Frame(Type.SEALED_REQUEST, 0, n, LIN, PAYMENT_ID, seal.body) for n, seal in under_way.items()]
        house.sent.clear()
        house.service.turn(list(frames))
        while finish and (house.calls or house.service.has_work):
            calls, house.calls = house.calls, []
            house.service.turn(calls)  # type: ignore[arg-type]
        for frame in house.sent:
            if is_heard and frame.flags & Flag.ANSWER:
                hear(under_way[frame.request_id], frame)
        if not finish:
            house.service.link_lost()  # later answers are for nobody
        self.kept = (self.kept + seals)[-KEPT_MAX:]
        self.post = [seal for seal in self.post if seal not in seals]

    def finish(self) -> None:
        self.turn([], is_heard=False, finish=True)

    def crash(self) -> None:
        self.house.core.abandon()
        self.house.calls.clear()
        self.house.open()

    def restart(self) -> None:
        self.house.calls.clear()
        self.house.restart()

    def set_clock(self) -> None:
        self.house.clock.forward(self.dice.choice(CLOCK_STEPS_SECONDS))

    # ---- the end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        self.settle()
        self.deliver_everything()
        self.compare_with_the_ledger()
        self.house.check()

    def settle(self) -> None:
        """The network works again; what was under way stays so. The member goes on until he is told *paid*."""
        self.house.do("pin", "reset", "--member", str(LIN), "--pin-stdin", "--why", "locked", stdin=PIN)
        self.house.do("limits", "set", "--per-minute", "1000")
        under_way = self.post
        for _ in range(3):
            self.post = []
            for intent in self.intents:
                self.act(intent, PIN, asks=True)
            self.turn(self.post, is_heard=True, finish=True)
        self.post = under_way

    def deliver_everything(self) -> None:
        seals = [seal for intent in self.intents for seal in intent.seals]
        for made_at_ms in sorted({seal.made_at_ms for seal in seals}, reverse=True)[:5]:
            self.house.clock.now_ms = made_at_ms
            self.turn(list(reversed(seals)), is_heard=False, finish=True)

    def compare_with_the_ledger(self) -> None:
        rows = self.house.core.store.all("SELECT payment_id, amount FROM transfer WHERE kind = 'payment'")
        ledger = {bytes(payment_id): amount for payment_id, amount in rows}
        assert len(ledger) == len(rows), "one id paid twice"
        for intent in self.intents:
            paid = [payment_id for payment_id in intent.ids if payment_id in ledger]
            assert len(paid) <= 1, "the member did what he was told, and paid twice"
            assert not intent.told_not_paid & set(paid), "told not paid, and it was paid"
            for seal in intent.seals:
                if isinstance(seal.answer, Paid):
                    assert seal.payment_id in ledger, "told paid, and it was not"


def hear(seal: Seal, frame: Frame) -> None:
    assert frame.type == Type.SEALED_ANSWER, frame
    answer = seal.context.open(frame.body)
    if isinstance(answer, Refused) and isinstance(seal.request, AskPayment):
        return  # says that the question is a copy or stale, nothing of the order
    if isinstance(seal.answer, Paid):
        assert answer == seal.answer, "told paid, and then something else"
    seal.answer = answer


@pytest.mark.timeout(300)
def test_who_does_what_he_is_told_never_pays_twice(tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)
    for at in range(ROUNDS):
        play = Play(tmp_path / str(at), random.Random(seed + at))
        try:
            for _ in range(STEPS):
                play.step()
            play.end()
        except AssertionError as error:
            error.add_note(f"seed {seed + at}")
            raise
        finally:
            play.house.close()
