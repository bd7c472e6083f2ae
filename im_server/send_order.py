"""Keeps the messages of one connection in order when some of them were refused for now.

A client may have many messages on the wire when one of them is refused (a full disk, a full queue, too fast). Those
behind it, to the same receiver, must not be stored before it: they are refused as well, until the refused ones have
come again, the earliest first. Who gives up on a message is not held up by it for long; and a client that has one
message at a time on the wire has read the refusal before it sends the next one, so it is not held up at all.
"""

from __future__ import annotations

import threading
from bisect import insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from im_server.connection import Connection
    from im_server.store.mailbox import Post

HOLD_SECONDS = 15.0  # after the last refusal, on top of the advised wait: who has not come again by then has given up
EARLIER_FIRST = "An earlier message of yours could not be stored yet: send that one again first, then this one."
IN_ORDER_AGAIN_MS = 500
HELD_MAX = 1_024  # messages remembered for one connection; more are refused without being remembered


class SendOrder:
    """What was refused for now on one connection. Used by its I/O thread and by the writer thread.

    A message has its place on the wire (1, 2, 3, … on this connection); one that comes again keeps its first place.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three below
        self._held: dict[int, list[tuple[int, bytes]]] = {}  # by receiver: place and message id, earliest first
        self._count = 0
        self._until = 0.0

    def admit(self, receiver_id: int, message_id: bytes, place: int, now: float) -> int:
        """The place under which a message that came in may go on; 0: an earlier one has to come first."""
        with self._lock:
            if now > self._until:
                self._held.clear()
                self._count = 0
            waiting = self._held.get(receiver_id)
            if not waiting:
                return place
            first, first_id = waiting[0]
            if first_id != message_id:
                self._hold(receiver_id, message_id, place, now, 0.0)
                return 0
            del waiting[0]
            self._count -= 1
            return first

    def hold(self, receiver_id: int, message_id: bytes, place: int, now: float, retry_seconds: float) -> None:
        """A message was refused for now: what is behind it waits."""
        with self._lock:
            self._hold(receiver_id, message_id, place, now, retry_seconds)

    def is_behind(self, receiver_id: int, place: int) -> bool:
        """Whether an earlier message of this connection was refused since this one was let through."""
        with self._lock:
            waiting = self._held.get(receiver_id)
            return bool(waiting) and waiting[0][0] < place  # type: ignore[index]

    def _hold(self, receiver_id: int, message_id: bytes, place: int, now: float, retry_seconds: float) -> None:
        self._until = max(self._until, now + retry_seconds + HOLD_SECONDS)
        waiting = self._held.setdefault(receiver_id, [])
        if self._count < HELD_MAX and all(held_id != message_id for _, held_id in waiting):
            insort(waiting, (place, message_id))
            self._count += 1


_making = threading.Lock()  # two threads must not make two orders for one connection


def hold_back(conn: Connection, receiver_id: int, message_id: bytes, place: int, retry_after_ms: int) -> None:
    """A message of this connection is being refused for now: what is behind it waits. Any thread."""
    if not conn.pipelines:
        return
    with _making:
        order = conn.order = conn.order or SendOrder()
    order.hold(receiver_id, message_id, place, conn.io.now, retry_after_ms / 1_000)


def split_off_behind(posts: list[Post]) -> tuple[list[Post], list[Post]]:
    """Posts that may be stored, and those that were let through before an earlier one of theirs was refused."""
    behind = [p for p in posts if p.conn.order is not None and p.conn.order.is_behind(p.receiver_id, p.place)]
    if not behind:
        return posts, behind
    late = {id(p) for p in behind}
    return [p for p in posts if id(p) not in late], behind
