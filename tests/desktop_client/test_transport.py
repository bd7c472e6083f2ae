"""Transport and session over real sockets with real TLS."""

from __future__ import annotations

import socket
import threading

import pytest

from desktop_client.app import Client, Options
from desktop_client.config import Address, Timings
from desktop_client.events import ConnectionChanged, SessionEnded, SessionReady
from desktop_client.inbox import Inbox
from desktop_client.transport import KEY_CHANGED, NOT_A_SERVER, UNREACHABLE, Arrived, Down, Target, Transport, Up
from im_protocol import codec, codes, packets
from im_protocol.packets import Flag, Refusal, SignedIn, Type
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, PASSWORD, Peer


def sign_in(client: Client, peer: Peer, password: str = PASSWORD, member: int = LIN) -> SignedIn | Refusal:
    results: list[SignedIn | Refusal] = []
    client.sign_in(peer.known(), member, password, results.append)
    wait_until(lambda: results, lambda: turn(client))
    return results[0]


def turn(client: Client) -> None:
    client.inbox.wait(0.01)
    client.pump()


def first_item(target: Target) -> object:
    inbox = Inbox()
    transport = Transport(inbox, QUICK)
    transport.open(target)
    assert inbox.wait(10)
    item = inbox.drain()[0]
    transport.close()
    return item


def test_server_with_the_pinned_key_is_greeted(peer: Peer) -> None:
    item = first_item(Target(Address("127.0.0.1", peer.port), peer.tls_pin))
    assert isinstance(item, Up)
    assert item.welcome.server_name == "Dorm 7"
    assert item.tls_pin == peer.tls_pin


def test_server_with_another_key_gets_no_byte(peer: Peer) -> None:
    item = first_item(Target(Address("127.0.0.1", peer.port), bytes(32)))
    assert isinstance(item, Down)
    assert (item.code, item.seen_pin) == (KEY_CHANGED, peer.tls_pin)
    assert item.retry_in_seconds < 0
    peer.stop()
    assert peer.bytes_seen == 0


def test_closed_port_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        item = first_item(Target(Address("127.0.0.1", unused.getsockname()[1]), None))
    assert isinstance(item, Down)
    assert item.code == UNREACHABLE


def test_host_that_does_not_exist_is_unreachable() -> None:
    item = first_item(Target(Address("no-such-host.invalid"), None))
    assert isinstance(item, Down)
    assert item.code == UNREACHABLE


def test_server_without_tls_is_not_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            sock, _ = listener.accept()
            sock.sendall(b"SSH-2.0-something\r\n")
            sock.recv(1000)
            sock.close()

        thread = threading.Thread(target=talk)
        thread.start()
        item = first_item(Target(Address("127.0.0.1", listener.getsockname()[1]), None))
        thread.join()
    assert isinstance(item, Down)
    assert item.code == NOT_A_SERVER


