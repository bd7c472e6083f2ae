"""Signing in, being replaced, and being slowed down after wrong passwords."""

from __future__ import annotations

import os

from im_protocol import codes
from im_protocol.packets import Hello, Type
from im_server import throttle
from im_server.cli import member_command
from tests.im_server.conftest import PASSWORD, A, B, Lab
from tests.im_server.wire import WireClient, body_of, pin_shown


def test_welcome_names_the_server_and_shows_the_pinned_key(lab: Lab) -> None:
    server = lab.server()
    client = WireClient(server.port, hello=False)
    welcome = body_of(client.ask(Type.HELLO, Hello("tests", "zh-CN")))
    assert (welcome.server_name, welcome.payment_root) == ("BillBuddy", bytes(32))
    assert pin_shown(client.sock) == server.tls_pin
    client.close()


def test_wrong_password_and_unknown_member_have_their_own_codes_and_may_try_again(lab: Lab) -> None:
    client = lab.client(lab.server())
    assert body_of(client.sign_in(A, "wrong")).code == codes.WRONG_PASSWORD
    assert body_of(client.sign_in(55_555, PASSWORD)).code == codes.UNKNOWN_MEMBER
    assert body_of(client.sign_in(A, PASSWORD)).name == "Alice"


def test_guessing_slows_down_but_only_for_that_member(lab: Lab) -> None:
    server = lab.server()
    client = lab.client(server)
    for _ in range(throttle.FREE_FAILURES + 1):
        assert body_of(client.sign_in(A, "wrong")).code == codes.WRONG_PASSWORD
    refusal = body_of(client.sign_in(A, PASSWORD))
    assert refusal.code == codes.RATE_LIMITED
    assert 0 < refusal.retry_after_ms <= 2_000
    assert client.sign_in(B, PASSWORD).type == Type.SIGNED_IN


def test_throttle_counts_by_address_doubles_and_forgets() -> None:
    guard = throttle.Throttle()
    for _ in range(throttle.FREE_FAILURES + 3):
        guard.failed(A, "stranger", 100.0)
    assert guard.wait_seconds(A, "stranger", 100.0) == throttle.WAIT_SECONDS_MIN * 4
    assert guard.wait_seconds(A, "home", 100.0) == 0
    assert guard.wait_seconds(A, "stranger", 100.0 + throttle.WAIT_SECONDS_MIN * 4) == 0
    guard.succeeded(A, "stranger")
    assert guard.wait_seconds(A, "stranger", 100.0) == 0


def test_throttle_stops_one_address_that_tries_many_members() -> None:
    guard = throttle.Throttle()
    for member in range(throttle.FREE_FAILURES_PER_ADDRESS + 1):
        guard.failed(A + member, "stranger", 5.0)
    assert guard.wait_seconds(99_999, "stranger", 5.0) > 0
    assert guard.wait_seconds(99_999, "home", 5.0) == 0


def test_new_sign_in_of_one_device_replaces_its_old_connection(lab: Lab) -> None:
    server = lab.server()
    device = os.urandom(16)
    old = lab.client(server, A, device=device)
    other = lab.client(server, A)
    new = lab.client(server, A, device=device)
    assert body_of(old.until_closed()[-1]).code == codes.SIGNED_IN_ELSEWHERE
    assert new.ask(Type.PING).type == Type.PONG
    assert other.ask(Type.PING).type == Type.PONG


def test_too_many_devices_replace_the_oldest(lab: Lab) -> None:
    server = lab.server(devices_per_member_max=2)
    oldest, *_rest = [lab.client(server, A) for _ in range(3)]
    assert body_of(oldest.until_closed()[-1]).code == codes.SIGNED_IN_ELSEWHERE


def test_sign_out_closes_the_connection(lab: Lab) -> None:
    client = lab.client(lab.server(), A)
    client.send(Type.SIGN_OUT)
    assert client.until_closed() is not None


def test_changed_password_is_in_force_at_once(lab: Lab) -> None:
    server = lab.server()
    lab.client(server, A)
    member_command(lab.folder, ["password", str(A)], b"another one")
    client = lab.client(server)
    assert body_of(client.sign_in(A, PASSWORD)).code == codes.WRONG_PASSWORD
    assert client.sign_in(A, "another one").type == Type.SIGNED_IN
