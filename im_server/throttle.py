"""Slowing down guesses of login passwords, without locking out the neighbours of who guesses.

A try is counted before its password is checked and given back when it was right, so many tries at once get no more
guesses than one after another. Which counts stand in its way depends on what is known of the one who tries:

- a device that signed in for this member before has a count of its own, which nobody else can raise;
- anybody else: the count of this member at this address, and the address's own, over all members, so that one address
  cannot try many. Members who signed in there before have an address's count to themselves.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple

FREE_FAILURES = 4  # wrong passwords that cost no wait
FREE_FAILURES_PER_ADDRESS = 60
WAIT_SECONDS_MIN = 2.0  # doubles with every failure beyond the free ones
WAIT_SECONDS_MAX = 300.0
ADDRESS_SECONDS_PER_TRY = 5.0  # an address that used up its free failures has one more try each so long
FORGET_SECONDS = 1_800.0
ENTRIES_MAX = 20_000

_Key = tuple[int, str]


class Try(NamedTuple):
    """One sign-in. `device`: the name of a device that is known for this member, empty for any other."""

    member_id: int
    address: str
    device: str = ""


class Throttle:
    """Failures by key, forgotten after half an hour. Thread-safe; times are given by the caller (monotonic seconds)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three tables
        self._failures: OrderedDict[_Key, tuple[int, float]] = OrderedDict()
        self._addresses: OrderedDict[_Key, tuple[float, float]] = OrderedDict()  # debt in tries, as of when
        self._known: OrderedDict[_Key, None] = OrderedDict()

    def wait_seconds(self, member_id: int, address: str, now: float, device: str = "") -> float:
        """How long this one must wait before it may try this member again; 0: not at all."""
        with self._lock:
            return self._wait(Try(member_id, address, device), now)

    def begin(self, attempt: Try, now: float) -> float:
        """Count a try whose password is about to be checked: 0.0; or the seconds that it must wait, and nothing is
        counted. Afterwards call `succeeded`, `undo`, or nothing when it failed."""
        with self._lock:
            wait = self._wait(attempt, now)
            if not wait:
                self._count(attempt, now)
            return wait

    def failed(self, member_id: int, address: str, now: float) -> None:
        """Count a failure of somebody of whom nothing is known."""
        with self._lock:
            self._count(Try(member_id, address), now)

    def succeeded(self, member_id: int, address: str, device: str = "") -> None:
        """The password was right: from now on the member is known at this address."""
        attempt = Try(member_id, address, device)
        with self._lock:
            self._give_back(attempt)
            self._failures.pop(_own_key(attempt), None)
            self._known[(member_id, address)] = None
            self._known.move_to_end((member_id, address))
            _shorten(self._known)

    def undo(self, attempt: Try) -> None:
        """The try could not be judged."""
        with self._lock:
            self._give_back(attempt)
            key = _own_key(attempt)
            count, at = self._failures.get(key, (0, 0.0))
            if count > 1:
                self._failures[key] = (count - 1, at)
            else:
                self._failures.pop(key, None)

    def _wait(self, attempt: Try, now: float) -> float:
        count, at = self._failures.get(_own_key(attempt), (0, 0.0))
        wait = 0.0
        if count > FREE_FAILURES:
            seconds = min(WAIT_SECONDS_MAX, WAIT_SECONDS_MIN * 2.0 ** min(count - FREE_FAILURES - 1, 16))
            wait = max(0.0, at + seconds - now)
        key = self._address_key(attempt)
        if key is not None:
            debt = self._debt(key, now)
            wait = max(wait, (debt + 1.0 - FREE_FAILURES_PER_ADDRESS) * ADDRESS_SECONDS_PER_TRY)
        return max(0.0, wait)

    def _count(self, attempt: Try, now: float) -> None:
        address = self._address_key(attempt)
        if address is not None:
            self._addresses[address] = (self._debt(address, now) + 1.0, now)
            self._addresses.move_to_end(address)
            _shorten(self._addresses)
        key = _own_key(attempt)
        count, at = self._failures.pop(key, (0, now))
        self._failures[key] = (1 if now - at > FORGET_SECONDS else count + 1, now)
        _shorten(self._failures)

    def _give_back(self, attempt: Try) -> None:
        """What the try was counted to its address: it was the first or a later one of its member there."""
        count, _at = self._failures.get(_own_key(attempt), (1, 0.0))
        address = self._address_key(attempt, counted=count)
        if address is not None and address in self._addresses:
            debt, at = self._addresses[address]
            self._addresses[address] = (max(0.0, debt - 1.0), at)

    def _address_key(self, attempt: Try, counted: int | None = None) -> _Key | None:
        """The address's count: one for members who are known there, one for first tries of others, one for their tries
        after failures, so that who hammers at a few members does not use up what others need to come in at all."""
        if attempt.device:
            return None
        if (attempt.member_id, attempt.address) in self._known:
            return 2, attempt.address
        before = self._failures.get(_own_key(attempt), (0, 0.0))[0] if counted is None else counted - 1
        return (1 if before else 0), attempt.address

    def _debt(self, key: _Key, now: float) -> float:
        debt, at = self._addresses.get(key, (0.0, now))
        return max(0.0, debt - max(0.0, now - at) / ADDRESS_SECONDS_PER_TRY)


def _own_key(attempt: Try) -> _Key:
    return attempt.member_id, f"device {attempt.device}" if attempt.device else attempt.address


def _shorten(table: OrderedDict[_Key, Any]) -> None:
    while len(table) > ENTRIES_MAX:
        table.popitem(last=False)
