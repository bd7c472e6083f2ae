"""Mailboxes: storing a batch of messages in one go, and reading a member's entries back in order.

A member's sequence numbers are 1, 2, 3, … without gaps, over what the member sent and what the member got. Only the
writer thread gives them out; they count once their transaction is committed.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import apsw
import msgspec
from peewee import SqliteDatabase, fn

from im_protocol import limits
from im_protocol.packets import ChatEvent, ChatSend, SyncEntry, SyncResult
from im_server.store.mending import deliverable
from im_server.store.models import Member, Message, rows_of

_ENTRY_BYTES = 48  # an entry without the sender's body, rounded up
_PAGE_BYTES = limits.BODY_BYTES_MAX - 64
ROWS_PER_INSERT = 128  # one statement: the interpreter lock is let go once for all of its rows
_COLUMNS = (
    Message.sender_id,
    Message.receiver_id,
    Message.sender_sequence,
    Message.receiver_sequence,
    Message.message_id,
    Message.sent_at_ms,
    Message.body,
)


class Post(NamedTuple):
    """A message on its way to the disk. `conn` and `request_id` are for the answer; `place` is that on the wire (see
    `send_order`)."""

    conn: Any
    request_id: int
    sender_id: int
    receiver_id: int
    message_id: bytes
    body: bytes
    place: int


class Stored(NamedTuple):
    """Where a message is. `is_new` False: it was there before, and is not delivered again. Sequences of 0: the sender
    used its id for a message to somebody else, and it is not stored."""

    sender_sequence: int
    receiver_sequence: int
    sent_at_ms: int
    is_new: bool


def last_sequences() -> dict[int, int]:
    """Every member's newest sequence number: two index look-ups each."""
    sent = Message.select(fn.MAX(Message.sender_sequence)).where(Message.sender_id == Member.id)
    got = Message.select(fn.MAX(Message.receiver_sequence)).where(Message.receiver_id == Member.id)
    rows = rows_of(Member.select(Member.id, fn.COALESCE(sent, 0), fn.COALESCE(got, 0)))
    return {member_id: max(a, b) for member_id, a, b in rows}


class Mailboxes:
    """The writing side. Used by the writer thread alone, except `last`, which any thread may read."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._cursor_of = database.cursor
        self.last = last_sequences()
        self._sql = {rows: _insert_sql(rows) for rows in (1, ROWS_PER_INSERT)}

    def store(self, posts: list[Post], now_ms: int) -> tuple[list[Stored], dict[int, int]]:
        """Insert a batch inside the caller's transaction; returns places and the sequences to `publish` after commit.

        The batch goes in as if no message were a repetition; when the unique index says otherwise it is undone and
        done again with a look at every id.
        """
        cursor = self._cursor_of()
        cursor.execute("SAVEPOINT batch")
        try:
            stored, moved = self._insert(cursor, posts, now_ms)
        except apsw.ConstraintError:
            cursor.execute("ROLLBACK TO batch")
            stored, moved = self._insert_unless_known(cursor, posts, now_ms)
        cursor.execute("RELEASE batch")
        return stored, moved

    def publish(self, moved: dict[int, int]) -> None:
        """The transaction is committed: these are the newest sequences now."""
        self.last.update(moved)

    def _insert(self, cursor: Any, posts: list[Post], now_ms: int) -> tuple[list[Stored], dict[int, int]]:
        last, moved = self.last, dict[int, int]()
        new = tuple.__new__  # half the cost of the class's own constructor
        stored: list[Stored] = []
        values: list[Any] = []
        for _conn, _request, sender, receiver, message_id, body, _place in posts:
            place = moved.get(sender) or last.get(sender, 0)
            moved[sender] = mine = place + 1
            if receiver == sender:
                theirs = mine
            else:
                place = moved.get(receiver) or last.get(receiver, 0)
                moved[receiver] = theirs = place + 1
            stored.append(new(Stored, (mine, theirs, now_ms, True)))
            values += (sender, receiver, mine, theirs, message_id, now_ms, body)
        self._execute(cursor, values)
        return stored, moved

    def _execute(self, cursor: Any, values: list[Any]) -> None:
        width = len(_COLUMNS)
        chunk = ROWS_PER_INSERT * width
        whole = len(values) - len(values) % chunk
        for at in range(0, whole, chunk):
            cursor.execute(self._sql[ROWS_PER_INSERT], values[at : at + chunk])
        one = self._sql[1]
        for at in range(whole, len(values), width):
            cursor.execute(one, values[at : at + width])

    def _insert_unless_known(self, cursor: Any, posts: list[Post], now_ms: int) -> tuple[list[Stored], dict[int, int]]:
        known: dict[tuple[int, bytes], Stored] = {}
        receivers: dict[tuple[int, bytes], int] = {}
        fresh: list[Post] = []
        for post in posts:
            key = (post.sender_id, post.message_id)
            row = _find(post.sender_id, post.message_id)
            if row is not None:
                receivers[key], known[key] = row
            elif key not in known:
                known[key] = Stored(0, 0, 0, False)  # the first of two equal ones in this batch
                receivers[key] = post.receiver_id
                fresh.append(post)
        places, moved = self._insert(cursor, fresh, now_ms)
        new = {(p.sender_id, p.message_id): place for p, place in zip(fresh, places, strict=True)}
        out: list[Stored] = []
        for post in posts:
            key = (post.sender_id, post.message_id)
            place = new.pop(key, None)
            if place is not None:
                known[key] = place._replace(is_new=False)
            out.append(place or (known[key] if receivers[key] == post.receiver_id else Stored(0, 0, 0, False)))
        return out, moved


def _find(sender_id: int, message_id: bytes) -> tuple[int, Stored] | None:
    """(its receiver, where it is) of a message that is stored."""
    columns = (Message.receiver_id, Message.sender_sequence, Message.receiver_sequence, Message.sent_at_ms)
    query = Message.select(*columns)
    found = rows_of(query.where((Message.sender_id == sender_id) & (Message.message_id == message_id)))
    return (found[0][0], Stored(found[0][1], found[0][2], found[0][3], False)) if found else None


def _insert_sql(rows: int) -> str:
    """Peewee's own SQL for that many rows, made once."""
    sql, _ = Message.insert_many([(0, 0, 0, 0, b"", 0, b"")] * rows, fields=_COLUMNS).sql()
    return sql


