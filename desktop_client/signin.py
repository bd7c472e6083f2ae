"""From what a person typed to a signed-in client: which server, is its key trusted, does it let the member in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from desktop_client.app import NO_ROOT, Client
from desktop_client.config import Address, parse_address, parse_member_id
from desktop_client.events import Noticed
from desktop_client.i18n import _
from desktop_client.profile import KnownServer
from desktop_client.transport import KEY_CHANGED, Down, Target, Up
from desktop_client.wording import invite_problem, member_id_problem, problem
from im_protocol import codes
from im_protocol.invite import SCHEME, InviteError, parse_invite
from im_protocol.limits import PASSWORD_CHARS_MAX
from im_protocol.packets import Refusal, SignedIn
from im_protocol.words import key_words

Field = Literal["", "member_id", "password", "server"]
AskTrust = Callable[[KnownServer, tuple[str, ...], Callable[[bool], None]], None]


@dataclass(frozen=True)
class Problem:
    """Why nobody is signed in, in a sentence; `field` is the input that it is about. Words only for a changed key."""

    code: str
    text: str
    field: Field = ""
    server: KnownServer | None = None
    old_words: tuple[str, ...] = ()
    new_words: tuple[str, ...] = ()


Done = Callable[["SignedIn | Problem"], None]


class SignInFlow:
    """One attempt after the other; `ask_trust` shows the six words of a server that is not known yet."""

    def __init__(self, client: Client, ask_trust: AskTrust) -> None:
        self._client = client
        self._ask_trust = ask_trust

    def server_of(self, text: str) -> KnownServer | Address | Problem:
        """The server that the text means: an invite link, an address, or (empty) the one used last."""
        text = text.strip()
        if not text:
            last = self._client.profile.last_server()
            return last or Problem("no_server", _("Type the server's address, or paste an invite link."), "server")
        if text.lower().startswith(SCHEME) or "://" in text:
            return self._invited(text)
        try:
            address = parse_address(text)
        except ValueError:
            return Problem("bad_address", _("This is not a server address: {text}").format(text=text), "server")
        return self._client.profile.server_at(address) or address

    def _invited(self, text: str) -> KnownServer | Problem:
        try:
            invite = parse_invite(text)
        except InviteError:
            return Problem("bad_invite", invite_problem(), "server")
        pin, fingerprint = invite.tls_pin.hex(), invite.payment_fingerprint.hex()
        return KnownServer(invite.host, invite.port, invite.server_name, pin, fingerprint, others=list(invite.others))

    def start(self, member_text: str, password: str, server_text: str, remember: bool, done: Done) -> None:
        """Checks what was typed, asks for trust where it is needed, signs in; `done` is called once."""
        try:
            member_id = parse_member_id(member_text)
        except ValueError:
            done(Problem("bad_member_id", member_id_problem(), "member_id"))
            return
        if not 0 < len(password) <= PASSWORD_CHARS_MAX:
            done(Problem("bad_password", _("Type your password."), "password"))
            return
        server = self.server_of(server_text)
        if isinstance(server, Problem):
            done(server)
        elif isinstance(server, Address):
            self._look(server, lambda known: self._sign_in(known, member_id, password, remember, done), done)
        else:
            self._sign_in(server, member_id, password, remember, done)

    def _look(self, address: Address, trusted: Callable[[KnownServer], None], done: Done) -> None:
        """First connection: look at the keys, leave, and ask; no password is anywhere near the wire yet."""

        def on_greeted(up: Up | Down) -> None:
            self._client.session.sign_out()
            if isinstance(up, Down):
                done(Problem(up.code, problem(up.code, up.message, str(address)), "server"))
                return
            root = up.welcome.payment_root
            if root == NO_ROOT:
                text = _("The payment service has not started yet. Try again in a moment.")
                done(Problem(codes.PAYMENT_AWAY, text, "server"))
                return
            fingerprint = hashlib.sha256(root).digest()
            known = KnownServer(
                address.host, address.port, up.welcome.server_name, up.tls_pin.hex(), fingerprint.hex(), root.hex()
            )
            if self._client.profile.server_with(known.tls_pin, known.payment_fingerprint) is not None:
                answered(known, True)  # a server that is trusted already, at another address
                return
            self._ask_trust(known, key_words(up.tls_pin, fingerprint), lambda yes: answered(known, yes))

        def answered(known: KnownServer, yes: bool) -> None:
            if not yes:
                done(Problem("not_trusted", _("You did not confirm the server's key words."), "server"))
                return
            trusted(self._client.profile.trust(known))

        self._client.session.open(Target(address, None, self._client.options.lang), on_greeted)

    def _sign_in(self, server: KnownServer, member_id: int, password: str, remember: bool, done: Done) -> None:
        def on_result(result: SignedIn | Refusal) -> None:
            if isinstance(result, Refusal):
                done(self._problem(result, server))
                return
            try:
                self._client.profile.signed_in(self._client.profile.trust(server), member_id, remember)
            except OSError as error:
                text = _("Settings and known servers cannot be stored on this device: {why}")
                self._client.bus.publish(Noticed(text.format(why=error.strerror or error)))
            done(result)

        self._client.sign_in(server, member_id, password, on_result)

    def _problem(self, refusal: Refusal, server: KnownServer) -> Problem:
        text = problem(refusal.code, refusal.message, str(server.address))
        if refusal.code == KEY_CHANGED:
            old = key_words(server.pin_bytes, server.fingerprint_bytes)
            return Problem(refusal.code, text, "server", server, old, self._client.seen_words(server))
        field: Field = "server"
        if refusal.code == codes.WRONG_PASSWORD:
            field = "password"
        elif refusal.code == codes.UNKNOWN_MEMBER:
            field = "member_id"
        return Problem(refusal.code, text, field, server)
