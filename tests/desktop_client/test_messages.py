"""Chat: nothing lost, nothing twice, across cuts."""

from __future__ import annotations

from desktop_client.app import Client, Member, Options
from desktop_client.events import ChatChanged
from desktop_client.profile import Profile
from im_protocol import codec, packets
from im_protocol.packets import Flag, Type
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, WANG, Peer
from tests.desktop_client.test_transport import sign_in, turn


def member_of(client: Client) -> Member:
    assert client.member is not None
    return client.member


def texts(client: Client) -> list[str]:
    return [m.text for m in member_of(client).history.messages(WANG)]


def test_message_is_sent_and_gets_its_place(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    member = member_of(client)
    sent = member.messages.send(WANG, "power bill is in")
    assert sent.state == "sending"
    wait_until(lambda: member.history.messages(WANG)[0].state == "sent", lambda: turn(client))
    assert member.history.messages(WANG)[0].sequence == 1
    assert member.history.last_sequence == 1


def test_message_that_arrives_is_stored_counted_and_acknowledged(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    arrived: list[ChatChanged] = []
    client.bus.subscribe(ChatChanged, arrived.append)
    peer.deliver(WANG, LIN, "split it?")
    wait_until(lambda: arrived, lambda: turn(client))
    assert arrived[0].arrived
    assert member_of(client).history.unread(WANG) == 1
    wait_until(lambda: Type.CHAT_ACK in peer.types_received(), lambda: turn(client))
    member_of(client).messages.mark_read(WANG)
    assert member_of(client).history.unread(WANG) == 0


def test_message_written_while_away_is_sent_once_after_the_cut(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    member = member_of(client)
    member.messages.send(WANG, "first")
    member.messages.send(WANG, "second")
    peer.start()
    wait_until(lambda: all(m.state == "sent" for m in member.history.messages(WANG)), lambda: turn(client))
    assert [e.event.message.text for e in peer.mailboxes[WANG]] == ["first", "second"]


def test_messages_of_the_time_away_come_with_the_sync(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    for number in range(5):
        peer.deliver(WANG, LIN, f"text {number}")
    peer.start()
    wait_until(lambda: len(texts(client)) == 5, lambda: turn(client))
    assert texts(client) == [f"text {n}" for n in range(5)]
    assert member_of(client).history.last_sequence == 5


def test_event_seen_twice_is_one_message(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.deliver(WANG, LIN, "once")
    wait_until(lambda: texts(client), lambda: turn(client))
    event = peer.mailboxes[LIN][0].event
    peer.push(LIN, codec.encode(Type.CHAT_EVENT, event, sender_id=WANG, receiver_id=LIN, flags=Flag.PUSH))
    peer.deliver(WANG, LIN, "next")
    wait_until(lambda: len(texts(client)) == 2, lambda: turn(client))
    assert member_of(client).history.unread(WANG) == 2


def test_gap_in_the_sequence_is_filled_by_asking(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    live, peer._live = peer._live, {}
    peer.deliver(WANG, LIN, "missed")
    peer._live = live
    peer.deliver(WANG, LIN, "seen")
    wait_until(lambda: len(texts(client)) == 2, lambda: turn(client))
    assert member_of(client).history.last_sequence == 2


def test_message_to_nobody_fails_and_can_be_sent_again(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    member = member_of(client)
    sent = member.messages.send(77_777, "hello?")
    wait_until(lambda: member.history.messages(77_777)[0].state == "failed", lambda: turn(client))
    peer.mailboxes[77_777] = []
    member.messages.resend(sent.message_id)
    wait_until(lambda: member.history.messages(77_777)[0].state == "sent", lambda: turn(client))


def test_second_device_reads_the_archive(peer: Peer, client: Client, tmp_path) -> None:
    sign_in(client, peer)
    member_of(client).messages.send(WANG, "from the first")
    peer.deliver(WANG, LIN, "answer")
    wait_until(lambda: len(peer.mailboxes[LIN]) == 2, lambda: turn(client))
    second = Client(Profile(tmp_path / "second"), Options(), QUICK)
    sign_in(second, peer)
    wait_until(lambda: len(texts(second)) == 2, lambda: turn(second))
    assert set(texts(second)) == {"from the first", "answer"}
    second.close()


def test_broken_push_is_skipped(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.push(LIN, codec.encode_frame(Type.CHAT_EVENT, b"\xc1", flags=Flag.PUSH))
    peer.push(LIN, codec.encode(Type.REFUSAL, packets.Refusal("server_error", "hm"), flags=Flag.PUSH))
    peer.deliver(WANG, LIN, "still here")
    wait_until(lambda: texts(client) == ["still here"], lambda: turn(client))
