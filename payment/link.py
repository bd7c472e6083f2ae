"""The link to the chat server: a Unix socket (or loopback TCP with a token) that speaks the same packets.

The subsystem connects, says LINK_HELLO, and connects again with back-off whenever the link breaks.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from host.local_socket import connect_local
from im_protocol import codec
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, LinkHello, Type

RETRY_FIRST_SECONDS = 1
RETRY_SECONDS_MAX = 10
READ_BYTES = 262_144
CONNECT_SECONDS_MAX = 10
OUT_BYTES_MAX = 32 * 2**20  # a thousand of the largest answers: a server that leaves more unread is hung
FLUSH_SECONDS_MAX = 2
SILENCE_SECONDS_MAX = 10  # the chat server asks every second; one that does not, or takes nothing, is hung
ALIVE_REQUEST_ID = 1  # of the PING that asks whether the process runs; others wait their turn with the orders

_DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)

log = logging.getLogger("payment.link")


class Link:
    """Keeps one connection to `address` ("/path/to.sock" or "tcp:HOST:PORT").

    `hello` makes the LINK_HELLO body; `receive` gets every frame and `lost` is called after each connection, on the
    link's own thread. `send` may be called from any thread and never waits: what the socket does not take at once is
    queued, and a thread of its own writes it.
    What is sent while the link is down is dropped, since the server has told its askers so.
    """

    def __init__(
        self,
        address: str,
        token_file: Path | None,
        hello: Callable[[bytes], LinkHello],
        receive: Callable[[Frame], None],
        lost: Callable[[], None],
    ) -> None:
        self._address = address
        self._token_file = token_file
        self._hello = hello
        self._receive = receive
        self._lost = lost
        self._changed = threading.Condition(threading.Lock())  # guards the next four; held for nothing that waits
        self._socket: socket.socket | None = None
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._is_writing = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._writer = threading.Thread(target=self._write, name="link-out", daemon=True)

    def start(self) -> None:
        """Connects in the background."""
        self._thread.start()
        self._writer.start()

    def send(self, packets: bytes) -> None:
        """Queues whole packets, or drops them when the link is down. A server that does not read loses the link."""
        with self._changed:
            if self._socket is None:
                return
            if self._out_bytes + len(packets) > OUT_BYTES_MAX:
                log.warning("the chat server reads nothing, %d bytes wait: the link is given up", self._out_bytes)
                _shut(self._socket)
                self._set_socket(None)
                return
            rest = packets if self._out or self._is_writing else _send_now(self._socket, packets)
            if rest:
                self._out.append(rest)
                self._out_bytes += len(rest)
                self._changed.notify_all()

    def _set_socket(self, connection: socket.socket | None) -> None:
        """Under the lock: what was queued for another connection is for nobody."""
        self._socket = connection
        self._out.clear()
        self._out_bytes = 0
        self._changed.notify_all()

    def _write(self) -> None:
        while (next_ones := self._next_to_write()) is not None:
            connection, packets = next_ones
            try:
                connection.sendall(packets)
            except OSError as error:
                log.warning("the link broke while sending: %s", error)
                _shut(connection)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _next_to_write(self) -> tuple[socket.socket, bytes] | None:
        """Waits for packets to write; gives them and the connection they are for, or None when the link stops."""
        with self._changed:
            self._changed.wait_for(lambda: (self._socket is not None and self._out) or self._stopped.is_set())
            if self._socket is None or self._stopped.is_set():
                return None
            packets = b"".join(self._out)
            self._out.clear()
            self._out_bytes = 0
            self._is_writing = True
            return self._socket, packets

    def hello_again(self) -> None:
        """Says LINK_HELLO once more: billers changed."""
        self.send(self._hello_packet())

    def stop(self) -> None:
        """Closes the link for good, after what is queued was written, if the server reads it."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._socket is None or not (self._out or self._is_writing), FLUSH_SECONDS_MAX
            )
            self._stopped.set()
            if self._socket is not None:
                _shut(self._socket)
            self._changed.notify_all()
        for thread in (self._thread, self._writer):
            if thread.is_alive():
                thread.join(timeout=5)

    def _run(self) -> None:
        wait = RETRY_FIRST_SECONDS
        while not self._stopped.is_set():
            try:
                with _connect(self._address) as connection:
                    connection.sendall(self._hello_packet())
                    with self._changed:
                        self._set_socket(connection)
                    log.info("linked to the chat server")
                    wait = RETRY_FIRST_SECONDS
                    self._read(connection)
            except (OSError, RemoteProtocolError) as error:
                log.warning("no link to the chat server: %s", error)
            finally:
                with self._changed:
                    self._set_socket(None)
                self._lost()
            self._stopped.wait(wait)
            wait = min(2 * wait, RETRY_SECONDS_MAX)

    def _read(self, connection: socket.socket) -> None:
        reader = FrameReader()
        while data := connection.recv(READ_BYTES):
            for frame in reader.receive_data(data):
                if frame.type == Type.PING:
                    connection.settimeout(SILENCE_SECONDS_MAX)
                if frame.type == Type.PING and frame.request_id == ALIVE_REQUEST_ID:
                    self.send(codec.encode(Type.PONG, request_id=ALIVE_REQUEST_ID, flags=Flag.ANSWER))
                else:
                    self._receive(frame)
            if reader.broken:
                raise reader.broken

    def _hello_packet(self) -> bytes:
        token = self._token_file.read_bytes() if self._token_file else b""
        return codec.encode(Type.LINK_HELLO, self._hello(token), sender_id=PAYMENT_ID)


def _connect(address: str) -> socket.socket:
    if address.startswith("tcp:"):
        host, _, port = address[4:].rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS_MAX)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        connection, _token = connect_local(Path(address), CONNECT_SECONDS_MAX)  # the link's token is in its LINK_HELLO
    connection.settimeout(None)
    return connection


def _send_now(connection: socket.socket, packets: bytes) -> bytes:
    """Sends what the socket takes without waiting; gives the rest. An error is left to the thread that writes.

    Nearly always all is taken, and handing it to the other thread would cost more than sending it.
    """
    try:
        if not _DONT_WAIT or not select.select((), (connection,), (), 0)[1]:
            return packets
        return packets[connection.send(packets, _DONT_WAIT) :]
    except (OSError, ValueError):  # ValueError: a number that select cannot watch
        return packets


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("the link was shut already")
