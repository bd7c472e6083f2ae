"""What this installation remembers: servers and their pinned keys, its device id, settings. Never a password.

One JSON file in the member's data folder (BILLBUDDY_HOME, or the system's place for user data); the folder is 0700 and
the file 0600. Each member's messages, receipts and orders have a folder of their own below it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from desktop_client import profile_file
from desktop_client.config import Address
from desktop_client.profile_file import KnownServer, Stored
from host.locks import exclusive
from im_protocol.invite import OTHERS_MAX

__all__ = ["KnownServer", "Profile", "ProfileError", "default_folder"]

FILE_NAME = "profile.json"
LOCK_NAME = "profile.lock"
HOME_VARIABLE = "BILLBUDDY_HOME"


class ProfileError(Exception):
    """The profile folder cannot be used; the message says why."""


def default_folder() -> Path:
    """Where the profile is kept unless somebody says otherwise."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home)
    import platformdirs  # only needed here, and not by scripts that set the folder

    return platformdirs.user_data_path("billbuddy", appauthor=False)


class Profile:
    """The remembered things, saved at every change.

    Several programs may use one profile: each change is made, under a lock, to what the others have written meanwhile.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Opens or begins the profile. Raises ProfileError when its folder or file cannot be used."""
        self.folder = folder or default_folder()
        self.path = self.folder / FILE_NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            self.set_aside: Path | None = None  # where a damaged file was kept
            self._data, whole = profile_file.read(self.path)
            if not (whole and self._data.device_id):
                self._change(_begin)
        except OSError as error:
            raise ProfileError(f"cannot use the profile folder {self.folder}: {error.strerror or error}") from error

    @property
    def device_id(self) -> bytes:
        """16 random bytes, made once."""
        return bytes.fromhex(self._data.device_id)

    @property
    def servers(self) -> list[KnownServer]:
        return self._data.servers

    @property
    def last_member(self) -> str:
        return self._data.last_member

    @property
    def remember(self) -> bool:
        return self._data.remember

    def server_at(self, address: Address) -> KnownServer | None:
        """The server remembered under this address."""
        named = (s for s in self._data.servers if s.address == address)
        return next(named, next((s for s in self._data.servers if address in s.other_addresses), None))

    def server_with(self, tls_pin: str, payment_fingerprint: str) -> KnownServer | None:
        """The server remembered with these keys: it is known wherever it is."""
        return _with_keys(self._data, tls_pin, payment_fingerprint)

    def last_server(self) -> KnownServer | None:
        """The server signed in to last, or the only one there is."""
        for server in self._data.servers:
            if str(server.address) == self._data.last_server:
                return server
        return self._data.servers[0] if len(self._data.servers) == 1 else None

    def trust(self, server: KnownServer) -> KnownServer:
        """Remembers a server, in place of what was remembered under its keys (it moved) or under its address.

        The addresses where it was before are kept as further ones, so that it is found again when it moves back.
        """

        def change(data: Stored) -> None:
            old = _with_keys(data, server.tls_pin, server.payment_fingerprint)
            if old is not None:
                server.payment_root = server.payment_root or old.payment_root
                before = [host for host in (old.host, *old.others) if old.port == server.port]
                server.others = [h for h in dict.fromkeys([*server.others, *before]) if h != server.host][:OTHERS_MAX]
            data.servers = [s for s in data.servers if s is not old and s.address != server.address]
            data.servers.append(server)

        self._change(change)
        return server

    def signed_in(self, server: KnownServer, member_id: int, remember: bool) -> None:
        """Notes who signed in where, to offer it next time."""

        def change(data: Stored) -> None:
            data.last_server = str(server.address)
            data.last_member = str(member_id) if remember else ""
            data.remember = remember

        self._change(change)

    def note_root(self, server: KnownServer, root: bytes) -> None:
        """The payment service's root key was seen; its fingerprint was pinned before."""
        server.payment_root = root.hex()

        def change(data: Stored) -> None:
            known = _with_keys(data, server.tls_pin, server.payment_fingerprint)
            if known is not None:
                known.payment_root = server.payment_root

        self._change(change)

    def setting(self, name: str, default: str = "") -> str:
        """A setting such as `lang` or `theme`."""
        return self._data.settings.get(name, default)

    def set_setting(self, name: str, value: str) -> None:
        self._change(lambda data: data.settings.update({name: value}))

    def member_folder(self, server: KnownServer, member_id: int) -> Path:
        """The 0700 folder of one member of one server (by its key: a server may move)."""
        folder = self.folder / f"{server.tls_pin[:16]}-{member_id}"
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        return folder

    def _change(self, change: Callable[[Stored], None]) -> None:
        """Changes what the file holds now. Raises OSError."""
        with exclusive(self.folder / LOCK_NAME):
            data, whole = profile_file.read(self.path)
            if not whole:
                self.set_aside = profile_file.set_aside(self.path)
            change(data)
            profile_file.write(self.path, data)
            self._data = data


def _begin(data: Stored) -> None:
    data.device_id = data.device_id or secrets.token_hex(profile_file.DEVICE_HEX_CHARS // 2)


def _with_keys(data: Stored, tls_pin: str, payment_fingerprint: str) -> KnownServer | None:
    keys = (tls_pin, payment_fingerprint)
    return next((s for s in data.servers if (s.tls_pin, s.payment_fingerprint) == keys), None)
