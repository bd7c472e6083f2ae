"""The roster: opening, folding, searching, unread counts; a large one draws only what is seen."""

from __future__ import annotations

from dataclasses import replace

from desktop_client.presenters.views import Me, RosterGroup, RosterRow
from desktop_client.windows.roster import RosterWindow
from desktop_client.windows.samples import large_roster
from tests.gui.conftest import Desk


def test_double_click_and_enter_open_a_contact(desk: Desk) -> None:
    hand = desk.open("roster")
    opened: list[int] = []
    hand.window.on_open_contact = opened.append
    hand.double_click_contact("Electricity 电费")
    hand.double_click_contact("Wang Lei")
    hand.press("Down")
    hand.press("Return")
    assert opened == [100, 10001, 10002]


def test_a_group_folds_by_click_and_by_keys(desk: Desk) -> None:
    hand = desk.open("roster")
    rows = hand.window.widgets.list
    assert hand.shows("Wang Lei")
    hand.double_click_contact("Wang Lei")
    hand.press("Left")
    assert not hand.shows("Wang Lei")
    hand.press("Right")
    assert hand.shows("Wang Lei")
    top, bottom = rows.place_of(0)
    rows.canvas.event_generate("<ButtonPress-1>", x=40, y=(top + bottom) // 2)
    assert not hand.shows("Electricity 电费")


def test_a_large_roster_creates_only_what_is_seen(desk: Desk) -> None:
    hand = desk.hold(large_roster(desk.ui, 10_000))
    rows = hand.window.widgets.list
    assert len(rows.items()) == 10_006
    assert len(rows.drawn()) < 25
    assert len(rows.canvas.find_all()) < 200
    hand.double_click_contact("Member 9999")
    assert hand.shows("Member 9999") and not hand.shows("Member 0")
    assert len(rows.drawn()) < 25


def test_a_changed_row_is_redrawn_in_its_place(desk: Desk) -> None:
    hand = desk.hold(large_roster(desk.ui, 1_000))
    rows = hand.window.widgets.list
    rows.scroll(2_000)
    hand.settle()
    seen = rows.canvas.canvasy(0)
    bills, everyone = hand.window._groups
    index = next(i for i in sorted(rows.drawn()) if rows.place_of(i)[0] > 0)
    changed = replace(rows.items()[index], detail="gone for lunch", dot="away")
    kept = tuple(changed if row.contact_id == changed.contact_id else row for row in everyone.rows)
    hand.window.show_groups([bills, replace(everyone, rows=kept)])
    assert hand.shows("gone for lunch")
    assert rows.canvas.canvasy(0) == seen


def test_search_asks_the_presenter_and_escape_ends_it(desk: Desk) -> None:
    hand = desk.open("roster")
    asked: list[str] = []
    hand.window.on_search = asked.append
    hand.type_into("search", "li")
    assert asked[-2:] == ["l", "li"]
    hand.press("Escape")
    assert asked[-1] == ""


def test_search_shows_folded_groups_and_says_when_nobody_is_found(desk: Desk) -> None:
    hand = desk.open("roster")
    assert not hand.shows("Classmate 3")
    groups = hand.window._groups
    hand.window.on_search = lambda text: hand.window.show_groups([groups[2]] if text == "cl" else [])
    hand.type_into("search", "cl")
    assert hand.shows("Classmate 3")
    hand.type_into("search", "zz")
    assert hand.shows("Nobody found.")


def test_recent_lists_unread_first_then_what_was_opened(desk: Desk) -> None:
    hand = desk.open("roster")
    hand.double_click_contact("Water 水费")
    hand.choose_tab("recent")
    names = [item.name for item in hand.window.widgets.list.items() if isinstance(item, RosterRow)]
    assert names == ["Wang Lei", "李娜 Li Na", "Water 水费"]


def test_the_presence_menu_tells_the_presenter(desk: Desk) -> None:
    hand = desk.open("roster")
    told: list[str] = []
    hand.window.on_set_presence = told.append
    menu = hand.window.widgets.header.menu
    for index in range(4):
        menu.invoke(index)
    assert told == ["online", "away", "busy", "offline"]


def test_sign_out_is_in_the_menu(desk: Desk) -> None:
    hand = desk.open("roster")
    told: list[str] = []
    hand.window.on_sign_out = lambda: told.append("out")
    menu = hand.window.menu()
    menu.invoke(menu.index("Sign out"))
    assert told == ["out"]


def test_long_names_are_cut_and_an_empty_roster_says_so(desk: Desk) -> None:
    hand = desk.hold(RosterWindow(desk.ui))
    hand.window.show_groups([])
    assert hand.shows("No contacts yet.")
    hand.window.show_me(Me(10001, "An extraordinarily long name of somebody " * 3, "busy", "", "¥ 1,000,000,000.00"))
    row = RosterRow(10002, "member", "Bartholomew " * 9, "detail " * 30, "online", unread=1234)
    hand.window.show_groups([RosterGroup("all", "All", "1", (row,))])
    assert hand.shows("…") and hand.shows("99+")
    canvas = hand.window.widgets.list.canvas
    for item in canvas.find_all():
        assert canvas.bbox(item)[2] <= canvas.winfo_width() + 1


def test_a_toast_can_be_clicked_away(desk: Desk) -> None:
    hand = desk.open("roster")
    hand.window.show_toast("Wang Lei: hello", "accent")
    assert hand.shows("Wang Lei: hello")
    hand.window._toasts["toast"].event_generate("<ButtonPress-1>")
    assert not hand.shows("Wang Lei: hello")


def test_the_wallet_opens_by_its_button_and_by_the_balance(desk: Desk) -> None:
    hand = desk.open("roster")
    opened: list[int] = []
    hand.window.on_open_contact = opened.append
    hand.click("wallet")
    header = hand.window.widgets.header
    left, top, right, bottom = header.bbox("balance")
    header.event_generate("<Motion>", x=(left + right) // 2, y=bottom - 6)
    header.event_generate("<ButtonPress-1>", x=(left + right) // 2, y=bottom - 6)
    assert opened == [1, 1]
