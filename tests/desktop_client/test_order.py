"""One order for all devices: by the server's number, never by a clock, and kept by retries."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_client.app import Client
from desktop_client.cli_commands import LiveMessages
from desktop_client.events import ChatChanged, EventBus, RecordsWentBack, SessionReady
from desktop_client.history import ChatMessage, History
from desktop_client.messages import Messages
from desktop_client.store import FILE_NAME, Store
from im_protocol import codec, codes, packets
from im_protocol.packets import ChatSend, Flag, Refusal, SyncEntry, SyncResult, Type
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, WANG, Peer
from tests.desktop_client.test_messages import member_of, texts
from tests.desktop_client.test_transport import sign_in, turn

HOUR_MS = 3_600_000
PEERS = (WANG, 10_003)


def message(number: int, text: str, *, sequence: int, at_ms: int, own: bool = False) -> ChatMessage:
    return ChatMessage(bytes([number]) * 16, WANG, own, text, at_ms, sequence, "sent" if own else "received")


def test_messages_stand_by_the_servers_number_whatever_its_clock_said(tmp_path: Path) -> None:
    history = History(Store(tmp_path))
    for number, hour in enumerate((5, 6, 1, 2, 7), 1):
        history.add_message(message(number, str(number), sequence=number, at_ms=hour * HOUR_MS, own=number % 2 == 0))
    assert [m.text for m in history.messages(WANG)] == ["1", "2", "3", "4", "5"]
    assert [m.text for m in history.messages(WANG, 2)] == ["4", "5"]


def test_message_without_a_number_stands_last_until_it_has_one(tmp_path: Path) -> None:
    history = History(Store(tmp_path))
    history.add_message(message(1, "one", sequence=1, at_ms=5 * HOUR_MS))
    history.add_message(ChatMessage(b"p" * 16, WANG, True, "mine", HOUR_MS, 0, "sending"))
    history.add_message(message(2, "two", sequence=2, at_ms=2 * HOUR_MS))
    assert [m.text for m in history.messages(WANG)] == ["one", "two", "mine"]
    history.set_message(b"p" * 16, "sent", 3, HOUR_MS)
    history.add_message(message(4, "four", sequence=4, at_ms=0))
    assert [m.text for m in history.messages(WANG)] == ["one", "two", "mine", "four"]


def test_one_sender_cannot_hide_anothers_message_with_its_id(tmp_path: Path) -> None:
    history = History(Store(tmp_path))
    for peer in (WANG, 10_003):
        assert history.add_message(ChatMessage(b"i" * 16, peer, False, str(peer), 1, 1, "received"))
    assert history.add_message(ChatMessage(b"i" * 16, WANG, True, "own", 1, 2, "sent"))
    assert [m.text for m in history.messages(WANG)] == [str(WANG), "own"]
    assert not history.add_message(ChatMessage(b"i" * 16, WANG, False, "again", 1, 3, "received"))


def test_database_of_the_first_version_keeps_its_messages_and_receipts(tmp_path: Path) -> None:
    import apsw

    old = apsw.Connection(str(tmp_path / FILE_NAME))
    old.execute("CREATE TABLE messages (message_id BLOB PRIMARY KEY, peer_id, own, text, at_ms, sequence, state)")
    old.execute("CREATE INDEX messages_peer ON messages (peer_id, at_ms)")
    old.execute("CREATE INDEX messages_state ON messages (state)")
    old.execute(
        "CREATE TABLE receipts (receipt_no TEXT PRIMARY KEY, payment_id, biller_id, transfer_no, paid_at_ms, receipt,"
        " signature)"
    )
    old.execute("CREATE INDEX receipts_biller ON receipts (biller_id, paid_at_ms)")
    old.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
    old.execute("INSERT INTO counters VALUES ('last_sequence', 2)")
    for number, own in ((1, 0), (2, 1)):
        row = (bytes([number]) * 16, WANG, own, f"text {number}", 9 - number, number, "sent" if own else "received")
        old.execute("INSERT INTO messages VALUES (?,?,?,?,?,?,?)", row)
    old.execute("INSERT INTO receipts VALUES ('BB1', x'01', 101, 1, 5, x'aabb', x'cc')")
    old.close()
    for _ in range(2):
        store = Store(tmp_path)
        history = History(store)
        assert [(m.text, m.own) for m in history.messages(WANG)] == [("text 1", False), ("text 2", True)]
        assert history.last_sequence == 2
        assert not history.add_message(message(1, "text 1", sequence=1, at_ms=8))
        assert store.rows("SELECT receipt_no, receipt, length(digest) FROM receipts") == [("BB1", b"\xaa\xbb", 32)]
        store.close()


# ---- every order in which packets, refusals and cuts can come ------------------------------------------------------


class World:
    """A server and a session in one, without sockets. What waits is done in whatever order `chance` says."""

    def __init__(self, store: Any, chance: random.Random) -> None:
        self.chance, self.timings, self.bus = chance, QUICK, EventBus()
        self.signed_in = False
        self.box: list[SyncEntry] = []
        self.pushes: dict[int, Callable[[codec.Frame], None]] = {}
        self.wire: list[tuple[Type, Any, Callable[[Any], None], int]] = []
        self.timers: list[Callable[[], None]] = []
        self.events: list[SyncEntry] = []
        self.told: list[int] = []
        self.bus.subscribe(ChatChanged, self.on_chat)
        self.store = store
        self.messages = Messages(self, self.bus, LIN, store)  # type: ignore[arg-type]

    # what `Messages` asks of its session

    def on_push(self, kind: Type, handler: Callable[[codec.Frame], None]) -> None:
        self.pushes[kind] = handler

    def request(self, kind: Type, body: Any, done: Callable[[Any], None], *, receiver_id: int = 0) -> None:
        self.wire.append((kind, body, done, receiver_id))

    def post(self, kind: Type, body: Any) -> bool:
        return self.signed_in

    def call_after(self, seconds: float, work: Callable[[], None]) -> None:
        self.timers.append(work)

    # what happens

    def on_chat(self, event: ChatChanged) -> None:
        if event.arrived:
            found = self.store.message(event.message_id, event.sender_id)
            self.told.append(found.sequence)

    def put(self, sender: int, receiver: int, sent: ChatSend) -> packets.ChatEvent:
        for entry in self.box:
            if (entry.sender_id, entry.event.message.message_id) == (sender, sent.message_id):
                return entry.event
        event = packets.ChatEvent(len(self.box) + 1, self.chance.randrange(1, 10**12), sent)
        self.box.append(SyncEntry(sender, receiver, event))
        return event

    def arrive(self) -> None:
        """Somebody wrote, or another device of this member did; the event may come out of order or not at all."""
        number = len(self.box)
        peer = self.chance.choice(PEERS)
        sender, receiver = self.chance.choice(((peer, LIN), (peer, LIN), (LIN, peer)))
        self.put(sender, receiver, ChatSend(number.to_bytes(8, "big") + self.chance.randbytes(8), f"in {number}"))
        if self.signed_in and self.chance.random() < 0.8:
            self.events.append(self.box[-1])

    def push(self) -> None:
        at = 0 if self.chance.random() < 0.6 else self.chance.randrange(len(self.events))
        entry = self.events.pop(at)
        body = codec.encode_body(entry.event)
        self.pushes[Type.CHAT_EVENT](
            codec.Frame(Type.CHAT_EVENT, Flag.PUSH, 0, entry.sender_id, entry.receiver_id, body)
        )

    def answer(self) -> None:
        at = 0 if self.chance.random() < 0.7 else self.chance.randrange(len(self.wire))
        kind, body, done, receiver = self.wire.pop(at)
        luck = self.chance.random()
        if luck < 0.3:
            done(Refusal(self.chance.choice((codes.RATE_LIMITED, codes.SERVER_ERROR, "timed_out")), "", 500))
            return
        if kind == Type.SYNC_REQUEST:
            rest = self.box[body.after_sequence :]
            answer: packets.Body = SyncResult(rest[:3], len(rest) > 3)
            kind = Type.SYNC_RESULT
        else:
            event = self.put(LIN, receiver, body)
            answer, kind = packets.ChatAccepted(body.message_id, event.sequence, event.sent_at_ms), Type.CHAT_ACCEPTED
            if luck < 0.4:
                done(Refusal("timed_out", ""))  # it is stored, and nobody here knows
                return
        done(codec.Frame(kind, Flag.ANSWER, 1, 0, LIN, codec.encode_body(answer)))

    def cut(self) -> None:
        self.signed_in = False
        waiting, self.wire, self.events = self.wire, [], []
        for kind, body, done, receiver in waiting:
            if kind == Type.CHAT_SEND and self.chance.random() < 0.5:
                self.put(LIN, receiver, body)
            done(Refusal("connection_lost", ""))

    def sign_in(self) -> None:
        self.signed_in = True
        self.bus.publish(SessionReady(LIN, "Lin", len(self.box), True))

    def timer(self) -> None:
        self.timers.pop(self.chance.randrange(len(self.timers)))()

    def settle(self) -> None:
        """A new connection, and everything that still waits, until nothing does."""
        self.cut()
        while not self.signed_in or self.wire or self.events or self.timers:
            if not self.signed_in:
                self.sign_in()
            for waiting, work in ((self.events, self.push), (self.wire, self.answer), (self.timers, self.timer)):
                if waiting:
                    work()


@pytest.mark.parametrize("kind", ["history", "live"])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from("aaappppswwwwwttcc"), max_size=120))
def test_whatever_is_refused_cut_or_shuffled_all_devices_have_one_order(
    tmp_path_factory: Any, kind: str, seed: int, steps: list[str]
) -> None:
    history = History(Store(tmp_path_factory.mktemp("order"))) if kind == "history" else None
    world = World(history or LiveMessages(), random.Random(seed))
    world.sign_in()
    written: dict[int, list[str]] = {peer: [] for peer in PEERS}
    for step in steps:
        if step == "a":
            world.arrive()
        elif step == "s":
            peer = world.chance.choice(PEERS)
            written[peer].append(f"out {len(written[peer])}")
            world.messages.send(peer, written[peer][-1])
        elif step == "p" and world.events:
            world.push()
        elif step == "w" and world.wire:
            world.answer()
        elif step == "t" and world.timers:
            world.timer()
        elif step == "c":
            world.cut() if world.signed_in else world.sign_in()
    world.settle()
    assert world.told == sorted(world.told)
    for peer in PEERS:
        box = [e.event.message.text for e in world.box if peer in (e.sender_id, e.receiver_id)]
        assert [text for text in box if text.startswith("out")] == written[peer]
        if history is not None:
            assert [m.text for m in history.messages(peer)] == box


# ---- over real sockets ---------------------------------------------------------------------------------------------


def test_message_that_was_refused_for_now_is_not_overtaken(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    peer.refusing[Type.CHAT_SEND] = [Refusal(codes.SERVER_ERROR, "full"), Refusal(codes.RATE_LIMITED, "slow", 20)]
    member = member_of(client)
    for number in range(4):
        member.messages.send(WANG, f"text {number}")
    wait_until(lambda: len(peer.mailboxes[WANG]) == 4, lambda: turn(client))
    assert [e.event.message.text for e in peer.mailboxes[WANG]] == [f"text {n}" for n in range(4)]


def test_page_of_history_that_was_refused_is_asked_for_again(peer: Peer, client: Client) -> None:
    for number in range(3):
        peer.deliver(WANG, LIN, f"text {number}")
    peer.refusing[Type.SYNC_REQUEST] = [Refusal(codes.RATE_LIMITED, "busy", 10)] * 3
    sign_in(client, peer)
    wait_until(lambda: len(texts(client)) == 3, lambda: turn(client))


def test_page_of_the_roster_that_was_refused_is_asked_for_again(peer: Peer, client: Client) -> None:
    peer.refusing[Type.ROSTER_REQUEST] = [Refusal(codes.RATE_LIMITED, "busy", 10)] * 3
    sign_in(client, peer)
    wait_until(lambda: member_of(client).roster.loaded, lambda: turn(client))
    assert len(member_of(client).roster.billers()) == 2


# ---- an older copy of the server's folder was put back ---------------------------------------------------------------


def went_back(client: Client) -> list[RecordsWentBack]:
    told: list[RecordsWentBack] = []
    client.bus.subscribe(RecordsWentBack, told.append)
    return told


def restart_from_a_copy(peer: Peer, client: Client, copy: dict[int, list[SyncEntry]]) -> None:
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    peer.mailboxes = {member_id: list(box) for member_id, box in copy.items()}
    peer.stored = {}
    peer.start()
    wait_until(lambda: client.session.signed_in, lambda: turn(client))


@pytest.mark.parametrize("written_meanwhile", [0, 3, 6, 9])
def test_older_copy_is_told_and_what_it_lost_comes_back(peer: Peer, client: Client, written_meanwhile: int) -> None:
    sign_in(client, peer)
    told = went_back(client)
    member = member_of(client)
    for number in range(4):
        peer.deliver(WANG, LIN, f"kept {number}")
    copy = {member_id: list(box) for member_id, box in peer.mailboxes.items()}
    for number in range(3):
        member.messages.send(WANG, f"mine {number}")
        peer.deliver(WANG, LIN, f"theirs {number}")
        wait_until(lambda n=number: len(texts(client)) == 6 + 2 * n, lambda: turn(client))
    wait_until(lambda: member.history.last_sequence == 10, lambda: turn(client))
    before = texts(client)
    assert not told
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    for box, old in copy.items():
        peer.mailboxes[box] = list(old)
    peer.stored = {}
    for number in range(written_meanwhile):
        peer.deliver(WANG, LIN, f"new {number}")
    peer.start()
    lost = {f"mine {n}" for n in range(3)}
    wait_until(lambda: lost <= {e.event.message.text for e in peer.mailboxes[WANG]}, lambda: turn(client))
    assert told[0].what == "messages"
    wait_until(
        lambda: all(m.state in ("sent", "received") for m in member.history.messages(WANG)), lambda: turn(client)
    )
    peer.deliver(WANG, LIN, "after")
    wait_until(lambda: texts(client)[-1] == "after", lambda: turn(client))
    assert len(told) == 1
    assert sorted(texts(client)) == sorted([*before, *(f"new {n}" for n in range(written_meanwhile)), "after"])
    sent = [e.event.message.text for e in peer.mailboxes[WANG] if e.sender_id == LIN]
    assert sent == ["mine 0", "mine 1", "mine 2"]


def test_server_that_has_what_this_device_has_is_no_older_copy(peer: Peer, client: Client) -> None:
    sign_in(client, peer)
    told = went_back(client)
    for number in range(3):
        peer.deliver(WANG, LIN, f"text {number}")
        wait_until(lambda n=number: len(texts(client)) == n + 1, lambda: turn(client))
    for _ in range(2):
        restart_from_a_copy(peer, client, peer.mailboxes)
    peer.deliver(WANG, LIN, "last")
    wait_until(lambda: texts(client)[-1] == "last", lambda: turn(client))
    assert not told
