"""Invite links: where a server is, and which keys it must show. Byte layout in PROTOCOL.md."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

SCHEME = "billbuddy://"
FORMAT = 1
FORMAT_WITH_OTHERS = 2
CHECKSUM_BYTES = 8
NAME_BYTES_MAX = 255  # its length is one byte
OTHERS_MAX = 7  # further hosts; with the longest IPv6 addresses the link still fits LINK_CHARS_MAX
HOST_CHARS_MAX = 253  # a DNS name's longest (RFC 1035, section 2.3.4)
LINK_CHARS_MAX = 1_024
_LABEL = b"billbuddy invite\0"
_FIXED_BYTES = 1 + 32 + 32 + 1
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+", re.ASCII)
_SHAPE = re.compile(rf"billbuddy://({_HOST.pattern}):([0-9]{{1,5}})/#([A-Za-z0-9_-]+)", re.ASCII)


class InviteError(ValueError):
    """The text is not a whole, unchanged invite link; the message says so in a sentence."""


@dataclass(frozen=True)
class Invite:
    """`tls_pin`: SHA-256 of the certificate's SubjectPublicKeyInfo (DER); `payment_fingerprint`: SHA-256 of the
    payment subsystem's Ed25519 root key (raw, 32 bytes). An IPv6 `host` is written without brackets. `others` are
    further hosts at which the same server may be found, on the same port."""

    host: str
    port: int
    server_name: str
    tls_pin: bytes
    payment_fingerprint: bytes
    others: tuple[str, ...] = ()

    def link(self) -> str:
        """The link as text. Raises ValueError when a field has the wrong size."""
        name = self.server_name.encode()
        if len(self.tls_pin) != 32 or len(self.payment_fingerprint) != 32 or len(name) > NAME_BYTES_MAX:
            raise ValueError("a pin or fingerprint is not 32 bytes, or the server's name is too long")
        address = f"{_in_link(self.host)}:{self.port}"
        payload = bytes([FORMAT_WITH_OTHERS if self.others else FORMAT]) + self.tls_pin + self.payment_fingerprint
        payload += bytes([len(name)]) + name + self._others()
        payload += _checksum(address, payload)
        link = f"{SCHEME}{address}/#{base64.urlsafe_b64encode(payload).decode().rstrip('=')}"
        if _SHAPE.fullmatch(link) is None:
            raise ValueError(f"{self.host!r} is not a host name or address")
        if len(link) > LINK_CHARS_MAX:
            raise ValueError(f"the invite link would have {len(link)} characters, {LINK_CHARS_MAX} are the limit")
        return link

    def _others(self) -> bytes:
        if not self.others:
            return b""
        if len(self.others) > OTHERS_MAX:
            raise ValueError(f"an invite link names at most {1 + OTHERS_MAX} hosts")
        packed = bytes([len(self.others)])
        for host in self.others:
            if not is_host(host):
                raise ValueError(f"{host!r} is not a host name or address")
            packed += bytes([len(host)]) + host.encode("ascii")
        return packed


def is_host(text: str) -> bool:
    """Whether a link can name this host: a DNS name, an IPv4 address, or an IPv6 address without brackets and zone."""
    return len(text) <= HOST_CHARS_MAX and _HOST.fullmatch(_in_link(text)) is not None


def _in_link(host: str) -> str:
    return f"[{host}]" if ":" in host else host


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
    if body[0] not in (FORMAT, FORMAT_WITH_OTHERS):
        raise InviteError("The invite link is of a newer kind. Update BillBuddy.")
    end = _FIXED_BYTES + body[65]
    try:
        others = _read_others(body[end:]) if body[0] == FORMAT_WITH_OTHERS else ()
        if len(body) < end or (not others and len(body) != end) or not 1 <= int(port) <= 65_535:
            raise ValueError
        server_name = body[_FIXED_BYTES:end].decode()
    except (ValueError, IndexError) as error:  # a UnicodeDecodeError is a ValueError
        raise InviteError("The invite link is damaged. Ask for the link again.") from error
    return Invite(host.strip("[]"), int(port), server_name, body[1:33], body[33:65], others)


def _read_others(packed: bytes) -> tuple[str, ...]:
    """The further hosts. Raises ValueError or IndexError unless they are 1 to OTHERS_MAX and fill `packed` exactly."""
    others: list[str] = []
    at = 1
    for _ in range(packed[0]):
        end = at + 1 + packed[at]
        others.append(packed[at + 1 : end].decode("ascii"))
        at = end
    if at != len(packed) or not 1 <= len(others) <= OTHERS_MAX or not all(map(is_host, others)):
        raise ValueError("not the further hosts of a link")
    return tuple(others)


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
