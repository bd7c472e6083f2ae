"""Chat: stored here before it is acknowledged, resent until it is accepted, shown once.

The mailbox on the server numbers its entries 1, 2, 3, … for each member. This device stores them in that order only:
what comes before its turn waits in memory until the gap before it is filled. It acknowledges what it has, and after a
cut it asks for what came later, showing the id of its newest entry: a server that has another one there, or less, was
put back to an older copy of its records.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from desktop_client.backoff import Backoff
from desktop_client.events import ChatChanged, EventBus, RecordsWentBack, SessionReady
from desktop_client.history import ChatMessage, MessageState
from desktop_client.lanes import Lanes, Told
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
EARLY_MAX = 2_000  # entries kept beyond a gap; those over it come with the sync

Entry = tuple[int, int, ChatEvent]  # sender, receiver, event


class MessageStore(Protocol):
    """What is kept of chats (`history.History`)."""

    @property
    def last_sequence(self) -> int: ...
    def set_last_sequence(self, sequence: int) -> None: ...
    def add_message(self, m: ChatMessage) -> bool: ...
    def set_message(
        self, message_id: bytes, state: MessageState, sequence: int = 0, at_ms: int = 0, sender_id: int = 0
    ) -> None: ...
    def message(self, message_id: bytes, sender_id: int = 0) -> ChatMessage | None: ...
    def unsent(self) -> list[ChatMessage]: ...
    def unread(self, peer_id: int) -> int: ...
    def set_unread(self, peer_id: int, count: int) -> None: ...
    def id_at(self, sequence: int) -> bytes: ...
    def begin_era(self, server_last: int) -> None: ...
    def agrees(self, message: ChatMessage) -> None: ...
    def end_reading_anew(self) -> list[ChatMessage]: ...
    def atomic(self) -> AbstractContextManager[object]: ...


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
        self._early: dict[int, Entry | None] = {}  # beyond a gap; None: stored already, an own message with its number
        self._highest = 0  # the newest sequence that was heard of
        self._server_last = 0  # what the server said at sign-in
        self._syncing = False
        self._sync_backoff = self._backoff()
        self._connection = 0  # counts sign-ins: a timer of an earlier one does nothing
        self._lanes = Lanes(self._send, session.call_after, lambda: session.signed_in, self._backoff)
        session.on_push(Type.CHAT_EVENT, self._on_event)
        bus.subscribe(SessionReady, self._on_ready)

    def send(self, peer_id: int, text: str) -> ChatMessage:
        """Stores the message and sends it, now or when the connection is back."""
        message = ChatMessage(secrets.token_bytes(16), peer_id, True, text, self._now(), 0, "sending")
        self._store.add_message(message)
        self._say(message)
        self._lanes.add(message)
        return message

    def resend(self, message_id: bytes) -> None:
        """Tries a message again that the server did not take."""
        message = self._store.message(message_id)
        if message is not None and message.own and message.state == "failed":
            self._store.set_message(message_id, "sending")
            self._say(message)
            self._lanes.add(message)

    def mark_read(self, peer_id: int) -> None:
        if self._store.unread(peer_id):
            self._store.set_unread(peer_id, 0)
            self._bus.publish(ChatChanged(peer_id, b"", False))

    def _backoff(self) -> Backoff:
        timings = self._session.timings
        return Backoff(timings.repeat_first_seconds, timings.repeat_max_seconds)

    # -- sending

    def _send(self, message: ChatMessage, told: Told) -> None:
        body = ChatSend(message.message_id, message.text)

        def done(answer: Frame | Refusal) -> None:
            result = typed(answer, ChatAccepted)
            if isinstance(result, Refusal) and result.code in RETRY_LATER:
                told("later", result.retry_after_ms)
                return
            if isinstance(result, ChatAccepted):
                self._store.set_message(message.message_id, "sent", result.sequence, result.sent_at_ms)
                self._come(result.sequence, None)
            else:
                self._store.set_message(message.message_id, "failed")
            self._say(message)
            told("refused" if isinstance(result, Refusal) else "taken", 0)

        self._session.request(Type.CHAT_SEND, body, done, receiver_id=message.peer_id)

    def _say(self, message: ChatMessage, *, arrived: bool = False) -> None:
        self._bus.publish(ChatChanged(message.peer_id, message.message_id, arrived, message.sender_id))

    # -- receiving

    def _on_ready(self, event: SessionReady) -> None:
        self._connection += 1
        self._syncing = False
        self._early.clear()
        self._highest = self._server_last = event.last_sequence
        self._sync_backoff.reset()
        last = self._store.last_sequence
        if event.last_sequence < last:
            known = SyncRequest(last, self._store.id_at(last))  # answered or not: the server's log tells its operator
            self._session.request(Type.SYNC_REQUEST, known, lambda answer: None)
            self._went_back()
        elif event.last_sequence > last or self._store.id_at(last):
            self._sync()
        self._lanes.begin_anew(self._store.unsent())

    def _on_event(self, frame: Frame) -> None:
        event = codec.decode_body(frame, ChatEvent)
        self._come(event.sequence, (frame.sender_id, frame.receiver_id, event))

    def _come(self, sequence: int, entry: Entry | None) -> None:
        """One entry of the mailbox. It is stored in its turn, and a gap before it is filled by asking."""
        last = self._store.last_sequence
        self._highest = max(self._highest, sequence)
        if sequence <= last:
            if entry is not None:
                self._take(entry)  # known, as a rule
            return
        if sequence == last + 1 or len(self._early) < EARLY_MAX:
            self._early[sequence] = entry
        self._take_early()
        if self._highest > self._store.last_sequence:
            self._sync()

    def _take_early(self) -> None:
        """Stores what follows without a gap."""
        last = self._store.last_sequence
        reached = last
        while reached + 1 in self._early:
            reached += 1
            entry = self._early.pop(reached)
            if entry is not None:
                self._take(entry)
        if reached > last:
            self._advance(reached)

    def _take(self, entry: Entry) -> None:
        """Stores one entry; one that is here already (own, or seen before a cut) changes nothing visible."""
        sender_id, receiver_id, event = entry
        own = sender_id == self._me
        peer = receiver_id if own else sender_id
        state: MessageState = "sent" if own else "received"
        sent = event.message
        message = ChatMessage(sent.message_id, peer, own, sent.text, event.sent_at_ms, event.sequence, state)
        if self._store.add_message(message):
            if not own:
                self._store.set_unread(peer, self._store.unread(peer) + 1)
            self._say(message, arrived=not own)
            return
        known = self._store.message(message.message_id, message.sender_id)
        if known is not None and known.sequence == event.sequence and known.state == state:
            self._store.agrees(known)
            return
        self._store.set_message(message.message_id, state, event.sequence, event.sent_at_ms, message.sender_id)
        self._say(message)

    def _advance(self, sequence: int) -> None:
        self._store.set_last_sequence(sequence)
        self._early = {s: entry for s, entry in self._early.items() if s > sequence}
        self._session.post(Type.CHAT_ACK, ChatAck(sequence))

    # -- reading the mailbox

    def _sync(self) -> None:
        if self._syncing or not self._session.signed_in:
            return
        self._syncing = True
        last = self._store.last_sequence
        request = SyncRequest(last, self._store.id_at(last) if last else b"")
        self._session.request(Type.SYNC_REQUEST, request, self._on_sync)

    def _on_sync(self, answer: Frame | Refusal) -> None:
        result = typed(answer, SyncResult)
        if isinstance(result, Refusal):
            self._on_sync_refused(result)
            return
        self._syncing = False
        self._sync_backoff.reset()
        with self._store.atomic():  # a page is one transaction, not five hundred
            for entry in result.entries:
                self._take((entry.sender_id, entry.receiver_id, entry.event))
            read_to = max((entry.event.sequence for entry in result.entries), default=0)
            if read_to > self._store.last_sequence:
                self._advance(read_to)
        self._take_early()
        if result.more:
            self._sync()
        else:
            self._read_to_the_end(bool(result.entries))

    def _on_sync_refused(self, refusal: Refusal) -> None:
        """Asked again later; a new sign-in asks by itself."""
        if refusal.code == codes.MAILBOX_CHANGED:
            self._syncing = False
            self._went_back()
            return
        log.info("the mailbox could not be read: %s", refusal.code)
        connection = self._connection

        def again() -> None:
            if connection == self._connection:
                self._syncing = False
                self._sync()

        self._session.call_after(self._sync_backoff.wait(refusal.retry_after_ms), again)

    def _read_to_the_end(self, found_any: bool) -> None:
        if not found_any and self._early:  # the mailbox has nothing in between: there is no gap to fill
            for sequence in sorted(self._early):
                entry = self._early.pop(sequence)
                if entry is not None:
                    self._take(entry)
                self._advance(sequence)
        if not found_any:
            self._highest = self._store.last_sequence
        for message in self._store.end_reading_anew():
            self._say(message)
            self._lanes.add(message)
        if self._highest > self._store.last_sequence:
            self._sync()

    def _went_back(self) -> None:
        """The server has other records than it had. All that is here is kept, its mailbox is read from the beginning,
        and own messages that it lost are sent again under their old ids, so nobody sees one twice."""
        log.error("the server's mailbox is not the one that this device knows: an older copy was put back")
        self._store.begin_era(self._server_last)
        self._early.clear()
        self._bus.publish(RecordsWentBack("messages"))
        self._sync()

    def _now(self) -> int:
        return int(self._clock() * 1000)
