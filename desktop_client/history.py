"""What this device keeps of conversations: chat messages, receipts, the last sequence, unread counters."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from desktop_client.store import Store
from payment.contract.messages import Bill, Receipt, SignedReceipt

MessageState = Literal["sending", "sent", "failed", "received"]
LAST_SEQUENCE = "last_sequence"
ERA = "era"  # how often the server was found to have been put back to an older copy of its records
AGREED = "agreed_sequence"  # while the mailbox is read anew: up to here both sides have the same entries
READING_ANEW = "reading_anew"
BILL_RECEIPTS_MAX = 500  # receipts of one biller among which those of a bill are looked for
Place = tuple[bool, int, int]
SHOWN_MESSAGES_MAX = 200  # what a conversation opens with, and one page of older ones
_COLUMNS = "message_id, peer_id, own, text, at_ms, sequence, state, era"
_BY_NUMBER = "(sequence = 0), era, sequence, rowid"  # what has no number yet comes last, in the order of writing
_RECEIPT = msgspec.msgpack.Decoder(Receipt)


@dataclass(frozen=True)
class ChatMessage:
    """One message of a chat with `peer_id`. `sequence` 0 while it has no place in the mailbox; numbers of a later `era`
    come after all of an earlier one."""

    message_id: bytes
    peer_id: int
    own: bool
    text: str
    at_ms: int
    sequence: int
    state: MessageState
    era: int = 0

    @property
    def key(self) -> str:
        """Its name in a window: the id of an own message, which a click on "send again" gives back; another's with its
        sender, who may have taken an id that is in use."""
        return self.message_id.hex() if self.own else f"{self.peer_id}.{self.message_id.hex()}"

    @property
    def sender_id(self) -> int:
        """Who is asked for when a message is looked up: 0 is this member."""
        return 0 if self.own else self.peer_id

    @property
    def place(self) -> Place:
        """Sorts messages by the server's number, which all devices share; no clock decides."""
        return self.sequence == 0, self.era, self.sequence


