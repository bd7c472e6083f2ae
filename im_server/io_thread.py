"""An I/O thread: the only owner of its connections.

Two threads on one TLS socket corrupt records, so a connection never changes its thread, and other threads reach it only
through `post` and `call`. All packets for one peer in one turn of the loop leave in one send.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from im_protocol import codes
from im_protocol.codec import Frame
from im_protocol.errors import RemoteProtocolError
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.poller import READ, WRITE, new_poller

log = logging.getLogger(__name__)

READ_BYTES = 16_384  # a TLS record's largest content (RFC 8446, section 5.1)
LINGER_SECONDS = 2.0
_NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Callbacks:
    """What the loop asks of the server; all are called on the I/O thread."""

    def frames(self, conn: Connection, frames: list[Frame]) -> None:
        """Whole packets came in."""
        raise NotImplementedError

    def closed(self, conn: Connection, reason: str) -> None:
        """The connection is gone; its resources are free."""
        raise NotImplementedError

    def turn_done(self, io: IoThread) -> None:
        """All events of one turn are handled: hand over what was collected."""
        raise NotImplementedError

    def tick(self, io: IoThread, now: float) -> None:
        """Called about every `tick_seconds`."""
        raise NotImplementedError


class IoThread(threading.Thread):
    """One loop. `posts` collects this turn's chat messages for the writer thread."""

    def __init__(self, number: int, settings: Settings, callbacks: Callbacks) -> None:
        super().__init__(name=f"io-{number}", daemon=True)
        self.number = number
        self.settings = settings
        self.callbacks = callbacks
        self.connections: dict[int, Connection] = {}
        self.posts: list[Any] = []
        self.now = time.monotonic()
        self.tick_seconds = min(1.0, settings.sign_in_seconds_max / 4, settings.silence_seconds_max / 4)
        self._next_tick = self.now
        self._sources: dict[int, Callable[[], None]] = {}
        self._inbox: deque[tuple[Connection | None, Any]] = deque()
        self._dirty: list[Connection] = []
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
        self.connections[conn.fd] = conn
        self._poller.add(conn.fd, READ)

    def close(self, conn: Connection, reason: str) -> None:
        """Drop a connection at once."""
        if conn.phase is Phase.CLOSED:
            return
        conn.phase = Phase.CLOSED
        self.connections.pop(conn.fd, None)
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
            conn.phase = Phase.CLOSING
            conn.deadline = self.now + LINGER_SECONDS
            self._mark(conn)

    # ---- the loop ------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        events = self._poller.wait(max(0.0, min(self._next_tick - time.monotonic(), self.tick_seconds)))
        self.now = now = time.monotonic()
        connections = self.connections
        for fd, mask in events:
            conn = connections.get(fd)
            if conn is None:
                source = self._sources.get(fd)
                if source is not None:
                    source()
                continue
            if mask & WRITE:
                self._writable(conn)
            if mask & ~WRITE:
                self._readable(conn)
        if self._inbox:
            self._take_inbox()
        self.callbacks.turn_done(self)
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for conn in dirty:
                self._flush(conn)
        if now >= self._next_tick:
            self._next_tick = now + self.tick_seconds
            self._sweep(now)

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

    def _readable(self, conn: Connection) -> None:
        if conn.phase is not Phase.OPEN and not self._before_reading(conn):
            return
        try:
            data = conn.recv(READ_BYTES)
        except _NOT_READY:
            return
        except (OSError, ValueError) as error:
            self.close(conn, f"read failed: {type(error).__name__}")
            return
        if not data:
            self.close(conn, "closed by the peer")
            return
        conn.heard_at = self.now
        reader = conn.reader
        try:
            frames = reader.receive_data(data)
            if frames:
                self.callbacks.frames(conn, frames)
            if reader.broken is not None:
                raise reader.broken
        except RemoteProtocolError as error:
            log.info("%s (member %d) broke the protocol: %s", conn.address, conn.member_id, error.code)
            conn.refuse(error.request_id, error.code, error.message)
            self.close_after_flush(conn)

    def _before_reading(self, conn: Connection) -> bool:
        """Whether there is something to read for us in this phase."""
        if conn.phase is Phase.HANDSHAKE:
            return self._handshake(conn)
        if conn.phase is Phase.LINGERING:
            try:
                if not socket.socket.recv(conn.sock, READ_BYTES):
                    self.close(conn, "closed")
            except BlockingIOError:
                pass
            except OSError:
                self.close(conn, "closed")
        elif conn.phase is Phase.CLOSING:
            self._flush(conn)
        return False

    def _handshake(self, conn: Connection) -> bool:
        sock = conn.sock
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLWantWriteError:
            self._want_write(conn, True)
            return False
        except (OSError, ValueError) as error:
            self.close(conn, f"TLS handshake failed: {getattr(error, 'reason', None) or type(error).__name__}")
            return False
        conn.phase = Phase.OPEN
        conn.recv = sock.read
        self._want_write(conn, False)
        if conn.refuse_with is not None:
            conn.refuse(0, conn.refuse_with.code, conn.refuse_with.message, conn.refuse_with.retry_after_ms)
            self.close_after_flush(conn)
            return False
        return True

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

    def _flush(self, conn: Connection) -> None:
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
            self._linger(conn)

    def _send(self, conn: Connection, data: bytes) -> bool:
        """Write until done or until the socket is full. False: the connection is gone."""
        at, size = 0, len(data)
        try:
            while at < size:
                at += conn.sock.send(data[at:] if at else data)
        except _NOT_READY:
            pass
        except (OSError, ValueError) as error:
            self.close(conn, f"write failed: {type(error).__name__}")
            return False
        conn.unsent = data[at:] if at < size else b""
        conn.out_bytes = size - at
        if (at < size) is not conn.wants_write:
            self._want_write(conn, at < size)
        return self._check_out_queue(conn)

    def _check_out_queue(self, conn: Connection) -> bool:
        if conn.out_bytes > self.settings.out_bytes_max and conn.kind is Kind.CLIENT:
            self.close(conn, "reads too slowly: out-queue full")
            return False
        return True

    def _writable(self, conn: Connection) -> None:
        if conn.phase is Phase.HANDSHAKE:
            self._handshake(conn)
            return
        conn.wants_write = False
        self._flush(conn)
        if conn.phase < Phase.LINGERING and not conn.wants_write:
            self._poller.change(conn.fd, READ)

    def _want_write(self, conn: Connection, wanted: bool) -> None:
        if conn.wants_write is not wanted:
            conn.wants_write = wanted
            self._poller.change(conn.fd, READ | WRITE if wanted else READ)

    def _linger(self, conn: Connection) -> None:
        conn.phase = Phase.LINGERING
        with contextlib.suppress(OSError, ValueError):
            if isinstance(conn.sock, ssl.SSLSocket):
                conn.sock.unwrap()  # sends close_notify; the peer's own is not waited for
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close(conn, "closed")

    # ---- deadlines -----------------------------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        silent_since = now - self.settings.silence_seconds_max
        for conn in list(self.connections.values()):
            if conn.deadline:
                if now >= conn.deadline:
                    self._too_late(conn)
            elif conn.heard_at < silent_since and conn.kind is Kind.CLIENT:
                self._too_late(conn)
        self.callbacks.tick(self, now)

    def _too_late(self, conn: Connection) -> None:
        if conn.phase is not Phase.OPEN:
            self.close(conn, "deadline passed")
            return
        signed_in = conn.member_id != 0
        text = "nothing heard for too long" if signed_in else "the sign-in was not complete in time"
        conn.refuse(0, codes.TOO_SLOW, f"{text}; connect again")
        self.close_after_flush(conn)