def test_silent_server_is_given_up() -> None:
    quick = Timings(connect_seconds=0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inbox = Inbox()
        transport = Transport(inbox, quick)
        transport.open(Target(Address("127.0.0.1", listener.getsockname()[1]), None))
        assert inbox.wait(10)
        assert inbox.drain()[0].code == UNREACHABLE
        transport.close()


def test_sign_in_tells_who_we_are(peer: Peer, client: Client) -> None:
    result = sign_in(client, peer)
    assert isinstance(result, SignedIn)
    assert client.member is not None
    assert client.member.name == "Lin Yue 林悦"


@pytest.mark.parametrize(
    ("member", "password", "code"),
    [(LIN, "wrong", codes.WRONG_PASSWORD), (99_999, PASSWORD, codes.UNKNOWN_MEMBER)],
)
def test_refused_sign_in_has_its_code(peer: Peer, client: Client, member: int, password: str, code: str) -> None:
    result = sign_in(client, peer, password, member)
    assert isinstance(result, Refusal)
    assert result.code == code
    assert client.member is None


def test_client_comes_back_after_the_server_was_restarted(peer: Peer, client: Client) -> None:
    states: list[str] = []
    ready: list[SessionReady] = []
    client.bus.subscribe(ConnectionChanged, lambda e: states.append(e.state))
    client.bus.subscribe(SessionReady, ready.append)
    sign_in(client, peer)
    peer.stop()
    wait_until(lambda: "reconnecting" in states, lambda: turn(client))
    peer.start()
    wait_until(lambda: len(ready) == 2, lambda: turn(client))
    assert ready[1].again
    assert states[-1] == "connected"


def test_client_does_not_come_back_to_a_server_with_another_key(peer: Peer, client: Client) -> None:
    ended: list[SessionEnded] = []
    client.bus.subscribe(SessionEnded, ended.append)
    sign_in(client, peer)
    peer.stop()
    peer.new_certificate()
    seen = peer.bytes_seen
    peer.start()
    wait_until(lambda: ended, lambda: turn(client))
    assert ended[0].code == KEY_CHANGED
    assert peer.bytes_seen == seen


def test_password_that_was_changed_meanwhile_ends_the_session(peer: Peer, client: Client) -> None:
    ended: list[SessionEnded] = []
    client.bus.subscribe(SessionEnded, ended.append)
    sign_in(client, peer)
    peer.stop()
    peer.refuse_sign_in = codes.WRONG_PASSWORD
    peer.start()
    wait_until(lambda: ended, lambda: turn(client))
    assert ended[0].code == codes.WRONG_PASSWORD


def test_requests_that_wait_are_told_when_the_connection_is_lost(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.silent_types.add(Type.ROSTER_REQUEST)
    answers: list[object] = []
    client.session.request(Type.ROSTER_REQUEST, packets.RosterRequest(), answers.append)
    peer.stop()
    wait_until(lambda: answers, lambda: turn(client))
    assert isinstance(answers[0], Refusal)
    assert answers[0].code == "connection_lost"


def test_request_without_an_answer_times_out(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.silent_types.add(Type.SYNC_REQUEST)
    answers: list[object] = []
    client.session.request(Type.SYNC_REQUEST, packets.SyncRequest(0), answers.append, seconds=0.05)
    wait_until(lambda: answers, lambda: turn(client))
    assert isinstance(answers[0], Refusal)
    assert answers[0].code == "timed_out"


def test_request_without_a_connection_is_not_sent(client: Client) -> None:
    answers: list[Refusal] = []
    client.session.request(Type.PING, None, answers.append)  # type: ignore[arg-type]
    assert answers[0].code == "not_connected"


def test_client_pings_when_it_has_nothing_else_to_say(peer: Peer, profile) -> None:
    client = Client(profile, Options(), Timings(keepalive_seconds=0.05))
    sign_in(client, peer)
    wait_until(lambda: peer.types_received().count(Type.PING) >= 2, lambda: turn(client))
    client.close()


def test_full_inbox_stops_the_reading_and_loses_nothing(peer: Peer) -> None:
    inbox = Inbox(items_max=10)
    transport = Transport(inbox, QUICK)
    transport.open(Target(Address("127.0.0.1", peer.port), peer.tls_pin))
    assert inbox.wait(5)
    up = inbox.drain(1)[0]
    for number in range(500):
        body = packets.SyncRequest(number)
        assert transport.send(up.generation, codec.encode(Type.PING, None, request_id=100 + number)), body
    got: list[int] = []
    while len(got) < 500:
        assert inbox.wait(5)
        got += [i.frame.request_id for i in inbox.drain(7) if isinstance(i, Arrived) and i.frame.flags & Flag.ANSWER]
    assert got == list(range(100, 600))
    transport.close()


def test_sign_out_says_goodbye(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    client.sign_out()
    wait_until(lambda: Type.SIGN_OUT in peer.types_received(), lambda: turn(client))
    assert client.member is None
