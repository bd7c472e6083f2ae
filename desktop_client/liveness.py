"""Whether the other side still hears us: when to ask, and when silence means that the network is gone.

TCP alone notices a pulled cable after many minutes. So whoever waits for an answer asks soon (PING), others now and
then, and a PING that stays without any answer ends the connection. Anything that arrives is an answer. The times are
given by the caller.
"""

from __future__ import annotations

from typing import Literal

from desktop_client.config import Timings

Mode = Literal["waiting", "idle", "signing_in"]
"""waiting: for an answer, signed in; signing_in: the server allows no PING yet."""


class Liveness:
    """One connection's. `keepalive` is the server's: after so long without a packet of ours it wants one (seconds)."""

    def __init__(self, timings: Timings, keepalive: float, now: float) -> None:
        self._timings = timings
        self._keepalive = keepalive
        self._heard_at = self._sent_at = now
        self._asked_at: float | None = None  # the first bytes of ours since something was heard
        self._pinged_at: float | None = None  # None: no PING is open
        self._ping_is_out = False

    def heard(self, now: float) -> None:
        """Bytes came."""
        self._heard_at = now
        self._asked_at = self._pinged_at = None

    def sent(self, now: float, *, is_all: bool) -> None:
        """The system took bytes of ours; `is_all`: nothing of ours waits any more. A PING's time runs from when the
        system has it."""
        self._sent_at = now
        if self._asked_at is None:
            self._asked_at = now
        if self._pinged_at is not None and not self._ping_is_out:
            self._pinged_at = now
            self._ping_is_out = is_all

    def wants_ping(self, now: float, mode: Mode) -> bool:
        """Whether to ask now; counts as asked."""
        if self._pinged_at is not None or mode == "signing_in" or now < self._ping_due(mode):
            return False
        self._pinged_at, self._ping_is_out = now, False
        return True

    def is_dead(self, now: float, mode: Mode) -> bool:
        return now >= self._dead_at(mode)

    def seconds_left(self, now: float, mode: Mode) -> float:
        """Until there is something to do: a PING, or the end."""
        due = self._dead_at(mode)
        if self._pinged_at is None and mode != "signing_in":
            due = min(due, self._ping_due(mode))
        return max(0.0, due - now)

    def _ping_due(self, mode: Mode) -> float:
        timings = self._timings
        due = min(self._heard_at + timings.ping_idle_seconds, self._sent_at + self._keepalive)
        if mode == "waiting":
            since = self._heard_at if self._asked_at is None else self._asked_at
            due = min(due, since + timings.ping_waiting_seconds)
        return due

    def _dead_at(self, mode: Mode) -> float:
        timings = self._timings
        if mode == "signing_in":
            return self._heard_at + timings.sign_in_silence_seconds
        silent = self._heard_at + timings.silence_seconds
        return silent if self._pinged_at is None else min(silent, self._pinged_at + timings.pong_seconds)
