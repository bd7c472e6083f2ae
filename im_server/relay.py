"""The forwarder: sealed orders to the payment subsystem and its answers back, unread.

The server knows of an order only its size and who sent it. Before a frame is handed to the link the answer to trouble
is `payment_away` (nothing was charged); after it, `outcome_unknown`, and the client asks by payment id.
"""

from __future__ import annotations

import itertools
import logging
import threading
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


class Relay:
    """Maps the clients' request ids to its own and back. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()  # guards _link, _waiting and the counts in Connection.relayed
        self._link: Connection | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._ids = itertools.cycle(range(1, 2**32))

    @property
    def is_up(self) -> bool:
        return self._link is not None

    def link_up(self, link: Connection) -> Connection | None:
        """The subsystem is there; returns an older link that this one replaces."""
        with self._lock:
            old, self._link = self._link, link
        return old if old is not link else None

    def link_down(self, link: Connection) -> bool:
        """The link is gone: whoever waits is told what may have happened. Whether it was the one in use."""
        with self._lock:
            if self._link is not link:
                return False
            self._link = None
            waiting, self._waiting = list(self._waiting.values()), {}
            for entry in waiting:
                entry.conn.relayed = 0
        for entry in waiting:
            if entry.packet_type == Type.SEALED_REQUEST:
                entry.conn.refuse(entry.request_id, codes.OUTCOME_UNKNOWN, _UNKNOWN, 1_000)
            else:
                entry.conn.refuse(entry.request_id, codes.PAYMENT_AWAY, _AWAY, 1_000)
        return True

    def forward(self, conn: Connection, frame: Frame) -> None:
        """Pass a client's frame on, or refuse it."""
        with self._lock:
            link = self._link
            full = len(self._waiting) >= self._settings.relay_waiting_max
            full = full or conn.relayed >= self._settings.relay_per_member_max
            if link is not None and not full:
                own_id = next(i for i in self._ids if i not in self._waiting)
                self._waiting[own_id] = _Waiting(conn, frame.request_id, frame.type)
                conn.relayed += 1
                link.post(
                    encode_frame(
                        frame.type,
                        frame.body,
                        request_id=own_id,
                        sender_id=conn.member_id,
                        receiver_id=limits.PAYMENT_ID,
                    )
                )
                return
        if link is None:
            conn.refuse(frame.request_id, codes.PAYMENT_AWAY, _AWAY, 1_000)
        else:
            conn.refuse(frame.request_id, codes.RATE_LIMITED, _BUSY, 500)

    def answered(self, frame: Frame) -> None:
        """An answer came over the link. One that nobody waits for any more is dropped."""
        if frame.type not in _ANSWERS:
            log.warning("the payment link answered with packet type %#06x", frame.type)
            return
        with self._lock:
            entry = self._waiting.pop(frame.request_id, None)
            if entry is None:
                return
            entry.conn.relayed = max(0, entry.conn.relayed - 1)
        member_id = entry.conn.member_id
        if frame.receiver_id not in (0, member_id):
            log.error("the payment link answered member %d for member %d; not passed on", frame.receiver_id, member_id)
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
            conn.relayed = 0
