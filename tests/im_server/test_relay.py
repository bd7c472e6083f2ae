"""The forwarder: passes sealed orders on unread, and says exactly what may have happened when the subsystem is gone."""

from __future__ import annotations

import os

from im_protocol import codes, limits
from im_protocol.packets import AccountsChanged, LinkHello, Type
from tests.im_server.conftest import A, B, Lab
from tests.im_server.wire import FakePayment, WireClient, body_of, encode

PAYMENT = limits.PAYMENT_ID


def test_sealed_order_goes_and_comes_back_byte_for_byte(lab: Lab) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice, bob = lab.client(server, A), lab.client(server, B)
    order_a, order_b = os.urandom(3_000), os.urandom(600)
    ask_a = alice.send_raw(Type.SEALED_REQUEST, order_a, PAYMENT)
    first = payment.next_frame()
    ask_b = bob.send_raw(Type.SEALED_REQUEST, order_b, PAYMENT)
    second = payment.next_frame()
    assert (first.sender_id, first.receiver_id, first.body) == (A, PAYMENT, order_a)
    assert (second.sender_id, second.body) == (B, order_b)
    payment.answer(second, Type.SEALED_ANSWER, b"for bob")
    payment.answer(first, Type.SEALED_ANSWER, b"for alice")
    assert bob.answer_to(ask_b).body == b"for bob"
    answer = alice.answer_to(ask_a)
    assert (answer.type, answer.body, answer.sender_id, answer.receiver_id) == (
        Type.SEALED_ANSWER,
        b"for alice",
        PAYMENT,
        A,
    )


def test_payment_away_before_the_order_left_means_nothing_was_charged(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    refusal = body_of(alice.answer_to(alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)))
    assert refusal.code == codes.PAYMENT_AWAY
    assert "nothing was charged" in refusal.message
    assert body_of(alice.ask(Type.KEY_CONFIG_REQUEST, receiver=PAYMENT)).code == codes.PAYMENT_AWAY


def test_link_lost_after_the_order_left_means_the_outcome_is_unknown(lab: Lab) -> None:
    server = lab.server()
    payment = FakePayment(lab.folder)
    alice, bob = lab.client(server, A), lab.client(server, B)
    ask = alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)
    payment.next_frame()
    payment.close()
    assert body_of(alice.answer_to(ask)).code == codes.OUTCOME_UNKNOWN
    assert bob.chat(A, "chat goes on").type == Type.CHAT_ACCEPTED
    lab.keep(FakePayment(lab.folder))
    lab.client(server, A)


def test_answer_for_another_member_is_not_passed_on(lab: Lab) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    ask = alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)
    request = payment.next_frame()
    payment.answer(request._replace(sender_id=B), Type.SEALED_ANSWER, b"bob's secret")
    assert body_of(alice.answer_to(ask)).code == codes.OUTCOME_UNKNOWN


def test_answer_for_a_client_that_left_is_dropped(lab: Lab) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)
    request = payment.next_frame()
    alice.close()
    again = lab.client(server, A)
    payment.answer(request, Type.SEALED_ANSWER, b"late")
    ask = again.send_raw(Type.SEALED_REQUEST, b"y" * 600, PAYMENT)
    payment.answer(payment.next_frame(), Type.SEALED_ANSWER, b"mine")
    assert again.answer_to(ask).body == b"mine"


def test_orders_of_one_member_are_bounded(lab: Lab) -> None:
    server = lab.server(relay_per_member_max=2)
    lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    asks = [alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT) for _ in range(3)]
    assert body_of(alice.answer_to(asks[2])).code == codes.RATE_LIMITED


def test_orders_that_are_never_answered_make_room_again(lab: Lab) -> None:
    server = lab.server(relay_per_member_max=2, relay_seconds_max=0.0)
    lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    asks = [alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT) for _ in range(3)]
    assert [body_of(alice.answer_to(ask)).code for ask in asks[:2]] == [codes.OUTCOME_UNKNOWN] * 2


def test_link_that_is_replaced_leaves_nobody_waiting(lab: Lab) -> None:
    server = lab.server()
    older = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    ask = alice.send_raw(Type.SEALED_REQUEST, b"x" * 600, PAYMENT)
    older.next_frame()
    newer = lab.keep(FakePayment(lab.folder))
    assert body_of(alice.answer_to(ask)).code == codes.OUTCOME_UNKNOWN
    ask = alice.send_raw(Type.SEALED_REQUEST, b"y" * 600, PAYMENT)
    newer.answer(newer.next_frame(), Type.SEALED_ANSWER, b"mine")
    assert alice.answer_to(ask).body == b"mine"


def test_order_to_another_receiver_is_refused(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    assert body_of(alice.answer_to(alice.send_raw(Type.SEALED_REQUEST, b"x", B))).code == codes.NO_SUCH_MEMBER


def test_link_with_a_wrong_token_is_refused(lab: Lab) -> None:
    server = lab.server()
    genuine = lab.keep(FakePayment(lab.folder))
    other = FakePayment.__new__(FakePayment)
    FakePayment.__init__(other, lab.folder)
    other.write(encode(Type.LINK_HELLO, LinkHello(b"wrong", bytes(32), []), request_id=5))
    assert body_of(other.next_frame()).code == codes.WRONG_PASSWORD
    other.close()
    assert genuine is not None
    assert server.core.payment_root == bytes(range(32))


def test_members_whose_accounts_changed_are_told(lab: Lab) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice, bob = lab.client(server, A), lab.client(server, B)
    payment.write(encode(Type.ACCOUNTS_CHANGED, AccountsChanged([A, 77_777])))
    assert alice.push(Type.PAYMENT_NOTICE).request_id == 0
    assert bob.ask(Type.PING).type == Type.PONG
    assert not [f for f in bob.kept if f.type == Type.PAYMENT_NOTICE]


def test_welcome_shows_the_payment_key_and_keeps_it_over_a_restart(lab: Lab) -> None:
    server = lab.server()
    FakePayment(lab.folder).close()
    lab.stop(server)
    server = lab.server()
    client = WireClient(server.port, hello=False)
    from im_protocol.packets import Hello

    assert body_of(client.ask(Type.HELLO, Hello("x"))).payment_root == bytes(range(32))
    client.close()
