"""Slowing down guesses of login passwords.

Counted per member *and* address, so a stranger elsewhere cannot lock a member out; and per address over all members, so
one address cannot try many members.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

FREE_FAILURES = 4  # wrong passwords that cost no wait
FREE_FAILURES_PER_ADDRESS = 60
WAIT_SECONDS_MIN = 2.0  # doubles with every failure beyond the free ones
WAIT_SECONDS_MAX = 300.0
FORGET_SECONDS = 1_800.0
ENTRIES_MAX = 20_000


class Throttle:
    """Failures by key, forgotten after half an hour. Thread-safe; times are given by the caller (monotonic seconds)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _failures
        self._failures: OrderedDict[tuple[int, str], tuple[int, float]] = OrderedDict()

    def wait_seconds(self, member_id: int, address: str, now: float) -> float:
        """How long this address must wait before it may try this member again; 0: not at all."""
        with self._lock:
            one = self._wait((member_id, address), FREE_FAILURES, now)
            return max(one, self._wait((0, address), FREE_FAILURES_PER_ADDRESS, now))

    def failed(self, member_id: int, address: str, now: float) -> None:
        with self._lock:
            for key in ((member_id, address), (0, address)):
                count, at = self._failures.pop(key, (0, now))
                self._failures[key] = (1 if now - at > FORGET_SECONDS else count + 1, now)
            while len(self._failures) > ENTRIES_MAX:
                self._failures.popitem(last=False)

    def succeeded(self, member_id: int, address: str) -> None:
        with self._lock:
            self._failures.pop((member_id, address), None)

    def _wait(self, key: tuple[int, str], free: int, now: float) -> float:
        count, at = self._failures.get(key, (0, 0.0))
        if count <= free:
            return 0.0
        seconds = min(WAIT_SECONDS_MAX, WAIT_SECONDS_MIN * 2.0 ** min(count - free - 1, 16))
        return max(0.0, at + seconds - now)
