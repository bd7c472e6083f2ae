"""Invite links: where a server is, and which keys it must show. Byte layout in PROTOCOL.md."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

SCHEME = "billbuddy://"
FORMAT = 1
CHECKSUM_BYTES = 8
NAME_BYTES_MAX = 255  # its length is one byte
LINK_CHARS_MAX = 1_024
_LABEL = b"billbuddy invite\0"
_FIXED_BYTES = 1 + 32 + 32 + 1
_SHAPE = re.compile(r"billbuddy://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/#([A-Za-z0-9_-]+)", re.ASCII)


class InviteError(ValueError):
    """The text is not a whole, unchanged invite link; the message says so in a sentence."""


@dataclass(frozen=True)
class Invite:
    """`tls_pin`: SHA-256 of the certificate's SubjectPublicKeyInfo (DER); `payment_fingerprint`: SHA-256 of the
    payment subsystem's Ed25519 root key (raw, 32 bytes). An IPv6 `host` is written without brackets."""

    host: str
    port: int
    server_name: str
    tls_pin: bytes
    payment_fingerprint: bytes

    def link(self) -> str:
        """The link as text. Raises ValueError when a field has the wrong size."""
        name = self.server_name.encode()
        if len(self.tls_pin) != 32 or len(self.payment_fingerprint) != 32 or len(name) > NAME_BYTES_MAX:
            raise ValueError("a pin or fingerprint is not 32 bytes, or the server's name is too long")
        address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        payload = bytes([FORMAT]) + self.tls_pin + self.payment_fingerprint + bytes([len(name)]) + name
        payload += _checksum(address, payload)
        link = f"{SCHEME}{address}/#{base64.urlsafe_b64encode(payload).decode().rstrip('=')}"
        if _SHAPE.fullmatch(link) is None:
            raise ValueError(f"{self.host!r} is not a host name or address")
        return link


def parse_invite(text: str) -> Invite:
    """The invite in `text`. Raises InviteError for anything but a whole link with no character changed."""
    text = text.strip()
    match = _SHAPE.fullmatch(text) if len(text) <= LINK_CHARS_MAX else None
    if match is None:
        raise InviteError("This is not a BillBuddy invite link. Copy the whole link, from billbuddy:// to its end.")
    host, port, encoded = match.groups()
    payload = _decode(encoded)
    if len(payload) < _FIXED_BYTES + CHECKSUM_BYTES:
        raise InviteError("The invite link is cut off. Copy the whole link, to its last character.")
    body, checksum = payload[:-CHECKSUM_BYTES], payload[-CHECKSUM_BYTES:]
    if checksum != _checksum(f"{host}:{port}", body):
        raise InviteError("A character of the invite link was changed or lost. Ask for the link again.")
    return _fields(host, port, body)


def _fields(host: str, port: str, body: bytes) -> Invite:
    if body[0] != FORMAT:
        raise InviteError("The invite link is of a newer kind. Update BillBuddy.")
    name = body[_FIXED_BYTES:]
    if len(name) != body[65] or not 1 <= int(port) <= 65_535:
        raise InviteError("The invite link is damaged. Ask for the link again.")
    try:
        server_name = name.decode()
    except UnicodeDecodeError as error:
        raise InviteError("The invite link is damaged. Ask for the link again.") from error
    return Invite(host.strip("[]"), int(port), server_name, body[1:33], body[33:65])


def _decode(encoded: str) -> bytes:
    """Strict base64url: an encoding that is not the one and only of its bytes is a changed character."""
    try:
        payload = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError) as error:
        raise InviteError("A character of the invite link was changed or lost. Ask for the link again.") from error
    if base64.urlsafe_b64encode(payload).decode().rstrip("=") != encoded:
        raise InviteError("A character of the invite link was changed or lost. Ask for the link again.")
    return payload


def _checksum(address: str, payload: bytes) -> bytes:
    return hashlib.sha256(_LABEL + address.encode() + b"\0" + payload).digest()[:CHECKSUM_BYTES]
