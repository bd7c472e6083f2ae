"""Chat: stored before it is acknowledged, pushed live, never twice, and there again after a cut."""

from __future__ import annotations

import os

from im_protocol import codes
from im_protocol.codec import encode_body
from im_protocol.packets import ChatAck, ChatSend, SyncRequest, Type
from tests.im_server.conftest import A, B, C, Lab
from tests.im_server.wire import body_of


def test_message_is_acknowledged_and_pushed_byte_for_byte(lab: Lab) -> None:
    server = lab.server()
    alice, bob = lab.client(server, A), lab.client(server, B)
    message = ChatSend(os.urandom(16), "你好, Bob 👋")
    accepted = alice.ask(Type.CHAT_SEND, message, receiver=B)
    assert accepted.type == Type.CHAT_ACCEPTED
    assert body_of(accepted).message_id == message.message_id
    assert body_of(accepted).sequence == 1
    event = bob.push(Type.CHAT_EVENT)
    assert (event.sender_id, event.receiver_id, event.request_id) == (A, B, 0)
    assert event.body.endswith(encode_body(message))
    assert body_of(event).sequence == 1
    assert body_of(event).message == message
    assert body_of(event).sent_at_ms == body_of(accepted).sent_at_ms


def test_repeated_message_id_gets_the_same_answer_and_is_not_delivered_again(lab: Lab) -> None:
    server = lab.server()
    alice, bob = lab.client(server, A), lab.client(server, B)
    message_id = os.urandom(16)
    first = body_of(alice.chat(B, "once", message_id))
    again = body_of(alice.chat(B, "once", message_id))
    assert first == again
    alice.chat(B, "after")
    assert body_of(bob.push(Type.CHAT_EVENT)).message.text == "once"
    second = body_of(bob.push(Type.CHAT_EVENT))
    assert (second.message.text, second.sequence) == ("after", 2)


def test_message_id_repeated_in_one_burst_is_stored_once(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    message_id = os.urandom(16)
    requests = [alice.send(Type.CHAT_SEND, ChatSend(message_id, "x"), receiver=B) for _ in range(20)]
    requests.append(alice.send(Type.CHAT_SEND, ChatSend(os.urandom(16), "y"), receiver=B))
    sequences = [body_of(alice.answer_to(r)).sequence for r in requests]
    assert sequences == [1] * 20 + [2]


def test_sequences_count_on_without_gaps_over_restart_and_cut(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    for number in range(30):
        assert body_of(alice.chat(B if number % 2 else C, f"m{number}")).sequence == number + 1
    lab.stop(server)
    server = lab.server()
    bob = lab.client(server, B)
    texts: list[str] = []
    after = 0
    while True:
        page = body_of(bob.ask(Type.SYNC_REQUEST, SyncRequest(after)))
        assert [e.event.sequence for e in page.entries] == list(range(after + 1, after + 1 + len(page.entries)))
        texts += [e.event.message.text for e in page.entries]
        after += len(page.entries)
        if not page.more:
            break
    assert texts == [f"m{n}" for n in range(30) if n % 2]
    assert body_of(lab.client(server, A).chat(B, "next")).sequence == 31
    assert body_of(bob.push(Type.CHAT_EVENT)).sequence == 16


def test_pages_of_the_longest_texts_stay_under_one_body_and_lose_nothing(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    longest = "👋" * 4_000
    for _ in range(9):
        alice.chat(B, longest)
    bob = lab.client(server, B)
    after, pages = 0, 0
    while True:
        page = body_of(bob.ask(Type.SYNC_REQUEST, SyncRequest(after)))
        assert page.entries[0].event.sequence == after + 1
        after, pages = page.entries[-1].event.sequence, pages + 1
        if not page.more:
            break
    assert (after, pages) == (9, 3)


def test_fields_appended_by_a_newer_client_survive_in_a_page_of_the_mailbox(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    body = b"\x93\xc4\x10" + os.urandom(16) + b"\xa2hi" + b"\xa5later"
    assert alice.answer_to(alice.send_raw(Type.CHAT_SEND, body, receiver=B)).type == Type.CHAT_ACCEPTED
    page = lab.client(server, B).ask(Type.SYNC_REQUEST, SyncRequest(0))
    assert body in page.body
    assert body_of(page).entries[0].event.message.text == "hi"


def test_sign_in_tells_the_newest_sequence_to_sync_up_to(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    alice.chat(B, "one")
    alice.chat(B, "two")
    bob = lab.client(server)
    assert body_of(bob.sign_in(B, "open sesame")).last_sequence == 2


def test_senders_other_device_sees_what_was_sent(lab: Lab) -> None:
    server = lab.server()
    phone, desk = lab.client(server, A), lab.client(server, A)
    phone.chat(B, "from my phone")
    event = desk.push(Type.CHAT_EVENT)
    assert (event.sender_id, event.receiver_id, body_of(event).sequence) == (A, B, 1)


def test_note_to_oneself_has_one_place_in_the_mailbox(lab: Lab) -> None:
    server = lab.server()
    alice, other = lab.client(server, A), lab.client(server, A)
    assert body_of(alice.chat(A, "remember")).sequence == 1
    assert body_of(other.push(Type.CHAT_EVENT)).sequence == 1
    page = body_of(alice.ask(Type.SYNC_REQUEST, SyncRequest(0)))
    assert len(page.entries) == 1


def test_chat_to_biller_or_stranger_is_refused_with_a_reason(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    for receiver, words in ((101, "biller"), (99_999, "no member"), (0, "no member")):
        refusal = alice.chat(receiver, "hello")
        assert body_of(refusal).code == codes.NO_SUCH_MEMBER
        assert words in body_of(refusal).message
    assert alice.chat(B, "still here").type == Type.CHAT_ACCEPTED


def test_acknowledged_sequence_is_kept_for_the_device(lab: Lab) -> None:
    server = lab.server()
    device = os.urandom(16)
    bob = lab.client(server, B, device=device)
    lab.client(server, A).chat(B, "hi")
    bob.push(Type.CHAT_EVENT)
    bob.send(Type.CHAT_ACK, ChatAck(1))
    bob.ask(Type.PING)
    bob.close()
    lab.stop(server)
    from im_server.store.database import open_database
    from im_server.store.models import Device

    database = open_database(lab.folder.database)
    rows = list(Device.select(Device.member_id, Device.acked_sequence).where(Device.device_id == device).tuples())
    database.close()
    assert rows == [(B, 1)]
