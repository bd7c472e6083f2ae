"""The Tab key goes through every window in the order of the eye, and back; lists are used without a mouse."""

from __future__ import annotations

import tkinter
from dataclasses import replace
from itertools import pairwise

import pytest

from desktop_client.presenters.views import RosterRow
from desktop_client.widgets.focus import focus_path, has_focus
from desktop_client.widgets.pill import Pill
from desktop_client.windows.base import walk
from desktop_client.windows.driver import Hand
from desktop_client.windows.samples import SCREENS
from tests.gui.conftest import Desk

ROW_PIXELS = 12  # what stands less than this lower is in the same row
STOPS_MAX = 60


def stops(hand: Hand) -> list[tkinter.Misc]:
    """Where Tab stops, from the first place to where it comes round."""
    top = hand.window.top
    first = top.tk_focusNext()
    found = [first]
    while len(found) < STOPS_MAX:
        following = found[-1].tk_focusNext()
        if following is None or following in (first, top):
            return found
        found.append(following)
    raise AssertionError("Tab never comes round")


def middle(widget: tkinter.Misc) -> tuple[int, int]:
    return widget.winfo_rooty() + widget.winfo_height() // 2, widget.winfo_rootx()


@pytest.mark.parametrize("name", SCREENS)
def test_tab_goes_in_the_order_of_the_eye(desk: Desk, name: str) -> None:
    hand = desk.open(name)
    order = stops(hand)
    for before, after in pairwise(order):
        if str(after).startswith(str(before) + "."):
            continue  # what lies inside a place comes after it
        (y, x), (next_y, next_x) = middle(before), middle(after)
        in_order = next_y > y + ROW_PIXELS or (abs(next_y - y) <= ROW_PIXELS and next_x > x)
        assert in_order, f"{name}: {before} at {x},{y}, then {after} at {next_x},{next_y}"


@pytest.mark.parametrize("name", SCREENS)
def test_everything_that_can_be_pressed_is_a_stop_but_the_eye(desk: Desk, name: str) -> None:
    hand = desk.open(name)
    order = {str(widget) for widget in stops(hand)}
    for widget in walk(hand.window.top):
        if isinstance(widget, Pill) and widget.winfo_viewable():
            wanted = widget.enabled and widget.action != "show_password"
            assert (str(widget) in order) == wanted, f"{name}: {widget.action}"


@pytest.mark.parametrize("name", SCREENS)
def test_a_window_takes_the_focus_when_it_opens(desk: Desk, name: str) -> None:
    hand = desk.open(name)
    path = focus_path(hand.window.top)
    assert path.startswith(f"{hand.window.top}."), f"{name}: the focus is at {path!r}"


def test_the_roster_list_is_used_by_keys_alone(desk: Desk) -> None:
    hand = desk.open("roster")
    opened: list[int] = []
    hand.window.on_open_contact = opened.append
    rows = hand.window.widgets.list
    while not has_focus(rows.canvas):
        hand.press("Tab")
    hand.press("Home")
    hand.press("Down")
    assert isinstance(rows.items()[rows._selected], RosterRow)
    assert rows.drawn()[rows._selected].ids, "the chosen row is drawn, with its mark"
    hand.press("Return")
    assert opened == [100]
    hand.press("Down")
    hand.press("Return")
    assert opened == [100, 101]


def test_typing_in_the_list_goes_to_the_contact_of_that_name(desk: Desk) -> None:
    hand = desk.open("roster")
    rows = hand.window.widgets.list
    rows.canvas.focus_force()
    hand.settle()
    for keys, contact in (("w", 101), ("w", 10001), ("w", 101)):
        rows.forget_typed()
        hand.type_text(keys)
        assert rows.selected_id() == contact, "the next one that begins so"
    rows.forget_typed()
    hand.type_text("wang l")
    assert rows.selected_id() == 10001
    rows.forget_typed()
    hand.type_text("zhao")
    assert rows.selected_id() == 10003, "any word of a name counts"
    rows.forget_typed()
    hand.type_text("xyz")
    assert rows.selected_id() == 10003


def test_keys_of_commands_are_no_typing(desk: Desk) -> None:
    hand = desk.open("roster")
    rows = hand.window.widgets.list
    rows.canvas.focus_force()
    before = rows.selected_id()
    hand.press("Control-w")
    hand.press("Alt-w")
    assert rows.selected_id() == before


def test_a_double_click_opens_what_the_first_click_was_on(desk: Desk) -> None:
    hand = desk.open("roster")
    opened: list[int] = []
    hand.window.on_open_contact = opened.append
    rows = hand.window.widgets.list
    top, bottom = rows.place_of(rows.index_of_name("Wang Lei"))
    place = {"x": 100, "y": (top + bottom) // 2}
    rows.canvas.event_generate("<ButtonPress-1>", **place)
    rows.canvas.event_generate("<ButtonRelease-1>", **place)
    billpay, mates, others = hand.window._groups
    hand.window.show_groups([billpay, replace(mates, rows=mates.rows[::-1]), others])
    rows.canvas.event_generate("<ButtonPress-1>", **place)
    rows.canvas.event_generate("<ButtonRelease-1>", **place)
    assert opened == [10001]
