"""The member's own database on this device: orders, receipts, chat messages, counters.

SQLite through APSW under Peewee, as everywhere (its SQLite is new enough to be free of the WAL-reset defect). The file
is 0600 in a 0700 folder. It is used on one thread; another process of the same member may use it at the same time.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

FILE_NAME = "client.db"
BUSY_MILLISECONDS = 5_000

SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    payment_id BLOB PRIMARY KEY, biller_id INTEGER NOT NULL, biller_name TEXT NOT NULL, customer_number TEXT NOT NULL,
    bill_id INTEGER NOT NULL, title TEXT NOT NULL, minor INTEGER NOT NULL, currency TEXT NOT NULL,
    account TEXT NOT NULL, made_at_ms INTEGER NOT NULL, state TEXT NOT NULL, code TEXT NOT NULL,
    text TEXT NOT NULL, settled_at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_state ON orders (state);
CREATE TABLE IF NOT EXISTS receipts (
    digest BLOB PRIMARY KEY, receipt_no TEXT NOT NULL, payment_id BLOB NOT NULL, biller_id INTEGER NOT NULL,
    transfer_no INTEGER NOT NULL, paid_at_ms INTEGER NOT NULL, receipt BLOB NOT NULL, signature BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS receipts_biller ON receipts (biller_id, paid_at_ms);
CREATE INDEX IF NOT EXISTS receipts_payment ON receipts (payment_id);
CREATE TABLE IF NOT EXISTS messages (
    sender_id INTEGER NOT NULL, message_id BLOB NOT NULL, peer_id INTEGER NOT NULL, own INTEGER NOT NULL,
    text TEXT NOT NULL, at_ms INTEGER NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL, era INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS messages_id ON messages (sender_id, message_id);
CREATE INDEX IF NOT EXISTS messages_order ON messages (peer_id, (sequence = 0), era, sequence);
CREATE INDEX IF NOT EXISTS messages_place ON messages (era, sequence);
CREATE INDEX IF NOT EXISTS messages_state ON messages (state);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
# Version 1 knew a message by its id alone and a receipt by its number alone: one sender could hide another's message,
# and a number given out again took the place of the receipt that had it first.
_FROM_1 = """
DROP INDEX IF EXISTS receipts_biller;
DROP INDEX IF EXISTS messages_peer;
DROP INDEX IF EXISTS messages_state;
ALTER TABLE receipts RENAME TO receipts_1;
ALTER TABLE messages RENAME TO messages_1;
"""
_COPY_1 = """
INSERT INTO messages SELECT CASE own WHEN 1 THEN 0 ELSE peer_id END, message_id, peer_id, own, text, at_ms, sequence,
    state, 0 FROM messages_1 ORDER BY rowid;
INSERT INTO receipts SELECT sha256(receipt), receipt_no, payment_id, biller_id, transfer_no, paid_at_ms, receipt,
    signature FROM receipts_1;
DROP TABLE messages_1;
DROP TABLE receipts_1;
"""


class Store:
    """Rows in, rows out; what they mean is the business of `outbox` and `history`."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the database. Raises OSError, or Peewee's errors for a file that is no database."""
        from playhouse.apsw_ext import APSWDatabase  # here: not before somebody signs in

        path = folder / FILE_NAME
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its side files the same mode
        path.chmod(0o600)
        self._database = APSWDatabase(str(path), timeout=BUSY_MILLISECONDS / 1000)
        self._database.connect()
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):  # an order must be there after a power cut
            self.rows(f"PRAGMA {pragma}")
        with self._database.atomic("IMMEDIATE"):  # another process of this member may open it at the same moment
            self._make()

    def _make(self) -> None:
        """Makes the tables, or brings those of version 1 over. One transaction: whole or not at all."""
        version = int(self.rows("PRAGMA user_version")[0][0])
        is_first = not version and bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'messages'"))
        if is_first:
            self._database.connection().create_scalar_function("sha256", _sha256, 1)
        for script in (_FROM_1, SCHEMA, _COPY_1) if is_first else (SCHEMA,):
            for statement in script.split(";\n"):
                if statement.strip():
                    self.rows(statement)
        self.rows(f"PRAGMA user_version = {max(version, SCHEMA_VERSION)}")

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Runs one statement; each is a transaction of its own unless within `atomic`."""
        return list(self._database.execute_sql(sql, parameters).fetchall())

    def atomic(self) -> Any:
        """A context in which statements become one transaction."""
        return self._database.atomic()

    def counter(self, name: str) -> int:
        """The value of a counter; 0 before it was set."""
        found = self.rows("SELECT value FROM counters WHERE name = ?", name)
        return int(found[0][0]) if found else 0

    def set_counter(self, name: str, value: int) -> None:
        self.rows("INSERT OR REPLACE INTO counters (name, value) VALUES (?, ?)", name, value)

    def close(self) -> None:
        self._database.close()


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
