"""The forwarder: sealed orders to the payment subsystem and its answers back, unread.

The server knows of an order only its size and who sent it. Before a frame is handed to the link the answer to trouble
is `payment_away` (nothing was charged); after it, `outcome_unknown`, and the client asks by payment id.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import NamedTuple

from im_protocol import codes, limits
from im_protocol.codec import Frame, encode_frame
from im_protocol.packets import Flag, Type
from im_server.config import Settings
from im_server.connection import Connection

log = logging.getLogger(__name__)

_AWAY = "The payment service is away; nothing was charged. Try again in a moment."
_UNKNOWN = "The payment service went away before it answered. Ask again by the payment id."
_BUSY = "Too many payment requests are waiting; nothing was charged. Try again in a moment."
_ANSWERS = frozenset((int(Type.KEY_CONFIG), int(Type.SEALED_ANSWER), int(Type.REFUSAL)))


class _Waiting(NamedTuple):
    conn: Connection
    request_id: int
    packet_type: int
    since: float


class Relay:
    """Maps the clients' request ids to its own and back. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()  # guards _link, _waiting, _by_member and the counts in Connection.relayed
        self._link: Connection | None = None
        self._is_busy = False
        self._waiting: dict[int, _Waiting] = {}
        self._by_member: dict[int, int] = {}  # how many of them are each member's
        self._ids = itertools.cycle(range(1, 2**32))

    @property
    def is_up(self) -> bool:
        return self._link is not None

    def link_up(self, link: Connection) -> Connection | None:
        """The subsystem is there; returns an older link that this one replaces, whose answers will not come."""
        with self._lock:
            old, self._link = self._link, link
            self._is_busy = self._is_busy and old is link
            if old is link:
                return None
            lost = self._take_all()
        _tell_lost(lost)
        return old

    def link_down(self, link: Connection) -> bool:
        """The link is gone: whoever waits is told what may have happened. Whether it was the one in use."""
        with self._lock:
            if self._link is not link:
                return False
            self._link = None
            lost = self._take_all()
        _tell_lost(lost)
        return True

    def busy(self, is_busy: bool) -> None:
        """The subsystem decides nothing at the moment: what comes in meanwhile is not handed to it. What it has
        already stays open."""
        with self._lock:
            self._is_busy = is_busy

    def forward(self, conn: Connection, frame: Frame) -> None:
        """Pass a client's frame on, or refuse it."""
        with self._lock:
            link = self._link if not self._is_busy else None
            member_id = conn.member_id
            lost = self._take_late() if self._is_full(member_id) else []
            is_sent = link is not None and not self._is_full(member_id)
            if link is not None and is_sent:
                own_id = next(i for i in self._ids if i not in self._waiting)
                self._waiting[own_id] = _Waiting(conn, frame.request_id, frame.type, time.monotonic())
                conn.relayed += 1
                self._by_member[member_id] = self._by_member.get(member_id, 0) + 1
                link.post(
                    encode_frame(
                        frame.type,
                        frame.body,
                        request_id=own_id,
                        sender_id=member_id,
                        receiver_id=limits.PAYMENT_ID,
                    )
                )
        _tell_lost(lost)
        if is_sent:
            return
        if link is None:
            conn.refuse(frame.request_id, codes.PAYMENT_AWAY, _AWAY, 1_000)
        else:
            conn.refuse(frame.request_id, codes.RATE_LIMITED, _BUSY, 500)

    def _is_full(self, member_id: int) -> bool:
        """One member, on however many devices, takes no more than its share of the places."""
        settings = self._settings
        full = len(self._waiting) >= settings.relay_waiting_max
        return full or self._by_member.get(member_id, 0) >= settings.relay_per_member_max

    def _left(self, conn: Connection) -> None:
        """One request of this connection waits no more."""
        conn.relayed = max(0, conn.relayed - 1)
        count = self._by_member.pop(conn.member_id, 0) - 1
        if count > 0:
            self._by_member[conn.member_id] = count

    def _take_all(self) -> list[_Waiting]:
        lost, self._waiting = list(self._waiting.values()), {}
        for entry in lost:
            entry.conn.relayed = 0
        self._by_member.clear()
        return lost

    def _take_late(self) -> list[_Waiting]:
        """Those that have waited too long: an answer that never comes must not take up a place for ever."""
        before = time.monotonic() - self._settings.relay_seconds_max
        late = [own_id for own_id, entry in self._waiting.items() if entry.since < before]
        lost = [self._waiting.pop(own_id) for own_id in late]
        for entry in lost:
            self._left(entry.conn)
        return lost

    def answered(self, frame: Frame) -> None:
        """An answer came over the link. One that nobody waits for any more is dropped."""
        if frame.type not in _ANSWERS:
            log.warning("the payment link answered with packet type %#06x", frame.type)
            return
        with self._lock:
            entry = self._waiting.pop(frame.request_id, None)
            if entry is None:
                return
            self._left(entry.conn)
        member_id = entry.conn.member_id
        if frame.receiver_id not in (0, member_id) or len(frame.body) > limits.BODY_BYTES_MAX:
            log.error(
                "the payment link answered member %d for member %d with %d bytes; not passed on",
                *(frame.receiver_id, member_id, len(frame.body)),
            )
            entry.conn.refuse(entry.request_id, codes.OUTCOME_UNKNOWN, _UNKNOWN)
            return
        entry.conn.post(
            encode_frame(
                frame.type,
                frame.body,
                request_id=entry.request_id,
                sender_id=limits.PAYMENT_ID,
                receiver_id=member_id,
                flags=Flag.ANSWER,
            )
        )

    def client_left(self, conn: Connection) -> None:
        """Drop what this connection waits for: the answers have nowhere to go."""
        if not conn.relayed:
            return
        with self._lock:
            for own_id in [i for i, entry in self._waiting.items() if entry.conn is conn]:
                del self._waiting[own_id]
                self._left(conn)
            conn.relayed = 0


def _tell_lost(lost: list[_Waiting]) -> None:
    """Tells those whose answers will not come what may have happened."""
    for entry in lost:
        if entry.packet_type == Type.SEALED_REQUEST:
            entry.conn.refuse(entry.request_id, codes.OUTCOME_UNKNOWN, _UNKNOWN, 1_000)
        else:
            entry.conn.refuse(entry.request_id, codes.PAYMENT_AWAY, _AWAY, 1_000)
