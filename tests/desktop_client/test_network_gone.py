"""A cable that is pulled: noticed soon, told as what it is, and left behind as soon as the network is back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_client.app import Client, Options
from desktop_client.backoff import Backoff
from desktop_client.config import Timings
from desktop_client.dialling import LOST, NOT_A_SERVER, UNREACHABLE, Cut
from desktop_client.events import ConnectionChanged
from desktop_client.inbox import Inbox
from desktop_client.liveness import Liveness, Mode
from desktop_client.profile import Profile
from desktop_client.transport import Transport
from im_protocol import codes
from im_protocol.packets import Refusal, RosterRequest, Type
from payment.contract.messages import Overview
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, PASSWORD, Peer
from tests.desktop_client.person import Person
from tests.desktop_client.test_transport import turn

KEEPALIVE = 30.0


def noticed_after(sends: list[float], mode: Mode, mode_at: float) -> float:
    """The network ends at 0, having been heard then; `sends` are the moments at which packets are given to it, and from
    `mode_at` on the session is in `mode`. The loop of the transport, without sleeping: when the end is noticed."""
    liveness = Liveness(Timings(), KEEPALIVE, 0.0)
    liveness.heard(0.0)
    now, waiting = 0.0, sorted(sends)
    while True:
        while waiting and waiting[0] <= now:
            liveness.sent(waiting.pop(0), is_all=True)
        current: Mode = mode if now >= mode_at else "idle"
        if liveness.wants_ping(now, current):
            liveness.sent(now, is_all=True)
        if liveness.is_dead(now, current):
            return now
        wakes = [now + liveness.seconds_left(now, current), *waiting[:1]]
        if now < mode_at:
            wakes.append(mode_at)
        now = max(min(wakes), now + 0.001)


@given(st.lists(st.floats(0, 60), max_size=30), st.floats(0, 20))
def test_network_that_is_gone_is_noticed_within_ten_seconds_of_a_question(sends: list[float], asked_at: float) -> None:
    assert noticed_after([*sends, asked_at], "waiting", asked_at) <= asked_at + 10.0


@given(st.lists(st.floats(0, 60), max_size=30))
def test_network_that_is_gone_is_noticed_within_thirty_seconds_of_nothing(sends: list[float]) -> None:
    assert noticed_after(sends, "idle", 0.0) <= 30.0


def test_nobody_is_asked_before_sign_in() -> None:
    liveness = Liveness(Timings(), KEEPALIVE, 0.0)
    liveness.sent(0.0, is_all=True)
    assert not any(liveness.wants_ping(float(now), "signing_in") for now in range(20))
    assert liveness.is_dead(20.0, "signing_in")


@given(st.lists(st.floats(0.1, 2.4), min_size=1, max_size=50))
def test_server_that_is_heard_is_neither_asked_nor_given_up(pauses: list[float]) -> None:
    liveness = Liveness(Timings(), KEEPALIVE, 0.0)
    now = 0.0
    liveness.sent(now, is_all=True)
    for pause in pauses:
        now += pause
        assert not liveness.is_dead(now, "waiting")
        liveness.heard(now)
        liveness.sent(now, is_all=True)
        assert not liveness.wants_ping(now, "waiting")


def test_ping_behind_much_that_is_still_being_sent_has_its_time_from_its_own_leaving() -> None:
    liveness = Liveness(Timings(), KEEPALIVE, 0.0)
    liveness.sent(0.0, is_all=False)
    assert liveness.wants_ping(3.0, "waiting")
    for now in range(4, 30):
        liveness.sent(float(now), is_all=False)
        assert not liveness.is_dead(float(now), "waiting")
    liveness.sent(30.0, is_all=True)
    liveness.sent(33.0, is_all=True)  # something else: the PING is out already
    assert liveness.is_dead(36.0, "waiting")


def test_attempts_are_close_together_while_the_network_is_away_only() -> None:
    transport = Transport(Inbox(), Timings(backoff_jitter=0.0))
    for code in (UNREACHABLE, LOST):
        assert max(transport._next_wait(Cut(code, "")) for _ in range(20)) == 1.5
    assert transport._next_wait(Cut(NOT_A_SERVER, "")) == 30.0
    full = Cut(codes.TOO_MANY_CONNECTIONS, "", retry_after_ms=45_000)
    assert transport._next_wait(full) == 45.0


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=40), st.floats(0, 1))
def test_wait_grows_and_is_never_shorter_than_the_server_asked_for(advice: list[int], chance: float) -> None:
    backoff = Backoff(1.0, 30.0, lambda: chance)
    for number, retry_after_ms in enumerate(advice):
        wait = backoff.wait(retry_after_ms)
        assert wait >= min(retry_after_ms / 1000, 300.0)
        assert wait <= max(min(2.0**number, 30.0), min(retry_after_ms / 1000, 300.0)) * 1.3
    backoff.reset()
    assert backoff.wait() <= 1.3


# ---- with a real cable ---------------------------------------------------------------------------------------------


class Cable:
    """A relay to the peer. Pulled out, it takes everything and delivers nothing, without a word to either side."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.is_out = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if self.is_out:
                continue  # as a connection that is never answered
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets.append(far)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        lost = False
        try:
            while data := source.recv(65_536):
                lost = lost or self.is_out  # what was lost on the way is never made up for
                if not lost:
                    target.sendall(data)
            if not lost:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


