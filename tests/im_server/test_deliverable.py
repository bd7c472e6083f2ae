"""What is accepted can be delivered, in every form in which it will ever be packed."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_body, encode, encode_body, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import (
    ChatEvent,
    ChatSend,
    Contact,
    Presence,
    PresenceEvent,
    PresenceSet,
    Roster,
    RosterRequest,
    SignedIn,
    SyncEntry,
    SyncRequest,
    SyncResult,
    Type,
)
from im_server.delivery import _event
from im_server.directory import Directory
from im_server.handlers.chat import checked
from im_server.store.database import open_database
from im_server.store.members import MemberRow
from im_server.store.mending import MARK, deliverable
from im_server.store.models import Message
from tests.im_server.conftest import A, B, Lab
from tests.im_server.wire import FakePayment, body_of

MOST = limits.ID_MAX
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=400),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=60,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200) | st.sampled_from(
    ["x" * 4_000, "👋" * 4_000, "\0" * 4_000, "x"]
)


def in_every_form(body: bytes) -> list[ChatSend]:
    """The message as a receiver reads it: pushed, and from a page of a mailbox; at the largest numbers."""
    (frame,) = FrameReader().receive_data(_event(MOST, MOST, MOST, MOST, body))
    pushed = decode_body(frame, ChatEvent).message
    entry = SyncEntry(MOST, MOST, ChatEvent(MOST, MOST, msgspec.Raw(deliverable(body))))  # type: ignore[arg-type]
    page = encode(Type.SYNC_RESULT, SyncResult([entry], more=True))
    (frame,) = FrameReader().receive_data(page)
    return [pushed, decode_body(frame, SyncResult).entries[0].event.message]


@settings(deadline=None)
@given(texts, st.lists(values, max_size=6), st.integers(0, 16_000))
def test_every_accepted_message_reads_back_in_every_form(text: str, appended: list[Any], padding: int) -> None:
    body = msgspec.msgpack.encode([bytes(16), text, *appended, bytes(padding)])
    try:
        message = checked(Type.CHAT_SEND, body)
    except RemoteProtocolError as error:
        assert error.code == codes.BAD_BODY
        assert deliverable(body)  # and if an older server took it, it can still be handed out
        assert in_every_form(deliverable(body))[1].text == text
        return
    assert deliverable(body) == body
    assert in_every_form(body) == [message] * 2


def test_longest_text_has_room_for_appended_fields_and_the_limit_is_exact(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    whole = b"\x93\xc4\x10" + bytes(15) + b"\1" + msgspec.msgpack.encode("👋" * limits.TEXT_CHARS_MAX)
    room = limits.CHAT_BODY_BYTES_MAX - len(whole) - 3
    body = whole + b"\xc5" + room.to_bytes(2, "big") + bytes(room)
    assert len(body) == limits.CHAT_BODY_BYTES_MAX
    assert alice.answer_to(alice.send_raw(Type.CHAT_SEND, body, B)).type == Type.CHAT_ACCEPTED
    longer = whole + b"\xc5" + (room + 1).to_bytes(2, "big") + bytes(room + 1)
    assert body_of(alice.answer_to(alice.send_raw(Type.CHAT_SEND, longer, B))).code == codes.BAD_BODY
    page = body_of(alice.ask(Type.SYNC_REQUEST, SyncRequest(0)))
    assert [e.event.message.text for e in page.entries] == ["👋" * limits.TEXT_CHARS_MAX]


BAD_ROWS = {
    "longer than a packet": b"\x93\xc4\x10" + bytes(16) + b"\xa2hi" + b"\xc5\xff\xd8" + bytes(65_496),
    "nested deeply": b"\x93\xc4\x10" + bytes(16) + b"\xa2hi" + b"\x91" * 5_000 + b"\x90",
    "appended rubbish": b"\x93\xc4\x10" + bytes(16) + b"\xa2hi" + b"\xc1",
    "not UTF-8": b"\x92\xc4\x10" + bytes(16) + b"\xa2\xff\xfe",
    "empty": b"",
    "rubbish": b"\xc1\xc1\xc1",
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=list(BAD_ROWS))
def test_bad_row_in_a_mailbox_keeps_its_place_and_nobody_from_what_follows(lab: Lab, row: bytes) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    for text in ("before", "the bad one", "after"):
        alice.chat(B, text)
    lab.stop(server)
    database = open_database(lab.folder.database)
    Message.update(body=row).where(Message.sender_sequence == 2).execute()
    database.close()
    server = lab.server()
    for member in (A, B):
        page = body_of(lab.client(server, member).ask(Type.SYNC_REQUEST, SyncRequest(0)))
        assert [e.event.sequence for e in page.entries] == [1, 2, 3]
        before, bad, after = (e.event.message.text for e in page.entries)
        assert (before, after) == ("before", "after")
        assert bad in ("hi", MARK)


def test_page_that_cannot_be_read_is_still_answered(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from im_server.handlers import sync

    alice = lab.client(lab.server(), A)
    with monkeypatch.context() as patch:
        patch.setattr(sync, "read_mailbox", lambda *_: SyncResult([], more=bytes(70_000)))  # type: ignore[arg-type]
        refusal = body_of(alice.ask(Type.SYNC_REQUEST, SyncRequest(0)))
    assert (refusal.code, refusal.retry_after_ms) == (codes.SERVER_ERROR, 1_000)
    assert alice.ask(Type.SYNC_REQUEST, SyncRequest(0)).type == Type.SYNC_RESULT


def test_longest_names_and_signatures_fit_into_every_page_of_the_roster() -> None:
    longest = "𠀋" * limits.NAME_CHARS_MAX
    members = [MemberRow(MOST - i, longest, f"{i:04}" + longest[4:], longest, MOST) for i in range(400)]
    for billers in (0, 1, 18, 74, 75):
        rows = [(9_000 + i, longest, longest, longest, True) for i in range(billers)]
        directory, after = Directory(members, rows), 0
        while True:
            page = directory.page(0, after, lambda _id: "offline", "offline")
            frame = Frame(Type.ROSTER, 1, 1, 0, 0, encode_body(page))
            encode_frame(frame.type, frame.body)
            assert decode_body(frame, Roster) == page
            if not (after := page.next):
                break


@pytest.mark.parametrize("presence", ["online", "away", "busy", "offline"])
def test_longest_signature_comes_to_everybody(lab: Lab, presence: Presence) -> None:
    server = lab.server()
    alice, bob = lab.client(server, A), lab.client(server, B)
    signature = "𠀋" * limits.NAME_CHARS_MAX
    alice.send(Type.PRESENCE_SET, PresenceSet(presence, signature))
    told = bob.wait(lambda f: f.type == Type.PRESENCE_EVENT and body_of(f).signature)
    assert body_of(told) == PresenceEvent(A, presence, signature, body_of(told).last_seen_ms)
    contacts = [c for g in body_of(bob.ask(Type.ROSTER_REQUEST, RosterRequest())).groups for c in g.contacts]
    assert {c.signature for c in contacts if c.id == A} == {signature}


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\0", "a\u2028b", "\u202egnp.exe"])
def test_signature_with_control_characters_is_refused_as_a_name_is(lab: Lab, text: str) -> None:
    alice = lab.client(lab.server(), A)
    assert body_of(alice.answer_to(alice.send(Type.PRESENCE_SET, PresenceSet("busy", text)))).code == codes.BAD_BODY
    assert alice.ask(Type.PING).type == Type.PONG


def test_longest_device_name_and_password_can_sign_in(lab: Lab) -> None:
    client = lab.client(lab.server())
    client.send_raw(
        Type.SIGN_IN, msgspec.msgpack.encode([A, "open sesame", bytes(16), "𠀋" * limits.NAME_CHARS_MAX, "busy"])
    )
    assert isinstance(body_of(client.answer_to(client.next_request)), SignedIn)


def test_longest_billers_come_from_the_link_to_the_roster(lab: Lab) -> None:
    longest = "𠀋" * limits.NAME_CHARS_MAX
    billers = tuple(Contact(9_000 + i, "biller", longest, "online", longest, longest, True) for i in range(75))
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    payment.hello(lab.folder.link_token.read_bytes(), billers)
    alice.push(Type.ROSTER_CHANGED)
    seen, after = 0, 0
    while True:
        page = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest(after)))
        seen += sum(len(g.contacts) for g in page.groups if g.kind == "billpay")
        if not (after := page.next):
            break
    assert seen == 75


def test_answer_of_the_subsystem_that_is_too_long_is_told_as_unknown(lab: Lab) -> None:
    server = lab.server()
    payment = lab.keep(FakePayment(lab.folder))
    alice = lab.client(server, A)
    ask = alice.send_raw(Type.SEALED_REQUEST, b"x", limits.PAYMENT_ID)
    request = payment.next_frame()
    size = limits.BODY_BYTES_MAX + 1
    head = encode_frame(Type.SEALED_ANSWER, b"", request_id=request.request_id, receiver_id=A)
    payment.write(head[:8] + size.to_bytes(4, "big") + head[12:] + bytes(size))
    assert body_of(alice.answer_to(ask)).code == codes.OUTCOME_UNKNOWN


def test_message_id_used_for_another_receiver_is_refused_and_not_stored(lab: Lab) -> None:
    server = lab.server()
    alice, message_id = lab.client(server, A), os.urandom(16)
    first = body_of(alice.chat(B, "for Bob", message_id))
    assert body_of(alice.chat(A, "for me", message_id)).code == codes.MESSAGE_ID_USED
    assert body_of(alice.chat(B, "for Bob", message_id)) == first
    burst = os.urandom(16)
    asks = [alice.send(Type.CHAT_SEND, ChatSend(burst, "x"), receiver=receiver) for receiver in (B, A, B)]
    answers = [alice.answer_to(ask) for ask in asks]
    assert [f.type for f in answers] == [Type.CHAT_ACCEPTED, Type.REFUSAL, Type.CHAT_ACCEPTED]
    assert len(body_of(alice.ask(Type.SYNC_REQUEST, SyncRequest(0))).entries) == 2
