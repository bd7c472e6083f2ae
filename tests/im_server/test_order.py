"""One order for all: a sender's later message never overtakes an earlier one that was refused or went unanswered."""

from __future__ import annotations

import os
import random
from typing import Any

import apsw
import pytest

from im_protocol import codes
from im_protocol.packets import ChatSend, SyncRequest, Type
from im_server.app import Server
from im_server.send_order import HOLD_SECONDS, SendOrder
from tests.im_server.conftest import A, B, C, Lab
from tests.im_server.wire import WireClient, body_of

IDS = [bytes([n]) * 16 for n in range(40)]


def disk_is_full(server: Server, is_full: Any) -> None:
    """From here on a commit fails, after its rows were written, whenever `is_full()` says so."""
    mailboxes = server.core.writer.mailboxes
    real = mailboxes.store

    def store(posts: Any, now_ms: int) -> Any:
        done = real(posts, now_ms)
        if is_full():
            raise apsw.FullError("database or disk is full")
        return done

    server.core.writer.failed_pause_seconds = 0.02
    mailboxes.store = store  # type: ignore[method-assign]


def texts_of(client: WireClient) -> list[str]:
    """The whole mailbox, in its order."""
    texts: list[str] = []
    after, more = 0, True
    while more:
        page = body_of(client.ask(Type.SYNC_REQUEST, SyncRequest(after)))
        texts += [entry.event.message.text for entry in page.entries]
        after, more = page.entries[-1].event.sequence if page.entries else after, page.more
    return texts


class Pipeliner:
    """Sends its messages with many on the wire; what was refused or went unanswered it sends again, earliest first."""

    def __init__(self, lab: Lab, server: Server, name: str, receiver: int, chance: random.Random) -> None:
        self.lab, self.server, self.receiver, self.chance = lab, server, receiver, chance
        self.texts = [f"{name}: {n}" for n in range(60)]
        self.waiting = [ChatSend(os.urandom(16), text) for text in self.texts]
        self.refusals = 0
        self.client = lab.client(server, A)

    def round(self) -> None:
        """One burst from the earliest that has no answer yet; now and then the connection is cut before the answers."""
        burst = self.waiting[: self.chance.randint(1, 24)]
        requests = self.client.send_burst(burst, self.receiver)
        if self.chance.random() < 0.2:
            self.client.close()
            self.client = self.lab.client(self.server, A)
            return
        answers = [body_of(self.client.answer_to(request)) for request in requests]
        refused = [m for m, answer in zip(burst, answers, strict=True) if hasattr(answer, "code")]
        self.refusals += len(refused)
        self.waiting[: len(burst)] = refused


@pytest.mark.parametrize("seed", range(3))
def test_no_message_overtakes_a_refused_or_unanswered_earlier_one(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    server = lab.server()
    disk_is_full(server, lambda: chance.random() < 0.4)
    devices = [lab.client(server, A), lab.client(server, B)]
    senders = [Pipeliner(lab, server, *to, chance) for to in (("desk", B), ("phone", C), ("tablet", B))]
    while any(sender.waiting for sender in senders):
        chance.choice([sender for sender in senders if sender.waiting]).round()
    assert sum(sender.refusals for sender in senders) > 20
    for sender in senders:
        read = texts_of(lab.client(server, sender.receiver))
        assert [text for text in read if text in set(sender.texts)] == sender.texts
    assert texts_of(devices[0]) == texts_of(lab.client(server, A))
    assert texts_of(devices[1]) == texts_of(lab.client(server, B))


def test_messages_behind_a_refused_one_wait_until_it_came_again(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    failing = [True]
    disk_is_full(server, lambda: failing[0])
    first, other = ChatSend(os.urandom(16), "first"), ChatSend(os.urandom(16), "other")
    refusals = [body_of(alice.answer_to(request)) for request in alice.send_burst([first, other], B)]
    assert refusals[0].code == codes.SERVER_ERROR
    assert all(refusal.retry_after_ms > 0 for refusal in refusals)
    failing[0] = False
    early = body_of(alice.chat(B, "second"))
    assert early.code == codes.RATE_LIMITED
    assert early.retry_after_ms > 0
    assert alice.chat(C, "to somebody else").type == Type.CHAT_ACCEPTED
    assert alice.ask(Type.CHAT_SEND, first, receiver=B).type == Type.CHAT_ACCEPTED
    assert alice.ask(Type.CHAT_SEND, other, receiver=B).type == Type.CHAT_ACCEPTED


def test_refused_messages_come_back_in_the_order_of_the_wire() -> None:
    order = SendOrder()
    order.hold(B, IDS[1], 11, 0.0, 1.0)
    order.hold(B, IDS[0], 10, 0.0, 1.0)  # the writer tells later of an earlier one
    assert order.admit(B, IDS[1], 20, 1.0) == 0
    assert order.admit(B, IDS[2], 21, 1.0) == 0
    assert order.admit(B, IDS[0], 22, 1.0) == 10
    assert order.admit(B, IDS[2], 23, 1.0) == 0
    assert order.admit(B, IDS[1], 24, 1.0) == 11
    assert order.admit(B, IDS[2], 25, 1.0) == 21
    assert order.admit(B, IDS[3], 26, 1.0) == 26


def test_message_that_was_let_through_is_behind_one_refused_since() -> None:
    order = SendOrder()
    assert not order.is_behind(B, 5)
    order.hold(B, IDS[0], 4, 0.0, 1.0)
    assert order.is_behind(B, 5)
    assert not order.is_behind(B, 3)
    assert not order.is_behind(C, 5)


def test_who_gives_up_on_a_message_is_not_held_up_for_ever() -> None:
    order = SendOrder()
    order.hold(B, IDS[0], 1, 0.0, 1.0)
    assert order.admit(B, IDS[1], 2, 1.0) == 0
    assert order.admit(B, IDS[1], 3, 1.0 + HOLD_SECONDS + 1.0) == 3
