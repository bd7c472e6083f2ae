"""What this device keeps of conversations: chat messages, receipts, the last sequence, unread counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from desktop_client.store import Store
from payment.contract.messages import Receipt, SignedReceipt

MessageState = Literal["sending", "sent", "failed", "received"]
LAST_SEQUENCE = "last_sequence"
SHOWN_MESSAGES_MAX = 200  # what a conversation opens with; older ones stay in the database
_COLUMNS = "message_id, peer_id, own, text, at_ms, sequence, state"
_RECEIPT = msgspec.msgpack.Decoder(Receipt)


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat with `peer_id`. `sequence` 0 while it has no place in the mailbox."""

    message_id: bytes
    peer_id: int
    own: bool
    text: str
    at_ms: int
    sequence: int
    state: MessageState


class History:
    """The member's conversations on this device."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- chat

    def add_message(self, m: ChatMessage) -> bool:
        """Stores a message unless it is there already; tells whether it was new."""
        with self._store.atomic():
            if self.message(m.message_id) is not None:
                return False
            self._store.rows(
                f"INSERT INTO messages ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)",
                m.message_id,
                m.peer_id,
                int(m.own),
                m.text,
                m.at_ms,
                m.sequence,
                m.state,
            )
        return True

    def set_message(self, message_id: bytes, state: MessageState, sequence: int = 0, at_ms: int = 0) -> None:
        """A new state; sequence and time only where they are given."""
        self._store.rows(
            "UPDATE messages SET state = ?, sequence = max(sequence, ?), at_ms = CASE ? WHEN 0 THEN at_ms ELSE ? END"
            " WHERE message_id = ?",
            state,
            sequence,
            at_ms,
            at_ms,
            message_id,
        )

    def message(self, message_id: bytes) -> ChatMessage | None:
        found = self._store.rows(f"SELECT {_COLUMNS} FROM messages WHERE message_id = ?", message_id)
        return _message(found[0]) if found else None

    def messages(self, peer_id: int, count: int = SHOWN_MESSAGES_MAX) -> list[ChatMessage]:
        """The newest messages with a member, oldest of them first."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE peer_id = ? ORDER BY at_ms DESC, rowid DESC LIMIT ?"
        return [_message(row) for row in reversed(self._store.rows(sql, peer_id, count))]

    def unsent(self) -> list[ChatMessage]:
        """Own messages that the server has not accepted yet, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE state = 'sending' ORDER BY at_ms, rowid"
        return [_message(row) for row in self._store.rows(sql)]

    @property
    def last_sequence(self) -> int:
        """Everything in the mailbox up to here is stored."""
        return self._store.counter(LAST_SEQUENCE)

    def set_last_sequence(self, sequence: int) -> None:
        self._store.set_counter(LAST_SEQUENCE, sequence)

    # -- unread

    def unread(self, peer_id: int) -> int:
        return self._store.counter(f"unread.{peer_id}")

    def unread_all(self) -> dict[int, int]:
        """Unread messages by member, of those who have any; one query for a roster of any length."""
        rows = self._store.rows("SELECT name, value FROM counters WHERE name LIKE 'unread.%' AND value > 0")
        return {int(name.removeprefix("unread.")): value for name, value in rows}

    def set_unread(self, peer_id: int, count: int) -> None:
        self._store.set_counter(f"unread.{peer_id}", count)

    # -- receipts

    def add_receipt(self, signed: SignedReceipt, receipt: Receipt) -> None:
        """Keeps a receipt, byte for byte as it was signed."""
        self._store.rows(
            "INSERT OR REPLACE INTO receipts VALUES (?,?,?,?,?,?,?)",
            receipt.receipt_no,
            receipt.payment_id,
            receipt.biller_id,
            receipt.transfer_no,
            receipt.paid_at_ms,
            signed.receipt,
            signed.signature,
        )

    def receipts(self, biller_id: int = 0, count: int = 20) -> list[tuple[SignedReceipt, Receipt]]:
        """The newest receipts, oldest of them first; of one biller, or of all (0)."""
        sql = (
            "SELECT receipt, signature FROM receipts WHERE biller_id = ? OR ? = 0"
            " ORDER BY paid_at_ms DESC, transfer_no DESC LIMIT ?"
        )
        return [_receipt(row) for row in reversed(self._store.rows(sql, biller_id, biller_id, count))]

    def find_receipt(self, key: str) -> tuple[SignedReceipt, Receipt] | None:
        """By receipt number, or by payment id in hexadecimal."""
        payment_id = bytes.fromhex(key) if _is_hex(key) else b""
        sql = "SELECT receipt, signature FROM receipts WHERE upper(receipt_no) = upper(?) OR payment_id = ? LIMIT 1"
        found = self._store.rows(sql, key, payment_id)
        return _receipt(found[0]) if found else None


def _is_hex(text: str) -> bool:
    return len(text) == 32 and all(c in "0123456789abcdefABCDEF" for c in text)


def _message(row: tuple) -> ChatMessage:
    message_id, peer, own, text, at, sequence, state = row
    return ChatMessage(bytes(message_id), peer, bool(own), text, at, sequence, state)


def _receipt(row: tuple) -> tuple[SignedReceipt, Receipt]:
    signed = SignedReceipt(bytes(row[0]), bytes(row[1]))
    return signed, _RECEIPT.decode(signed.receipt)
