"""A server is found at whichever of its addresses answers with its key, and known again wherever it is."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_client.app import Client, Options
from desktop_client.config import Address
from desktop_client.profile import KnownServer, Profile
from desktop_client.signin import SignInFlow
from desktop_client.transport import KEY_CHANGED, UNREACHABLE, Down, Target, Up
from im_protocol.packets import SignedIn
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, PASSWORD, Peer
from tests.desktop_client.test_transport import first_item, turn

KEYS = ("aa" * 32, "bb" * 32)


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes nobody: its queue of connections is full, as behind a network that swallows packets."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(4):
            sock = waiting.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@pytest.fixture
def stranger() -> Iterator[Peer]:
    """Another server, with a key of its own."""
    with Peer() as other:
        yield other


def test_a_server_is_found_at_its_second_address_when_the_first_swallows_packets(peer: Peer) -> None:
    with silent_port() as port:
        item = first_item(Target(Address("127.0.0.2", port), peer.tls_pin, others=(Address("127.0.0.1", peer.port),)))
    assert isinstance(item, Up)


def test_a_server_is_found_when_the_first_address_refuses_and_the_second_has_no_name(peer: Peer) -> None:
    others = (Address("no-such-host.invalid", peer.port), Address("::1", 1), Address("127.0.0.1", peer.port))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        item = first_item(Target(Address("127.0.0.1", unused.getsockname()[1]), peer.tls_pin, others=others))
    assert isinstance(item, Up)


def test_another_machine_at_the_first_address_does_not_keep_the_server_from_being_found(
    peer: Peer, stranger: Peer
) -> None:
    others = (Address("127.0.0.1", peer.port),)
    item = first_item(Target(Address("127.0.0.1", stranger.port), peer.tls_pin, others=others))
    assert isinstance(item, Up)
    assert item.tls_pin == peer.tls_pin


def test_a_wrong_key_is_told_as_such_when_no_address_shows_the_right_one(peer: Peer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        others = (Address("127.0.0.1", unused.getsockname()[1]), Address("no-such-host.invalid", 1))
        item = first_item(Target(Address("127.0.0.1", peer.port), bytes(32), others=others))
    assert isinstance(item, Down)
    assert (item.code, item.seen_pin) == (KEY_CHANGED, peer.tls_pin)


def test_addresses_that_nobody_is_at_are_unreachable() -> None:
    item = first_item(Target(Address("no-such-host.invalid"), bytes(32), others=(Address("also-none.invalid"),)))
    assert isinstance(item, Down)
    assert item.code == UNREACHABLE


# ---- known again ---------------------------------------------------------------------------------------------------


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path)


def test_a_server_that_moved_keeps_its_place_and_its_old_addresses(profile: Profile) -> None:
    profile.trust(KnownServer("10.0.0.1", 7470, "Dorm", *KEYS, payment_root="cc", others=["fd00::1"]))
    profile.trust(KnownServer("10.0.0.9", 7470, "Dorm", *KEYS))
    (server,) = profile.servers
    assert (server.host, server.others, server.payment_root) == ("10.0.0.9", ["10.0.0.1", "fd00::1"], "cc")
    for host in ("10.0.0.9", "10.0.0.1", "fd00::1"):
        assert profile.server_at(Address(host, 7470)) == server


def test_nobody_is_asked_about_a_key_that_is_trusted_already_when_the_server_moved(
    peer: Peer, profile: Profile
) -> None:
    there = peer.known()
    there.host = "10.66.0.1"
    profile.trust(there)
    client = Client(profile, Options(), QUICK)
    results: list[object] = []
    flow = SignInFlow(client, lambda *_: pytest.fail("the key is known"))
    flow.start(str(LIN), PASSWORD, f"127.0.0.1:{peer.port}", True, results.append)
    wait_until(lambda: results, lambda: turn(client))
    client.close()
    assert isinstance(results[0], SignedIn)
    assert [(server.host, server.others) for server in profile.servers] == [("127.0.0.1", ["10.66.0.1"])]


def test_another_server_at_a_known_address_takes_its_place_there_alone(profile: Profile) -> None:
    profile.trust(KnownServer("10.0.0.1", 7470, "Dorm", *KEYS))
    new = profile.trust(KnownServer("10.0.0.1", 7470, "Office", "dd" * 32, "ee" * 32))
    assert profile.servers == [new]


def test_addresses_of_a_server_that_moves_every_day_stay_few(profile: Profile) -> None:
    for n in range(40):
        profile.trust(KnownServer(f"10.0.0.{n}", 7470, "Dorm", *KEYS))
    (server,) = profile.servers
    assert server.host == "10.0.0.39"
    assert server.others == [f"10.0.0.{n}" for n in range(38, 31, -1)]
