"""Message sending: one network thread that owns the TLS socket, and nobody else touches it.

Other threads leave packets in a bounded out-queue and wake the thread through a socket pair; what happens comes back
as items in the `Inbox`. The server's key is compared with its pin after the TLS handshake and before any byte of ours
goes out.
"""

from __future__ import annotations

import contextlib
import logging
import random
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from desktop_client.backoff import RETRY_AFTER_SECONDS_MAX
from desktop_client.config import CLIENT_NAME, OUT_BYTES_MAX, Timings
from desktop_client.dialling import (
    KEY_CHANGED,
    LOST,
    NOT_A_SERVER,
    READ_BYTES,
    UNREACHABLE,
    Abandoned,
    Cut,
    Dialler,
    Target,
    close,
)
from desktop_client.inbox import Inbox
from desktop_client.liveness import Liveness, Mode
from im_protocol import codec
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import Hello, Refusal, Type, Welcome

__all__ = ["KEY_CHANGED", "LOST", "NOT_A_SERVER", "UNREACHABLE", "Arrived", "Down", "Target", "Transport", "Up"]

log = logging.getLogger(__name__)

HELLO_REQUEST_ID = 1
PING_REQUEST_ID = 2
FIRST_FREE_REQUEST_ID = 16

class Up(NamedTuple):
    """Connected, pinned and greeted; nothing secret has been sent."""

    epoch: int
    generation: int
    tls_pin: bytes
    welcome: Welcome


class Arrived(NamedTuple):
    """A packet of the server."""

    generation: int
    frame: Frame


class Down(NamedTuple):
    """No connection, or none any more. `retry_in_seconds` negative: nothing more is tried by itself."""

    epoch: int
    code: str
    message: str
    retry_in_seconds: float
    seen_pin: bytes = b""


