"""Paying, as a person sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop_client.i18n import set_language
from desktop_client.presenters.views import Card, FormCard, PaySheetForm, TimeMark
from payment.contract.messages import Amount
from payment.contract.receipts import read_receipt_file
from tests.desktop_client.person import ACCOUNT, Person
from tests.desktop_client.subsystem import ELECTRICITY, PIN, WATER


def test_biller_is_asked_by_itself_and_shows_the_bill(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    card = view.keyed("bill-")[0]
    assert (card.headline, card.amount) == ("Electricity · November 2026", "¥ 86.40")
    assert card.note.startswith("due in 8 days · ")
    assert [(r.label, r.value) for r in card.rows] == [("Usage 144 kWh", "¥ 80.64"), ("Late fee October", "¥ 5.76")]
    assert card.buttons[0].text == "Pay ¥ 86.40"
    head = view.last("show_head")[0]
    assert (head.detail, head.badge) == ("Room 402 · customer 88201402", "verified biller")


def test_missing_customer_number_is_a_form_that_checks_its_rule(person: Person) -> None:
    person.signed_in()
    view = person.open_biller(WATER)
    form = view.keyed("form")[0]
    assert isinstance(form, FormCard)
    assert form.fields[0].label == "Customer number"
    view.on_form("form", {"customer_number": "abc"})
    assert view.keyed("form")[0].error == "Eight digits."
    view.on_form("form", {"customer_number": "00000000"})
    person.until(lambda: view.keyed("form")[0].error == "There is no such customer.")
    view.on_form("form", {"customer_number": "12345678"})
    person.until(lambda: view.keyed("bill-"))
    assert view.keyed("form") == []


def test_payment_ends_with_a_verified_receipt_and_nothing_due(person: Person, tmp_path: Path) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view)
    person.until(lambda: view.keyed("order-"))
    assert sheet.closed
    receipt = view.keyed("order-")[0]
    assert (receipt.banner, receipt.banner_tone) == ("✓ Paid — receipt", "good")
    rows = {r.label: r.value for r in receipt.rows}
    assert (rows["Amount"], rows["From"]) == ("¥ 86.40", "Wallet • • • 0234")
    assert (rows["Remaining due"], rows["Signature"]) == ("¥ 0.00", "verified on this device")
    assert view.keyed("bill-")[0].buttons == ()
    person.until(lambda: roster.last("show_groups")[0][0].rows[0].trailing == "✓")
    view.on_card_action(receipt.key, receipt.buttons[0].action)
    saved = tmp_path / f"billbuddy-receipt-{rows['Receipt']}.json"
    assert read_receipt_file(saved)[1] == person.peer.subsystem.root_bytes
    view.on_check_bill()
    person.until(lambda: view.keyed("nothing-due"))


def test_receipt_is_still_there_when_the_conversation_is_opened_again(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    view.on_close()
    again = person.open_biller()
    person.until(lambda: again.keyed("nothing-due"))
    assert again.keyed("order-")[0].banner == "✓ Paid — receipt"


def test_pay_sheet_tells_the_balance_after(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    view.on_card_action("bill-7", "pay")
    model = person.windows.last("pay_sheet").last("show")[0]
    assert [c.key for c in model.choices] == ["full"]
    assert model.accounts[0][1] == "Wallet • • • 0234 (¥ 268.50)"
    assert model.after_text == "After paying: Wallet ¥ 182.10 · bill cleared"
    assert model.pay_text == "Pay ¥ 86.40"


def test_part_payment_follows_the_rule_and_leaves_the_rest(person: Person) -> None:
    person.peer.subsystem.rule, person.peer.subsystem.minimum = "up_to_due", 2_000
    person.signed_in()
    view = person.open_biller()
    view.on_card_action("bill-7", "pay")
    sheet = person.windows.last("pay_sheet")
    assert [c.text for c in sheet.last("show")[0].choices] == ["Full 86.40", "Minimum 20.00", "Other…"]
    sheet.on_change(PaySheetForm("other", "30", ACCOUNT, ""))
    assert sheet.last("show")[0].after_text == "After paying: Wallet ¥ 238.50 · ¥ 56.40 still due"
    sheet.on_pay(PaySheetForm("other", "30", ACCOUNT, PIN))
    person.until(lambda: view.keyed("order-") and view.keyed("bill-") and view.keyed("bill-")[0].amount == "¥ 56.40")
    assert view.keyed("bill-")[0].buttons[0].text == "Pay ¥ 56.40"


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "99999999999999", "１２", "", "1e3"])
def test_bad_amount_is_caught_in_the_sheet(person: Person, amount: str) -> None:
    person.peer.subsystem.rule = "up_to_due"
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view, choice="other", other=amount)
    text, field = sheet.last("show_error")
    assert text
    assert field == "amount"
    assert not person.peer.subsystem.outcomes


def test_wrong_password_keeps_the_sheet_open(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view, "000000")
    person.until(lambda: sheet.last("show_error") and sheet.last("show_error")[1] == "pin")
    assert "No money was moved" in sheet.last("show_error")[0]
    assert not sheet.closed
    sheet.on_pay(PaySheetForm("full", "", ACCOUNT, PIN))
    person.until(lambda: sheet.closed)
    assert view.keyed("order-")[0].banner_tone == "good"


def test_bill_paid_by_somebody_else_meanwhile_is_a_refusal_in_words(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.subsystem.due[ELECTRICITY] = 0
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    card = view.keyed("order-")[0]
    assert card.banner == "Not paid — no money moved"
    assert "Wang Lei" in card.text


def test_away_payment_service_says_nothing_was_charged(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.payment_away = True
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    assert view.keyed("order-")[0].text == "The payment service is away. Nothing was charged."


def test_cut_payment_is_deciding_and_turns_into_the_receipt(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    seen: list[str] = []
    person.peer.cut_on_pay = "after"
    person.pay(view)

    def watch() -> bool:
        seen.extend(c.banner for c in view.keyed("order-"))
        return "✓ Paid — receipt" in seen

    person.until(watch)
    assert seen[0] == "Still deciding"
    assert len(view.keyed("order-")) == 1


def test_nothing_is_said_of_charges_while_an_order_is_deciding(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.payment_away = True
    member = person.app.client.member
    assert member is not None
    member.outbox.put(member.payments.new_order(ELECTRICITY, "Electricity", "", 1, "", Amount(8_640, "CNY"), ""))
    view.on_check_bill()
    person.until(lambda: view.last("show_banner") == ("The payment service is away.", "warning"))


def test_while_an_order_is_deciding_the_bill_cannot_be_paid_again(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.cut_on_pay = "after"
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    if view.keyed("order-")[0].banner == "Still deciding":
        before = len(person.windows.opened["pay_sheet"])
        view.on_card_action("bill-7", "pay")
        assert len(person.windows.opened["pay_sheet"]) == before


def test_texts_are_chinese_when_the_language_is(person: Person) -> None:
    set_language("zh_CN")
    roster = person.signed_in()
    assert roster.last("show_connection")[0] == "已连接"
    view = person.open_biller()
    assert view.keyed("bill-")[0].buttons[0].text == "支付 ¥ 86.40"


def test_sign_out_closes_all_windows(person: Person) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    person.app.sign_out()
    assert roster.closed
    assert view.closed
    assert len(person.windows.opened["login"]) == 2


def test_card_of_a_closed_window_does_no_harm(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view)
    view.on_close()
    person.until(lambda: person.peer.subsystem.outcomes and sheet.closed)
    assert all(isinstance(e, (Card, TimeMark)) for e in view.entries)


def test_conversation_recovers_by_itself_when_the_payment_service_is_back(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("desktop_client.presenters.payment.RETRY_MILLISECONDS", 10)
    person.signed_in()
    person.peer.payment_away = True
    person.app.client.member.sealer._config = None
    person.app.open_contact(ELECTRICITY)
    view = person.windows.last("conversation")
    person.until(lambda: view.last("show_banner") and "away" in view.last("show_banner")[0])
    person.peer.payment_away = False
    person.until(lambda: view.keyed("bill-"))
    assert view.last("show_banner") == ("", "plain")


def test_bill_of_which_a_receipt_is_held_is_not_offered_again_without_saying_so(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    subsystem = person.peer.subsystem
    subsystem.due[ELECTRICITY], subsystem.balance, subsystem.outcomes = 8_640, 26_850, {}  # an older copy
    view.on_check_bill()
    person.until(lambda: view.keyed("bill-")[-1].buttons)
    assert "You hold receipt 7F3K-92QD-XW01 for this bill: ¥ 86.40 paid on" in view.keyed("bill-")[-1].text


def test_receipts_of_one_number_are_both_kept(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    subsystem = person.peer.subsystem
    for _ in range(2):
        person.pay(view)
        person.until(lambda: subsystem.due[ELECTRICITY] == 0 and not person.app.client.member.outbox.deciding())
        subsystem.due[ELECTRICITY], subsystem.outcomes = 8_640, {}
        view.on_check_bill()
        person.until(lambda: view.keyed("bill-")[-1].buttons)
    receipts = [receipt for _signed, receipt in person.app.client.member.history.receipts(ELECTRICITY)]
    assert [receipt.receipt_no for receipt in receipts] == ["7F3K-92QD-XW01"] * 2
    assert len({receipt.payment_id for receipt in receipts}) == 2
