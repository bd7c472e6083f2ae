"""Hung is away: a payment subsystem that does not answer is noticed, told of, and started again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_body
from im_protocol.connection import FrameReader
from im_protocol.packets import Contact, Empty, Type
from im_server.app import Server
from im_server.config import Settings
from im_server.connection import Connection
from im_server.heartbeat import ALIVE, DECIDING, MISSED_ALIVE_MAX, MISSED_DECIDING_HUNG, MISSED_DECIDING_MAX, Heartbeat
from tests.im_server.conftest import A, Lab
from tests.im_server.wire import FakePayment, LinkHello, body_of, encode

PAYMENT = limits.PAYMENT_ID
BEAT_SECONDS = 0.1


class Link:
    """Keeps what the server asks."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def post(self, data: bytes) -> None:
        for frame in FrameReader().receive_data(data):
            assert frame.type == Type.PING
            decode_body(frame, Empty)
            self.asked.append(frame.request_id)


class Watch:
    """A heartbeat without its thread, and what it said."""

    def __init__(self) -> None:
        self.busy: list[bool] = []
        self.hung: list[Connection] = []
        self.heartbeat = Heartbeat(self.busy.append, self.hung.append)
        self.link = cast(Connection, Link())
        self.heartbeat.watch(self.link)

    def beats(self, count: int, *answers: int) -> None:
        for _ in range(count):
            self.heartbeat.beat()
            for number in answers:
                self.heartbeat.answered(self.link, number)


def test_subsystem_that_answers_is_left_alone() -> None:
    watch = Watch()
    watch.beats(500, ALIVE, DECIDING)
    assert (watch.busy, watch.hung) == ([], [])
    assert cast(Any, watch.link).asked == [ALIVE, DECIDING] * 500


def test_process_that_answers_nothing_is_hung_after_four_beats_and_told_once() -> None:
    watch = Watch()
    watch.beats(MISSED_ALIVE_MAX)
    assert watch.hung == []
    watch.beats(10)
    assert watch.hung == [watch.link]
    assert cast(Any, watch.link).asked == [ALIVE, DECIDING]


def test_process_that_runs_and_decides_nothing_is_away_until_it_does() -> None:
    watch = Watch()
    watch.beats(MISSED_DECIDING_MAX + 20, ALIVE)
    assert (watch.busy, watch.hung) == ([True], [])
    watch.beats(5, ALIVE, DECIDING)
    assert watch.busy == [True, False]
    watch.beats(MISSED_DECIDING_HUNG + 1, ALIVE)
    assert watch.hung == [watch.link]


def test_link_that_is_gone_or_replaced_is_not_judged() -> None:
    watch = Watch()
    watch.beats(3)
    newer = cast(Connection, Link())
    watch.heartbeat.watch(newer)
    watch.heartbeat.forget(watch.link)
    watch.beats(3)
    watch.heartbeat.answered(watch.link, ALIVE)
    assert watch.hung == []
    watch.heartbeat.forget(newer)
    watch.beats(20)
    assert watch.hung == []


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("this never happened")


class Answering(FakePayment):
    """A subsystem that says that it answers heartbeats; the test says which of them it does answer."""

    def hello(self, token: bytes, billers: tuple[Contact, ...] = ()) -> None:
        hello = LinkHello(token, bytes(range(32)), list(billers), answers_pings=True)
        self.write(encode(Type.LINK_HELLO, hello, request_id=1))
        assert super().next_frame().type == Type.LINK_READY

    def next_order(self, *answered: int) -> Frame:
        while True:
            frame = self.next_frame()
            if frame.type != Type.PING:
                return frame
            if frame.request_id in answered:
                self.answer(frame, Type.PONG, b"\x90")


def test_subsystem_busy_with_something_is_away_and_what_it_has_stays_open(lab: Lab) -> None:
    server = lab.server(heartbeat_seconds=BEAT_SECONDS)
    payment = lab.keep(Answering(lab.folder, (Contact(101, "biller", "Electricity", "online"),)))
    alice = lab.client(server, A)
    open_order = alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)
    order = payment.next_order(ALIVE, DECIDING)
    stop = threading.Event()
    sender = threading.Thread(target=_answer_alive_only, args=(payment, stop), daemon=True)
    sender.start()
    event = alice.wait(
        lambda f: f.type == Type.PRESENCE_EVENT and f.sender_id == 101 and body_of(f).presence == "offline"
    )
    assert event.sender_id == 101
    away = body_of(alice.answer_to(alice.send_raw(Type.SEALED_REQUEST, b"y" * 600, PAYMENT)))
    assert away.code == codes.PAYMENT_AWAY
    stop.set()
    alice.wait(lambda f: f.type == Type.PRESENCE_EVENT and f.sender_id == 101 and body_of(f).presence == "online")
    payment.answer(order, Type.SEALED_ANSWER, b"late, but decided")
    assert alice.answer_to(open_order).body == b"late, but decided"
    payment.close()
    sender.join(10)


def _answer_alive_only(payment: Answering, stop: threading.Event) -> None:
    """Until `stop`, what waits its turn is not answered; then it is."""
    later: list[Frame] = []
    try:
        while True:
            later.append(payment.next_frame())
            ready = [frame for frame in later if frame.request_id == ALIVE or stop.is_set()]
            later = [frame for frame in later if frame not in ready]
            for frame in ready:
                payment.answer(frame, Type.PONG, b"\x90")
    except (OSError, AssertionError, ValueError):
        return


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process can be stopped on POSIX only")
def test_stopped_payment_process_is_away_and_started_again_and_its_orders_are_outcome_unknown(lab: Lab) -> None:
    server = Server(lab.folder, host="127.0.0.1", port=0, settings=Settings(heartbeat_seconds=BEAT_SECONDS))
    server.start()
    try:
        until(lambda: server.core.relay.is_up)
        alice = lab.client(server, A)
        assert server.supervisor is not None
        pid = server.supervisor.child_pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        order = alice.send_raw(Type.SEALED_REQUEST, b"x" * 1_400, PAYMENT)
        keys = alice.send_raw(Type.KEY_CONFIG_REQUEST, b"\x90", PAYMENT)
        assert body_of(alice.answer_to(order)).code == codes.OUTCOME_UNKNOWN
        assert body_of(alice.answer_to(keys)).code == codes.PAYMENT_AWAY
        until(lambda: server.core.relay.is_up)
        assert server.supervisor.starts == 2
        assert alice.answer_to(alice.send_raw(Type.KEY_CONFIG_REQUEST, b"\x90", PAYMENT)).type == Type.KEY_CONFIG
    finally:
        server.stop()
