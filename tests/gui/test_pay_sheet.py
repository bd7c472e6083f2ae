"""The pay sheet: the six boxes, the choices, what is handed over, and that the payment password goes no further."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desktop_client.presenters.views import PaySheetForm
from desktop_client.windows import samples
from desktop_client.windows.driver import Hand
from desktop_client.windows.pay_sheet import PaySheetWindow
from tests.gui.conftest import Desk


@pytest.fixture
def sheet(desk: Desk) -> Hand:
    window = PaySheetWindow(desk.ui)
    window.show(samples.pay_model())
    return desk.hold(window)


def test_pay_is_enabled_when_six_digits_are_there(sheet: Hand) -> None:
    button = sheet.window.widgets.pay_button
    sheet.type_pin("12345")
    assert not button.enabled
    sheet.type_text("x6")
    assert button.enabled
    sheet.press("BackSpace")
    assert not button.enabled


def test_the_form_holds_what_was_chosen_and_typed(sheet: Hand) -> None:
    forms: list[PaySheetForm] = []
    sheet.window.on_pay = forms.append
    sheet.type_pin("123456")
    sheet.click("pay")
    assert forms == [PaySheetForm("full", "", "6001", "123456")]
    assert "123456" not in repr(forms) and "123456" not in "".join(sheet.texts())


def test_enter_pays_only_when_complete(sheet: Hand) -> None:
    forms: list[PaySheetForm] = []
    sheet.window.on_pay = forms.append
    sheet.type_pin("1234")
    sheet.press("Return")
    assert forms == []
    sheet.type_text("56")
    sheet.press("Return")
    assert len(forms) == 1


def test_digits_can_be_pasted_and_other_texts_cannot(sheet: Hand) -> None:
    pin = sheet.window.widgets.pin
    for text, taken in (("12 34 56", "123456"), ("abc", "123456"), ("１２３４５６", "123456"), ("987654321", "987654")):
        sheet.window.top.clipboard_clear()
        sheet.window.top.clipboard_append(text)
        pin.focus_force()
        pin.event_generate("<<Paste>>")
        assert pin.get() == taken


def test_a_choice_is_told_and_other_asks_for_an_amount(sheet: Hand) -> None:
    changes: list[PaySheetForm] = []
    sheet.window.on_change = changes.append
    sheet.click("choice_minimum")
    sheet.click("choice_other")
    sheet.type_text("12.50")
    sheet.press("Return")
    assert [(form.choice, form.other_amount) for form in changes][:2] == [("minimum", ""), ("other", "")]
    assert (changes[-1].choice, changes[-1].other_amount) == ("other", "12.50")


def test_an_update_keeps_the_digits(sheet: Hand) -> None:
    sheet.type_pin("123")
    sheet.window.show(replace(samples.pay_model(), amount="¥ 20.00", pay_text="Pay ¥ 20.00"))
    sheet.type_text("456")
    assert sheet.window.form().pin == "123456"
    assert sheet.shows("¥ 20.00")


def test_another_account_is_told(sheet: Hand) -> None:
    changes: list[PaySheetForm] = []
    sheet.window.on_change = changes.append
    sheet.window.find("account").choose("6002")
    assert changes[-1].account == "6002"
    assert sheet.shows("7781")


def test_busy_takes_no_second_order_and_no_cancel(sheet: Hand) -> None:
    forms: list[PaySheetForm] = []
    sheet.window.on_pay = forms.append
    sheet.type_pin("123456")
    sheet.window.set_busy(True, "Paying…")
    sheet.window.buttons()["pay"].invoke()
    sheet.press("Return")
    sheet.press("Escape")
    assert forms == [] and sheet.is_open() and sheet.shows("Paying…")


def test_a_wrong_password_is_said_and_can_be_typed_again(sheet: Hand) -> None:
    sheet.type_pin("123456")
    sheet.window.clear_pin()
    sheet.window.show_error("Wrong payment password. 2 attempts are left.", "pin")
    assert sheet.shows("2 attempts are left")
    sheet.type_text("6")
    assert not sheet.shows("2 attempts are left")
    assert sheet.window.form().pin == "6"


def test_escape_cancels(sheet: Hand) -> None:
    told: list[str] = []
    sheet.window.on_cancel = lambda: told.append("cancelled")
    sheet.press("Escape")
    assert told == ["cancelled"] and not sheet.is_open()


def test_closing_forgets_the_digits(sheet: Hand) -> None:
    sheet.type_pin("123456")
    pin = sheet.window.widgets.pin
    sheet.window.close()
    assert pin.get() == ""


def test_nothing_moves_under_the_pointer_when_an_error_goes_or_a_choice_changes(sheet: Hand) -> None:
    w = sheet.window.widgets
    sheet.window.show_error("Wrong payment password. 2 attempts are left. " * 4, "pin")
    sheet.click("choice_other")
    sheet.settle()
    before = (w.pay_button.winfo_rooty(), w.cancel.winfo_rooty(), sheet.window.top.winfo_height())
    sheet.type_pin("1")
    sheet.click("choice_full")
    assert not sheet.shows("2 attempts are left")
    assert (w.pay_button.winfo_rooty(), w.cancel.winfo_rooty(), sheet.window.top.winfo_height()) == before


def test_tab_goes_from_choice_to_amount_to_account_to_password_to_button(sheet: Hand) -> None:
    sheet.click("choice_other")
    sheet.type_pin("123456")
    sheet.window.find("choice_full").focus_force()
    seen = []
    for _turn in range(8):
        widget = sheet._focused()
        seen.append(getattr(widget, "action", "") or getattr(widget.master, "action", ""))
        sheet.press("Tab")
    assert seen == [
        "choice_full", "choice_minimum", "choice_other", "other_amount", "account", "pin", "pay", "cancel",
    ]  # fmt: skip


def test_pay_rests_and_says_why_while_the_offer_may_not_be_paid(sheet: Hand) -> None:
    sheet.type_pin("123456")
    no_money = replace(samples.pay_model(), can_pay=False, after_text="¥ 3.00 is missing.", after_tone="danger")
    sheet.window.show(no_money)
    assert not sheet.window.widgets.pay_button.enabled and sheet.shows("¥ 3.00 is missing.")
    sheet.window.show(samples.pay_model())
    assert sheet.window.widgets.pay_button.enabled


def test_another_language_asks_for_all_texts_anew(sheet: Hand) -> None:
    changes: list[PaySheetForm] = []
    sheet.window.on_change = changes.append
    sheet.window.ui.tell()
    assert changes
