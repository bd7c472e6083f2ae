"""Limits: which one refuses, and when it frees."""

from __future__ import annotations

from payment.contract.messages import NotPaid, Paid
from payment.limits import day_of
from tests.payment.house import LIN, WATER, House


def pay(house: House, minor: int) -> Paid | NotPaid:
    order = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=minor)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Paid | NotPaid)
    return answer


def refused_by(house: House, minor: int) -> tuple[str, int]:
    answer = pay(house, minor)
    assert isinstance(answer, NotPaid) and "No money was moved" in answer.text
    return answer.code, answer.retry_at_ms


def test_the_largest_single_payment(house: House) -> None:
    house.do("limits", "set", "--single", "15.00")
    assert refused_by(house, 1_501) == ("limit_single", 0)
    assert isinstance(pay(house, 1_500), Paid)


def test_the_daily_total_frees_at_midnight_and_survives_a_restart(house: House) -> None:
    house.do("limits", "set", "--member", str(LIN), "--daily", "15.00")
    assert isinstance(pay(house, 1_000), Paid)
    house.restart()
    end = day_of(house.clock())[1]
    assert refused_by(house, 1_000) == ("limit_daily", end)
    house.clock.now_ms = end
    assert isinstance(pay(house, 1_000), Paid)


def test_payments_a_minute(house: House) -> None:
    house.do("limits", "set", "--per-minute", "2")
    assert isinstance(pay(house, 1_000), Paid)
    house.clock.forward(10)
    assert isinstance(pay(house, 1_000), Paid)
    house.restart()
    assert refused_by(house, 1_000) == ("limit_rate", house.clock() + 50_000)
    house.clock.forward(50)
    assert isinstance(pay(house, 1_000), Paid)


def test_a_days_limit_holds_within_one_group(house: House) -> None:
    house.do("limits", "set", "--daily", "25.00")
    orders = [
        (LIN, house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)) for _ in range(3)
    ]
    answers = house.ask_all(orders)
    assert [isinstance(answer, Paid) for answer in answers] == [True, True, False]


def test_limits_are_shown_and_audited(house: House) -> None:
    house.do("limits", "set", "--single", "15.00", "--why", "house rules")
    assert "15.00" in house.do("limits", "show")
    assert "house rules" in house.do("audit", "list")
    assert house.run("limits", "set", "--single", "-1").status == 1
