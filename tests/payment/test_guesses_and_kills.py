"""The payment password when the process is killed: nobody loses a try to a crash, nobody gains one by it."""

from __future__ import annotations

import random
import secrets
from pathlib import Path

import pytest

from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Type
from payment import credentials
from payment.contract.messages import Answer, NotPaid, Paid
from tests.payment.house import LIN, PIN, WATER, WRONG_PIN, House

LOCK_FIRST_SECONDS = 15 * 60


def crash(house: House) -> None:
    """kill -9, and the next start."""
    house.core.abandon()
    house.calls.clear()
    house.open()


def guess(house: House, pin: str, turns: int | None) -> Answer | None:
    """One order; the process is killed after so many turns of the service (None: it is let live). What was heard."""
    order = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000, pin=pin)
    body, context = house.seal(LIN, order)
    house.sent.clear()
    items: list[object] = [Frame(Type.SEALED_REQUEST, 0, 1, LIN, PAYMENT_ID, body)]
    done = 0
    while (items or house.service.has_work) and done != turns:
        house.service.turn(items)  # type: ignore[arg-type]
        items, house.calls = list(house.calls), []
        done += 1
    heard = [context.open(frame.body) for frame in house.sent if frame.type == Type.SEALED_ANSWER]
    if turns is not None:
        crash(house)
    return heard[0] if heard else None


@pytest.mark.parametrize("kills", [3, 10, credentials.UNJUDGED_MAX - 1])
def test_crashes_during_the_check_do_not_lock_a_right_password(house: House, kills: int) -> None:
    for _ in range(kills):
        assert guess(house, PIN, turns=1) is None
    assert isinstance(guess(house, PIN, turns=None), Paid)
    answer = guess(house, WRONG_PIN, turns=None)
    assert isinstance(answer, NotPaid) and answer.attempts_left == 2


def test_who_makes_it_crash_without_end_is_locked_at_last(house: House) -> None:
    for _ in range(credentials.UNJUDGED_MAX):
        guess(house, WRONG_PIN, turns=1)
    answer = guess(house, PIN, turns=None)
    assert isinstance(answer, NotPaid) and answer.code == "pin_locked"
    house.clock.forward(LOCK_FIRST_SECONDS)
    assert isinstance(guess(house, PIN, turns=None), Paid)


def test_a_verdict_is_committed_before_it_is_heard(house: House) -> None:
    """Killed right after the answer left, the service still knows that the guess was wrong."""
    for left in (2, 1, 0):
        answer = guess(house, WRONG_PIN, turns=3)
        assert isinstance(answer, NotPaid) and answer.attempts_left == left
    answer = guess(house, PIN, turns=None)
    assert isinstance(answer, NotPaid) and answer.code == "pin_locked"


def test_crashes_and_wrong_guesses_together_lock_after_three_wrong_ones(house: House) -> None:
    for at in range(3):
        for _ in range(3):
            assert guess(house, WRONG_PIN, turns=1) is None
        answer = guess(house, WRONG_PIN, turns=None)
        assert isinstance(answer, NotPaid) and answer.code == "wrong_pin"
        assert (answer.attempts_left == 0) == (at == 2) and (answer.retry_at_ms > 0) == (at == 2)
    answer = guess(house, PIN, turns=None)
    assert isinstance(answer, NotPaid) and answer.code == "pin_locked"


@pytest.mark.timeout(300)
def test_no_order_of_kills_gives_more_guesses_than_the_rule_says(tmp_path: Path) -> None:
    """An attacker who kills the process at whatever moment he likes, with the clock standing still.

    He learns of a guess only by an answer, or by what the service says later. Whatever he does: before the first lock
    three verdicts reach him, and three are committed; what he was not told of is not more than he could have guessed
    blindly.
    """
    seed = secrets.randbelow(2**32)
    for at in range(10):
        dice = random.Random(seed + at)
        house = House(tmp_path / str(at))
        heard = 0
        for _ in range(credentials.UNJUDGED_MAX + 10):
            pin = f"{dice.randrange(10**6):06}".replace(PIN, WRONG_PIN)
            answer = guess(house, pin, dice.choice((1, 1, 2, 3, None)))
            if isinstance(answer, NotPaid) and answer.code == "wrong_pin":
                heard += 1
            if isinstance(answer, NotPaid) and (answer.code == "pin_locked" or answer.retry_at_ms):
                break
        locked = guess(house, PIN, turns=None)
        assert isinstance(locked, NotPaid) and locked.code == "pin_locked", f"seed {seed + at}"
        assert heard <= credentials.TRIES_MAX, f"seed {seed + at}"
        house.close()
