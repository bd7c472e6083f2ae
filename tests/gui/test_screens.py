"""Every screen in every theme and language."""

from __future__ import annotations

import tkinter
from pathlib import Path

import pytest
from PIL import Image

from desktop_client.i18n import set_language
from desktop_client.windows.base import walk
from desktop_client.windows.samples import SCREENS
from tests.gui.conftest import Desk


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_screen_opens_and_shows_something(desk: Desk, mode: str, lang: str, tmp_path: Path) -> None:
    set_language(lang)
    desk.ui.use(mode)
    for name in SCREENS:
        hand = desk.open(name)
        assert len(hand.texts()) >= 3, name
        picture = Image.open(hand.screenshot(tmp_path / f"{name}.png"))
        assert len(picture.getcolors(1 << 20) or []) > 20, f"{name} is an empty picture"
        hand.window.close()


@pytest.mark.parametrize("lang", ["en", "zh_CN"])
def test_no_widget_is_cut_off_at_its_window(desk: Desk, lang: str) -> None:
    set_language(lang)
    for name in SCREENS:
        hand = desk.open(name)
        top = hand.window.top
        width, height = top.winfo_width(), top.winfo_height()
        for widget in walk(top):
            if widget is top or isinstance(widget.master, tkinter.Canvas):
                continue
            right = widget.winfo_rootx() - top.winfo_rootx() + widget.winfo_width()
            bottom = widget.winfo_rooty() - top.winfo_rooty() + widget.winfo_height()
            assert right <= width and bottom <= height, (
                f"{name} {lang}: {widget} ends at {right},{bottom} of {width},{height}"
            )
        hand.window.close()


def test_a_change_of_theme_keeps_what_a_window_shows(desk: Desk) -> None:
    for name in ("login", "roster", "bill", "chat", "key_changed"):
        hand = desk.open(name)
        before = hand.texts()
        desk.ui.use("dark")
        assert sorted(hand.texts()) == sorted(before), name
        assert hand.window.top["background"] == desk.ui.c.window
        desk.ui.use("light")
        hand.window.close()


def test_windows_of_another_language_say_so_after_the_change(desk: Desk) -> None:
    hand = desk.open("login")
    set_language("zh_CN")
    desk.ui.tell()
    assert hand.shows("登录")


def test_windows_have_minimum_sizes_that_fit_a_small_screen(desk: Desk) -> None:
    for name in SCREENS:
        hand = desk.open(name)
        width, height = hand.window.top.minsize()
        assert 200 < width <= 480 and 200 < height <= 640, name
        assert hand.window.top.resizable() == (True, True)
        hand.window.close()
