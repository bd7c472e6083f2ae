"""Chat: stored here before it is acknowledged, resent until it is accepted, shown once.

The mailbox on the server numbers its entries 1, 2, 3, … for each member. This device stores up to some sequence without
gaps, acknowledges that, and after a cut asks for what came later.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from desktop_client.events import ChatChanged, EventBus, SessionReady
from desktop_client.history import ChatMessage, MessageState
from desktop_client.session import NOT_CONNECTED, SENT_ANYHOW, Session, typed
from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.packets import (
    ChatAccepted,
    ChatAck,
    ChatEvent,
    ChatSend,
    Refusal,
    SyncRequest,
    SyncResult,
    Type,
)

log = logging.getLogger(__name__)

RETRY_LATER = SENT_ANYHOW | {NOT_CONNECTED, codes.RATE_LIMITED, codes.SERVER_ERROR, codes.NOT_NOW}
"""Refusals after which the message is kept and sent again; the server stores it once, by its id."""


class MessageStore(Protocol):
    """What is kept of chats (`history.History`)."""

    @property
    def last_sequence(self) -> int: ...
    def set_last_sequence(self, sequence: int) -> None: ...
    def add_message(self, m: ChatMessage) -> bool: ...
    def set_message(self, message_id: bytes, state: MessageState, sequence: int = 0, at_ms: int = 0) -> None: ...
    def message(self, message_id: bytes) -> ChatMessage | None: ...
    def unsent(self) -> list[ChatMessage]: ...
    def unread(self, peer_id: int) -> int: ...
    def set_unread(self, peer_id: int, count: int) -> None: ...


class Messages:
    """Sends, receives and synchronises the chats of one member."""

    def __init__(
        self,
        session: Session,
        bus: EventBus,
        member_id: int,
        store: MessageStore,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._bus = bus
        self._me = member_id
        self._store = store
        self._clock = clock
        self._early: set[int] = set()  # sequences stored beyond a gap
        self._sending: set[bytes] = set()
        self._syncing = False
        session.on_push(Type.CHAT_EVENT, self._on_event)
        bus.subscribe(SessionReady, self._on_ready)

    def send(self, peer_id: int, text: str) -> ChatMessage:
        """Stores the message and sends it, now or when the connection is back."""
        message = ChatMessage(secrets.token_bytes(16), peer_id, True, text, self._now(), 0, "sending")
        self._store.add_message(message)
        self._bus.publish(ChatChanged(peer_id, message.message_id, False))
        self._send(message)
        return message

    def resend(self, message_id: bytes) -> None:
        """Tries a message again that the server did not take."""
        message = self._store.message(message_id)
        if message is not None and message.own and message.state == "failed":
            self._store.set_message(message_id, "sending")
            self._bus.publish(ChatChanged(message.peer_id, message_id, False))
            self._send(message)

    def mark_read(self, peer_id: int) -> None:
        if self._store.unread(peer_id):
            self._store.set_unread(peer_id, 0)
            self._bus.publish(ChatChanged(peer_id, b"", False))

    # -- sending

    def _send(self, message: ChatMessage) -> None:
        if message.message_id in self._sending or not self._session.signed_in:
            return
        self._sending.add(message.message_id)
        body = ChatSend(message.message_id, message.text)

        def done(answer: Frame | Refusal) -> None:
            self._sending.discard(message.message_id)
            self._on_sent(message, typed(answer, ChatAccepted))

        self._session.request(Type.CHAT_SEND, body, done, receiver_id=message.peer_id)

    def _on_sent(self, message: ChatMessage, result: ChatAccepted | Refusal) -> None:
        if isinstance(result, ChatAccepted):
            self._store.set_message(message.message_id, "sent", result.sequence, result.sent_at_ms)
            self._stored(result.sequence)
        elif result.code in RETRY_LATER:
            if self._session.signed_in:
                self._session.call_after(max(1.0, result.retry_after_ms / 1000), lambda: self._send_if_kept(message))
            return
        else:
            self._store.set_message(message.message_id, "failed")
        self._bus.publish(ChatChanged(message.peer_id, message.message_id, False))

    def _send_if_kept(self, message: ChatMessage) -> None:
        now = self._store.message(message.message_id)
        if now is not None and now.state == "sending":
            self._send(now)

    # -- receiving

    def _on_ready(self, event: SessionReady) -> None:
        self._syncing = False
        if event.last_sequence > self._store.last_sequence:
            self._sync()
        for message in self._store.unsent():
            self._send(message)

    def _on_event(self, frame: Frame) -> None:
        event = codec.decode_body(frame, ChatEvent)
        self._take(frame.sender_id, frame.receiver_id, event)
        self._stored(event.sequence)

    def _take(self, sender_id: int, receiver_id: int, event: ChatEvent) -> None:
        """Stores one entry; an entry that is here already (own, or seen before a cut) changes nothing visible."""
        own = sender_id == self._me
        peer = receiver_id if own else sender_id
        state: MessageState = "sent" if own else "received"
        sent = event.message
        message = ChatMessage(sent.message_id, peer, own, sent.text, event.sent_at_ms, event.sequence, state)
        new = self._store.add_message(message)
        if not new and own:
            self._store.set_message(sent.message_id, "sent", event.sequence, event.sent_at_ms)
        if new and not own:
            self._store.set_unread(peer, self._store.unread(peer) + 1)
        self._bus.publish(ChatChanged(peer, sent.message_id, new and not own))

    def _stored(self, sequence: int) -> None:
        """Advances over what is stored without gaps; a gap is filled by asking."""
        last = self._store.last_sequence
        if sequence <= last:
            return
        self._early.add(sequence)
        while last + 1 in self._early:
            last += 1
            self._early.discard(last)
        if last > self._store.last_sequence:
            self._advance(last)
        if self._early:
            self._sync()

    def _advance(self, sequence: int) -> None:
        self._store.set_last_sequence(sequence)
        self._early = {s for s in self._early if s > sequence}
        self._session.post(Type.CHAT_ACK, ChatAck(sequence))

    def _sync(self) -> None:
        if self._syncing:
            return
        self._syncing = True
        self._session.request(Type.SYNC_REQUEST, SyncRequest(self._store.last_sequence), self._on_sync)

    def _on_sync(self, answer: Frame | Refusal) -> None:
        self._syncing = False
        result = typed(answer, SyncResult)
        if isinstance(result, Refusal):
            log.info("the mailbox could not be read: %s", result.code)
            return
        for entry in result.entries:
            self._take(entry.sender_id, entry.receiver_id, entry.event)
        if result.entries:
            last = max(entry.event.sequence for entry in result.entries)
            if last > self._store.last_sequence:
                self._advance(last)
            if result.more:
                self._sync()
        elif self._early:
            self._advance(max(self._early))  # the mailbox has nothing in between: there is no gap to fill

    def _now(self) -> int:
        return int(self._clock() * 1000)
