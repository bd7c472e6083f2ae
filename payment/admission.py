"""What is opened at all. Opening a seal costs a third of a millisecond of the one thread that decides, so what can be
refused without it is refused first, and useless seals of one member cost only that member."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from im_protocol import codes
from im_protocol.limits import ID_MAX
from im_protocol.packets import Refusal

USELESS_BURST = 200
USELESS_PER_SECOND = 50
"""Seals of one member that cannot be opened or are copies: opening them all takes 2 % of the deciding thread's time."""

STORED_BURST = 2_000
STORED_PER_SECOND = 2
"""Answers to one member that leave a nonce or a mark for days, as each does that no money moved: 70 MB at most."""

MEMBERS_KEPT_MAX = 4_096
PARKED_MAX = 256
"""Opened requests of one member that wait for a payment id or a password; further ones are not opened."""

PARKED_RETRY_MS = 500

_BUSY = "Too many requests of yours are waiting; nothing was charged under this packet. Try again in a moment."
_USELESS = "Too many requests of yours came to nothing; nothing was charged under this packet. Try again later."
_NO_MEMBER = Refusal(codes.BAD_SEAL, "the order could not be opened; nothing was charged")


class Buckets:
    """A bucket of tokens for each member. Counted in thousandths, so that refilling needs no fractions."""

    def __init__(self, burst: int, per_second: int, clock_ms: Callable[[], int]) -> None:
        self._full = 1_000 * burst
        self._per_second = per_second
        self._clock_ms = clock_ms
        self._kept: OrderedDict[int, tuple[int, int]] = OrderedDict()

    def wait_ms(self, member_id: int) -> int:
        """How long until there is a token, in milliseconds; 0: there is one."""
        lacking = 1_000 - self._thousandths(member_id)
        return max(0, -(-lacking // self._per_second))

    def take(self, member_id: int) -> None:
        """Takes a token, on credit when there is none."""
        self._kept[member_id] = (self._thousandths(member_id) - 1_000, self._clock_ms())
        self._kept.move_to_end(member_id)
        if len(self._kept) > MEMBERS_KEPT_MAX:
            self._kept.popitem(last=False)  # the one that took none for longest

    def _thousandths(self, member_id: int) -> int:
        thousandths, at_ms = self._kept.get(member_id, (self._full, 0))
        return min(self._full, thousandths + (self._clock_ms() - at_ms) * self._per_second)


def monotonic_ms() -> int:
    """Milliseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class Admission:
    """Decides for one service which requests are opened. `parked` counts a member's requests that wait."""

    def __init__(self, parked: Callable[[int], int], clock_ms: Callable[[], int] = monotonic_ms) -> None:
        self._parked = parked
        self._useless = Buckets(USELESS_BURST, USELESS_PER_SECOND, clock_ms)
        self._stored = Buckets(STORED_BURST, STORED_PER_SECOND, clock_ms)

    def refusal(self, member_id: int) -> Refusal | None:
        """Why a sealed request of this member is not opened; None when it is."""
        if not 0 < member_id <= ID_MAX:
            return _NO_MEMBER  # the database could not even store who it was
        if self._parked(member_id) >= PARKED_MAX:
            return Refusal(codes.RATE_LIMITED, _BUSY, PARKED_RETRY_MS)
        wait_ms = max(self._useless.wait_ms(member_id), self._stored.wait_ms(member_id))
        return Refusal(codes.RATE_LIMITED, _USELESS, wait_ms) if wait_ms else None

    def was_useless(self, member_id: int) -> None:
        """A seal of this member could not be opened, or was a copy."""
        self._useless.take(member_id)

    def left_something(self, member_id: int) -> None:
        """An answer to this member, that no money moved, is kept true by a row that stays for days."""
        self._stored.take(member_id)
