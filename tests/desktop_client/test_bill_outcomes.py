"""Outcomes are told wherever one is, nothing that comes is dropped, and no sign contradicts another."""

from __future__ import annotations

import pytest

from desktop_client.events import PaymentNoticed
from desktop_client.outcomes import Outcome
from desktop_client.presenters import cards
from desktop_client.presenters.payment import BillPresenter
from desktop_client.presenters.views import PaySheetForm, RosterRow
from im_protocol import codes
from im_protocol.packets import Refusal
from payment.contract.messages import Amount
from tests.desktop_client.person import ACCOUNT, Person
from tests.desktop_client.subsystem import ELECTRICITY, PIN, WATER

REFUSALS = [
    *sorted(v for k, v in vars(codes).items() if k.isupper() and isinstance(v, str)),
    *("not_connected", "timed_out", "payment_key_changed", "something_new"),
]


def row_of(person: Person, biller: int) -> RosterRow:
    groups = person.windows.last("roster").last("show_groups")[0]
    return next(row for group in groups for row in group.rows if row.contact_id == biller)


def presenter_of(person: Person, biller: int = ELECTRICITY) -> BillPresenter:
    found = person.app.conversations[biller]
    assert isinstance(found, BillPresenter)
    return found


def notice(person: Person) -> None:
    person.app.client.member.bus.publish(PaymentNoticed())


def test_a_conversation_closed_while_paying_tells_the_outcome_in_the_roster_and_when_reopened(person: Person) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view)
    view.on_close()
    assert sheet.closed
    assert roster.last("show_toast") == ("Electricity 电费: ¥ 86.40 still being decided. Don't pay again.", "warning")
    person.until(lambda: roster.last("show_toast") == ("Electricity 电费: ✓ Paid ¥ 86.40", "good"))
    person.until(lambda: row_of(person, ELECTRICITY).unread == 1)
    assert row_of(person, ELECTRICITY).detail == "✓ Paid ¥ 86.40"
    again = person.open_biller()
    assert again.keyed("order-")[0].banner == "✓ Paid — receipt"
    person.until(lambda: row_of(person, ELECTRICITY).unread == 0)


@pytest.mark.parametrize("pin", ["000000", PIN])
def test_a_refusal_after_the_conversation_was_closed_is_told_and_kept_until_it_is_opened(
    person: Person, pin: str
) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    if pin == PIN:
        person.peer.subsystem.due[ELECTRICITY] = 0
    person.pay(view, pin)
    view.on_close()
    person.until(lambda: "not paid — no money moved" in roster.last("show_toast")[0])
    again = person.open_biller()
    assert again.keyed("order-")[0].banner == "Not paid — no money moved"
    assert again.last("see") == (again.keyed("order-")[0].key,)


