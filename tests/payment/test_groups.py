"""A group of orders of which the database refuses one: the others are paid, it is not, and the books are good."""

from __future__ import annotations

from im_protocol import codec, codes
from im_protocol.packets import Refusal, Type
from payment.contract.messages import Paid
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
    import pytest

    house.ask(LIN, house.order(LIN))
    house.core.store.run("CREATE TEMP TRIGGER broken BEFORE INSERT ON binding BEGIN SELECT RAISE(ABORT, 'broken'); END")
    from payment.contract.messages import AskBill

    body, _ = house.seal(WANG, AskBill(WATER, "40200402"))
    assert house.relay([(WANG, body)]) == []
    house.core.store.run("DROP TRIGGER broken")
    water = house.order(WANG, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)
    assert isinstance(house.ask(WANG, water), Paid)
    house.check()
    with pytest.raises(apsw.ConstraintError):
        house.core.store.run("DELETE FROM transfer")
