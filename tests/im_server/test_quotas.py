"""What one member may ask for: refusals that say when to try again, and truthfully; nobody else notices."""

from __future__ import annotations

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im_protocol import codes, limits
from im_protocol.codec import encode, encode_frame
from im_protocol.packets import (
    ChatAccepted,
    ChatSend,
    PresenceSet,
    Refusal,
    RosterRequest,
    SyncRequest,
    Type,
)
from im_server.core import PACKETS_BEFORE_SIGN_IN_MAX
from im_server.quotas import KINDS, Bucket, QuotaBook, Quotas, Rate
from im_server.store.writer import HEAVY_PER_COMMIT_MAX, LIGHT_WAITING_MAX
from tests.im_server.conftest import A, B, Lab
from tests.im_server.edges import SAMPLES
from tests.im_server.wire import FakePayment, WireClient, body_of

FEW = Rate(5, 20)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 10)), max_size=60))
def test_bucket_gives_no_more_than_its_rate_and_waits_are_true(steps: list[tuple[float, float]]) -> None:
    bucket, now, given_out = Bucket(Rate(10, 2), 0.0), 0.0, 0.0
    for pause, cost in steps:
        now += pause
        wait = bucket.take(now, cost)
        if wait:
            assert bucket.take(now + wait / 2, cost)
            now += wait + 1e-9
            assert not bucket.take(now, cost)
        given_out += cost
        assert given_out <= 10 + 2 * now + 1e-6


def test_quota_is_the_members_over_connections_and_forgotten_when_it_says_nothing() -> None:
    book = QuotaBook(Quotas())
    first = book.of(A, 0.0)
    assert book.of(A, 10.0) is first
    book.forget_idle(86_000.0)
    assert book.of(A, 86_000.0) is first
    book.forget_idle(200_000.0)
    assert book.of(A, 200_000.0) is not first


@pytest.mark.parametrize(
    "kind", [t for t in KINDS if t not in (Type.SIGN_IN, Type.SEALED_REQUEST)], ids=lambda t: Type(t).name
)
def test_too_many_packets_of_every_kind_are_refused_until_the_time_that_is_said(lab: Lab, kind: Type) -> None:
    server = lab.server(quotas=Quotas(**{KINDS[kind]: FEW}))
    alice, desk, bob = lab.client(server, A), lab.client(server, A), lab.client(server, B)
    receiver = limits.PAYMENT_ID if kind == Type.KEY_CONFIG_REQUEST else 0
    body = SAMPLES[Type(kind)]
    for number in range(12):  # both devices draw on the same quota
        (alice, desk)[number % 2].send(Type(kind), body, receiver=receiver)
    refusals: list[Refusal] = []
    for client in (alice, desk):
        client.chat(B, "afterwards")
        refusals += [body_of(f) for f in client.kept if f.type == Type.REFUSAL]
    limited = [r for r in refusals if r.code == codes.RATE_LIMITED]
    assert 5 <= len(limited) <= 7
    assert all(0 < r.retry_after_ms <= 1_000 for r in limited)
    assert bob.chat(A, "nobody else notices").type == Type.CHAT_ACCEPTED
    threading.Event().wait(max(r.retry_after_ms for r in limited) / 1_000)
    again = alice.send(Type(kind), body, receiver=receiver)
    alice.chat(B, "as promised")
    told = [body_of(f).code for f in alice.kept if f.request_id == again and f.type == Type.REFUSAL]
    assert codes.RATE_LIMITED not in told


def test_flood_of_messages_is_refused_and_what_was_accepted_is_there(lab: Lab) -> None:
    server = lab.server(quotas=Quotas(chat=Rate(50, 10)))
    alice, bob = lab.client(server, A), lab.client(server, B)
    asks = [alice.send(Type.CHAT_SEND, ChatSend(os.urandom(16), f"{n}"), receiver=B) for n in range(80)]
    answers = [body_of(alice.answer_to(ask)) for ask in asks]
    accepted = [a for a in answers if isinstance(a, ChatAccepted)]
    assert 50 <= len(accepted) <= 60
    assert [a.sequence for a in accepted] == list(range(1, len(accepted) + 1))
    assert bob.chat(A, "I may").type == Type.CHAT_ACCEPTED


