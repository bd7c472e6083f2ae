"""A relay between the chat server and the payment subsystem, on the real link, that does to packets what a test wants.

It listens where the subsystem connects and goes on to the server's own socket. Sealed requests and answers, and key
requests, may be dropped, repeated, delayed and so reordered; the link's own packets pass as they are.
"""

from __future__ import annotations

import heapq
import itertools
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from im_protocol.codec import Frame, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.packets import Type

TAMPERED = {Type.SEALED_REQUEST, Type.SEALED_ANSWER, Type.KEY_CONFIG_REQUEST, Type.KEY_CONFIG}
DELAYS_SECONDS = (0.01, 0.1, 0.5, 2.0)
Send = Callable[[], None]


@dataclass
class LinkFaults:
    """Shares of packets."""

    dropped: float = 0.0
    repeated: float = 0.0
    delayed: float = 0.0


class BadLink:
    """Start it before the server. `watch` is called with every sealed request; False from it drops the packet."""

    def __init__(self, path: Path, target: Path, seed: int) -> None:
        self.path = path
        self.faults = LinkFaults()
        self.watch: Callable[[Frame], bool] = lambda frame: True
        self.seen: Counter[str] = Counter()
        self._target = target
        self._dice = random.Random(seed)
        self._lock = threading.Lock()  # guards _dice, seen, _late and _open
        self._late: list[tuple[float, int, Send]] = []
        self._count = itertools.count()
        self._news = threading.Condition(self._lock)
        self._stopping = False
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(4)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._accept, self._send_late)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._news:
            self._stopping = True
            self._news.notify_all()
            sockets = [*self._open, self._listener]
        for sock in sockets:
            _shut(sock)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._stopping:
            try:
                payment, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                server.connect(str(self._target))
            except OSError:
                payment.close()
                server.close()
                continue
            with self._lock:
                self._open = [payment, server]
            for source, sink in ((payment, server), (server, payment)):
                thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        reader, lock = FrameReader(), threading.Lock()
        with suppress(OSError):
            while data := source.recv(65_536):
                for frame in reader.receive_data(data):
                    self._carry(frame, sink, lock)
        _shut(source)
        _shut(sink)

    def _carry(self, frame: Frame, sink: socket.socket, lock: threading.Lock) -> None:
        kind, flags, request_id, sender_id, receiver_id, body = frame
        packet = encode_frame(
            kind, body, request_id=request_id, sender_id=sender_id, receiver_id=receiver_id, flags=flags
        )

        def send() -> None:
            with suppress(OSError), lock:
                sink.sendall(packet)

        if frame.type not in TAMPERED:
            send()
            return
        if frame.type == Type.SEALED_REQUEST and not self.watch(frame):
            self.seen["dropped"] += 1
            return
        for delay in self._delays():
            if delay:
                with self._news:
                    heapq.heappush(self._late, (time.monotonic() + delay, next(self._count), send))
                    self._news.notify()
            else:
                send()

    def _delays(self) -> list[float]:
        with self._lock:
            dice, faults = self._dice, self.faults
            if dice.random() < faults.dropped:
                self.seen["dropped"] += 1
                return []
            copies = 1 + (dice.randint(1, 2) if dice.random() < faults.repeated else 0)
            delays = [dice.choice(DELAYS_SECONDS) if dice.random() < faults.delayed else 0.0 for _ in range(copies)]
            self.seen["passed"] += 1
            self.seen["repeated"] += copies > 1
            self.seen["delayed"] += any(delays)
            return delays

    def _send_late(self) -> None:
        while True:
            with self._news:
                while not self._stopping and (not self._late or self._late[0][0] > time.monotonic()):
                    self._news.wait(self._late[0][0] - time.monotonic() if self._late else None)
                if self._stopping:
                    return
                _, _, send = heapq.heappop(self._late)
            send()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
