"""The hosts in an invite link: this machine's own, or what the operator says, and nothing that cannot be reached."""

from __future__ import annotations

import ipaddress
import socket
from collections import namedtuple

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from im_protocol.invite import Invite, is_host, parse_invite
from im_server import addresses
from im_server.cli import parse_listen, reach_of

Entry = namedtuple("Entry", "family address")
State = namedtuple("State", "isup")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Interfaces and their addresses, instead of this machine's; one that begins with "down" is not up."""
    cards: dict[str, list[str]] = {}

    def entry(text: str) -> Entry:
        return Entry(socket.AF_INET6 if ":" in text else socket.AF_INET, text)

    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {n: [entry(a) for a in found] for n, found in cards.items()})
    monkeypatch.setattr(psutil, "net_if_stats", lambda: {n: State(not n.startswith("down")) for n in cards})
    monkeypatch.setattr(addresses, "_of_the_default_route", lambda: set(cards.get("default", ())))
    return cards


def test_all_addresses_of_the_machine_are_named_that_of_the_default_route_first(network: dict[str, list[str]]) -> None:
    network |= {
        "lo": ["127.0.0.1", "::1"],
        "eth1": ["10.66.0.1", "fe80::2%eth1", "fd66::1"],
        "default": ["192.168.1.20"],
        "docker0": ["172.17.0.1"],
        "down0": ["10.9.9.9"],
    }
    assert addresses.own_addresses() == ["192.168.1.20", "10.66.0.1", "fd66::1"]


def test_a_lan_without_a_default_route_has_its_address_in_the_link(network: dict[str, list[str]]) -> None:
    network["eth0"] = ["10.66.0.1"]
    assert addresses.own_addresses() == ["10.66.0.1"]


def test_a_network_of_ipv6_alone_has_its_address_in_the_link(network: dict[str, list[str]]) -> None:
    network["eth0"] = ["fe80::1%eth0", "fd00:66::1"]
    assert addresses.own_addresses() == ["fd00:66::1"]


def test_more_addresses_than_a_link_holds_are_left_out(network: dict[str, list[str]]) -> None:
    network["eth0"] = [f"2001:db8:1234:5678:9abc:def0:1234:{n:04x}" for n in range(40)]
    found = addresses.own_addresses()
    assert len(found) == addresses.HOSTS_MAX
    invite = Invite(found[0], 65_535, "宿" * 85, bytes(32), bytes(32), tuple(found[1:]))
    assert parse_invite(invite.link()) == invite


def test_a_link_that_works_here_only_says_so() -> None:
    assert "this machine only" in reach_of(Invite("127.0.0.1", 7470, "", bytes(32), bytes(32)))
    assert reach_of(Invite("10.66.0.1", 7470, "", bytes(32), bytes(32))) == ""


@pytest.mark.parametrize(
    "text",
    ["10.66.0.1:7470", "[::1]:7470", "host:1", "", " ", "a b", "300.1.1.1", "1.2.3", "fe80::1", "fe80::1%eth0", "x..y",
     "-x", ".x", "宿舍", "http://x", "x/y", "a" * 254, "::g", "[fd00::1"],
)  # fmt: skip
def test_a_host_that_would_make_a_broken_link_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r".{20,}"):
        addresses.checked_host(text)


@given(st.ip_addresses() | st.from_regex(r"[a-z][a-z0-9-]{0,20}(\.[a-z]{1,8}){0,3}", fullmatch=True))
def test_what_is_accepted_as_a_host_makes_a_link_that_reads_back(host: object) -> None:
    try:
        checked = addresses.checked_host(str(host))
    except ValueError:
        assert isinstance(host, ipaddress.IPv6Address) and host.is_link_local
        return
    assert is_host(checked)
    invite = Invite(checked, 7470, "Dorm", bytes(32), bytes(range(32)), ("10.0.0.1", checked))
    assert parse_invite(invite.link()) == invite


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ("", 7470)),
        (":0", ("", 0)),
        ("127.0.0.1", ("127.0.0.1", 7470)),
        ("127.0.0.1:1", ("127.0.0.1", 1)),
        ("::1", ("::1", 7470)),
        ("::", ("::", 7470)),
        ("fd00::7", ("fd00::7", 7470)),
        ("[::1]", ("::1", 7470)),
        ("[::1]:65535", ("::1", 65_535)),
    ],
)
def test_every_way_to_write_where_to_listen_is_understood(text: str, meant: tuple[str, int]) -> None:
    assert parse_listen(text) == meant


@pytest.mark.parametrize("text", ["h:65536", "h:-1", "h:x", "h:１", "[::1", "[::1]7470", "h:" + "9" * 20])
def test_where_nobody_can_listen_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"--listen|port"):
        parse_listen(text)
