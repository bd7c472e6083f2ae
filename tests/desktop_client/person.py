"""Somebody in front of windows that only remember."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from desktop_client.app import Options
from desktop_client.presenters.app import Application
from desktop_client.presenters.views import LoginForm, PaySheetForm, TimeMark
from desktop_client.profile import Profile
from im_protocol.invite import Invite
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import ConversationRecorder, FakeWindows, wait_until
from tests.desktop_client.peer import LIN, PASSWORD, Peer
from tests.desktop_client.subsystem import ELECTRICITY, PIN

ACCOUNT = "6200000000000234"


class Person:
    """Somebody in front of the windows."""

    def __init__(self, peer: Peer, profile: Profile, tmp_path: Path) -> None:
        self.peer = peer
        self.windows = FakeWindows()
        self.app = Application(self.windows, profile, Options(), QUICK, lambda: tmp_path)
        self.app.start()

    def until(self, condition: Any) -> None:
        wait_until(condition, self.turn)

    def turn(self) -> None:
        self.app.client.inbox.wait(0.002)
        self.windows.turn()

    @property
    def link(self) -> str:
        known = self.peer.known()
        return Invite("127.0.0.1", self.peer.port, "Dorm 7", known.pin_bytes, known.fingerprint_bytes).link()

    def sign_in(self, server: str | None = None, member: str = str(LIN), password: str = PASSWORD) -> None:
        login = self.windows.last("login")
        login.on_sign_in(LoginForm(member, password, self.link if server is None else server, True))

    def signed_in(self) -> Any:
        self.sign_in()
        self.until(lambda: self.app.roster is not None)
        roster = self.windows.last("roster")
        self.until(lambda: roster.last("show_me")[0].balance and roster.last("show_groups")[0])
        return roster

    def login_error(self) -> tuple[str, str]:
        login = self.windows.last("login")
        self.until(lambda: any(a[0] for n, a in login.calls if n == "show_error"))
        return login.last("show_error")

    def open_biller(self, biller: int = ELECTRICITY) -> ConversationRecorder:
        self.app.open_contact(biller)
        view = self.windows.last("conversation")
        self.until(lambda: any(not isinstance(e, TimeMark) for e in view.entries))
        return view

    def pay(self, view: ConversationRecorder, pin: str = PIN, choice: str = "full", other: str = "") -> Any:
        view.on_card_action("bill-7", "pay")
        sheet = self.windows.last("pay_sheet")
        sheet.on_pay(PaySheetForm(choice, other, ACCOUNT, pin))
        return sheet