def read_mailbox(member_id: int, after_sequence: int) -> SyncResult:
    """The next entries of a member's mailbox, oldest first: at most SYNC_EVENTS_MAX, and as many as one body holds."""
    count = limits.SYNC_EVENTS_MAX + 1
    columns = (Message.sender_id, Message.receiver_id, Message.sent_at_ms, Message.body)
    sent = (
        Message.select(Message.sender_sequence, *columns)
        .where((Message.sender_id == member_id) & (Message.sender_sequence > after_sequence))
        .order_by(Message.sender_sequence)
        .limit(count)
    )
    got = (
        Message.select(Message.receiver_sequence, *columns)
        .where((Message.receiver_id == member_id) & (Message.receiver_sequence > after_sequence))
        .order_by(Message.receiver_sequence)
        .limit(count)
    )
    rows = sorted({row[0]: row for query in (sent, got) for row in rows_of(query)}.values())
    fitting = _fitting(rows)
    return SyncResult([_entry(row) for row in rows[:fitting]], len(rows) > fitting)


def message_id_at(member_id: int, sequence: int) -> bytes:
    """The id of the message at this place of a member's mailbox; empty where there is none."""
    sent = (Message.sender_id == member_id) & (Message.sender_sequence == sequence)
    got = (Message.receiver_id == member_id) & (Message.receiver_sequence == sequence)
    for place in (sent, got):
        for row in rows_of(Message.select(Message.message_id).where(place)):
            return bytes(row[0])
    return b""


def _fitting(rows: list[tuple[Any, ...]]) -> int:
    """How many of these rows fit into one packet; one always does."""
    used = 0
    for count, row in enumerate(rows[: limits.SYNC_EVENTS_MAX]):
        used += _ENTRY_BYTES + min(len(row[-1]), limits.CHAT_BODY_BYTES_MAX)
        if used > _PAGE_BYTES and count:
            return count
    return min(len(rows), limits.SYNC_EVENTS_MAX)


def _entry(row: tuple[Any, ...]) -> SyncEntry:
    """The sender's body goes in byte for byte, as in a CHAT_EVENT."""
    sequence, sender_id, receiver_id, sent_at_ms, body = row
    as_sent = cast(ChatSend, msgspec.Raw(deliverable(body)))
    return SyncEntry(sender_id, receiver_id, ChatEvent(sequence, sent_at_ms, as_sent))
