"""Headers and bodies to bytes and back. Pure functions; errors carry blame (see `errors`)."""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeVar

import msgspec

from im_protocol import appended, codes, limits
from im_protocol.errors import LocalProtocolError, RemoteProtocolError
from im_protocol.packets import BODIES, OPAQUE, Body, Flag, Type

MAGIC = 0x4242  # "BB"
VERSION = 1
HEADER = struct.Struct(">HBBHHIIQQ")
FLAGS_KNOWN = int(Flag.ANSWER | Flag.PUSH)

_KNOWN_TYPES = frozenset(int(t) for t in Type)
_DECODERS = {int(t): msgspec.msgpack.Decoder(cls) for t, cls in BODIES.items()}
_ENCODER = msgspec.msgpack.Encoder()
_B = TypeVar("_B", bound=Body)


class Frame(NamedTuple):
    """One packet off the wire: its header's fields, and its body as bytes that nobody has read yet."""

    type: int
    flags: int
    request_id: int
    sender_id: int
    receiver_id: int
    body: bytes


def encode_frame(
    packet_type: int, body: bytes, *, request_id: int = 0, sender_id: int = 0, receiver_id: int = 0, flags: int = 0
) -> bytes:
    """Header and body as they go on the wire. Raises LocalProtocolError for a body over the limit."""
    if len(body) > limits.BODY_BYTES_MAX:
        raise LocalProtocolError(f"body of {len(body)} bytes is over the limit of {limits.BODY_BYTES_MAX}")
    head = HEADER.pack(MAGIC, VERSION, flags, packet_type, 0, len(body), request_id, sender_id, receiver_id)
    return head + body


def encode_body(body: Body) -> bytes:
    """The MessagePack array of a body."""
    return _ENCODER.encode(body)


def encode(
    packet_type: Type,
    body: Body | None = None,
    *,
    request_id: int = 0,
    sender_id: int = 0,
    receiver_id: int = 0,
    flags: int = 0,
) -> bytes:
    """A whole packet with a typed body (None: a body without fields)."""
    raw = b"\x90" if body is None else _ENCODER.encode(body)
    return encode_frame(
        packet_type, raw, request_id=request_id, sender_id=sender_id, receiver_id=receiver_id, flags=flags
    )


def decode_body(frame: Frame, expected: type[_B]) -> _B:
    """The typed body of a frame. Raises RemoteProtocolError (bad_body) when it is not one, not fatal."""
    try:
        body = _DECODERS[frame.type].decode(frame.body)
    except (KeyError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _bad_body(frame, str(error)) from error
    if not isinstance(body, expected):
        raise _bad_body(frame, f"{expected.__name__} was expected")
    return body


def decode_request(frame: Frame, expected: type[_B]) -> _B:
    """The typed body of a client's frame, whose appended fields are looked at as well. Raises as `decode_body`."""
    body = decode_body(frame, expected)
    if appended.has_appended(frame.body, len(expected.__struct_fields__)) and (fault := appended.fault_of(frame.body)):
        raise _bad_body(frame, fault)
    return body


def _bad_body(frame: Frame, fault: str) -> RemoteProtocolError:
    text = f"body of packet type {frame.type:#06x}: {fault}"
    return RemoteProtocolError(codes.BAD_BODY, text, request_id=frame.request_id, fatal=False)


def is_known_type(packet_type: int) -> bool:
    """Whether this version of the protocol has the type at all."""
    return packet_type in _KNOWN_TYPES


def is_opaque(packet_type: int) -> bool:
    """Whether the body is passed on unread."""
    return packet_type in OPAQUE
