"""A group of orders of which the database refuses one: the others are paid, it is not, and the books are good."""

from __future__ import annotations

from typing import Any

import pytest

from im_protocol import codec, codes
from im_protocol.packets import Refusal, Type
from payment.contract import sealing
from payment.contract.messages import AskBill, AskPayment, Overview, OverviewIs, Paid, Refused
from tests.payment.house import LIN, WANG, WATER, House


def test_one_order_that_the_database_refuses_does_not_stop_the_others(house: House) -> None:
    house.core.store.run(
        "CREATE TEMP TRIGGER broken BEFORE UPDATE ON bill WHEN new.id = 2 BEGIN SELECT RAISE(ABORT, 'broken'); END"
    )
    water = house.order(WANG, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)
    good, context = house.seal(LIN, house.order(LIN))
    bad, _ = house.seal(WANG, water)
    first, second = house.relay([(LIN, good), (WANG, bad)])
    assert isinstance(context.open(first.body), Paid)
    assert second.type == Type.REFUSAL
    refusal = codec.decode_body(second, Refusal)
    assert refusal.code == codes.SERVER_ERROR and "nothing was charged" in refusal.message
    assert (house.balance(LIN), house.balance(WANG)) == (20_000 - 8_640, 20_000)
    house.core.store.run("DROP TRIGGER broken")
    assert isinstance(house.ask(WANG, water), Paid)
    house.check()


def test_a_refused_write_after_a_payment_leaves_the_chain_whole(house: House) -> None:
    import apsw

    house.ask(LIN, house.order(LIN))
    house.core.store.run("CREATE TEMP TRIGGER broken BEFORE INSERT ON binding BEGIN SELECT RAISE(ABORT, 'broken'); END")
    body, _ = house.seal(WANG, AskBill(WATER, "40200402"))
    assert house.relay([(WANG, body)]) == []
    house.core.store.run("DROP TRIGGER broken")
    water = house.order(WANG, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)
    assert isinstance(house.ask(WANG, water), Paid)
    house.check()
    with pytest.raises(apsw.ConstraintError):
        house.core.store.run("DELETE FROM transfer")


@pytest.mark.parametrize("error", [OverflowError, KeyError, UnicodeError, RecursionError, RuntimeError, MemoryError])
@pytest.mark.parametrize("step", ["_decide", "_pay"])
def test_an_error_of_one_order_costs_the_others_nothing(house: House, error: type[Exception], step: str) -> None:
    """Whatever the error, and wherever in deciding: the others of the group are paid, and it is not."""
    water = {"biller_id": WATER, "customer_number": "40200402", "bill_id": 2}
    orders = [house.order(WANG, minor=1_000, **water), house.order(LIN)]
    bad = house.order(WANG, minor=1_001, **water)
    real = getattr(house.core.orders, step)

    def failing(order: Any, *rest: Any) -> Any:
        result = real(order, *rest)
        if order.pay.payment_id == bad.payment_id:
            raise error("of this order")  # after it has moved money in memory
        return result

    house.core.orders.__dict__[step] = failing
    sealed = [(WANG, *house.seal(WANG, orders[0])), (WANG, *house.seal(WANG, bad)), (LIN, *house.seal(LIN, orders[1]))]
    frames = house.relay([(member, body) for member, body, _ in sealed])
    assert [frame.type for frame in frames] == [Type.SEALED_ANSWER, Type.REFUSAL, Type.SEALED_ANSWER]
    assert all(isinstance(sealed[at][2].open(frames[at].body), Paid) for at in (0, 2))
    refusal = codec.decode_body(frames[1], Refusal)
    assert refusal.code == codes.SERVER_ERROR and "nothing was charged" in refusal.message
    assert house.balance(WANG) == 20_000 - 1_000
    house.restart()
    (again,) = house.relay([(WANG, sealed[1][1])])
    assert isinstance(sealed[1][2].open(again.body), Refused), "nothing was charged, and then the same bytes paid"
    house.check()


def test_a_receipt_that_nobody_could_read_is_an_error_of_its_order(house: House) -> None:
    house.core.store.run("UPDATE bill SET title = ? WHERE id = 1", ("x" * 65,))
    water = house.order(WANG, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)
    bad, _ = house.seal(LIN, house.order(LIN))
    good, context = house.seal(WANG, water)
    refused, paid = house.relay([(LIN, bad), (WANG, good)])
    assert refused.type == Type.REFUSAL and isinstance(context.open(paid.body), Paid)
    assert house.balance(LIN) == 20_000


def test_an_answer_that_nobody_could_read_is_not_sent(house: House) -> None:
    house.core.store.run("UPDATE customer SET place = ? WHERE biller_id = 102", ("x" * 65,))
    body, _ = house.seal(LIN, AskBill(WATER, "40200402"))
    (frame,) = house.relay([(LIN, body)])
    assert frame.type == Type.REFUSAL
    assert codec.decode_body(frame, Refusal).code == codes.OUTCOME_UNKNOWN
    assert isinstance(house.ask(WANG, Overview()), OverviewIs)


def test_a_payment_whose_answer_cannot_be_sealed_is_not_said_to_be_unpaid(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = house.order(LIN)
    body, _ = house.seal(LIN, order)
    with monkeypatch.context() as patch:
        patch.setattr(sealing.ResponseSealer, "seal_encoded", lambda *_: (_ for _ in ()).throw(ValueError("odd")))
        (frame,) = house.relay([(LIN, body)])
    assert codec.decode_body(frame, Refusal).code == codes.OUTCOME_UNKNOWN
    assert isinstance(house.ask(LIN, AskPayment(order.payment_id)), Paid)


def test_a_password_check_that_fails_leaves_the_member_and_others_able_to_pay(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*_: object) -> bytes:
        raise MemoryError

    order = house.order(LIN)
    bodies = [house.seal(LIN, order)[0], house.seal(LIN, AskPayment(order.payment_id))[0]]
    with monkeypatch.context() as patch:
        patch.setattr(house.core.credentials, "_hash", no_memory)
        frames = house.relay([(LIN, body) for body in bodies])
    assert frames[0].type == Type.REFUSAL and codec.decode_body(frames[0], Refusal).code == codes.OUTCOME_UNKNOWN
    assert frames[1].type == Type.SEALED_ANSWER, "a question waits for an order that nobody decides any more"
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_a_write_of_a_password_check_that_the_database_refuses_holds_up_nobody(house: House) -> None:
    house.core.store.run("CREATE TEMP TRIGGER broken BEFORE INSERT ON unjudged BEGIN SELECT RAISE(ABORT, 'no'); END")
    body, _ = house.seal(LIN, house.order(LIN))
    (frame,) = house.relay([(LIN, body)])
    assert codec.decode_body(frame, Refusal).code == codes.OUTCOME_UNKNOWN
    house.core.store.run("DROP TRIGGER broken")
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_a_call_that_fails_on_the_writing_thread_ends_nothing(house: House) -> None:
    def fails() -> None:
        raise MemoryError

    house.service.turn([fails])
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
