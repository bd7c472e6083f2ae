"""Bodies at and beyond the edges of their types, made from the types themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from im_protocol import limits
from im_protocol.packets import (
    BODIES,
    Body,
    ChatAck,
    ChatSend,
    Hello,
    PresenceSet,
    RosterRequest,
    SignIn,
    SyncRequest,
    Type,
)

SAMPLES: dict[Type, Body | None] = {
    Type.HELLO: Hello("tests", "en"),
    Type.SIGN_IN: SignIn(10_001, "open sesame", bytes(16), "desk", "online"),
    Type.PING: None,
    Type.SIGN_OUT: None,
    Type.ROSTER_REQUEST: RosterRequest(0),
    Type.PRESENCE_SET: PresenceSet("online", "hello"),
    Type.CHAT_SEND: ChatSend(bytes(16), "hi"),
    Type.CHAT_ACK: ChatAck(0),
    Type.SYNC_REQUEST: SyncRequest(0),
    Type.KEY_CONFIG_REQUEST: None,
}
"""A good body of every type that a client sends and that is not opaque."""


class Case(NamedTuple):
    """`is_good`: whether the page allows this body."""

    what: str
    body: bytes
    is_good: bool


def cases(kind: Type) -> Iterator[Case]:
    """Every field at its edges and beyond, and every way in which a body is none."""
    fields = inspect.type_info(BODIES[kind]).fields  # type: ignore[attr-defined]
    sample = SAMPLES[kind]
    values = list(msgspec.structs.astuple(sample)) if sample is not None else []
    for at, field in enumerate(fields):
        for what, value, is_good in _edges(field.type):
            changed = [*values[:at], value, *values[at + 1 :]]
            yield Case(f"{field.name} {what}", msgspec.msgpack.encode(changed), is_good)
    whole = msgspec.msgpack.encode(values)
    yield from _bodies(whole, values, sum(1 for field in fields if field.required))


def _edges(of: inspect.Type) -> Iterator[tuple[str, Any, bool]]:
    yield "nil", None, False
    yield "float", 1.0, False
    yield "an array", [], False
    yield "a map", {}, False
    if isinstance(of, inspect.IntType):
        least, most = of.ge or 0, of.le or limits.ID_MAX
        yield from (("least", least, True), ("most", most, True), ("below", least - 1, False))
        yield from (("one over", most + 1, False), ("2**64-1", 2**64 - 1, False), ("text", "1", False))
    elif isinstance(of, inspect.StrType):
        least, most = of.min_length or 0, of.max_length or 0
        yield from (
            ("empty", "", not least),
            ("longest", "x" * most, True),
            ("longest of four bytes", "👋" * most, True),
        )
        yield from (("one over", "x" * (most + 1), False), ("bytes", b"x", False), ("NUL", "\0", True))
    elif isinstance(of, inspect.BytesType):
        least, most = of.min_length or 0, of.max_length or 0
        yield from (("empty", b"", not least), ("longest", bytes(most), True), ("one over", bytes(most + 1), False))
        yield from (("one less", bytes(max(least - 1, 0)), not least), ("text", "x" * most, False))
    elif isinstance(of, inspect.LiteralType):
        yield from ((f"value {value}", value, True) for value in of.values)
        yield from (("another value", "sleeping", False), ("empty", "", False), ("number", 1, False))


def _bodies(whole: bytes, values: list[Any], required: int) -> Iterator[Case]:
    def appended(raw: bytes) -> bytes:
        return bytes([0x91 + len(values)]) + whole[1:] + raw

    yield from (Case("no byte", b"", False), Case("map", b"\x80", False), Case("nil", b"\xc0", False))
    yield from (Case("c1", b"\xc1", False), Case("a byte after it", whole + b"\0", False))
    if values:
        yield Case("cut", whole[:-1], False)
    if required:
        yield Case("too few fields", msgspec.msgpack.encode(values[: required - 1]), False)
    yield Case("array 16", b"\xdc\x00" + bytes([len(values)]) + whole[1:], True)
    deepest = limits.DEPTH_MAX - 1  # the body's own array is a level
    yield Case("appended number", appended(b"\x07"), True)
    yield Case("appended and as deep as allowed", appended(b"\x91" * (deepest - 1) + b"\x90"), True)
    yield Case("appended and one deeper", appended(b"\x91" * deepest + b"\x90"), False)
    yield Case("appended 1,000 deep", appended(b"\x91" * 1_000 + b"\x90"), False)
    yield Case("appended maps 500 deep", appended(b"\x81\x01" * 500 + b"\x80"), False)
    room = limits.VALUES_MAX - len(values) - 2  # the body, the appended array
    yield Case("as many values as allowed", appended(b"\xdc" + room.to_bytes(2, "big") + b"\x01" * room), True)
    yield Case("one value more", appended(b"\xdc" + (room + 1).to_bytes(2, "big") + b"\x01" * (room + 1)), False)
    yield Case("appended text that is not UTF-8", appended(b"\xa2\xff\xfe"), False)
    yield Case("appended array without end", appended(b"\xdd\xff\xff\xff\xff"), False)
    yield Case("appended c1", appended(b"\xc1"), False)
    yield Case("appended extension", appended(b"\xd4\x05\x00"), True)
