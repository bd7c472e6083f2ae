"""Signing in: what was typed, whether the server is trusted, and a clear sentence for every way to fail."""

from __future__ import annotations

from collections.abc import Callable

from desktop_client.app import Client
from desktop_client.config import Address
from desktop_client.i18n import _
from desktop_client.presenters.views import LoginForm, LoginView, Windows
from desktop_client.profile import KnownServer
from desktop_client.signin import Problem, SignInFlow
from im_protocol.packets import SignedIn


class LoginPresenter:
    """Drives one login window until somebody is signed in."""

    def __init__(self, client: Client, windows: Windows, signed_in: Callable[[], None], server: str = "") -> None:
        """`server`: address or invite link to begin with, instead of the one used last."""
        self._client = client
        self._windows = windows
        self._signed_in = signed_in
        self._busy = False
        self._flow = SignInFlow(client, self._ask_trust)
        self.view: LoginView = windows.login()
        self.view.on_sign_in = self.sign_in
        self.view.on_paste_invite = self.paste_invite
        self._prefill(server or client.options.server)

    def sign_in(self, form: LoginForm) -> None:
        """The button. While one attempt runs, another is not begun."""
        if self._busy:
            return
        self._busy = True
        self.view.set_busy(True)
        self._flow.start(form.member_id, form.password, form.server, form.remember, self._on_done)

    def paste_invite(self, text: str) -> None:
        """An invite link says which server and which keys: no words need comparing."""
        found = self._flow.server_of(text)
        if isinstance(found, Problem):
            self.view.show_error(found.text, "server")
        elif isinstance(found, KnownServer):
            self._show_server(found)

    def show_error(self, text: str) -> None:
        self.view.show_error(text)

    def _prefill(self, server_text: str) -> None:
        profile = self._client.profile
        found = self._flow.server_of(server_text)
        text = server_text
        line, pinned = _("No server yet: type its address or paste an invite link"), False
        if isinstance(found, KnownServer):
            line, pinned = _line(found), True
            text = text or str(found.address)
        elif isinstance(found, Address):
            line = _("{address}: its key will be asked for").format(address=found)
        member = self._client.options.member_id or profile.last_member
        self.view.prefill(member, line, text, profile.remember)
        self.view.show_server(line, pinned, "good" if pinned else "muted")
        if isinstance(found, Problem) and server_text:
            self.view.show_error(found.text, "server")

    def _show_server(self, server: KnownServer) -> None:
        self.view.show_server(_line(server), True, "good")

    def _ask_trust(self, server: KnownServer, words: tuple[str, ...], answer: Callable[[bool], None]) -> None:
        self._windows.trust().ask(server.name, str(server.address), words, answer)

    def _on_done(self, result: SignedIn | Problem) -> None:
        self._busy = False
        self.view.set_busy(False)
        if isinstance(result, SignedIn):
            self.view.close()
            self._signed_in()
            return
        self.view.show_error(result.text, result.field)
        if result.old_words and result.server is not None:
            server = result.server
            self.view.show_server(_("{name}: its key has changed").format(name=server.name), False, "danger")
            trust = self._windows.trust()
            trust.show_key_changed(server.name, str(server.address), result.old_words, result.new_words)


def _line(server: KnownServer) -> str:
    return f"{server.name} · {server.address}"