def test_long_bodies_cost_more_and_the_day_has_an_end(lab: Lab) -> None:
    server = lab.server(quotas=Quotas(stored_bytes=Rate(100_000, 1)))
    alice = lab.client(server, A)
    stored = 0
    while (answer := alice.chat(B, "x" * 4_000)).type == Type.CHAT_ACCEPTED:
        stored += 4_000
    assert 80_000 < stored <= 100_000
    assert body_of(answer).retry_after_ms > 60_000
    assert lab.client(server, B).chat(A, "x" * 4_000).type == Type.CHAT_ACCEPTED


def test_orders_of_one_member_on_all_devices_share_the_places(lab: Lab) -> None:
    server = lab.server(relay_per_member_max=4)
    payment = lab.keep(FakePayment(lab.folder))
    devices = [lab.client(server, A) for _ in range(3)]
    asks = [(d, d.send_raw(Type.SEALED_REQUEST, b"x" * 600, limits.PAYMENT_ID)) for d in devices for _ in range(2)]
    for device in devices:
        device.ask(Type.PING)
    refused = [f for d in devices for f in d.kept if f.type == Type.REFUSAL]
    assert [body_of(f).code for f in refused] == [codes.RATE_LIMITED] * 2
    requests = [payment.next_frame() for _ in range(4)]
    bob = lab.client(server, B)
    ask = bob.send_raw(Type.SEALED_REQUEST, b"y" * 600, limits.PAYMENT_ID)
    payment.answer(payment.next_frame(), Type.SEALED_ANSWER, b"for bob")
    assert bob.answer_to(ask).body == b"for bob"
    devices[0].close()
    for request in requests:
        payment.answer(request, Type.SEALED_ANSWER, b"done")
    for device, ask in asks[2:]:
        device.answer_to(ask)
    assert server.core.relay._by_member == {}


def test_who_goes_on_after_refusals_is_read_slowly_and_loses_nothing(lab: Lab) -> None:
    server = lab.server(quotas=Quotas(wrong=Rate(20, 200)))
    alice, bob = lab.client(server, A), lab.client(server, B)
    flood = b"".join(encode_frame(0xBEEF, b"\x90", request_id=n) for n in range(1, 101))
    began = time.monotonic()
    alice.sock.sendall(flood)
    alice.sock.sendall(flood)
    alice.next_request = 500
    assert bob.ask(Type.PING).type == Type.PONG
    assert alice.chat(B, "after all").type == Type.CHAT_ACCEPTED
    refused = [f for f in alice.kept if f.type == Type.REFUSAL]
    assert len(refused) == 200
    assert time.monotonic() - began > 0.2


def test_presence_flood_leaves_no_queue_of_jobs(lab: Lab) -> None:
    server = lab.server(quotas=Quotas(presence=Rate(10_000, 10_000), wrong=Rate(1, 1)))
    alice = lab.client(server, A)
    blocked, go_on = threading.Event(), threading.Event()
    server.core.writer.submit(lambda: (blocked.set(), go_on.wait(10)))
    assert blocked.wait(5)
    flood = b"".join(encode(Type.PRESENCE_SET, PresenceSet("busy", f"s{n}"), request_id=n) for n in range(1, 3_001))
    alice.sock.sendall(flood)
    alice.next_request = 4_000
    assert alice.ask(Type.PING).type == Type.PONG
    assert len(server.core.writer._facts) == 1
    go_on.set()
    lab.stop(server)
    roster = body_of(lab.client(lab.server(), B).ask(Type.ROSTER_REQUEST, RosterRequest()))
    assert "s3000" in {c.signature for g in roster.groups for c in g.contacts}


