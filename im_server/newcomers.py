"""Connections whose TLS handshake is under way, in order of their coming: their steps are costly, and have a rate.

A crowd of newcomers must not keep those waiting who are signed in. So a few steps a turn are taken, after the turn's
other work, and between them a newcomer does not wake the loop.
"""

from __future__ import annotations

from im_server.connection import Connection
from im_server.quotas import Bucket, Rate

STEPS_PER_TURN = 2  # each takes up to a millisecond
STEPS = Rate(200, 250)  # of one I/O thread, two for each newcomer: a quarter of a core at most


class Newcomers:
    """Used by one I/O thread alone."""

    def __init__(self, now: float) -> None:
        self._waiting: dict[int, Connection] = {}
        self._bucket = Bucket(STEPS, now)
        self.due = 0.0  # when the next of them has its turn; says nothing while nobody waits

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, conn: Connection) -> None:
        self._waiting[conn.fd] = conn

    def remove(self, conn: Connection) -> None:
        self._waiting.pop(conn.fd, None)

    def take(self, now: float) -> list[Connection]:
        """Those whose turn has come."""
        taken: list[Connection] = []
        for fd in list(self._waiting)[:STEPS_PER_TURN] if now >= self.due else ():
            wait = self._bucket.take(now)
            if wait:
                self.due = now + wait
                break
            taken.append(self._waiting.pop(fd))
        return taken
