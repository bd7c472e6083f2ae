"""An I/O thread: the only owner of its connections.

Two threads on one TLS socket corrupt records, so a connection never changes its thread, and other threads reach it only
through `post` and `call`. All packets for one peer in one turn of the loop leave in one send.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from im_protocol import codes
from im_protocol.errors import RemoteProtocolError
from im_server.callbacks import Callbacks
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.newcomers import Newcomers
from im_server.phases import LINGER_SECONDS, NOT_READY, PHASES, begin_to_linger, handshake, mask_of, read
from im_server.poller import READ, WRITE, new_poller

log = logging.getLogger(__name__)

UNREAD_BYTES = 262_144  # who does not read answers is not read: only what others send goes on to fill the out-queue
UNREAD_SECONDS = 0.1
GO_ON_SECONDS = 0.005  # how often a paused connection is looked at whose pause has passed
UNFINISHED_READS_MAX = 40  # reads in a row that complete no packet: from here on somebody trickles
TRICKLE_SECONDS = 0.05


class IoThread(threading.Thread):
    """One loop. `posts` collects this turn's chat messages for the writer thread."""

    def __init__(self, number: int, settings: Settings, callbacks: Callbacks) -> None:
        super().__init__(name=f"io-{number}", daemon=True)
        self.number = number
        self.settings = settings
        self.callbacks = callbacks
        self.connections: dict[int, Connection] = {}
        self.posts: list[Any] = []
        self.heavy_posts: list[Any] = []  # of connections that have many unanswered messages
        self.now = time.monotonic()
        self.tick_seconds = min(1.0, settings.sign_in_seconds_max / 4, settings.silence_seconds_max / 4)
        self._next_tick = self.now
        self._sources: dict[int, Callable[[], None]] = {}
        self._inbox: deque[tuple[Connection | None, Any]] = deque()
        self._dirty: list[Connection] = []
        self._newcomers = Newcomers(self.now)
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()  # timers of one moment keep their order
        self._stopping = False
        self._woken = False
        self._poller = new_poller()
        self._wake_in, self._wake_out = socket.socketpair()  # a pipe would not do on Windows
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self.add_source(self._wake_in, self._drain_wake)

    # ---- from any thread -----------------------------------------------------------------------------------------

    def post(self, conn: Connection, data: bytes) -> None:
        """Queue whole packets for a connection."""
        if threading.get_ident() == self.ident:
            self._queue(conn, data)
            return
        self._inbox.append((conn, data))
        self.wake()

    def post_many(self, items: list[tuple[Connection, bytes]]) -> None:
        """The same for several connections, with one wake-up."""
        self._inbox.extend(items)
        self.wake()

    def call(self, function: Callable[[], None]) -> None:
        """Run a function on this thread, after everything posted before it."""
        self._inbox.append((None, function))
        self.wake()

    def wake(self) -> None:
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):  # full: it is awake already; closed: the server is stopping
                self._wake_out.send(b"\1")

    def stop(self) -> None:
        self._stopping = True
        self.wake()

    # ---- on this thread ------------------------------------------------------------------------------------------

    def run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except Exception:  # the loop outlives any bug: other connections must not notice
                log.exception("a turn of the loop failed")
        for conn in list(self.connections.values()):
            self.close(conn, "server stopped")
        self._poller.close()
        self._wake_in.close()
        self._wake_out.close()

    def add_source(self, sock: socket.socket, ready: Callable[[], None]) -> None:
        """Watch a listening socket (before the thread starts, or on it)."""
        self._sources[sock.fileno()] = ready
        self._poller.add(sock.fileno(), READ)

    def remove_source(self, sock: socket.socket) -> None:
        self._sources.pop(sock.fileno(), None)
        with contextlib.suppress(OSError, KeyError):
            self._poller.remove(sock.fileno())

    def adopt(self, conn: Connection) -> None:
        """Begin to serve a connection."""
        conn.heard_at = self.now
        conn.mask = READ
        self.connections[conn.fd] = conn
        self._poller.add(conn.fd, READ)

    def close(self, conn: Connection, reason: str) -> None:
        """Drop a connection at once."""
        if conn.phase is Phase.CLOSED:
            return
        conn.phase = Phase.CLOSED
        self.connections.pop(conn.fd, None)
        self._newcomers.remove(conn)
        with contextlib.suppress(OSError, KeyError):
            self._poller.remove(conn.fd)
        with contextlib.suppress(OSError):
            conn.sock.close()
        conn.out.clear()
        conn.unsent = b""
        self.callbacks.closed(conn, reason)

    def close_after_flush(self, conn: Connection) -> None:
        """Send what is queued, then close; nothing that the peer still sends is read."""
        if conn.phase in (Phase.OPEN, Phase.HANDSHAKE):
            conn.paused = False
            self.set_phase(conn, Phase.CLOSING)
            conn.deadline = self.now + LINGER_SECONDS
            self._mark(conn)

    def pause(self, conn: Connection, seconds: float) -> None:
        """Read nothing of this connection for so long: what it sends too fast waits in its own machine."""
        conn.paused_until = max(conn.paused_until, self.now + seconds)
        if conn.phase is Phase.OPEN and not conn.paused:
            conn.paused = True
            self.watch(conn)
            self.call_later(seconds, lambda: self._resume(conn))

    def _resume(self, conn: Connection) -> None:
        if conn.paused and conn.phase is Phase.OPEN:
            if self.now < conn.paused_until or conn.out_bytes > UNREAD_BYTES or not self.callbacks.may_go_on(conn):
                soonest = UNREAD_SECONDS if conn.out_bytes > UNREAD_BYTES else GO_ON_SECONDS
                left = max(soonest, conn.paused_until - self.now)
                self.call_later(left, lambda: self._resume(conn))
                return
            conn.paused = False
            conn.heard_at = self.now
            if conn.partial_since:
                conn.partial_since = self.now
            self.watch(conn)
            if isinstance(conn.sock, ssl.SSLSocket) and conn.sock.pending():
                read(self, conn)

    def call_later(self, seconds: float, function: Callable[[], None]) -> None:
        """Run a function on this thread, which is the caller's, after so long."""
        heapq.heappush(self._timers, (self.now + seconds, next(self._numbers), function))

    # ---- the loop ------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        events = self._poller.wait(self._wait_seconds())
        self.now = now = time.monotonic()
        connections = self.connections
        for fd, mask in events:
            conn = connections.get(fd)
            if conn is None:
                source = self._sources.get(fd)
                if source is not None:
                    source()
                continue
            phase = conn.phase
            if not phase:  # a handshake's turn comes after those who are signed in
                self._queue_handshake(conn)
                continue
            row = PHASES[phase]
            if mask & WRITE:
                row.writable(self, conn)
            if mask & ~WRITE:
                row.readable(self, conn)
        if self._inbox:
            self._take_inbox()
        self._call_timers(now)
        self.callbacks.turn_done(self)
        self._flush_dirty()
        if self._newcomers:
            self._shake_hands()
        if now >= self._next_tick:
            self._next_tick = now + self.tick_seconds
            self._sweep(now)

    def _wait_seconds(self) -> float:
        until = min(self._next_tick, self._timers[0][0]) if self._timers else self._next_tick
        if self._newcomers:
            until = min(until, self._newcomers.due)
        return max(0.0, min(until - time.monotonic(), self.tick_seconds))

    def _flush_dirty(self) -> None:
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for conn in dirty:
                self.flush(conn)

    def _shake_hands(self) -> None:
        for conn in self._newcomers.take(self.now):
            conn.paused = False
            handshake(self, conn)
            self.watch(conn)
        self._flush_dirty()

    def _queue_handshake(self, conn: Connection) -> None:
        """Its next step has its turn later; until then it does not wake the loop."""
        if conn.paused:  # not asked for: an error or a hang-up
            self.close(conn, "closed by the peer")
            return
        conn.paused = True
        self.watch(conn)
        self._newcomers.add(conn)

    def _call_timers(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            _at, _number, function = heapq.heappop(self._timers)
            try:
                function()
            except Exception:  # one failed call must not cost the others their turn
                log.exception("a timer of the I/O thread failed")

    def _take_inbox(self) -> None:
        inbox = self._inbox
        for _ in range(len(inbox)):
            conn, item = inbox.popleft()
            if conn is not None:
                self._queue(conn, item)
            else:
                try:
                    item()
                except Exception:  # one failed call must not cost the others their turn
                    log.exception("a call on the I/O thread failed")

    def _drain_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.recv(4096)
        self._woken = False  # after the byte, before the inbox: a post from here on wakes again

    def received(self, conn: Connection, data: bytes) -> None:
        """Bytes came in: whole packets go to the server."""
        conn.heard_at = self.now
        reader = conn.reader
        try:
            frames = reader.receive_data(data)
            if frames:
                conn.unfinished_reads = 0
            else:
                self.unfinished(conn)
            if frames or not conn.partial_since:
                conn.partial_since = self.now if reader.has_partial else 0.0
            if frames:
                self.callbacks.frames(conn, frames)
            if reader.broken is not None:
                raise reader.broken
        except RemoteProtocolError as error:
            log.info("%s (member %d) broke the protocol: %s", conn.address, conn.member_id, error.code)
            conn.refuse(error.request_id, error.code, error.message)
            self.close_after_flush(conn)

    # ---- sending -------------------------------------------------------------------------------------------------

    def _queue(self, conn: Connection, data: bytes) -> None:
        if conn.phase > Phase.OPEN:
            return
        conn.out.append(data)
        conn.out_bytes += len(data)
        if not conn.dirty:
            conn.dirty = True
            self._dirty.append(conn)

    def _mark(self, conn: Connection) -> None:
        if not conn.dirty:
            conn.dirty = True
            self._dirty.append(conn)

    def unfinished(self, conn: Connection) -> None:
        """A read that completed no packet. Who trickles is read more slowly."""
        conn.unfinished_reads += 1
        if conn.unfinished_reads > UNFINISHED_READS_MAX:
            self.pause(conn, TRICKLE_SECONDS)

    def flush(self, conn: Connection) -> None:
        """One send of everything that waits; what the peer does not take yet stays, within the limit."""
        conn.dirty = False
        if conn.phase >= Phase.LINGERING or conn.phase is Phase.HANDSHAKE or conn.wants_write:
            self._check_out_queue(conn)
            return
        out = conn.out
        if conn.unsent:
            out.insert(0, conn.unsent)
        if out:
            data = out[0] if len(out) == 1 else b"".join(out)
            out.clear()
            if not self._send(conn, data):
                return
        if conn.phase is Phase.CLOSING and not conn.unsent:
            begin_to_linger(self, conn)

    def _send(self, conn: Connection, data: bytes) -> bool:
        """Write until done or until the socket is full. False: the connection is gone."""
        at, size = 0, len(data)
        try:
            while at < size:
                at += conn.sock.send(data[at:] if at else data)
        except NOT_READY:
            pass
        except (OSError, ValueError) as error:
            self.close(conn, f"write failed: {type(error).__name__}")
            return False
        conn.unsent = data[at:] if at < size else b""
        conn.out_bytes = size - at
        self.want_write(conn, at < size)
        if conn.out_bytes > UNREAD_BYTES and conn.kind is Kind.CLIENT:
            self.pause(conn, GO_ON_SECONDS)
        return self._check_out_queue(conn)

    def _check_out_queue(self, conn: Connection) -> bool:
        if conn.out_bytes > self.settings.out_bytes_max and conn.kind is Kind.CLIENT:
            self.close(conn, "reads too slowly: out-queue full")
            return False
        return True

    def want_write(self, conn: Connection, wanted: bool) -> None:
        """Whether the loop wakes when the peer takes bytes again."""
        if conn.wants_write is not wanted:
            conn.wants_write = wanted
            self.watch(conn)

    def set_phase(self, conn: Connection, phase: Phase) -> None:
        """The only way from one phase to another (but the end): what is waited for follows from the table."""
        conn.phase = phase
        self.watch(conn)

    def watch(self, conn: Connection) -> None:
        """Wait for what the connection's phase wants."""
        mask = mask_of(conn)
        if mask != conn.mask and conn.phase is not Phase.CLOSED:
            conn.mask = mask
            self._poller.change(conn.fd, mask)

    # ---- deadlines -----------------------------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        silent_since = now - self.settings.silence_seconds_max
        unfinished_since = now - self.settings.packet_seconds_max
        for conn in list(self.connections.values()):
            if conn.deadline:
                if now >= conn.deadline:
                    self._too_late(conn)
            elif conn.kind is Kind.CLIENT and (
                conn.heard_at < silent_since or (conn.partial_since and conn.partial_since < unfinished_since)
            ):
                self._too_late(conn)
        self.callbacks.tick(self, now)

    def _too_late(self, conn: Connection) -> None:
        if conn.phase is not Phase.OPEN:
            self.close(conn, "deadline passed")
            return
        if not conn.member_id:
            text = "the sign-in was not complete in time"
        elif conn.partial_since:
            text = "a packet was not whole in time"
        else:
            text = "nothing heard for too long"
        conn.refuse(0, codes.TOO_SLOW, f"{text}; connect again")
        self.close_after_flush(conn)
