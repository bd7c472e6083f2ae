"""The profile's file: JSON that is read as far as it can be, and set aside where it cannot."""

from __future__ import annotations

import codecs
import json
import string
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from desktop_client.config import Address
from host.files import write_private

DEVICE_HEX_CHARS = 32  # 16 random bytes
KEY_HEX_CHARS = 64  # a SHA-256
ASIDE_MAX = 1_000  # damaged files that are kept; more are nobody's accident
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


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
class Stored:
    """What the file holds. `unknown` is what a later version may have added: it is kept as it is."""

    device_id: str = ""
    servers: list[KnownServer] = field(default_factory=list)
    last_server: str = ""
    last_member: str = ""
    remember: bool = True
    settings: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> tuple[Stored, bool]:
    """What the file holds, and whether all of it could be read. Raises OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Stored(), True
    encoding = next((name for bom, name in BOMS if content.startswith(bom)), "utf-8")
    try:
        raw = json.loads(content.decode(encoding))
    except (ValueError, RecursionError):  # what is no text in this encoding is a ValueError too
        return Stored(), False
    return _stored(raw) if isinstance(raw, dict) else (Stored(), False)


def write(path: Path, stored: Stored) -> None:
    """Writes the file whole or not at all. Raises OSError."""
    raw = asdict(stored)
    raw = {**raw.pop("unknown"), **raw}
    write_private(path, json.dumps(raw, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))


def set_aside(path: Path) -> Path:
    """Keeps a copy of a damaged file beside it, under a name that is free. Raises OSError."""
    content = path.read_bytes()
    for number in range(ASIDE_MAX):
        kept = path.with_name(f"{path.name}.damaged" + (f"-{number + 1}" if number else ""))
        if not kept.exists():
            write_private(kept, content)
            return kept
    raise OSError(f"there are {ASIDE_MAX} damaged files beside {path}")


def _stored(raw: dict[str, Any]) -> tuple[Stored, bool]:
    stored, whole = Stored(), True
    names = {f.name for f in fields(Stored)} - {"unknown"}
    stored.unknown = {name: value for name, value in raw.items() if name not in names}
    listed = raw.get("servers", [])
    servers = [_server(item) for item in listed] if isinstance(listed, list) else [None]
    stored.servers = [server for server in servers if server is not None]
    whole = len(stored.servers) == len(servers)
    settings = raw.get("settings", {})
    items = settings.items() if isinstance(settings, dict) else [("", None)]
    stored.settings = {name: value for name, value in items if isinstance(value, str)}
    whole = whole and len(stored.settings) == len(items)
    for name in ("last_server", "last_member", "remember"):
        value = raw.get(name, getattr(stored, name))
        if type(value) is type(getattr(stored, name)):
            setattr(stored, name, value)
        else:
            whole = False
    device = raw.get("device_id", "")
    if device == "" or _is_hex(device, DEVICE_HEX_CHARS):
        stored.device_id = device
    else:
        whole = False
    return stored, whole


def _server(item: Any) -> KnownServer | None:
    """One remembered server, or None for what is none."""
    if not isinstance(item, dict):
        return None
    try:
        server = KnownServer(**{f.name: item[f.name] for f in fields(KnownServer) if f.name in item})
    except TypeError:
        return None
    good = (
        all(isinstance(text, str) for text in (server.host, server.name))
        and type(server.port) is int
        and 0 < server.port < 65_536
        and _is_hex(server.tls_pin, KEY_HEX_CHARS)
        and _is_hex(server.payment_fingerprint, KEY_HEX_CHARS)
        and (server.payment_root == "" or _is_hex(server.payment_root))
        and isinstance(server.others, list)
        and all(isinstance(host, str) for host in server.others)
    )
    return server if good else None


def _is_hex(text: Any, length: int = 0) -> bool:
    if not isinstance(text, str) or (length and len(text) != length) or len(text) % 2:
        return False
    return all(character in string.hexdigits for character in text)