HASTY = Timings(
    ping_waiting_seconds=0.1,
    ping_idle_seconds=0.4,
    pong_seconds=0.3,
    reconnect_seconds=0.5,
    welcome_seconds=0.5,
    backoff_first_seconds=0.02,
    network_backoff_max_seconds=0.1,
    repeat_first_seconds=0.02,
)


@pytest.fixture
def cable(peer: Peer) -> Iterator[Cable]:
    made = Cable(peer.port)
    yield made
    made.close()


@pytest.fixture
def far_client(peer: Peer, cable: Cable, profile: Profile) -> Iterator[Client]:
    client = Client(profile, Options(), HASTY)
    known = peer.known()
    known.port = cable.port
    results: list[object] = []
    client.sign_in(known, LIN, PASSWORD, results.append)
    wait_until(lambda: client.session.signed_in, lambda: turn(client))
    yield client
    client.close()


@pytest.mark.parametrize("asks", [True, False])
def test_pulled_cable_is_noticed_and_the_client_is_back_soon_after_it_is_in_again(
    cable: Cable, far_client: Client, asks: bool
) -> None:
    states: list[str] = []
    answers: list[object] = []
    far_client.bus.subscribe(ConnectionChanged, lambda event: states.append(event.state))
    wait_until(lambda: far_client.member and far_client.member.roster.loaded, lambda: turn(far_client))
    cable.is_out = True
    began = time.monotonic()
    if asks:
        far_client.session.request(Type.ROSTER_REQUEST, RosterRequest(), answers.append)
    wait_until(lambda: "reconnecting" in states, lambda: turn(far_client))
    assert time.monotonic() - began < 5
    if asks:
        assert isinstance(answers[0], Refusal)
        assert answers[0].code == LOST
    cable.is_out = False
    wait_until(lambda: states[-1] == "connected", lambda: turn(far_client), 5)


def test_key_that_could_not_be_fetched_is_the_networks_fault_and_not_the_payment_services(
    cable: Cable, far_client: Client
) -> None:
    assert far_client.member is not None
    cable.is_out = True
    answers: list[object] = []
    far_client.member.sealer._config = None
    far_client.member.sealer.ask(Overview(), answers.append)
    wait_until(lambda: answers, lambda: turn(far_client))
    assert isinstance(answers[0], Refusal)
    assert answers[0].code == "not_connected"


def test_header_says_offline_while_there_is_no_network(person: Person) -> None:
    roster = person.signed_in()
    assert roster.last("show_me")[0].presence == "online"
    person.peer.stop()
    person.until(lambda: roster.last("show_me")[0].presence == "offline")
    person.peer.start()
    person.until(lambda: roster.last("show_me")[0].presence == "online")
