"""Paying, from a sealed order to the ledger."""

from __future__ import annotations

import secrets

import msgspec
import pytest

from payment.contract.messages import (
    Amount,
    AskBill,
    AskPayment,
    AskReceipts,
    BillsAre,
    NotPaid,
    Overview,
    OverviewIs,
    Paid,
    Pay,
    PaymentUnknown,
    Prompt,
    ReceiptsAre,
    Refused,
    SetPin,
)
from payment.contract.receipts import verify_receipt
from tests.payment.house import BILLS, ELECTRICITY, LIN, MOBILE, PIN, WANG, WATER, WRONG_PIN, House


def test_a_bill_is_paid_with_a_signed_receipt(house: House) -> None:
    bills = house.bills(LIN, ELECTRICITY, "88201402")
    assert [line.text for line in bills.bills[0].lines] == ["Usage 144 kWh", "Late fee"]
    answer = house.ask(LIN, house.order(LIN))
    assert isinstance(answer, Paid)
    receipt = verify_receipt(answer.receipt, house.core.keystore.root_public)
    assert (receipt.billed.minor, receipt.paid.minor, receipt.remaining.minor) == (8_640, 8_640, 0)
    assert answer.balance_after == Amount(20_000 - 8_640, "CNY")
    assert house.bills(LIN, ELECTRICITY, "88201402").bills == []
    house.check()


def test_a_retry_gets_the_same_bytes_also_after_a_restart(house: House) -> None:
    order = house.order(LIN)
    first = house.ask(LIN, order)
    again = house.ask(LIN, order)
    without_pin = house.ask(LIN, msgspec.structs.replace(order, pin=None))
    house.restart()
    after = house.ask(LIN, order)
    asked = house.ask(LIN, AskPayment(order.payment_id))
    assert isinstance(first, Paid)
    later = [msgspec.msgpack.encode(answer) for answer in (again, without_pin, after, asked)]
    assert later == [msgspec.msgpack.encode(first)] * 4
    assert house.balance(LIN) == 20_000 - 8_640


def test_a_refused_id_stays_refused(house: House) -> None:
    order = house.order(LIN, minor=100)
    first = house.ask(LIN, order)
    assert isinstance(first, NotPaid) and first.code == "amount_not_allowed" and first.final
    house.restart()
    assert house.ask(LIN, order) == first


def test_an_id_with_other_contents_is_refused(house: House) -> None:
    order = house.order(LIN)
    house.ask(LIN, order)
    answer = house.ask(LIN, msgspec.structs.replace(order, biller_id=WATER))
    assert isinstance(answer, NotPaid) and answer.code == "payment_id_reused"
    assert house.balance(LIN) == 20_000 - 8_640


def test_members_may_use_the_same_id(house: House) -> None:
    order = house.order(LIN)
    house.ask(LIN, order)
    answer = house.ask(WANG, house.order(WANG, payment_id=order.payment_id))
    assert isinstance(answer, NotPaid) and answer.code == "already_paid"


def test_fifty_at_once_with_one_id_pay_once_and_hear_the_same(house: House) -> None:
    order = house.order(LIN)
    answers = house.ask_all([(LIN, order)] * 50)
    assert isinstance(answers[0], Paid)
    assert {msgspec.msgpack.encode(a) for a in answers} == {msgspec.msgpack.encode(answers[0])}
    assert house.balance(LIN) == 20_000 - 8_640
    house.check()


def test_two_devices_pay_one_bill_once(house: House) -> None:
    paid, refused = house.ask_all([(LIN, house.order(LIN)), (WANG, house.order(WANG))])
    assert isinstance(paid, Paid) and isinstance(refused, NotPaid)
    assert refused.code == "already_paid"
    assert str(LIN) in refused.text  # an account's name may be no person's
    assert "Lin Yue" in refused.text and "2026-01-01" in refused.text and "not charged" in refused.text
    assert house.balance(WANG) == 20_000


def test_an_unknown_id_is_unknown_and_its_late_order_is_dead(house: House) -> None:
    order = house.order(LIN)
    late, context = house.seal(LIN, order)
    assert house.ask(LIN, AskPayment(order.payment_id)) == PaymentUnknown(order.payment_id)
    house.restart()
    (frame,) = house.relay([(LIN, late)])
    assert isinstance(context.open(frame.body), Refused)
    assert house.balance(LIN) == 20_000
    house.clock.forward(1)
    assert isinstance(house.ask(LIN, order), Paid)


@pytest.mark.parametrize("missing", ["amount", "pin"])
def test_an_incomplete_order_is_asked_for_exactly_what_is_missing(house: House, missing: str) -> None:
    answer = house.ask(LIN, msgspec.structs.replace(house.order(LIN), **{missing: None}))
    assert isinstance(answer, Prompt)
    assert [field.name for field in answer.fields] == [missing]


