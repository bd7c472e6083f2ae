"""All open bills of a customer can be reached, however many there are, and limits are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop_client import bills as bills_module
from desktop_client.cli_documents import bills_document, bills_text
from desktop_client.payments import Payments
from desktop_client.presenters import cards
from im_protocol.packets import Refusal
from payment import credentials
from payment.contract.messages import Amount, Answer, AskBill, BillsAre, Request
from tests.desktop_client.person import Person
from tests.desktop_client.subsystem import ELECTRICITY
from tests.payment.house import LIN, WATER, House

HEADER = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref,minimum"


class Straight:
    """Stands for the sealer: asks the house in the same turn."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.asked: list[Request] = []

    def ask(self, request: Request, done: Callable[[Answer | Refusal], None], _sealed: Any = None) -> None:
        self.asked.append(request)
        done(self.house.ask(LIN, request))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(credentials, "_SCRYPT_N", 2)
    made = House(tmp_path / "payment")
    yield made
    made.close()


def load(house: House, number: str, count: int, lines: int) -> None:
    rows = [
        f"{WATER},{number},2026-01,Bill {bill},{'电' * 40} {line},1.00,2026-01-{1 + bill % 28:02d},R-{number}-{bill},"
        for bill in range(count)
        for line in range(lines)
    ]
    house.load("\n".join([HEADER, *rows]) + "\n")


def all_bills(house: House, number: str) -> tuple[BillsAre, Straight]:
    sealer, answers = Straight(house), []
    asking: Any = Payments(None, None, sealer, None, None, LIN, None, watching=False)  # type: ignore[arg-type]
    asking.ask_bill(WATER, number, answers.append)
    assert len(answers) == 1
    assert isinstance(answers[0], BillsAre)
    return answers[0], sealer


@pytest.mark.parametrize(("count", "lines"), [(1, 1), (24, 1), (25, 1), (30, 3), (100, 1), (40, 30)])
def test_every_open_bill_is_in_the_answer_oldest_first(house: House, count: int, lines: int) -> None:
    load(house, "55500001", count, lines)
    answer, sealer = all_bills(house, "55500001")
    assert len({bill.bill_id for bill in answer.bills}) == len(answer.bills) == count == answer.open_bills
    assert answer.open_due == Amount(sum(bill.due.minor for bill in answer.bills), "CNY")
    days = [(bill.due_on, bill.bill_id) for bill in answer.bills]
    assert days == sorted(days) and not answer.more
    assert all(isinstance(request, AskBill) for request in sealer.asked)


def test_what_is_over_the_limit_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills_module, "BILLS_MAX", 30)
    load(house, "55500002", 60, 1)
    answer, _sealer = all_bills(house, "55500002")
    assert answer.more and 30 <= len(answer.bills) < 60
    card = cards.more_bills_card(len(answer.bills), answer.open_bills, answer.open_due)
    assert (card.amount, card.note) == ("¥ 60.00", "60 bills are open.")
    assert str(len(answer.bills)) in card.text
    assert card.note in "\n".join(bills_text("Water", answer))
    assert bills_document(WATER, "Water", answer)["more"] is True


def test_a_page_that_says_more_and_brings_nothing_new_is_the_last(house: House) -> None:
    load(house, "55500003", 2, 1)
    real = house.ask

    def ask(member: int, request: Request, **named: Any) -> Answer:
        answer = real(member, request, **named)
        assert isinstance(answer, BillsAre)
        return BillsAre(WATER, "55500003", "", list(answer.bills), [], None, True)

    house.ask = ask  # type: ignore[method-assign]
    answer, sealer = all_bills(house, "55500003")
    assert len(answer.bills) == 2 and len(sealer.asked) <= 2


def test_a_conversation_shows_all_of_many_bills(person: Person) -> None:
    import msgspec

    from payment.contract.messages import Bill

    subsystem = person.peer.subsystem
    one = subsystem._bill(ELECTRICITY)
    many: list[Bill] = [msgspec.structs.replace(one, bill_id=number) for number in range(1, 61)]
    decide = subsystem.decide

    def paged(request: Any, member: int) -> Any:
        answer = decide(request, member)
        if isinstance(request, AskBill) and isinstance(answer, BillsAre):
            page = [bill for bill in many if bill.bill_id > request.after_bill][:24]
            left = sum(bill.bill_id > request.after_bill for bill in many) - len(page)
            return msgspec.structs.replace(answer, bills=page, more=left > 0, open_bills=60)
        return answer

    subsystem.decide = paged  # type: ignore[method-assign]
    person.signed_in()
    view = person.open_biller()
    person.until(lambda: len(view.keyed("bill-")) == 60)
    assert not view.keyed(cards.MORE_KEY)
