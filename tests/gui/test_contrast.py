"""Texts reach 4.5:1 on their ground, signs and edges of fields 3:1, in every screen, theme and state."""

from __future__ import annotations

import tkinter
from typing import get_args

import pytest

from desktop_client.i18n import set_language
from desktop_client.presenters.views import RosterRow, Tone
from desktop_client.widgets.pill import STYLES, Pill
from desktop_client.widgets.roster_list import RosterList
from desktop_client.windows.base import BaseWindow
from desktop_client.windows.samples import SCREENS
from tests.gui import contrast
from tests.gui.conftest import Desk, Hand

MODES = ("light", "dark")


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> contrast.Colours:
    return contrast.Colours(monkeypatch)


def measure(hand: Hand, colours: contrast.Colours, where: str) -> list[contrast.Miss]:
    hand.window.top.lift()
    hand.settle()
    return contrast.misses(hand.window.top, colours, where)


@pytest.mark.parametrize("mode", MODES)
def test_every_text_and_sign_of_every_screen_stands_out(desk: Desk, colours: contrast.Colours, mode: str) -> None:
    desk.ui.use(mode)
    found = []
    for lang in ("en", "zh_CN"):
        set_language(lang)
        for name in SCREENS:
            hand = desk.open(name)
            found += measure(hand, colours, f"{name} {mode} {lang}")
            hand.window.close()
    assert found == [], "\n".join(map(str, found))


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_the_roster_stand_out_under_the_pointer_and_when_chosen(
    desk: Desk, colours: contrast.Colours, mode: str
) -> None:
    desk.ui.use(mode)
    hand = desk.open("roster")
    rows: RosterList = hand.window.widgets.list
    found = []
    for index, item in enumerate(rows.items()):
        if isinstance(item, RosterRow):
            rows._select(index)
            rows._set_hover(index - 1)
            desk.driver.settle()
            found += measure(hand, colours, f"row {item.name} {mode}")
    assert found == [], "\n".join(map(str, found))


@pytest.mark.parametrize("mode", MODES)
def test_toasts_and_banners_of_every_tone_stand_out(desk: Desk, colours: contrast.Colours, mode: str) -> None:
    desk.ui.use(mode)
    hand = desk.open("chat")
    found = []
    for tone in get_args(Tone):
        hand.window.show_banner("Something to know", tone)
        hand.window.toast("Something that happened", tone)
        found += [m for m in measure(hand, colours, f"{tone} {mode}") if "Something" in m.what]
    assert found == [], "\n".join(map(str, found))


class _Buttons(BaseWindow):
    """Every style of button in every state on every ground that the windows have."""

    def build(self) -> None:
        c = self.ui.c
        for ground in (c.window, c.card, c.stream):
            frame = tkinter.Frame(self.top, background=ground)
            frame.pack(side="left")
            for style in STYLES:
                for state in ("usual", "inside", "pressed", "off"):
                    pill = Pill(frame, self.ui, f"{style} {state}", lambda: None, style=style, back=ground)
                    pill.pack(padx=4, pady=1)
                    pill.set(enabled=state != "off")
                    pill._inside = state == "inside"
                    pill.draw(pressed=state == "pressed")


@pytest.mark.parametrize("mode", MODES)
def test_every_state_of_every_button_stands_out(desk: Desk, colours: contrast.Colours, mode: str) -> None:
    desk.ui.use(mode)
    window = _Buttons(desk.ui, "buttons", (700, 900), (300, 300))
    window.place(0, 0)
    window.open()
    assert measure(desk.hold(window), colours, f"buttons {mode}") == []


@pytest.mark.parametrize("mode", MODES)
def test_menus_stand_out_and_have_an_edge(desk: Desk, mode: str) -> None:
    desk.ui.use(mode)
    hand = desk.open("roster")
    for menu in (hand.window.menu(), hand.window.widgets.header.menu):
        edge = contrast._rgb(menu, menu["background"])
        assert int(str(menu["borderwidth"])) >= 1
        for index in range(int(menu.index("end") or 0) + 1):
            ground = contrast._rgb(menu, menu.entrycget(index, "background"))
            assert contrast.contrast(edge, ground) >= contrast.SIGN_RATIO
            assert contrast.contrast(edge, contrast._rgb(menu, desk.ui.c.window)) >= contrast.SIGN_RATIO
            if menu.type(index) != "separator":
                active = contrast._rgb(menu, menu["activebackground"])
                for ink, back in (("foreground", ground), ("activeforeground", active)):
                    color = menu.entrycget(index, ink) or str(menu[ink])
                    assert contrast.contrast(contrast._rgb(menu, color), back) >= contrast.TEXT_RATIO
