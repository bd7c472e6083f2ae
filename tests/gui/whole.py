"""The whole client with real windows, signed in at the small server of the client's tests."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop_client.app import Options
from desktop_client.presenters.app import Application
from desktop_client.presenters.views import LoginForm
from desktop_client.profile import Profile
from desktop_client.windows import attention
from desktop_client.windows.application import TkWindows
from desktop_client.windows.base import BaseWindow
from desktop_client.windows.conversation import ConversationWindow
from desktop_client.windows.driver import Driver, Hand
from desktop_client.windows.roster import RosterWindow
from im_protocol.invite import Invite
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.peer import LIN, PASSWORD, Peer


class Whole:
    """One person's program, and the hands that use it."""

    def __init__(self, windows: TkWindows, peer: Peer, folder: Path) -> None:
        self.windows, self.peer = windows, peer
        self.driver = Driver(windows)
        self.profile = Profile(folder / "profile")
        self.app = Application(windows, self.profile, Options(), QUICK, lambda: folder)
        self.app.start()

    @property
    def link(self) -> str:
        known = self.peer.known()
        return Invite("127.0.0.1", self.peer.port, "Dorm 7", known.pin_bytes, known.fingerprint_bytes).link()

    def sign_in(self) -> Hand:
        """The roster, as soon as it shows its contacts."""
        assert self.app.login is not None
        self.app.login.sign_in(LoginForm(str(LIN), PASSWORD, self.link, True))
        roster = self.driver.window(RosterWindow)
        roster.wait_for("Wang Lei")
        return roster

    def open_chat(self, contact_id: int) -> Hand:
        self.app.open_contact(contact_id)
        chat = self.driver.window(ConversationWindow, contact_id=contact_id)
        self.driver.wait_until(chat.window.can_be_seen, "the chat in front")
        return chat

    def unread(self, contact_id: int) -> int:
        assert self.app.client.member is not None
        return self.app.client.member.history.unread(contact_id)


@contextmanager
def whole(windows: TkWindows, peer: Peer, folder: Path) -> Iterator[Whole]:
    made = Whole(windows, peer, folder)
    try:
        yield made
    finally:
        made.app.stop()


@contextmanager
def _x11(window: BaseWindow) -> Iterator[tuple[ctypes.CDLL, int, int]]:
    """Xlib, a connection, and the window as a window manager knows it."""
    lib = attention.x11_library()
    display = lib.XOpenDisplay(window.top.winfo_screen().encode())
    try:
        yield lib, display, attention.wrapper_of(lib, display, window.top.winfo_id())
    finally:
        lib.XCloseDisplay(display)


def is_urgent(window: BaseWindow) -> bool:
    """Whether the window has the urgency hint."""
    with _x11(window) as (lib, display, wrapper):
        return attention.is_urgent(lib, display, wrapper)


def states(window: BaseWindow) -> set[str]:
    """What the window manager says of the window (EWMH, _NET_WM_STATE)."""
    with _x11(window) as (lib, display, wrapper):
        word, pointer = ctypes.c_ulong, ctypes.c_void_p
        kind, size, count, left = word(), ctypes.c_int(), word(), word()
        found = ctypes.POINTER(word)()
        lib.XGetWindowProperty.argtypes = [pointer, word, word, ctypes.c_long, ctypes.c_long, ctypes.c_int, word] + [
            pointer
        ] * 5
        lib.XGetAtomName.argtypes, lib.XGetAtomName.restype = [pointer, word], ctypes.c_char_p
        name = lib.XInternAtom(display, b"_NET_WM_STATE", 0)
        told = [ctypes.byref(part) for part in (kind, size, count, left, found)]
        lib.XGetWindowProperty(display, wrapper, name, 0, 64, 0, 4, *told)
        return {lib.XGetAtomName(display, found[n]).decode() for n in range(count.value)}
