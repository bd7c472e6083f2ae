"""What this installation remembers: servers and their pinned keys, its device id, settings. Never a password.

One JSON file in the member's data folder (BILLBUDDY_HOME, or the system's place for user data); the folder is 0700 and
the file 0600. Each member's messages, receipts and orders have a folder of their own below it.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from desktop_client.config import Address
from im_protocol.invite import OTHERS_MAX

FILE_NAME = "profile.json"
HOME_VARIABLE = "BILLBUDDY_HOME"


class ProfileError(Exception):
    """The profile folder cannot be used; the message says why."""


@dataclass
class KnownServer:
    """A server that was trusted once. Keys in hexadecimal; `payment_root` is empty until it was seen. `others` are
    hosts where it may be found as well, on the same port."""

    host: str
    port: int
    name: str
    tls_pin: str
    payment_fingerprint: str
    payment_root: str = ""
    others: list[str] = field(default_factory=list)

    @property
    def other_addresses(self) -> tuple[Address, ...]:
        return tuple(Address(host, self.port) for host in self.others)

    @property
    def address(self) -> Address:
        return Address(self.host, self.port)

    @property
    def pin_bytes(self) -> bytes:
        return bytes.fromhex(self.tls_pin)

    @property
    def fingerprint_bytes(self) -> bytes:
        return bytes.fromhex(self.payment_fingerprint)

    @property
    def root_bytes(self) -> bytes:
        return bytes.fromhex(self.payment_root)


@dataclass
class _Stored:
    device_id: str = ""
    servers: list[KnownServer] = field(default_factory=list)
    last_server: str = ""
    last_member: str = ""
    remember: bool = True
    settings: dict[str, str] = field(default_factory=dict)


def default_folder() -> Path:
    """Where the profile is kept unless somebody says otherwise."""
    home = os.environ.get(HOME_VARIABLE)
    if home:
        return Path(home)
    import platformdirs  # only needed here, and not by scripts that set the folder

    return platformdirs.user_data_path("billbuddy", appauthor=False)


class Profile:
    """The remembered things, saved at every change."""

    def __init__(self, folder: Path | None = None) -> None:
        """Opens or begins the profile. Raises ProfileError when its folder or file cannot be used."""
        self.folder = folder or default_folder()
        self.path = self.folder / FILE_NAME
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            self._data = self._load()
            if not self._data.device_id:
                self._data.device_id = secrets.token_hex(16)
                self.save()
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
        keys = (tls_pin, payment_fingerprint)
        return next((s for s in self._data.servers if (s.tls_pin, s.payment_fingerprint) == keys), None)

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
        old = self.server_with(server.tls_pin, server.payment_fingerprint)
        if old is not None:
            server.payment_root = server.payment_root or old.payment_root
            before = [host for host in (old.host, *old.others) if old.port == server.port]
            server.others = [h for h in dict.fromkeys([*server.others, *before]) if h != server.host][:OTHERS_MAX]
        gone = [s for s in self._data.servers if s is old or s.address == server.address]
        self._data.servers = [s for s in self._data.servers if s not in gone]
        self._data.servers.append(server)
        self.save()
        return server

    def signed_in(self, server: KnownServer, member_id: int, remember: bool) -> None:
        """Notes who signed in where, to offer it next time."""
        self._data.last_server = str(server.address)
        self._data.last_member = str(member_id) if remember else ""
        self._data.remember = remember
        self.save()

    def setting(self, name: str, default: str = "") -> str:
        """A setting such as `lang` or `theme`."""
        return self._data.settings.get(name, default)

    def set_setting(self, name: str, value: str) -> None:
        self._data.settings[name] = value
        self.save()

    def member_folder(self, server: KnownServer, member_id: int) -> Path:
        """The 0700 folder of one member of one server (by its key: a server may move)."""
        folder = self.folder / f"{server.tls_pin[:16]}-{member_id}"
        folder.mkdir(exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        return folder

    def save(self) -> None:
        """Writes the file whole or not at all."""
        temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self._data), file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)

    def _load(self) -> _Stored:
        try:
            raw: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return _Stored()
        except ValueError as error:
            raise ProfileError(f"{self.path} is damaged: {error}") from error
        try:
            servers = [KnownServer(**item) for item in raw.pop("servers", [])]
            return _Stored(servers=servers, **raw)
        except TypeError as error:
            raise ProfileError(f"{self.path} is of another version: {error}") from error
