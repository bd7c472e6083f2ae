"""What is opened at all. Opening a seal costs a third of a millisecond of the one thread that decides, so what can be
refused without it is refused first, and useless seals of one member cost only that member."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from im_protocol import codes
from im_protocol.limits import ID_MAX
from im_protocol.packets import Refusal

USELESS_BURST = 200
USELESS_PER_SECOND = 50
"""Seals of one member that cannot be opened or are copies: opening them all takes 2 % of the deciding thread's time."""

MEMBERS_KEPT_MAX = 4_096
PARKED_MAX = 256
"""Opened requests of one member that wait for a payment id or a password; further ones are not opened."""

PARKED_RETRY_MS = 500

_BUSY = "Too many requests of yours are waiting; nothing was charged under this packet. Try again in a moment."
_USELESS = "Too many repeated or broken requests of yours; nothing was charged under this packet. Try again later."
_NO_MEMBER = Refusal(codes.BAD_SEAL, "the order could not be opened; nothing was charged")


@dataclass(slots=True)
class _Bucket:
    """Tokens in thousandths, so that refilling needs no fractions."""

    thousandths: int
    at_ms: int


def monotonic_ms() -> int:
    """Milliseconds of a clock that nobody sets."""
    return time.monotonic_ns() // 1_000_000


class Admission:
    """Decides for one service which requests are opened. `parked` counts a member's requests that wait."""

    def __init__(self, parked: Callable[[int], int], clock_ms: Callable[[], int] = monotonic_ms) -> None:
        self._parked = parked
        self._clock_ms = clock_ms
        self._buckets: OrderedDict[int, _Bucket] = OrderedDict()

    def refusal(self, member_id: int) -> Refusal | None:
        """Why a sealed request of this member is not opened; None when it is."""
        if not 0 < member_id <= ID_MAX:
            return _NO_MEMBER  # the database could not even store who it was
        if self._parked(member_id) >= PARKED_MAX:
            return Refusal(codes.RATE_LIMITED, _BUSY, PARKED_RETRY_MS)
        bucket = self._buckets.get(member_id)
        if bucket is None:
            return None
        self._refill(bucket)
        if bucket.thousandths >= 1_000:
            return None
        return Refusal(codes.RATE_LIMITED, _USELESS, -(-(1_000 - bucket.thousandths) // USELESS_PER_SECOND))

    def was_useless(self, member_id: int) -> None:
        """A seal of this member could not be opened, or was a copy."""
        bucket = self._buckets.pop(member_id, None) or _Bucket(1_000 * USELESS_BURST, self._clock_ms())
        self._refill(bucket)
        bucket.thousandths -= 1_000
        self._buckets[member_id] = bucket
        if len(self._buckets) > MEMBERS_KEPT_MAX:
            self._buckets.popitem(last=False)  # the one that was well-behaved for longest

    def _refill(self, bucket: _Bucket) -> None:
        now_ms = self._clock_ms()
        gained = (now_ms - bucket.at_ms) * USELESS_PER_SECOND
        bucket.thousandths = min(1_000 * USELESS_BURST, bucket.thousandths + gained)
        bucket.at_ms = now_ms
