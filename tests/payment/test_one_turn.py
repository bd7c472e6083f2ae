"""Questions and orders of one payment id in one turn of the service: what a member was told stays true."""

from __future__ import annotations

import itertools
import secrets

import pytest

from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Type
from payment.contract import sealing
from payment.contract.messages import (
    Answer,
    AskPayment,
    Envelope,
    NotPaid,
    Paid,
    PaymentUnknown,
    Prompt,
    Refused,
    Request,
)
from payment.core import KEPT_MS
from tests.payment.house import LIN, PIN, WATER, WRONG_PIN, House

BEFORE_MS = -1_000
Sealed = tuple[int, bytes, sealing.ResponseContext]


def sealed(house: House, request: Request, later_ms: int = 0) -> Sealed:
    envelope = Envelope(secrets.token_bytes(16), house.clock() + later_ms, "en", request)
    return LIN, *sealing.seal_request(house.config(), envelope, LIN)


def together(house: House, *requests: Sealed) -> list[Answer]:
    """The answers, in order, of requests that arrive in one turn."""
    frames = house.relay([(member, body) for member, body, _ in requests])
    assert len(frames) == len(requests)
    return [context.open(frame.body) for (_, _, context), frame in zip(requests, frames, strict=True)]


def verify(house: House) -> None:
    """Lin's password is known to the service, so that her next orders are decided in the turn that they come in."""
    answer = house.ask(LIN, house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000))
    assert isinstance(answer, Paid)


@pytest.mark.parametrize("is_verified", [False, True])
def test_an_order_sealed_before_a_question_of_its_own_turn_does_not_pay_after_unknown(
    house: House, is_verified: bool
) -> None:
    if is_verified:
        verify(house)
    before, order = house.balance(LIN), house.order(LIN)
    question, late = sealed(house, AskPayment(order.payment_id)), sealed(house, order, BEFORE_MS)
    told, answer = together(house, question, late)
    assert told == PaymentUnknown(order.payment_id)
    assert isinstance(answer, Refused) and answer.code == "stale"
    assert house.balance(LIN) == before
    house.check()


@pytest.mark.parametrize("is_verified", [False, True])
def test_a_question_after_an_order_of_its_own_turn_hears_what_became_of_it(house: House, is_verified: bool) -> None:
    if is_verified:
        verify(house)
    order = house.order(LIN)
    answer, told = together(house, sealed(house, order, BEFORE_MS), sealed(house, AskPayment(order.payment_id)))
    assert isinstance(answer, Paid) and told == answer


def test_whatever_the_order_of_arrival_unknown_and_paid_are_never_told_together(house: House) -> None:
    verify(house)
    house.do("limits", "set", "--per-minute", "1000")
    house.load(
        "biller_id,customer_number,period,title,line_text,line_amount,due_on\n"
        "102,40200402,2026-02,Water,Usage,10.00,2026-02-15\n"
    )
    for arrival in itertools.permutations(range(4)):
        order = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=4, minor=1)
        parcels = [
            sealed(house, AskPayment(order.payment_id)),
            sealed(house, AskPayment(order.payment_id), 1),
            sealed(house, order, BEFORE_MS),
            sealed(house, order, BEFORE_MS - 1),
        ]
        answers = together(house, *(parcels[at] for at in arrival))
        told = {type(answer) for answer in answers}
        assert (Paid in told) != (PaymentUnknown in told), (arrival, answers)
    house.check()


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("changes", [{"pin": WRONG_PIN}, {"pin": None}, {"amount": None}, {"biller_id": 999}])
def test_after_an_answer_that_no_money_moved_an_order_sealed_earlier_is_dead(
    house: House, changes: dict[str, object], restart: bool
) -> None:
    """Told so, the member may pay under another id; the first order was only delayed."""
    order = house.order(LIN)
    delayed = sealed(house, order, BEFORE_MS)
    (told,) = together(house, sealed(house, house.order(LIN, **{**changes, "payment_id": order.payment_id})))
    assert isinstance(told, NotPaid | Prompt | Refused) and not getattr(told, "final", False)
    if restart:
        house.restart()
    (answer,) = together(house, delayed)
    assert isinstance(answer, Refused) and answer.code == "stale"
    assert house.balance(LIN) == 20_000
    assert isinstance(house.ask(LIN, order), Paid)  # sealed afterwards it pays


def test_the_answer_locked_makes_earlier_orders_of_its_id_dead(house: House) -> None:
    order = house.order(LIN)
    delayed = sealed(house, order, BEFORE_MS)
    for _ in range(3):
        house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    (told,) = together(house, sealed(house, order))
    assert isinstance(told, NotPaid) and told.code == "pin_locked"
    house.clock.forward(16 * 60)
    house.clock.now_ms -= 16 * 60_000 - 1  # the clock was wrong, and is put right
    house.do("pin", "reset", "--member", str(LIN), "--pin-stdin", "--why", "locked", stdin=PIN)
    (answer,) = together(house, delayed)
    assert isinstance(answer, Refused) and house.balance(LIN) == 20_000


def test_a_limit_that_refused_makes_earlier_orders_of_its_id_dead(house: House) -> None:
    house.do("limits", "set", "--daily", "1.00")
    order = house.order(LIN)
    delayed = sealed(house, order, BEFORE_MS)
    (told,) = together(house, sealed(house, order))
    assert isinstance(told, NotPaid) and told.code == "limit_daily"
    house.do("limits", "set", "--daily", "1000.00")
    house.restart()
    (answer,) = together(house, delayed)
    assert isinstance(answer, Refused) and house.balance(LIN) == 20_000


def test_an_order_refused_as_from_the_future_stays_dead_when_that_time_has_come(house: House) -> None:
    """However far the clock was ahead, and however long the relay kept the packet."""
    for ahead_ms in (KEPT_MS // 4, 3 * KEPT_MS):
        order = house.order(LIN)
        delayed, refused = sealed(house, order, ahead_ms - 1), sealed(house, order, ahead_ms)
        (told,) = together(house, refused)
        assert isinstance(told, Refused) and told.code == "stale"
        house.clock.forward(ahead_ms // 1000)
        house.restart()
        for parcel in (refused, delayed):
            (answer,) = together(house, parcel)
            assert isinstance(answer, Refused)
        assert house.balance(LIN) == 20_000


def test_a_question_between_an_order_and_its_password_check_waits(house: House) -> None:
    order = house.order(LIN)
    member, body, context = sealed(house, order, BEFORE_MS)
    question = sealed(house, AskPayment(order.payment_id))
    house.service.turn([Frame(Type.SEALED_REQUEST, 0, 77, member, PAYMENT_ID, body)])
    house.service.turn([Frame(Type.SEALED_REQUEST, 0, 78, LIN, PAYMENT_ID, question[1])])
    frames = {frame.request_id: frame for frame in house.relay([])} | {f.request_id: f for f in house.sent}
    answer = context.open(frames[77].body)
    assert isinstance(answer, Paid) and question[2].open(frames[78].body) == answer
