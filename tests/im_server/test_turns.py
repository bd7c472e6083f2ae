"""No phase of a connection keeps the loop busy: turns are counted after every way to open, slow down and close."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from im_protocol import codes
from im_protocol.codec import encode, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.packets import ChatSend, Hello, Type
from im_server import phases
from im_server.app import Server
from im_server.callbacks import Callbacks
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.io_thread import IoThread
from im_server.poller import SelectorsPoller
from tests.im_server.conftest import A, B, Lab
from tests.im_server.wire import WireClient, body_of, tls_socket

pytestmark = pytest.mark.slow

TURNS_MAX = 500  # in a quarter of a second: ticks, wake-ups, packets that are read slowly; a spinning loop makes 50,000
QUIET_SECONDS = 0.25
DESCRIPTORS = Path("/proc/self/fd")


class Turns:
    """Counts how often a server's loops wait."""

    def __init__(self, threads: list[IoThread]) -> None:
        self.count = 0
        for io in threads:
            self._watch(io)

    def _watch(self, io: IoThread) -> None:
        poller = io._poller
        wait = poller.wait

        class Counting:
            def __getattr__(self, name: str) -> object:
                return getattr(poller, name)

            @staticmethod
            def wait(seconds: float) -> list[tuple[int, int]]:
                self.count += 1
                return wait(seconds)

        io._poller = Counting()  # type: ignore[assignment]

    def in_quiet(self) -> int:
        before = self.count
        threading.Event().wait(QUIET_SECONDS)
        return self.count - before


def fill_out_queue(server: Server, alice: WireClient) -> None:
    """Make the server owe Alice more than her socket takes."""
    (conn,) = server.sessions.online[A]
    io = conn.io
    filled = threading.Event()

    def fill() -> None:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        io.post(conn, encode_frame(Type.KEY_CONFIG, bytes(60_000)) * 150)
        io.flush(conn)
        filled.set()

    io.call(fill)
    assert filled.wait(5)
    assert conn.unsent


def sign_out(server: Server, alice: WireClient) -> None:
    alice.send(Type.SIGN_OUT)


def sign_out_and_send_on(server: Server, alice: WireClient) -> None:
    alice.sock.sendall(encode(Type.SIGN_OUT, request_id=9) + encode(Type.PING, request_id=10))
    alice.send(Type.PING)


def sign_out_without_reading(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)
    alice.send(Type.SIGN_OUT)


def sign_out_without_reading_and_send_on(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)
    alice.sock.sendall(encode(Type.SIGN_OUT, request_id=9) + b"\0")
    alice.sock.sendall(b"\1")


def break_the_stream_without_reading(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)
    alice.sock.sendall(bytes(64))
    alice.sock.sendall(b"\1")


def read_everything_late(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)
    alice.send(Type.SIGN_OUT)
    alice.until_closed()


def half_close(server: Server, alice: WireClient) -> None:
    socket.socket.shutdown(alice.sock, socket.SHUT_WR)


def reset(server: Server, alice: WireClient) -> None:
    alice.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    alice.sock.close()


def reset_while_the_server_writes(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)
    reset(server, alice)


def reset_while_closing(server: Server, alice: WireClient) -> None:
    sign_out_without_reading(server, alice)
    reset(server, alice)


def stop_reading(server: Server, alice: WireClient) -> None:
    fill_out_queue(server, alice)


def be_read_slowly(server: Server, alice: WireClient) -> None:
    (conn,) = server.sessions.online[A]
    for _ in range(2_600):
        alice.sock.sendall(encode_frame(0xBEEF, b"\x90", request_id=1))
    waiting = threading.Event()
    for _ in range(1_000):  # until what may be read at once is read
        if conn.paused or waiting.wait(0.01):
            break
    assert conn.paused


def be_read_slowly_and_reset(server: Server, alice: WireClient) -> None:
    be_read_slowly(server, alice)
    reset(server, alice)


WAYS = (
    sign_out,
    sign_out_and_send_on,
    sign_out_without_reading,
    sign_out_without_reading_and_send_on,
    break_the_stream_without_reading,
    read_everything_late,
    half_close,
    reset,
    reset_while_the_server_writes,
    reset_while_closing,
    stop_reading,
    be_read_slowly,
    be_read_slowly_and_reset,
)


@pytest.fixture(params=["epoll", "selectors"])
def poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "selectors":
        monkeypatch.setattr("im_server.io_thread.new_poller", SelectorsPoller)
    return str(request.param)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_loop_rests_after_every_way_to_close(lab: Lab, way: Callable[[Server, WireClient], None], poller: str) -> None:
    server = lab.server(out_bytes_max=16 * 1024 * 1024)
    alice = lab.client(server, A)
    turns = Turns(server.io_threads)
    way(server, alice)
    threading.Event().wait(0.1)
    assert turns.in_quiet() < TURNS_MAX
    assert lab.client(server, B).ask(Type.PING).type == Type.PONG


def test_loop_rests_while_handshakes_are_half_done(lab: Lab) -> None:
    server = lab.server()
    turns = Turns(server.io_threads)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held = []
    for taken in (0, 1, 5, 100):
        plain = lab.keep(socket.create_connection(("127.0.0.1", server.port), 10))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        plain.sendall(outgoing.read()[:taken] if taken < 100 else outgoing.read())
        held.append(plain)
    threading.Event().wait(0.1)
    assert turns.in_quiet() < TURNS_MAX