def test_an_order_without_an_account_is_paid_from_the_only_one(house: House) -> None:
    order = house.order(LIN, account=None)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Paid)
    assert verify_receipt(answer.receipt, house.core.keystore.root_public).account_tail == house.account(LIN)[-4:]
    assert house.ask(LIN, order) == answer
    other = house.ask(LIN, msgspec.structs.replace(order, account=house.account(LIN)))
    assert isinstance(other, NotPaid) and other.code == "payment_id_reused"  # what counts is what was sent
    house.check()


def test_an_unknown_customer_number_is_asked_for_once(house: House) -> None:
    order = house.order(LIN, customer_number=None, bill_id=None)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Prompt) and [field.name for field in answer.fields] == ["customer_number"]
    assert isinstance(house.ask(LIN, AskBill(ELECTRICITY)), Prompt)
    house.bills(LIN, ELECTRICITY, "88201402")
    assert isinstance(house.ask(LIN, AskBill(ELECTRICITY)), BillsAre)
    assert isinstance(house.ask(LIN, order), Paid)


def test_a_replayed_incomplete_order_never_pays(house: House) -> None:
    body, context = house.seal(LIN, house.order(LIN, customer_number=None, bill_id=None))
    house.relay([(LIN, body)])
    house.bills(LIN, ELECTRICITY, "88201402")
    house.restart()
    (frame,) = house.relay([(LIN, body)])
    answer = context.open(frame.body)
    assert isinstance(answer, Refused) and answer.code == "replayed"
    assert house.balance(LIN) == 20_000


def test_prompts_are_in_chinese_when_asked_so(house: House) -> None:
    answer = house.ask(LIN, AskBill(ELECTRICITY), lang="zh-CN")
    assert isinstance(answer, Prompt) and answer.fields[0].label == "户号"


@pytest.mark.parametrize(
    ("minor", "paid"), [(999, False), (1_000, True), (4_000, True), (4_001, False), (0, False), (-1, False)]
)
def test_part_payment_is_between_minimum_and_due(house: House, minor: int, paid: bool) -> None:
    order = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=minor)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Paid) == paid
    assert house.balance(LIN) == 20_000 - (minor if paid else 0)
    house.check()


def test_a_part_payment_tells_what_remains(house: House) -> None:
    order = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=None, minor=1_500)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Paid)
    receipt = verify_receipt(answer.receipt, house.core.keystore.root_public)
    assert (receipt.billed.minor, receipt.paid.minor, receipt.remaining.minor) == (4_000, 1_500, 2_500)
    assert house.bills(LIN, WATER, "40200402").bills[0].due.minor == 2_500


def test_what_is_paid_over_becomes_credit_for_the_next_bill(house: House) -> None:
    order = house.order(LIN, biller_id=MOBILE, customer_number="13800000001", bill_id=3, minor=5_000)
    answer = house.ask(LIN, order)
    assert isinstance(answer, Paid)
    assert verify_receipt(answer.receipt, house.core.keystore.root_public).credit.minor == 2_000
    assert house.bills(LIN, MOBILE, "13800000001").credit == Amount(2_000, "CNY")
    house.load(
        "biller_id,customer_number,period,title,line_text,line_amount,due_on\n"
        "103,13800000001,2026-02,Mobile February,Plan,30.00,2026-02-10\n"
    )
    bills = house.bills(LIN, MOBILE, "13800000001")
    assert bills.bills[0].due.minor == 1_000 and bills.credit is None
    house.check()


def test_too_little_money_is_refused_and_nothing_moves(house: House) -> None:
    order = house.order(LIN, biller_id=MOBILE, customer_number="13800000001", bill_id=3, minor=20_001)
    answer = house.ask(LIN, order)
    assert isinstance(answer, NotPaid) and answer.code == "not_enough_money" and "No money was moved" in answer.text
    house.check()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"biller_id": 999}, "no_such_biller"),
        ({"customer_number": "1"}, "no_such_customer"),
        ({"customer_number": "xx"}, "no_such_customer"),
        ({"bill_id": 99}, "no_such_bill"),
        ({"bill_id": 2}, "no_such_bill"),
        ({"amount": Amount(8_640, "USD")}, "amount_not_allowed"),
        ({"amount": Amount(10**15, "CNY")}, "amount_not_allowed"),
    ],
)
def test_odd_orders_are_refused(house: House, changes: dict[str, object], code: str) -> None:
    answer = house.ask(LIN, house.order(LIN, **changes))
    assert isinstance(answer, NotPaid | Refused) and answer.code == code
    house.check()


def test_the_overview_shows_balance_and_every_biller(house: House) -> None:
    house.bills(LIN, ELECTRICITY, "88201402")
    answer = house.ask(LIN, Overview())
    assert isinstance(answer, OverviewIs)
    assert answer.accounts[0].balance.minor == 20_000
    assert [state.state for state in answer.billers] == ["due", "no_customer", "no_customer"]
    assert answer.billers[0].due == Amount(8_640, "CNY")
    house.clock.forward(40 * 86_400)
    answer = house.ask(LIN, Overview())
    assert isinstance(answer, OverviewIs) and answer.billers[0].state == "overdue"


