"""The whole client with real windows, signed in at the small server of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desktop_client import x11
from desktop_client.app import Options
from desktop_client.presenters.app import Application
from desktop_client.presenters.views import LoginForm
from desktop_client.profile import Profile
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


def is_urgent(window: BaseWindow) -> bool:
    """Whether the window has the urgency hint."""
    with x11.connection(window.top.winfo_screen()) as display:
        return display.is_urgent(display.wrapper_of(window.top.winfo_id()))


def states(window: BaseWindow) -> set[str]:
    """What the window manager says of the window (EWMH, _NET_WM_STATE)."""
    with x11.connection(window.top.winfo_screen()) as display:
        wrapper = display.wrapper_of(window.top.winfo_id())
        return {display.atom_name(atom) for atom in display.words(wrapper, "_NET_WM_STATE")}