def test_handshake_that_wants_to_write_is_not_woken_to_read_and_the_other_way_round() -> None:
    io = IoThread(0, Settings(), Callbacks())
    ours, theirs = socket.socketpair()
    conn = Connection(io, ours, Kind.CLIENT, "here", FrameReader())
    conn.phase = Phase.HANDSHAKE
    io.adopt(conn)
    for wants, mask in ((True, phases.WRITE), (False, phases.READ), (True, phases.WRITE)):
        io.want_write(conn, wants)
        assert conn.mask == mask
    conn.wants_write = False
    io.set_phase(conn, Phase.OPEN)
    assert conn.mask == phases.READ
    conn.wants_write = True
    io.set_phase(conn, Phase.CLOSING)
    assert conn.mask == phases.WRITE
    conn.wants_write = False
    io.set_phase(conn, Phase.LINGERING)
    assert conn.mask == phases.READ
    ours.close()
    theirs.close()


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[int], None]]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda more: resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(DESCRIPTORS.iterdir())) + more, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts descriptors in /proc")
def test_server_without_descriptors_rests_and_goes_on_when_there_are_some(
    lab: Lab, few_descriptors: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    alice.chat(B, "the threads have their database connections by now")
    turns = Turns(server.io_threads)
    few_descriptors(4)
    waiting = []
    try:
        for _ in range(6):
            plain = socket.socket()
            plain.setblocking(False)
            plain.connect_ex(("127.0.0.1", server.port))
            waiting.append(plain)
    except OSError:  # this process is the server's, too
        pass
    threading.Event().wait(0.1)
    assert turns.in_quiet() < TURNS_MAX
    assert alice.ask(Type.PING).type == Type.PONG
    assert len([r for r in caplog.records if "cannot accept" in r.getMessage()]) == 1
    for plain in waiting:
        plain.close()
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert lab.client(server, B).ask(Type.PING).type == Type.PONG


def test_loop_rests_while_a_peer_talks_on_to_a_closed_door(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    alice.send(Type.SIGN_OUT)
    done = threading.Event()

    def talk() -> None:
        while not done.is_set():
            try:
                socket.socket.send(alice.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
            except OSError:
                return

    thread = threading.Thread(target=talk)
    turns = Turns(server.io_threads)
    thread.start()
    try:
        assert turns.in_quiet() < TURNS_MAX
    finally:
        done.set()
        thread.join()


def test_packet_that_is_not_whole_in_time_is_too_slow(lab: Lab) -> None:
    server = lab.server(packet_seconds_max=0.6, silence_seconds_max=2.0)
    alice = lab.client(server, A)
    packet = encode_frame(Type.CHAT_SEND, bytes(10_000), request_id=9, receiver_id=B)
    done = threading.Event()

    def trickle() -> None:
        at = 0
        while not done.wait(0.05):
            try:
                alice.sock.sendall(packet[at : at + 1])
            except OSError:
                return
            at += 1

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        frames = alice.until_closed()
    finally:
        done.set()
        thread.join()
    assert [body_of(f).code for f in frames if f.type == Type.REFUSAL] == [codes.TOO_SLOW]


def test_whole_packets_in_slow_order_are_not_too_slow(lab: Lab) -> None:
    server = lab.server(packet_seconds_max=0.4)
    alice = lab.client(server, A)
    packet = encode(Type.PING, request_id=5)
    done = threading.Event()
    for _ in range(8):
        alice.sock.sendall(packet[:20])
        done.wait(0.1)
        alice.sock.sendall(packet[20:] + packet[:20])
        done.wait(0.1)
        alice.sock.sendall(packet[20:])
    assert alice.chat(B, "still here").type == Type.CHAT_ACCEPTED


def test_newcomers_handshakes_do_not_keep_a_signed_in_member_waiting(lab: Lab) -> None:
    server = lab.server(io_threads=1)
    alice = lab.client(server, A)
    crowd = [lab.keep(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(60)]
    assert alice.chat(B, "hello").type == Type.CHAT_ACCEPTED
    assert len(crowd) == 60
    joined = tls_socket(server.port)
    joined.sendall(encode(Type.HELLO, Hello("late"), request_id=1))
    assert joined.recv(100)
    joined.close()


def test_sequence_of_a_message_sent_while_paused_is_kept(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    be_read_slowly(server, alice)
    ask = alice.send(Type.CHAT_SEND, ChatSend(os.urandom(16), "late, but there"), receiver=B)
    assert alice.answer_to(ask).type == Type.CHAT_ACCEPTED


def test_peer_that_does_not_read_its_answers_is_not_read_and_fills_no_memory(lab: Lab) -> None:
    server = lab.server(out_bytes_max=16 * 1024 * 1024)
    alice, bob = lab.client(server, A), lab.client(server, B)
    fill_out_queue(server, alice)
    (conn,) = server.sessions.online[A]
    owed = conn.out_bytes
    alice.sock.setblocking(False)
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            alice.sock.send(encode(Type.PING, request_id=7) * 400)
    assert bob.chat(A, "goes on").type == Type.CHAT_ACCEPTED
    assert conn.out_bytes < owed + 100_000
    alice.sock.setblocking(True)
    alice.kept.clear()
    assert alice.wait(lambda f: f.type == Type.CHAT_EVENT)