def test_pages_of_history_for_one_member_are_bounded(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from im_server.handlers import sync

    server = lab.server(pages_per_member_max=2)
    alice, bob = lab.client(server, A), lab.client(server, B)
    go_on, real = threading.Event(), sync.read_mailbox

    def slow(member_id: int, after: int) -> object:
        go_on.wait(10)
        return real(member_id, after)

    with monkeypatch.context() as patch:
        patch.setattr(sync, "read_mailbox", slow)
        asks = [alice.send(Type.SYNC_REQUEST, SyncRequest(0)) for _ in range(3)]
        assert body_of(alice.answer_to(asks[2])).code == codes.RATE_LIMITED
        go_on.set()
        assert [alice.answer_to(ask).type for ask in asks[:2]] == [Type.SYNC_RESULT] * 2
    assert bob.ask(Type.SYNC_REQUEST, SyncRequest(0)).type == Type.SYNC_RESULT
    for _ in range(5):
        assert alice.ask(Type.SYNC_REQUEST, SyncRequest(0)).type == Type.SYNC_RESULT


def test_stranger_who_pings_on_and_on_is_dropped(lab: Lab) -> None:
    client = lab.client(lab.server())
    for _ in range(PACKETS_BEFORE_SIGN_IN_MAX + 1):
        client.send(Type.PING)
    frames = client.until_closed()
    assert [f.type for f in frames] == [Type.PONG] * PACKETS_BEFORE_SIGN_IN_MAX + [Type.REFUSAL]
    assert body_of(frames[-1]).code == codes.RATE_LIMITED


def test_connections_of_one_address_have_a_rate(lab: Lab) -> None:
    server = lab.server(connections_per_address_burst=3, connections_per_address_per_second=0.01)
    kept = [lab.client(server) for _ in range(3)]
    with pytest.raises(OSError):  # closed before TLS
        WireClient(server.port)
    assert kept[0].sign_in(A, "open sesame").type == Type.SIGNED_IN


def test_acknowledgement_backwards_or_beyond_changes_nothing(lab: Lab) -> None:
    from im_protocol.packets import ChatAck

    server = lab.server()
    alice, bob = lab.client(server, A), lab.client(server, B)
    for number in range(3):
        alice.chat(B, f"{number}")
    (conn,) = server.sessions.online[B]
    for told, kept in ((2, 2), (1, 2), (2**63 - 1, 3), (0, 3)):
        bob.send(Type.CHAT_ACK, ChatAck(told))
        bob.ask(Type.PING)
        assert conn.acked_sequence == kept


def test_messages_of_the_light_do_not_wait_for_those_of_the_heavy_and_orders_stay(lab: Lab) -> None:
    server = lab.server(quotas=Quotas(chat=Rate(100_000, 100_000)))
    alice, bob = lab.client(server, A), lab.client(server, B)
    blocked, go_on = threading.Event(), threading.Event()
    server.core.writer.submit(lambda: (blocked.set(), go_on.wait(10)))
    assert blocked.wait(5)
    asks = [alice.send(Type.CHAT_SEND, ChatSend(os.urandom(16), f"{n}"), receiver=A) for n in range(1_500)]
    while not server.core.writer._heavy_waiting:
        blocked.wait(0.01)
    ask = bob.send(Type.CHAT_SEND, ChatSend(os.urandom(16), "one word"), receiver=B)
    while not server.core.writer._waiting:
        blocked.wait(0.01)
    stored: list[int] = []
    deliver = server.core.writer._delivered

    def count(posts: list[object], places: list[object]) -> None:
        stored.append(len(posts))
        deliver(posts, places)  # type: ignore[arg-type]

    server.core.writer._delivered = count  # type: ignore[assignment]
    go_on.set()
    assert bob.answer_to(ask).type == Type.CHAT_ACCEPTED
    assert [body_of(alice.answer_to(ask)).sequence for ask in asks] == list(range(1, 1_501))
    assert max(stored) <= HEAVY_PER_COMMIT_MAX + 2 * LIGHT_WAITING_MAX + 2
    texts, after = [], 0
    while True:
        page = body_of(alice.ask(Type.SYNC_REQUEST, SyncRequest(after)))
        texts += [e.event.message.text for e in page.entries]
        if not page.more:
            break
        after = page.entries[-1].event.sequence
    assert texts == [f"{n}" for n in range(1_500)]
