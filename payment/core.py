"""The subsystem's parts, put together over one data folder. Who holds a Core holds the folder's lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from payment.arrears import Arrears
from payment.audit import AuditLog
from payment.billing import Billing
from payment.command_log import CommandLog
from payment.credentials import Credentials
from payment.folder import Folder, FolderLock
from payment.keystore import KeyStore
from payment.ledger import Ledger
from payment.limits import Limits
from payment.orders import Orders
from payment.rowseal import RowSealer
from payment.store import Store
from payment.verification import Verifier, kept_from

CASH_NUMBER = "cash-{currency}"
SWEEP_MS = 60_000
KEPT_MS = 4 * 86_400_000
"""How long nonces and marks stay after the request's own time: with a clock that jumps a day to and fro, an order that
was said to be dead may be fresh again, so it must not be forgotten. Four days cover such jumps on both sides."""


def system_clock() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class Core:
    """Everything that works on one payment.db. The thread that makes it is the writing thread.

    `vfs` names the SQLite VFS of the database ('' the system's); `clock` gives Unix milliseconds.
    Raises FolderError when the folder cannot be used or another process works on it.
    """

    def __init__(self, path: Path, *, vfs: str = "", clock: Callable[[], int] = system_clock) -> None:
        self.clock = clock
        self.folder = Folder(path)
        self._lock = FolderLock(self.folder)
        try:
            self.sealer = RowSealer(self.folder.secret("keys/rows.key"))
            self.keystore = KeyStore(self.folder, clock())
            self.store = Store(self.folder.database, self.sealer, vfs=vfs)
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        self.ledger = Ledger(self.store, self.keystore.root)
        self.credentials = Credentials(self.store, self.folder.secret("pepper"))
        self.billing = Billing(self.store)
        self.limits = Limits(self.store)
        self.arrears = Arrears(self.store, self.ledger, self.billing, self.credentials, self.limits)
        self.orders = Orders(
            self.store, self.ledger, self.billing, self.arrears, self.limits, self.keystore.root, self.sealer
        )
        self.audit = AuditLog(self.store)
        self.commands = CommandLog(self.store, self.sealer)
        self.verifier = Verifier(self.keystore)
        self._swept_ms = 0

    def save_nonce(self, nonce: bytes, made_at_ms: int = 0) -> None:
        """Keeps a money request's nonce over a restart. Inside a transaction. `made_at_ms`: what the request bears."""
        at_ms = kept_from(made_at_ms, self.clock())
        self.store.run("INSERT OR IGNORE INTO nonce VALUES (?, ?)", (nonce, at_ms))

    def is_spent(self, nonce: bytes) -> bool:
        """Whether a money request with this nonce was answered before, and left no stored result."""
        return self.store.one("SELECT 1 FROM nonce WHERE nonce = ?", (nonce,)) is not None

    def sweep(self) -> None:
        """Once a minute, inside a transaction: drops nonces and marks that freshness covers, at any clock, by now."""
        now_ms = self.clock()
        if 0 <= now_ms - self._swept_ms < SWEEP_MS:
            return
        self._swept_ms = now_ms
        before_ms = now_ms - KEPT_MS
        self.store.run("DELETE FROM nonce WHERE at_ms < ?", (before_ms,))
        self.orders.forget_asked(before_ms)

    def close(self) -> None:
        """Signs the chain's head, closes the database and gives the folder's lock back."""
        try:
            with self.store.transaction():
                self.ledger.sign_head(self.clock())
            self.store.close()
        finally:
            self._lock.__exit__(None, None, None)

    def abandon(self) -> None:
        """Closes without writing anything: after a failure."""
        try:
            self.store.database.close()
        finally:
            self._lock.__exit__(None, None, None)
