"""Hung is away: the payment subsystem is asked every second whether it is alive and whether it is deciding.

Two questions, since two things can hang. Its link's thread answers the first, as long as the process runs at all; the
thread that decides orders answers the second, behind what it has in hand. Beats are counted, not seconds: when this
server itself was stopped for a while, the subsystem is not blamed for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from im_protocol.codec import encode
from im_protocol.packets import Type
from im_server.connection import Connection

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
ALIVE = 1  # request id of the PING that the link's thread answers
DECIDING = 2  # request id of the PING that waits its turn with the orders
MISSED_ALIVE_MAX = 4  # then the process is hung: away, and started again
MISSED_DECIDING_MAX = 4  # then it is away; a long import may be all that it is busy with
MISSED_DECIDING_HUNG = 120  # then it is started again
_PINGS = {number: encode(Type.PING, request_id=number) for number in (ALIVE, DECIDING)}


class Heartbeat(threading.Thread):
    """`busy(True)`: the subsystem decides nothing at the moment; `hung(link)`: it has to be started again.

    A link is watched from the LINK_HELLO on in which it says that it answers.
    """

    def __init__(
        self, busy: Callable[[bool], None], hung: Callable[[Connection], None], beat_seconds: float = BEAT_SECONDS
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._busy = busy
        self._hung = hung
        self._beat_seconds = beat_seconds
        self._lock = threading.Lock()  # guards the three below
        self._link: Connection | None = None
        self._missed: dict[int, int] = {}
        self._is_busy = False
        self._stopping = threading.Event()

    def watch(self, link: Connection) -> None:
        """A subsystem that answers heartbeats is there; an earlier one is no longer of interest."""
        with self._lock:
            if self._link is not link:
                self._link, self._missed, self._is_busy = link, {ALIVE: 0, DECIDING: 0}, False

    def forget(self, link: Connection) -> None:
        """The link is gone."""
        with self._lock:
            if self._link is link:
                self._link = None

    def answered(self, link: Connection, request_id: int) -> None:
        """A PONG came over the link."""
        with self._lock:
            if self._link is not link or request_id not in self._missed:
                return
            self._missed[request_id] = 0
            is_back = self._is_busy and request_id == DECIDING
            self._is_busy = self._is_busy and not is_back
        if is_back:
            log.warning("the payment subsystem decides orders again")
            self._busy(False)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.wait(self._beat_seconds):
            try:
                self.beat()
            except Exception:  # a failed beat must not end the watching
                log.exception("a heartbeat failed")

    def beat(self) -> None:
        """Judge what was answered, and ask again what was. A question that is open is not asked twice."""
        with self._lock:
            link = self._link
            if link is None:
                return
            missed = dict(self._missed)
            for number in self._missed:
                self._missed[number] += 1
            is_hung = missed[ALIVE] >= MISSED_ALIVE_MAX or missed[DECIDING] >= MISSED_DECIDING_HUNG
            gets_busy = missed[DECIDING] >= MISSED_DECIDING_MAX and not self._is_busy and not is_hung
            self._is_busy = self._is_busy or gets_busy
            if is_hung:
                self._link = None
        if is_hung:
            log.error("the payment subsystem does not answer: it counts as away, and is started again")
            self._hung(link)
            return
        if gets_busy:
            log.warning("the payment subsystem is busy with something and decides no orders: it counts as away")
            self._busy(True)
        link.post(b"".join(_PINGS[number] for number, count in missed.items() if not count))
