"""Every field of every request at its edges, over a real connection: nothing ends, nothing fails without cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from im_protocol import codes, limits
from im_protocol.codec import encode_frame
from im_protocol.packets import UNANSWERED, Type
from im_protocol.states import TRANSITIONS
from tests.im_server.conftest import A, B, Lab
from tests.im_server.edges import SAMPLES, Case, cases
from tests.im_server.wire import FakePayment, WireClient, body_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
REFUSED: list[dict[str, str]] = json.loads((ROOT / "tests/vectors/refused.json").read_text("utf-8"))
BEFORE_SIGN_IN = (Type.HELLO, Type.SIGN_IN)
AFTER_SIGN_IN = [t for t in SAMPLES if t not in (*BEFORE_SIGN_IN, Type.SIGN_OUT)]
RECEIVERS = {Type.CHAT_SEND: B, Type.KEY_CONFIG_REQUEST: limits.PAYMENT_ID}


def allowed(kind: Type, case: Case) -> bool:
    """What the page says beyond the types: a signature is printable."""
    return case.is_good and not (kind is Type.PRESENCE_SET and case.what == "signature NUL")


def test_every_type_that_a_client_may_send_has_a_sample() -> None:
    assert set(SAMPLES) | {Type.SEALED_REQUEST} == {kind for _state, kind in TRANSITIONS}


@pytest.mark.parametrize("kind", AFTER_SIGN_IN, ids=lambda t: t.name)
def test_every_field_at_its_edges_is_taken_or_a_bad_body_and_the_connection_stays(lab: Lab, kind: Type) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    for case in cases(kind):
        request_id = alice.send_raw(kind, case.body, RECEIVERS.get(kind, 0))
        alice.ask(Type.PING)
        answers = [f for f in alice.kept if f.request_id == request_id]
        refused = [body_of(f).code for f in answers if f.type == Type.REFUSAL]
        good = allowed(kind, case)
        wanted = [] if good else [codes.BAD_BODY]
        if kind is Type.KEY_CONFIG_REQUEST and good:
            wanted = [codes.PAYMENT_AWAY]
        if kind in (Type.CHAT_SEND, Type.SYNC_REQUEST) and good:  # answered by other threads, later than the ping
            answer = alice.answer_to(request_id)
            unknown = kind is Type.SYNC_REQUEST and case.what == "after_sequence most"
            assert answer.type != Type.REFUSAL or (unknown and body_of(answer).code == codes.MAILBOX_CHANGED), case
            continue
        assert refused == wanted, case
        assert bool(answers) or (good and kind in UNANSWERED), case
        alice.kept = [f for f in alice.kept if f.request_id != request_id]


def test_sign_out_with_a_wrong_body_is_refused_and_stays_and_with_a_right_one_closes(lab: Lab) -> None:
    server = lab.server()
    for case in cases(Type.SIGN_OUT):
        alice = lab.client(server, A)
        alice.send_raw(Type.SIGN_OUT, case.body)
        if case.is_good:
            assert [f for f in alice.until_closed() if f.type == Type.REFUSAL] == [], case
        else:
            assert body_of(alice.answer_to(alice.next_request)).code == codes.BAD_BODY, case
            assert alice.ask(Type.PING).type == Type.PONG
        alice.close()


@pytest.mark.parametrize("kind", BEFORE_SIGN_IN, ids=lambda t: t.name)
def test_every_field_before_sign_in_is_taken_or_a_bad_body_that_closes(lab: Lab, kind: Type) -> None:
    server = lab.server()
    good = {Type.HELLO: {Type.WELCOME}, Type.SIGN_IN: {Type.SIGNED_IN, Type.REFUSAL}}[kind]
    for case in cases(kind):
        client = WireClient(server.port, hello=kind is Type.SIGN_IN)
        answer = client.answer_to(client.send_raw(kind, case.body))
        if case.is_good:
            assert answer.type in good, case
            if answer.type == Type.REFUSAL:
                assert body_of(answer).code in (codes.WRONG_PASSWORD, codes.UNKNOWN_MEMBER, codes.RATE_LIMITED), case
        else:
            assert body_of(answer).code == codes.BAD_BODY, case
            assert client.until_closed() == []
        client.close()


@pytest.mark.parametrize("size", [0, 1, limits.BODY_BYTES_MAX])
def test_sealed_order_of_any_size_is_answered(lab: Lab, size: int) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    ask = alice.send_raw(Type.SEALED_REQUEST, bytes(size), limits.PAYMENT_ID)
    request = payment.next_frame()
    assert len(request.body) == size
    payment.answer(request, Type.SEALED_ANSWER, request.body)
    assert alice.answer_to(ask).body == bytes(size)


def test_every_header_id_at_its_edges_is_answered_and_the_connection_stays(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    body = b"\x92\xc4\x10" + bytes(16) + b"\xa2hi"
    for receiver in (0, 1, 99, 100, 9_999, 10_000, 2**31, 2**63 - 1, 2**63, 2**64 - 1):
        refusal = body_of(alice.answer_to(alice.send_raw(Type.CHAT_SEND, body, receiver)))
        assert refusal.code == codes.NO_SUCH_MEMBER
    for request_id in (1, 2**32 - 1):
        alice.sock.sendall(encode_frame(Type.PING, b"\x90", request_id=request_id, receiver_id=2**64 - 1))
        assert alice.answer_to(request_id).type == Type.PONG
    for sender in (1, B, 2**63, 2**64 - 1):
        alice.sock.sendall(encode_frame(Type.PING, b"\x90", request_id=7, sender_id=sender))
        assert body_of(alice.answer_to(7)).code == codes.FORGED_SENDER


@pytest.mark.parametrize("kind", [*AFTER_SIGN_IN, Type.SEALED_REQUEST], ids=lambda t: t.name)
def test_request_id_zero_is_for_packets_without_an_answer(lab: Lab, kind: Type) -> None:
    alice = lab.client(lab.server(), A)
    body = next(cases(kind)).body if kind in SAMPLES and SAMPLES[kind] is None else b"\x90"
    body = {Type.CHAT_ACK: b"\x91\x00", Type.PRESENCE_SET: b"\x91\xa4away"}.get(kind, body)
    alice.sock.sendall(encode_frame(kind, body, request_id=0, receiver_id=RECEIVERS.get(kind, 0)))
    alice.ask(Type.PING)
    refusals = [f for f in alice.kept if f.type == Type.REFUSAL]
    if kind in UNANSWERED:
        assert not refusals
    else:
        assert [(body_of(f).code, f.request_id, f.sender_id) for f in refusals] == [(codes.BAD_REQUEST_ID, 0, 0)]


def test_request_id_zero_before_sign_in_closes(lab: Lab) -> None:
    client = WireClient(lab.server().port, hello=False)
    client.sock.sendall(encode_frame(Type.HELLO, b"\x91\xa1x", request_id=0))
    assert [body_of(f).code for f in client.until_closed()] == [codes.BAD_REQUEST_ID]
    client.close()


@pytest.mark.parametrize("vector", REFUSED, ids=lambda v: v["name"])
def test_packet_that_the_page_shows_as_refused_is(lab: Lab, vector: dict[str, str]) -> None:
    alice = lab.client(lab.server(), A)
    alice.sock.sendall(bytes.fromhex(vector["hex"]))
    assert body_of(alice.wait(lambda f: f.type == Type.REFUSAL)).code == vector["code"]
    assert alice.ask(Type.PING).type == Type.PONG
    page = (ROOT / "im_protocol/PROTOCOL.md").read_text("utf-8")
    assert f"{vector['code']}: {vector['name']}\n{vector['hex']}\n" in page


def test_checks_come_in_the_order_of_the_page(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)

    def told(kind: int, *, request_id: int, sender: int, receiver: int = 99_999, body: bytes = b"\xc1") -> str:
        data = encode_frame(kind, body, request_id=request_id, sender_id=sender, receiver_id=receiver)
        alice.sock.sendall(data)
        return str(body_of(alice.wait(lambda f: f.type == Type.REFUSAL)).code)

    assert told(0xBEEF, request_id=0, sender=B) == codes.UNKNOWN_TYPE
    assert told(Type.HELLO, request_id=0, sender=B) == codes.NOT_NOW
    assert told(Type.CHAT_SEND, request_id=0, sender=B) == codes.FORGED_SENDER
    assert told(Type.CHAT_SEND, request_id=0, sender=A) == codes.BAD_REQUEST_ID
    assert told(Type.CHAT_SEND, request_id=1, sender=A) == codes.BAD_BODY
    good = b"\x92\xc4\x10" + bytes(16) + b"\xa2hi"
    assert told(Type.CHAT_SEND, request_id=1, sender=A, body=good) == codes.NO_SUCH_MEMBER
