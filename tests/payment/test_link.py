"""The link to a chat server that does not read, and the process around the service."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from im_protocol import codec
from im_protocol.connection import FrameReader
from im_protocol.packets import LinkHello, Type
from payment import link as links
from payment.link import Link

SECONDS_MAX = 10
PACKET = b"x" * 65_536


class Server:
    """A listening socket that takes a connection, and reads only when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "link.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(SECONDS_MAX)
        self._listener.bind(self.address)
        self._listener.listen(4)

    def accept(self) -> socket.socket:
        connection, _ = self._listener.accept()
        connection.settimeout(SECONDS_MAX)
        hello = FrameReader().receive_data(connection.recv(65_536))
        assert [frame.type for frame in hello] == [Type.LINK_HELLO]
        return connection

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.close()


@pytest.fixture
def lost() -> threading.Event:
    return threading.Event()


@pytest.fixture
def link(server: Server, lost: threading.Event) -> Iterator[Link]:
    made = Link(server.address, None, lambda token: LinkHello(token, bytes(32), []), lambda frame: None, lost.set)
    yield made
    made.stop()


def send_until_taken(link: Link) -> None:
    """Until the link knows of its connection, what is sent is dropped."""
    with link._changed:
        assert link._changed.wait_for(lambda: link._socket is not None, SECONDS_MAX)


def test_a_server_that_does_not_read_holds_up_neither_sender_nor_stop(
    server: Server, link: Link, lost: threading.Event
) -> None:
    link.start()
    connection = server.accept()
    send_until_taken(link)
    started = time.monotonic()
    for _ in range(100):
        link.send(PACKET)  # far more than the socket holds
    assert time.monotonic() - started < SECONDS_MAX / 5
    link.stop()
    assert time.monotonic() - started < SECONDS_MAX
    assert lost.is_set() and not link._thread.is_alive() and not link._writer.is_alive()
    connection.close()


def test_a_server_that_leaves_too_much_unread_loses_the_link(
    server: Server, link: Link, lost: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "OUT_BYTES_MAX", 10 * len(PACKET))
    monkeypatch.setattr(links, "RETRY_FIRST_SECONDS", 0.1)
    link.start()
    first = server.accept()
    send_until_taken(link)
    for _ in range(100):
        link.send(PACKET)
    assert lost.wait(SECONDS_MAX)
    second = server.accept()  # it comes back, and what was for the first connection is not sent on the second
    send_until_taken(link)
    link.send(b"new")
    assert second.recv(65_536) == b"new"
    link.stop()
    for connection in (first, second):
        connection.close()


def test_what_was_sent_before_stop_arrives(server: Server, link: Link, lost: threading.Event) -> None:
    link.start()
    connection = server.accept()
    send_until_taken(link)
    for at in range(100):
        link.send(bytes([at]) * 10_000)
    stopping = threading.Thread(target=link.stop)
    stopping.start()
    received = bytearray()
    while data := connection.recv(65_536):
        received += data
    stopping.join(SECONDS_MAX)
    assert bytes(received) == b"".join(bytes([at]) * 10_000 for at in range(100))
    connection.close()


def ask(connection: socket.socket, request_id: int) -> None:
    connection.sendall(codec.encode(Type.PING, request_id=request_id))


def test_whether_the_process_runs_is_answered_without_waiting_for_what_decides(server: Server, link: Link) -> None:
    link.start()
    connection = server.accept()
    send_until_taken(link)
    ask(connection, links.ALIVE_REQUEST_ID)
    (frame,) = FrameReader().receive_data(connection.recv(65_536))
    assert (frame.type, frame.request_id) == (Type.PONG, links.ALIVE_REQUEST_ID)
    connection.close()


def test_a_server_that_asked_and_then_says_nothing_is_hung_and_is_looked_for_again(
    server: Server, link: Link, lost: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "SILENCE_SECONDS_MAX", 0.1)
    monkeypatch.setattr(links, "RETRY_FIRST_SECONDS", 0.1)
    link.start()
    first = server.accept()
    send_until_taken(link)
    ask(first, links.ALIVE_REQUEST_ID)
    second = server.accept()
    assert lost.is_set()
    for connection in (first, second):
        connection.close()