class Transport:
    """Connects, greets, sends, receives, pings and reconnects."""

    def __init__(self, inbox: Inbox, timings: Timings | None = None) -> None:
        self.timings = timings or Timings()
        self._inbox = inbox
        self._inbox.on_room = self._wake
        self._lock = threading.Lock()  # guards the fields below that both threads change
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._target: Target | None = None
        self._epoch = 0
        self._generation = 0
        self._keep = False
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._attempt = 0
        self._retry_now = False
        self.mode: Callable[[], Mode] = lambda: "idle"  # what the session is doing; asked by the network thread
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)

    # -- called by the user interface's thread

    def open(self, target: Target) -> int:
        """Leaves what there is and connects to `target`; returns the epoch that its Up and Down will carry."""
        with self._lock:
            self._epoch += 1
            self._target, self._keep, self._attempt = target, False, 0
            epoch = self._epoch
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="billbuddy-network", daemon=True)
                self._thread.start()
        self._wake()
        return epoch

    def keep(self) -> None:
        """From now on a lost connection is made again: the member is signed in."""
        with self._lock:
            self._keep, self._attempt = True, 0

    def retry_now(self) -> None:
        """Ends the wait before the next attempt."""
        self._retry_now = True
        self._wake()

    def leave(self) -> None:
        """Closes the connection and stays away."""
        with self._lock:
            self._epoch += 1
            self._target, self._keep = None, False
        self._wake()

    def send(self, generation: int, data: bytes) -> bool:
        """Queues a packet for this very connection. False: it is gone, or the queue is full; nothing was sent."""
        with self._lock:
            if generation != self._generation or self._out_bytes + len(data) > OUT_BYTES_MAX:
                return False
            self._out.append(data)
            self._out_bytes += len(data)
        self._wake()
        return True

    def close(self) -> None:
        """Ends the thread after what is queued was given to the system. Safe to call twice."""
        with self._lock:
            self._stopping = True
            self._epoch += 1
            thread = self._thread
        self._wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)
        if thread is None or not thread.is_alive():
            self._wake_read.close()
            self._wake_write.close()

    # -- the network thread

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: the thread is about to wake anyway; closed: there is no thread
            self._wake_write.send(b"!")

    def _run(self) -> None:
        while not self._stopping:
            target, epoch = self._target, self._epoch
            if target is None:
                self._select([], None)
                continue
            try:
                self._serve(target, epoch)
            except Abandoned:
                continue
            except Exception:  # the thread outlives any mistake: the person can still try again
                log.exception("the network thread failed")
                self._inbox.put(Down(epoch, LOST, "internal error, see the log", -1.0))
                self._drop_target(epoch)

    def _serve(self, target: Target, epoch: int) -> None:
        while True:
            try:
                self._connection(target, epoch)
            except Cut as cut:
                retry = -1.0 if cut.final or not self._keep else self._next_wait(cut)
                self._inbox.put(Down(epoch, cut.code, cut.message, retry, cut.seen_pin))
            if retry < 0:
                self._drop_target(epoch)
                return
            self._pause(retry, epoch)

    def _drop_target(self, epoch: int) -> None:
        with self._lock:
            if self._epoch == epoch:
                self._target = None

    def _next_wait(self, cut: Cut) -> float:
        """Short while it is the network that is away; longer and longer for a server that turns us away."""
        timings = self.timings
        longest = timings.backoff_max_seconds
        if cut.code in (UNREACHABLE, LOST):
            longest = min(longest, timings.network_backoff_max_seconds)
        wait = min(timings.backoff_first_seconds * timings.backoff_factor**self._attempt, longest)
        self._attempt = min(self._attempt + 1, 30)
        wait = max(wait, min(cut.retry_after_ms / 1000, RETRY_AFTER_SECONDS_MAX))
        return wait * (1 + random.random() * timings.backoff_jitter)

    def _pause(self, seconds: float, epoch: int) -> None:
        self._retry_now = False
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._retry_now:
            self._select([], left)
            self._check(epoch)

    def _check(self, epoch: int) -> None:
        if self._stopping or self._epoch != epoch:
            raise Abandoned

    def _select(self, wanted: list[tuple[socket.socket, int]], seconds: float | None) -> None:
        """Waits for the wake-up socket and the wanted ones; swallows the wake-ups."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            for sock, events in wanted:
                selector.register(sock, events)
            selector.select(seconds)
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _connection(self, target: Target, epoch: int) -> None:
        """One connection from dialling to its end, which is always an exception."""
        self._check(epoch)

        def wait(what: list[tuple[socket.socket, int]], seconds: float) -> None:
            self._select(what, seconds)
            self._check(epoch)

        timings = self.timings
        seconds = min(timings.connect_seconds, timings.reconnect_seconds) if self._keep else timings.connect_seconds
        tls, pin = Dialler(target, seconds, wait).connect()
        try:
            _Conversation(self, tls, target, epoch).run(pin)
        finally:
            close(tls)

    def _begin(self, epoch: int) -> int:
        with self._lock:
            self._generation += 1
            self._out.clear()
            self._out_bytes = 0
            return self._generation

    def _end(self) -> None:
        with self._lock:
            self._generation += 1
            self._out.clear()
            self._out_bytes = 0

    def _take_out(self) -> bytes:
        """All queued packets as one piece, so that they leave in one send."""
        with self._lock:
            data = b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
        return data


class _Conversation:
    """Greets, then moves packets both ways until the connection ends."""

    def __init__(self, owner: Transport, tls: ssl.SSLSocket, target: Target, epoch: int) -> None:
        self.owner, self.tls, self.target, self.epoch = owner, tls, target, epoch
        self.reader = FrameReader()
        self.out = bytearray()
        self.liveness = Liveness(owner.timings, owner.timings.request_seconds, time.monotonic())
        self.generation = 0

    def run(self, pin: bytes) -> None:
        """Raises Cut or Abandoned at its end."""
        hello = Hello(client=CLIENT_NAME, lang=self.target.lang)
        self.out += codec.encode(Type.HELLO, hello, request_id=HELLO_REQUEST_ID)
        welcome = self._greet()
        keepalive = self.owner.timings.keepalive_seconds or float(welcome.keepalive_seconds)
        self.liveness = Liveness(self.owner.timings, keepalive, time.monotonic())
        self.generation = self.owner._begin(self.epoch)
        self.owner._inbox.put(Up(self.epoch, self.generation, pin, welcome))
        try:
            while True:
                self._turn()
        except Abandoned:
            self.out += self.owner._take_out()
            self._try_write()
            raise
        finally:
            self.owner._end()

    def _greet(self) -> Welcome:
        end = time.monotonic() + self.owner.timings.welcome_seconds
        while True:
            self._write()
            frames = self._read()
            if frames:
                return self._welcome(frames[0])
            left = end - time.monotonic()
            if left <= 0:
                raise Cut(NOT_A_SERVER, f"{self.target.address} does not greet like a BillBuddy server")
            self._wait(left, reading=True)

    def _welcome(self, frame: Frame) -> Welcome:
        try:
            if frame.type == Type.REFUSAL:
                refusal = codec.decode_body(frame, Refusal)
                raise Cut(refusal.code, refusal.message, retry_after_ms=refusal.retry_after_ms)
            return codec.decode_body(frame, Welcome)
        except RemoteProtocolError as error:
            raise Cut(NOT_A_SERVER, f"{self.target.address}: {error.message}") from error

    def _turn(self) -> None:
        self.out += self.owner._take_out()
        mode = self.owner.mode()
        if self.liveness.wants_ping(time.monotonic(), mode):
            self.out += codec.encode(Type.PING, request_id=PING_REQUEST_ID)
        self._write()
        full = self.owner._inbox.is_full
        if not full:
            frames = self._read()
            for frame in frames:
                self.owner._inbox.put(Arrived(self.generation, frame))
            if frames:
                return
        now = time.monotonic()
        if full:
            self.liveness.heard(now)  # nothing is read at the moment
        elif self.liveness.is_dead(now, mode):
            raise Cut(LOST, "nothing comes through the network any more")
        self._wait(max(0.01, self.liveness.seconds_left(now, mode)), reading=not full)

    def _wait(self, seconds: float, *, reading: bool) -> None:
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self.out else 0)
        self.owner._select([(self.tls, events)] if events else [], seconds)
        self.owner._check(self.epoch)

    def _read(self) -> list[Frame]:
        frames: list[Frame] = []
        try:
            while not frames:
                data = self.tls.recv(READ_BYTES)
                if not data:
                    raise Cut(LOST, "the server closed the connection")
                self.liveness.heard(time.monotonic())
                frames += self.reader.receive_data(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except RemoteProtocolError as error:
            raise Cut(NOT_A_SERVER, f"the server broke the protocol: {error.message}") from error
        except OSError as error:
            raise Cut(LOST, f"the connection broke: {error.strerror or error}") from error
        return frames

    def _write(self) -> None:
        try:
            while self.out:
                with memoryview(self.out) as view:
                    sent = self.tls.send(view[:READ_BYTES])
                del self.out[:sent]
                self.liveness.sent(time.monotonic(), is_all=not self.out)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            raise Cut(LOST, f"the connection broke: {error.strerror or error}") from error

    def _try_write(self) -> None:
        with contextlib.suppress(Cut):  # it is being closed anyway
            self._write()