def test_a_bill_that_a_room_mate_pays_while_the_sheet_is_open_is_seen_in_sheet_and_card(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    view.on_card_action("bill-7", "pay")
    sheet = person.windows.last("pay_sheet")
    person.peer.subsystem.due[ELECTRICITY] = 0
    notice(person)
    person.until(lambda: not sheet.last("show")[0].can_pay)
    assert "no longer open" in sheet.last("show")[0].after_text
    sheet.on_pay(PaySheetForm("full", "", ACCOUNT, PIN, "Pay ¥ 86.40"))
    assert not person.peer.subsystem.outcomes
    sheet.on_cancel()
    assert view.keyed("bill-")[0].buttons == ()


def test_a_notice_that_comes_while_an_answer_is_awaited_is_asked_for_after_it(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.silent_types.clear()
    view.on_check_bill()
    person.peer.subsystem.due[ELECTRICITY] = 5_000
    for _time in range(3):
        notice(person)
    person.until(lambda: view.keyed("bill-")[0].amount == "¥ 50.00")
    view.on_check_bill()
    person.peer.subsystem.due[ELECTRICITY] = 0
    notice(person)
    person.until(lambda: view.keyed("nothing-due"))


@pytest.mark.parametrize("code", REFUSALS)
def test_no_banner_says_that_nothing_was_sent_while_an_order_is_open(person: Person, code: str) -> None:
    person.signed_in()
    view = person.open_biller()
    member = person.app.client.member
    assert member is not None
    member.outbox.put(member.payments.new_order(ELECTRICITY, "Electricity", "", 7, "", Amount(8_640, "CNY"), ACCOUNT))
    presenter_of(person)._on_bills(Refusal(code, ""))
    banner = view.last("show_banner")[0]
    assert banner
    for claim in ("Nothing was", "nothing was", "charged", "No money", "not sent"):
        assert claim not in banner


def test_a_mistyped_customer_number_can_be_changed_and_the_roster_knows_the_number(person: Person) -> None:
    person.signed_in()
    person.until(lambda: row_of(person, WATER).detail == "customer number needed")
    view = person.open_biller(WATER)
    view.on_form("form", {"customer_number": "12345678"})
    person.until(lambda: view.keyed("bill-"))
    person.until(lambda: "needed" not in row_of(person, WATER).detail)
    card = view.keyed("bill-")[0]
    view.on_card_action(card.key, cards.CHANGE_NUMBER)
    form = view.keyed(cards.CHANGE_NUMBER)[0]
    assert "12345678" in form.text and form.fields[0].rule == "[0-9]{8}"
    view.on_form(cards.CHANGE_NUMBER, {"customer_number": "1234"})
    assert view.keyed(cards.CHANGE_NUMBER)[0].error == "Eight digits."
    view.on_form(cards.CHANGE_NUMBER, {"customer_number": "00000000"})
    person.until(lambda: view.keyed(cards.CHANGE_NUMBER)[0].error == "There is no such customer.")
    notice(person)  # a look at the bills meanwhile does not take the form away
    view.on_form(cards.CHANGE_NUMBER, {"customer_number": "87654321"})
    person.until(lambda: not view.keyed(cards.CHANGE_NUMBER))
    assert "87654321" in view.last("show_head")[0].detail


def test_what_the_sheet_asks_back_is_the_question_and_not_the_billers_name(person: Person) -> None:
    from payment.contract.messages import Field, Prompt

    person.signed_in()
    view = person.open_biller()
    prompt = Prompt("Electricity", "Which account pays?", [Field("account", "choice", "Account")], [])
    decide = person.peer.subsystem.decide
    person.peer.subsystem.decide = lambda request, member: (  # type: ignore[method-assign]
        prompt if type(request).__name__ == "Pay" else decide(request, member)
    )
    sheet = person.pay(view)
    person.until(lambda: sheet.last("show_error") and sheet.last("show_error")[0])
    assert sheet.last("show_error") == ("Which account pays?", "account")


@pytest.mark.parametrize("seen", [True, False])
def test_a_late_outcome_is_toasted_unless_its_conversation_is_looked_at(person: Person, seen: bool) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    view.is_seen = lambda: seen  # type: ignore[method-assign]
    person.peer.cut_on_pay = "after"
    person.pay(view)
    person.until(lambda: any(card.banner == "✓ Paid — receipt" for card in view.keyed("order-")))
    toasts = [arguments[0] for name, arguments in roster.calls if name == "show_toast"]
    assert (toasts == []) == seen, toasts
    assert row_of(person, ELECTRICITY).unread == 0


@pytest.mark.parametrize(("state", "banner"), [
    ("paid", "✓ Paid"), ("not_paid", "Not paid — no money moved"), ("prompt", "Not paid — no money moved"),
    ("deciding", "Still deciding"),
])  # fmt: skip
def test_each_outcome_has_a_card_that_says_it_also_without_a_receipt(person: Person, state: str, banner: str) -> None:
    person.signed_in()
    view = person.open_biller()
    member = person.app.client.member
    assert member is not None
    order = member.payments.new_order(ELECTRICITY, "Electricity", "", 7, "", Amount(8_640, "CNY"), ACCOUNT)
    presenter_of(person)._show_outcome(Outcome(state, order))  # type: ignore[arg-type]
    assert [card.banner for card in view.keyed("order-")] == [banner]
