"""Signing in, being replaced, and being slowed down after wrong passwords."""

from __future__ import annotations

import os
import threading
import time

import pytest

from im_protocol import codes
from im_protocol.packets import Hello, SignIn, Type
from im_server import throttle
from im_server.cli import set_password
from im_server.known_devices import DEVICES_PER_MEMBER_MAX
from im_server.store.database import open_database
from im_server.store.models import Device, KnownDevice
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


def test_many_guesses_at_once_get_no_more_than_one_after_another(lab: Lab) -> None:
    server = lab.server()
    clients = [lab.client(server) for _ in range(24)]
    asks = [c.send(Type.SIGN_IN, SignIn(A, "wrong", os.urandom(16))) for c in clients]
    told = [body_of(c.answer_to(ask)).code for c, ask in zip(clients, asks, strict=True)]
    assert told.count(codes.WRONG_PASSWORD) == throttle.FREE_FAILURES + 1
    assert told.count(codes.RATE_LIMITED) == 24 - throttle.FREE_FAILURES - 1


def test_right_password_while_guesses_are_judged_is_not_counted(lab: Lab) -> None:
    server = lab.server()
    for _ in range(2 * throttle.FREE_FAILURES):
        assert lab.client(server).sign_in(A, PASSWORD).type == Type.SIGNED_IN
    client = lab.client(server)
    assert body_of(client.sign_in(A, "wrong")).code == codes.WRONG_PASSWORD
    assert client.sign_in(A, PASSWORD).type == Type.SIGNED_IN


def test_rate_limited_at_sign_in_keeps_the_connection(lab: Lab) -> None:
    server = lab.server(password_queue_max=1)
    busy, go_on = threading.Event(), threading.Event()
    server.core.password_workers.submit(lambda: (busy.set(), go_on.wait(10)))
    assert busy.wait(5)
    server.core.password_workers.submit(lambda: None)  # the queue is full now
    client = lab.client(server)
    refusal = body_of(client.sign_in(A, PASSWORD))
    assert (refusal.code, refusal.retry_after_ms > 0) == (codes.RATE_LIMITED, True)
    go_on.set()
    assert client.ask(Type.PING).type == Type.PONG
    while (answer := client.sign_in(A, PASSWORD)).type == Type.REFUSAL:
        assert body_of(answer).code == codes.RATE_LIMITED
    assert answer.type == Type.SIGNED_IN


def test_neighbours_of_a_guesser_come_in_from_the_same_address(lab: Lab) -> None:
    server = lab.server()
    device = os.urandom(16)
    lab.client(server, A, device=device).close()
    lab.client(server, B).close()
    guesser = lab.client(server)
    for number in range(throttle.FREE_FAILURES + 2):
        guesser.sign_in(A, f"guess {number}")
    for number in range(throttle.FREE_FAILURES_PER_ADDRESS + 10):
        server.core.throttle.failed(50_000 + number, "127.0.0.1", time.monotonic())
    assert body_of(guesser.sign_in(77_777, "guess")).code == codes.RATE_LIMITED
    assert lab.client(server, A, device=device).member_id == A  # the device is known
    assert lab.client(server, B).member_id == B  # the member is known at this address


def test_guesses_on_a_known_device_are_counted_apart(lab: Lab) -> None:
    server = lab.server()
    device = os.urandom(16)
    lab.client(server, A, device=device).close()
    client = lab.client(server)
    for _ in range(throttle.FREE_FAILURES + 1):
        assert body_of(client.sign_in(A, "wrong", device=device)).code == codes.WRONG_PASSWORD
    assert body_of(client.sign_in(A, PASSWORD, device=device)).code == codes.RATE_LIMITED
    assert client.sign_in(A, PASSWORD).type == Type.SIGNED_IN


def test_hammering_at_a_few_members_leaves_first_tries_of_others_free() -> None:
    guard = throttle.Throttle()
    for number in range(400):
        attempt = throttle.Try(A + number % 20, "router")
        guard.begin(attempt, 1.0)
    assert guard.wait_seconds(A, "router", 1.0) > 0
    assert guard.wait_seconds(99_999, "router", 1.0) == 0


def test_try_that_could_not_be_judged_is_given_back() -> None:
    guard = throttle.Throttle()
    for _ in range(300):
        attempt = throttle.Try(A, "home")
        assert guard.begin(attempt, 1.0) == 0
        guard.undo(attempt)
    assert guard.wait_seconds(A, "home", 1.0) == 0


def test_known_device_signs_in_without_a_full_check_after_a_restart(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.server()
    device = os.urandom(16)
    lab.client(server, A, device=device).close()
    lab.stop(server)
    server = lab.server()
    checked: list[str] = []
    real = server.core.passwords.is_right
    monkeypatch.setattr(server.core.passwords, "is_right", lambda *a: checked.append("full") or real(*a))
    assert lab.client(server, A, device=device).member_id == A
    assert not checked
    assert lab.client(server, A).member_id == A
    assert checked == ["full"]
    assert body_of(lab.client(server).sign_in(A, "wrong", device=device)).code == codes.WRONG_PASSWORD
    assert checked == ["full"] * 2


def test_new_password_ends_the_quick_way_in(lab: Lab) -> None:
    server = lab.server()
    device = os.urandom(16)
    lab.client(server, A, device=device).close()
    set_password(lab.folder, A, "another one")
    client = lab.client(server)
    assert body_of(client.sign_in(A, PASSWORD, device=device)).code == codes.WRONG_PASSWORD
    assert client.sign_in(A, "another one", device=device).type == Type.SIGNED_IN


def test_database_does_not_hold_what_a_guess_at_the_password_needs(lab: Lab) -> None:
    server = lab.server()
    devices = [os.urandom(16) for _ in range(20)]
    for device in devices:
        lab.client(server, A, device=device).close()
    lab.stop(server)
    files = b"".join(path.read_bytes() for path in lab.folder.path.rglob("*") if path.is_file())
    assert not any(device in files for device in devices)
    database = open_database(lab.folder.database)
    kept = KnownDevice.select().where(KnownDevice.member_id == A).count()
    database.close()
    assert kept == DEVICES_PER_MEMBER_MAX


def test_device_ids_of_an_older_server_are_hidden_when_it_starts(lab: Lab) -> None:
    lab.stop(lab.server())
    device = os.urandom(16)
    database = open_database(lab.folder.database)
    sql = "INSERT INTO device (member_id, device_id, name, acked_sequence, seen_at_ms) VALUES (?, ?, '', 7, 0)"
    database.execute_sql(sql, (A, device))
    database.close()
    lab.stop(lab.server())
    database = open_database(lab.folder.database)
    rows = list(Device.select(Device.acked_sequence).where(Device.device_id == device).tuples())
    plain = database.execute_sql("SELECT count(*) FROM device WHERE length(device_id) = 16").fetchone()[0]
    database.close()
    assert (rows, plain) == ([(7,)], 0)


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
    set_password(lab.folder, A, "another one")
    client = lab.client(server)
    assert body_of(client.sign_in(A, PASSWORD)).code == codes.WRONG_PASSWORD
    assert client.sign_in(A, "another one").type == Type.SIGNED_IN
