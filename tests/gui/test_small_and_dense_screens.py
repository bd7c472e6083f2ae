"""On a small screen everything can be reached, on a dense one everything is as large as the desktop asks."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tkinter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from desktop_client import x11
from desktop_client.windows.application import TkWindows
from desktop_client.windows.base import walk
from desktop_client.windows.conversation import ConversationWindow
from desktop_client.windows.roster import RosterWindow
from desktop_client.windows.samples import SCREENS
from tests.desktop_client.peer import WANG, Peer
from tests.gui.conftest import Desk
from tests.gui.whole import whole

XA_STRING = 31  # Xatom.h


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[str, tuple[str, subprocess.Popen[bytes]]]]:
    """Displays by size. They end after the last test only: Tk keeps its connections, and ends with their server."""
    running: dict[str, tuple[str, subprocess.Popen[bytes]]] = {}
    yield running
    for _name, server in running.values():
        server.terminate()
        server.wait()


@contextmanager
def desk_on(size: str, dots: int, monkeypatch: pytest.MonkeyPatch, servers: dict) -> Iterator[Desk]:
    """The windows on a display of this size, whose desktop asks for so many dots an inch (0: does not)."""
    key = f"{size}@{dots}"  # Xft asks a display once
    if key not in servers:
        servers[key] = _start(size)
    name = servers[key][0]
    monkeypatch.setenv("DISPLAY", name)
    _set_resources(name, f"Xft.dpi:\t{dots}\n" if dots else "")
    windows = TkWindows("light")
    try:
        yield Desk(windows)
    finally:
        windows.quit()
        windows.destroy()


def _start(size: str) -> tuple[str, subprocess.Popen[bytes]]:
    read, write = os.pipe()
    line = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(line, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told:
        return f":{told.readline().strip()}", server


def _set_resources(name: str, text: str) -> None:
    """As xrdb does."""
    with x11.connection(name) as display:
        data = text.encode()
        display.lib.XChangeProperty.argtypes = (
            [x11.Pointer, x11.Word, x11.Word, x11.Word]
            + [ctypes.c_int] * 2
            + [
                ctypes.c_char_p,
                ctypes.c_int,
            ]
        )
        place = display.atom("RESOURCE_MANAGER")
        display.lib.XChangeProperty(display.display, display.root(), place, XA_STRING, 8, 0, data, len(data))


def outside(top: tkinter.Misc) -> list[str]:
    """Widgets that end outside their window, and windows that end outside the screen."""
    found = []
    right, bottom = top.winfo_rootx() + top.winfo_width(), top.winfo_rooty() + top.winfo_height()
    if top.winfo_rootx() < 0 or right > top.winfo_screenwidth() or bottom > top.winfo_screenheight():
        found.append(f"{top.winfo_geometry()} on {top.winfo_screenwidth()}x{top.winfo_screenheight()}")
    for widget in walk(top):
        if widget is top or isinstance(widget.master, tkinter.Canvas):
            continue
        if widget.winfo_rootx() + widget.winfo_width() > right or widget.winfo_rooty() + widget.winfo_height() > bottom:
            found.append(str(widget))
    return found


@pytest.mark.parametrize(("size", "dots"), [("1024x600", 0), ("1024x600", 192), ("1366x768", 144), ("2400x1300", 192)])
def test_every_screen_fits(size: str, dots: int, monkeypatch: pytest.MonkeyPatch, servers: dict) -> None:
    with desk_on(size, dots, monkeypatch, servers) as desk:
        for name in SCREENS:
            hand = desk.open(name)
            assert outside(hand.window.top) == [], f"{name} on {size} at {dots}"
            hand.window.close()


def test_the_desktops_dots_an_inch_are_taken(monkeypatch: pytest.MonkeyPatch, servers: dict) -> None:
    with desk_on("2400x1300", 0, monkeypatch, servers) as desk:
        usual = desk.ui.font("body").measure("Electricity 电费")
    with desk_on("2400x1300", 192, monkeypatch, servers) as desk:
        assert desk.ui.scale == 2
        dense = desk.ui.font("body").measure("Electricity 电费")
        assert 1.9 <= dense / usual <= 2.1
        assert desk.open("roster").window.top.winfo_width() == 600


def test_a_change_of_size_reaches_open_windows(monkeypatch: pytest.MonkeyPatch, servers: dict) -> None:
    with desk_on("2400x1300", 0, monkeypatch, servers) as desk:
        hand = desk.open("roster")
        before = hand.texts()
        for wish, wide in ((2.0, 600), (1.0, 300)):
            desk.ui.use_scale(wish)
            hand.settle()
            assert hand.window.top.winfo_width() == wide
            assert hand.texts() == before
            assert outside(hand.window.top) == []


@pytest.mark.parametrize("corner", ["left", "middle", "right"])
def test_conversations_open_beside_the_roster_on_a_small_screen(
    corner: str, monkeypatch: pytest.MonkeyPatch, servers: dict, tmp_path: Path
) -> None:
    with (
        desk_on("1024x600", 0, monkeypatch, servers) as desk,
        Peer() as peer,
        whole(desk.windows, peer, tmp_path) as home,
    ):
        roster = home.sign_in().window
        assert isinstance(roster, RosterWindow)
        if corner != "middle":
            roster.place({"left": 0, "right": 1024}[corner], 0)
            desk.driver.settle()
        chat = home.open_chat(WANG).window
        assert isinstance(chat, ConversationWindow)
        left, right = roster.top.winfo_rootx(), roster.top.winfo_rootx() + roster.top.winfo_width()
        assert chat.top.winfo_rootx() >= right or chat.top.winfo_rootx() + chat.top.winfo_width() <= left
        assert outside(chat.top) == []
        button = chat.widgets.composer.send_button
        assert button.winfo_rooty() + button.winfo_height() <= 600 - 30, "Send stays in sight under a window's title"
