"""Fields that a newer peer appended to a body: passed over and passed on unread, but not unseen.

Every client that is handed such a body, in whatever form, must be able to skip them. So they are MessagePack with text
of valid UTF-8, and they are few and flat.
"""

from __future__ import annotations

from im_protocol import limits

_CONTAINERS = {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}  # array 16, array 32, map 16, map 32: bytes of the count
_TEXTS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_BLOBS = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_EXTENSIONS = {0xC7: 1, 0xC8: 2, 0xC9: 4}  # length, then a type byte, then the data
_FIXED = dict(zip(b"\xc0\xc2\xc3\xca\xcb\xcc\xcd\xce\xcf", (0, 0, 0, 4, 8, 1, 2, 4, 8), strict=True))
_FIXED |= dict(zip(b"\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7\xd8", (1, 2, 4, 8, 2, 3, 5, 9, 17), strict=True))


class _Fault(Exception):
    """Why a body is not one."""


def has_appended(body: bytes, fields: int) -> bool:
    """Whether the body may hold more than so many (under 16) fields."""
    return not body or not 0x90 <= body[0] <= 0x90 + fields


def fault_of(body: bytes) -> str:
    """What is wrong with a whole body, in words for its sender; empty when nothing is.

    Counts nesting (the body's own array is the first level) and values, and stops at the limits: a packet costs its
    reader no more than they allow.
    """
    try:
        end = _walk(body)
    except _Fault as fault:
        return str(fault)
    return "" if end == len(body) else "bytes after the body's array"


def _walk(body: bytes) -> int:
    left = [1]  # values still to come, level by level
    at = values = 0
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        values += 1
        if values > limits.VALUES_MAX:
            raise _Fault(f"more than {limits.VALUES_MAX} values")
        at, inside = _value(body, at)
        if inside >= 0:
            left.append(inside)
            if len(left) > limits.DEPTH_MAX + 1:
                raise _Fault(f"nested deeper than {limits.DEPTH_MAX} levels")
    return at


def _value(body: bytes, at: int) -> tuple[int, int]:
    """(where the value's own bytes end, how many values lie inside it; -1: it is no container)."""
    if at >= len(body):
        raise _Fault("ends in the middle of a value")
    first, at = body[at], at + 1
    if first < 0x80 or first >= 0xE0 or first in _FIXED:
        return _skip(body, at, _FIXED.get(first, 0)), -1
    if first < 0x90:
        return at, 2 * (first & 0x0F)
    if first < 0xA0:
        return at, first & 0x0F
    if first < 0xC0:
        return _text(body, at, first & 0x1F), -1
    for kinds, read in ((_TEXTS, _text), (_BLOBS, _skip), (_EXTENSIONS, _extension)):
        if first in kinds:
            size, at = _number(body, at, kinds[first])
            return read(body, at, size), -1
    if first in _CONTAINERS:
        count, at = _number(body, at, _CONTAINERS[first])
        return at, count if first < 0xDE else 2 * count
    raise _Fault(f"the byte {first:#04x} begins no value")


def _skip(body: bytes, at: int, size: int) -> int:
    if at + size > len(body):
        raise _Fault("ends in the middle of a value")
    return at + size


def _extension(body: bytes, at: int, size: int) -> int:
    return _skip(body, at, size + 1)


def _number(body: bytes, at: int, size: int) -> tuple[int, int]:
    end = _skip(body, at, size)
    return int.from_bytes(body[at:end], "big"), end


def _text(body: bytes, at: int, size: int) -> int:
    end = _skip(body, at, size)
    try:
        body[at:end].decode()
    except UnicodeDecodeError as error:
        raise _Fault("text that is not UTF-8") from error
    return end
