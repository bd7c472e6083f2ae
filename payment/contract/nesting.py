"""How deeply a MessagePack value is nested, found without recursion, so that no depth can be too much for it."""

from __future__ import annotations

_FIXED_BYTES = {
    **dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3), 1),
    0xCA: 5,
    0xCB: 9,
    0xCC: 2,
    0xCD: 3,
    0xCE: 5,
    0xCF: 9,
    0xD0: 2,
    0xD1: 3,
    0xD2: 5,
    0xD3: 9,
    0xD4: 3,
    0xD5: 4,
    0xD6: 6,
    0xD7: 10,
    0xD8: 18,
}
"""First byte to size of the whole value, for values of one size."""

_LENGTH_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
"""bin, ext and str: first byte to the size of the length that follows."""

_EXTENSIONS = (0xC7, 0xC8, 0xC9)  # a byte of type comes between length and content
_COUNT_BYTES = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""array and map: first byte to the size of the count that follows, and values a count."""


def depth_of(message: bytes) -> int:
    """The number of arrays and maps that lie in each other where it is deepest.

    Raises ValueError when the value is cut off.
    """
    at, deepest = 0, 0
    left = [1]  # values that are still to come, of each array or map that is open
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        if at >= len(message):
            raise ValueError("cut off")
        first = message[at]
        values, at = _children(message, first, at)
        if values is not None:
            left.append(values)
            deepest = max(deepest, len(left) - 1)
    return deepest


def _children(message: bytes, first: int, at: int) -> tuple[int | None, int]:
    """How many values are in the value at `at` (None: no array or map), and where what follows its head begins."""
    if first <= 0x7F or first >= 0xE0:
        return None, at + 1
    if first <= 0x8F:
        return 2 * (first & 0x0F), at + 1
    if first <= 0x9F:
        return first & 0x0F, at + 1
    if first <= 0xBF:
        return None, at + 1 + (first & 0x1F)
    if first in _COUNT_BYTES:
        size, each = _COUNT_BYTES[first]
        return each * int.from_bytes(message[at + 1 : at + 1 + size]), at + 1 + size
    if first in _LENGTH_BYTES:
        size = _LENGTH_BYTES[first]
        length = int.from_bytes(message[at + 1 : at + 1 + size])
        return None, at + 1 + size + length + (first in _EXTENSIONS)
    return None, at + _FIXED_BYTES[first]
