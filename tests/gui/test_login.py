"""The sign-in window and the page of first connection."""

from __future__ import annotations

from desktop_client.presenters.views import LoginForm
from desktop_client.windows.login import LoginWindow
from desktop_client.windows.trust import TrustWindow
from tests.gui.conftest import Desk


def test_enter_hands_over_what_was_typed(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    forms: list[LoginForm] = []
    hand.window.on_sign_in = forms.append
    hand.type_into("member_id", "10234")
    hand.type_into("server", "192.0.2.1:7470")
    hand.type_into("password", "pässwort 密码")
    hand.press("Return")
    assert forms == [LoginForm("10234", "pässwort 密码", "192.0.2.1:7470", True)]


def test_member_number_takes_digits_only(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    hand.type_into("member_id", "1a0-0 2x３")
    assert hand.window.find("member_id").get() == "10023", "full-width digits are digits"


def test_the_password_shows_only_while_asked_for(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    hand.type_into("password", "secret")
    assert not hand.shows("secret")
    hand.click("show_password")
    assert hand.shows("secret")
    hand.click("show_password")
    assert not hand.shows("secret")


def test_a_busy_window_takes_no_second_sign_in(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    forms: list[LoginForm] = []
    hand.window.on_sign_in = forms.append
    hand.window.set_busy(True)
    hand.window.buttons()["sign_in"].invoke()
    assert forms == []
    assert hand.shows("Signing in…")
    hand.window.set_busy(False)
    hand.click("sign_in")
    assert len(forms) == 1


def test_an_error_marks_its_field_and_gives_it_the_focus(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    hand.window.show_error("The server cannot be reached.", "server")
    assert hand.shows("The server cannot be reached.")
    hand.type_text("10.0.0.1")
    assert hand.window.find("server").get() == "10.0.0.1"


def test_an_invite_link_is_taken_from_the_clipboard(desk: Desk) -> None:
    hand = desk.hold(LoginWindow(desk.ui))
    links: list[str] = []
    hand.window.on_paste_invite = links.append
    desk.windows.root.clipboard_clear()
    desk.windows.root.clipboard_append("just a note")
    hand.click("paste_invite")
    assert links == [] and hand.shows("There is no invite link on the clipboard")
    desk.windows.root.clipboard_clear()
    desk.windows.root.clipboard_append(" billbuddy://192.0.2.1:7470/#abc\n")
    hand.click("paste_invite")
    assert links == ["billbuddy://192.0.2.1:7470/#abc"]


def test_tab_visits_every_control_once(desk: Desk) -> None:
    hand = desk.open("login")
    hand.window.find("member_id").entry.focus_force()
    seen = []
    for _turn in range(6):  # the eye of the password is none of them: it has the pointer, and the field's menu
        seen.append(str(hand._focused()))
        hand.press("Tab")
    assert len(set(seen)) == 6
    assert str(hand._focused()) == seen[0]


def test_the_answer_to_the_words_is_told_once(desk: Desk) -> None:
    for action, said in (("match", True), ("cancel", False)):
        answers: list[bool] = []
        hand = desk.hold(TrustWindow(desk.ui))
        hand.window.ask("Dorm 7", "192.0.2.1", ("a", "b", "c", "d", "e", "f"), answers.append)
        hand.click(action)
        assert answers == [said]
        assert not hand.is_open()


def test_closing_the_trust_page_is_a_no(desk: Desk) -> None:
    answers: list[bool] = []
    hand = desk.hold(TrustWindow(desk.ui))
    hand.window.ask("Dorm 7", "192.0.2.1", ("a", "b", "c", "d", "e", "f"), answers.append)
    hand.press("Escape")
    assert answers == [False]


def test_a_changed_key_offers_no_way_on(desk: Desk) -> None:
    hand = desk.open("key_changed")
    assert hand.actions() == ["close"]
    assert hand.shows("This is not the server you know")
    hand.click("close")
    assert not hand.is_open()