class History:
    """The member's conversations on this device."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- chat

    def add_message(self, m: ChatMessage) -> bool:
        """Stores a message unless its sender's id is there already; tells whether it was new."""
        values = (m.message_id, m.peer_id, int(m.own), m.text, m.at_ms, m.sequence, m.state, self.era, m.sender_id)
        sql = f"INSERT OR IGNORE INTO messages ({_COLUMNS}, sender_id) VALUES (?,?,?,?,?,?,?,?,?) RETURNING 1"
        return bool(self._store.rows(sql, *values))

    def set_message(
        self, message_id: bytes, state: MessageState, sequence: int = 0, at_ms: int = 0, sender_id: int = 0
    ) -> None:
        """A new state; sequence and time only where they are given."""
        self._store.rows(
            "UPDATE messages SET state = ?1, at_ms = iif(?3, ?3, at_ms),"
            " era = iif(?2, ?6, era), sequence = iif(?2, ?2, sequence)"
            " WHERE sender_id = ?4 AND message_id = ?5",
            *(state, sequence, at_ms, sender_id, message_id, self.era),
        )

    def message(self, message_id: bytes, sender_id: int = 0) -> ChatMessage | None:
        """By its sender (0: this member) and the id that the sender gave it."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE sender_id = ? AND message_id = ?"
        found = self._store.rows(sql, sender_id, message_id)
        return _message(found[0]) if found else None

    def messages(self, peer_id: int, count: int = SHOWN_MESSAGES_MAX, skip: int = 0) -> list[ChatMessage]:
        """The newest messages with a member, in the server's order; those without a number yet come last.

        `skip` leaves out so many of the newest: the page before those that are shown.
        """
        backwards = ", ".join(f"{part} DESC" for part in _BY_NUMBER.split(", "))
        sql = f"SELECT {_COLUMNS} FROM messages WHERE peer_id = ? ORDER BY {backwards} LIMIT ? OFFSET ?"
        return [_message(row) for row in reversed(self._store.rows(sql, peer_id, count, skip))]

    def unsent(self) -> list[ChatMessage]:
        """Own messages that the server has not accepted yet, in the order in which they are to be sent."""
        sql = f"SELECT {_COLUMNS} FROM messages WHERE state = 'sending' ORDER BY {_BY_NUMBER}"
        return [_message(row) for row in self._store.rows(sql)]

    def id_at(self, sequence: int) -> bytes:
        """The id of the message that has this place in the mailbox; empty when none is known."""
        found = self._store.rows(
            "SELECT message_id FROM messages WHERE era = ? AND sequence = ?", self.era, sequence
        ) or self._store.rows("SELECT message_id FROM messages WHERE sequence = ? ORDER BY era DESC LIMIT 1", sequence)
        return bytes(found[0][0]) if found else b""

    @property
    def last_sequence(self) -> int:
        """Everything in the mailbox up to here is stored."""
        return self._store.counter(LAST_SEQUENCE)

    def set_last_sequence(self, sequence: int) -> None:
        self._store.set_counter(LAST_SEQUENCE, sequence)

    def atomic(self) -> Any:
        """A context in which many entries are stored at the cost of one."""
        return self._store.atomic()

    # -- a server that was put back to an older copy

    @property
    def era(self) -> int:
        return self._store.counter(ERA)

    def begin_era(self, server_last: int) -> None:
        """The server has other records than it had: read its mailbox anew, and keep all that is here."""
        with self._store.atomic():
            self._store.set_counter(ERA, self.era + 1)
            for name, value in ((LAST_SEQUENCE, 0), (AGREED, 0), (READING_ANEW, 1)):
                self._store.set_counter(name, value)

    def agrees(self, message: ChatMessage) -> None:
        """While reading anew: this entry stands where it stood."""
        if self._store.counter(READING_ANEW) and message.sequence > self._store.counter(AGREED):
            self._store.set_counter(AGREED, message.sequence)

    def end_reading_anew(self) -> list[ChatMessage]:
        """The mailbox was read to its end. Own messages that the server lost wait to be sent again from here on."""
        if not self._store.counter(READING_ANEW):
            return []
        agreed = self._store.counter(AGREED)
        with self._store.atomic():
            self._store.set_counter(READING_ANEW, 0)
            sql = (
                "UPDATE messages SET state = 'sending' WHERE own = 1 AND state = 'sent' AND era < ? AND sequence > ?"
                f" RETURNING {_COLUMNS}"
            )
            return [_message(row) for row in self._store.rows(sql, self.era, agreed)]

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
        """Keeps a receipt, byte for byte as it was signed, beside all others: a number may have been given twice."""
        self._store.rows(
            "INSERT OR IGNORE INTO receipts VALUES (?,?,?,?,?,?,?,?)",
            hashlib.sha256(signed.receipt).digest(),
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

    def newest_receipt(self) -> SignedReceipt | None:
        """The one of the highest transfer number: how far the ledger has come, as far as this device can prove it."""
        found = self._store.rows("SELECT receipt, signature FROM receipts ORDER BY transfer_no DESC LIMIT 1")
        return _receipt(found[0])[0] if found else None

    def receipt_held_for(self, bill: Bill) -> Receipt | None:
        """A receipt that says that less is left to pay of a bill than the payment service says now."""
        paid = [
            receipt
            for _signed, receipt in self.receipts(bill.biller_id, BILL_RECEIPTS_MAX)
            if receipt.kind == "payment"
            and receipt.bill_id == bill.bill_id
            and bill.title in receipt.bill_title  # an older copy may give the number to another bill
            and (receipt.customer_number, receipt.paid.currency) == (bill.customer_number, bill.due.currency)
        ]
        lowest = min(paid, key=lambda receipt: receipt.remaining.minor, default=None)
        return lowest if lowest is not None and lowest.remaining.minor < bill.due.minor else None

    def find_receipt(self, key: str) -> tuple[SignedReceipt, Receipt] | None:
        """By receipt number (its last four signs may be left out), or by payment id in hexadecimal."""
        payment_id = bytes.fromhex(key) if _is_hex(key) else b""
        sql = "SELECT receipt, signature FROM receipts WHERE upper(receipt_no) = upper(?1) OR payment_id = ?2"
        sql += " OR upper(receipt_no) = upper(?1) || substr(receipt_no, -5)"
        sql += " ORDER BY paid_at_ms DESC LIMIT 1"
        found = self._store.rows(sql, key, payment_id)
        return _receipt(found[0]) if found else None

    def receipt_of_payment(self, payment_id: bytes) -> tuple[SignedReceipt, Receipt] | None:
        """What proves here that this payment id was paid."""
        sql = "SELECT receipt, signature FROM receipts WHERE payment_id = ?"
        found = [_receipt(row) for row in self._store.rows(sql, payment_id)]
        return next((kept for kept in found if kept[1].kind == "payment"), None)


def _is_hex(text: str) -> bool:
    return len(text) == 32 and all(c in "0123456789abcdefABCDEF" for c in text)


def _message(row: tuple) -> ChatMessage:
    message_id, peer, own, text, at, sequence, state, era = row
    return ChatMessage(bytes(message_id), peer, bool(own), text, at, sequence, state, era)


def _receipt(row: tuple) -> tuple[SignedReceipt, Receipt]:
    signed = SignedReceipt(bytes(row[0]), bytes(row[1]))
    return signed, _RECEIPT.decode(signed.receipt)