def test_receipts_come_newest_first(house: House) -> None:
    house.ask(LIN, house.order(LIN))
    house.ask(LIN, house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=4_000))
    answer = house.ask(LIN, AskReceipts())
    assert isinstance(answer, ReceiptsAre) and not answer.more
    titles = [verify_receipt(r, house.core.keystore.root_public).bill_title for r in answer.receipts]
    assert titles == ["Water January", "Electricity January"]


@pytest.mark.parametrize("pin", [PIN, WRONG_PIN])
def test_an_account_of_somebody_else_looks_like_one_that_does_not_exist(house: House, pin: str) -> None:
    theirs = house.ask(LIN, house.order(LIN, account=house.account(WANG), pin=pin))
    unknown = house.ask(LIN, house.order(LIN, account="999999999999", pin=pin))
    assert theirs == unknown
    assert isinstance(theirs, NotPaid) and theirs.code == "no_account" and not theirs.final
    assert "No money was moved" in theirs.text
    wrong = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert isinstance(wrong, NotPaid) and wrong.attempts_left == 2  # those were no guesses
    assert house.balance(WANG) == 20_000


@pytest.mark.parametrize("pin", ["271828\0", "314159\0", "314159 ", "３１４１５９", "٣١٤١٥٩", "31415", "3141590"])
def test_only_six_ascii_digits_are_a_payment_password(house: House, pin: str) -> None:
    """HMAC pads its key with zeros, so a password with zero bytes behind it would be the same one."""
    for request in (house.order(LIN, pin=pin), SetPin("805913", pin)):
        answer = house.ask(LIN, request)
        assert isinstance(answer, Refused) and answer.code == "bad_request" and "six digits" in answer.text
    assert house.balance(LIN) == 20_000
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_all_open_bills_can_be_had_page_by_page(house: House) -> None:
    rows = "".join(
        f"102,40200402,2026-{at % 12 + 1:02},Water {at},{'水' * 60} {line},1.00,2026-{at % 12 + 1:02}-15,P-{at},\n"
        for at in range(60)
        for line in range(1 + 50 * (at % 7 == 0))
    )
    house.load(BILLS.splitlines()[0] + "\n" + rows)
    seen, page = [], house.bills(LIN, WATER, "40200402")
    while True:
        assert page.bills and page.open_bills == 61
        seen += [(bill.due_on, bill.bill_id) for bill in page.bills]
        if not page.more:
            break
        answer = house.ask(LIN, AskBill(WATER, "40200402", seen[-1][1]))
        assert isinstance(answer, BillsAre)
        page = answer
    assert seen == sorted(seen) and len(set(seen)) == 61
    assert page.open_due == Amount(4_000 + 100 * (60 + 50 * 9), "CNY")


def test_a_page_of_bills_goes_on_after_a_bill_that_was_paid_meanwhile(house: House) -> None:
    rows = "".join(f"102,40200402,2026-02,Water {at},Usage,1.00,2026-02-15,P-{at},\n" for at in range(30))
    house.load(BILLS.splitlines()[0] + "\n" + rows)
    page = house.bills(LIN, WATER, "40200402")
    last = page.bills[-1]
    paid = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=last.bill_id, minor=100)
    assert isinstance(house.ask(LIN, paid), Paid)
    rest = house.ask(LIN, AskBill(WATER, "40200402", last.bill_id))
    assert isinstance(rest, BillsAre) and not rest.more and rest.open_bills == 30
    assert len(page.bills) + len(rest.bills) == 31 and rest.bills[0].bill_id == last.bill_id + 1


def test_an_account_tells_what_its_limits_let_it_pay(house: House) -> None:
    house.do("limits", "set", "--single", "90.00", "--daily", "100.00")
    assert house.bills(LIN, WATER, "40200402").accounts[0].pay_max == 9_000
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    overview = house.ask(LIN, Overview())
    assert isinstance(overview, OverviewIs) and overview.accounts[0].pay_max == 10_000 - 8_640


def test_a_cancelled_bill_cannot_be_paid(house: House) -> None:
    house.do("bill", "cancel", "1", "--why", "issued twice")
    answer = house.ask(LIN, house.order(LIN))
    assert isinstance(answer, NotPaid) and answer.code == "no_such_bill"
    house.check()


def test_members_who_share_a_customer_are_told(house: House) -> None:
    from im_protocol import codec
    from im_protocol.packets import AccountsChanged, Type

    house.bills(LIN, ELECTRICITY, "88201402")
    house.bills(WANG, ELECTRICITY, "88201402")
    house.ask(LIN, house.order(LIN))
    told = [codec.decode_body(f, AccountsChanged) for f in house.sent if f.type == Type.ACCOUNTS_CHANGED]
    assert told == [AccountsChanged([LIN, WANG])]


def test_garbage_inside_a_good_seal_is_a_bad_request(house: House) -> None:
    class Strange(Pay, frozen=True, tag="Strange"):
        pass

    body, context = house.seal(LIN, Strange(secrets.token_bytes(16), 1, pin=PIN))
    (frame,) = house.relay([(LIN, body)])
    answer = context.open(frame.body)
    assert isinstance(answer, Refused) and answer.code == "bad_request"
