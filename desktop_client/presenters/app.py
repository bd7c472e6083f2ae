"""The application's coordinator: login → roster → conversations → pay sheet, over any kind of windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from desktop_client.app import Client, Options
from desktop_client.config import Timings
from desktop_client.events import Noticed, SessionEnded
from desktop_client.i18n import _
from desktop_client.presenters.chat import ChatPresenter
from desktop_client.presenters.login import LoginPresenter
from desktop_client.presenters.payment import BillPresenter
from desktop_client.presenters.pulse import Pulse
from desktop_client.presenters.roster import RosterPresenter
from desktop_client.presenters.views import LoginForm, Windows
from desktop_client.presenters.wallet import WalletPresenter
from desktop_client.profile import Profile
from desktop_client.wording import problem
from im_protocol.limits import BILLER_ID_MAX, PAYMENT_ID


class Application:
    """One person's program. `start` shows the login; `stop` ends the network after the windows are gone."""

    def __init__(
        self,
        windows: Windows,
        profile: Profile,
        options: Options | None = None,
        timings: Timings | None = None,
        downloads: Callable[[], Path] | None = None,
    ) -> None:
        """`downloads` says where saved receipts go; by default the system's downloads folder."""
        self.windows = windows
        self.client = Client(profile, options, timings)
        self.login: LoginPresenter | None = None
        self.roster: RosterPresenter | None = None
        self.conversations: dict[int, ChatPresenter | BillPresenter | WalletPresenter] = {}
        self._downloads = downloads or _downloads
        self._stopped = False
        self._pulse = Pulse(self.client, windows)
        self.client.bus.subscribe(SessionEnded, self._on_ended)
        self.client.bus.subscribe(Noticed, lambda event: self.windows.notice(event.text))

    def start(self, password: str = "") -> None:
        """Shows the login window; with a password (of scripts and demonstrations) it signs in by itself."""
        self._show_login()
        self._pulse.start()
        aside = self.client.profile.set_aside
        if aside is not None:
            text = _(
                "The file of settings and known servers was damaged. It is kept as {name}. What could be read of it is "
                "here; a server that is missing has to be trusted anew."
            )
            self.windows.notice(text.format(name=aside))
        options = self.client.options
        if password and self.login is not None:
            member = options.member_id or self.client.profile.last_member
            self.login.sign_in(LoginForm(member, password, options.server, self.client.profile.remember))

    def stop(self) -> None:
        """Ends everything. Safe to call twice."""
        if not self._stopped:
            self._stopped = True
            self._pulse.stop()
            self.client.close()

    def open_contact(self, contact_id: int) -> None:
        """Opens a conversation, or brings the open one to the front."""
        member = self.client.member
        if member is None:
            return
        known = self.conversations.get(contact_id)
        if known is not None:
            known.view.raise_window()
            return

        def closed() -> None:
            self.conversations.pop(contact_id, None)

        if contact_id == PAYMENT_ID:
            self.conversations[contact_id] = WalletPresenter(member, self.windows, closed, self._downloads)
        elif contact_id <= BILLER_ID_MAX:
            self.conversations[contact_id] = BillPresenter(member, self.windows, contact_id, closed, self._downloads)
        else:
            self.conversations[contact_id] = ChatPresenter(member, self.windows, contact_id, closed)

    def redraw(self) -> None:
        """Every open window is told its texts again: the language is another one now."""
        if self.roster is not None:
            self.roster.draw()
        for presenter in list(self.conversations.values()):
            presenter.redraw()

    def sign_out(self) -> None:
        """Back to the login window."""
        self._close_windows()
        self.client.sign_out()
        self._show_login()

    def _show_login(self) -> None:
        self.login = LoginPresenter(self.client, self.windows, self._on_signed_in)

    def _on_signed_in(self) -> None:
        assert self.client.member is not None
        self.login = None
        self.roster = RosterPresenter(
            self.client, self.client.member, self.windows, self.open_contact, self.sign_out
        )
        self.roster.is_seen_chat = self._is_seen_chat
        self.roster.is_open = self.conversations.__contains__

    def _is_seen_chat(self, contact_id: int) -> bool:
        chat = self.conversations.get(contact_id)
        return chat is not None and chat.view.is_seen()

    def _on_ended(self, event: SessionEnded) -> None:
        if self.roster is None:
            return
        self.sign_out()
        if self.login is not None:
            self.login.show_error(problem(event.code, event.message))

    def _close_windows(self) -> None:
        for presenter in list(self.conversations.values()):
            view = presenter.view
            presenter.close()
            view.close()
        self.conversations.clear()
        if self.roster is not None:
            self.roster.close()
            self.roster = None


def _downloads() -> Path:
    """The system's downloads folder, or the home folder where there is none."""
    import platformdirs

    folder = platformdirs.user_downloads_path()
    return folder if folder.is_dir() else Path.home()
