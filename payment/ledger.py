"""Fee deduction: the double-entry ledger.

A transfer debits one account and credits another, once and for ever. Every transfer's hash covers the one before it.
All methods belong to the writing thread and run inside the caller's transaction; whoever calls them keeps the rest of
the story (bill, result) in the same transaction.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.contract.messages import ANSWER_MINOR_MAX
from payment.store import Store

HASH_BYTES = 32
CHAIN_START = bytes(HASH_BYTES)
HEAD_EVERY = 256
"""Transfers between two signed heads. Each receipt is signed and carries the chain hash too, so few are enough."""

NORMAL_SIDE = {"wallet": "credit", "biller": "credit", "cash": "debit"}
"""Members' wallets and billers' balances are what the house owes (liabilities); cash is what it holds (asset)."""

_HEAD = struct.Struct(">Q32sQ")
_ENCODER = msgspec.msgpack.Encoder()


CEILING = {"wallet": ANSWER_MINOR_MAX, "biller": 2**62, "cash": 2**62}
"""The largest balance of each kind, in minor units: what an answer can name, and what 64 bits hold with room to add."""


class NotEnoughMoney(Exception):
    """A transfer would take an account below its floor."""


class TooMuchMoney(ValueError):
    """A transfer would take an account above its ceiling."""

    def __init__(self) -> None:
        super().__init__("the account would hold more than can be kept in it; no money moved")


class TransferRow(msgspec.Struct, array_like=True):
    """A transfer as it is hashed: the MessagePack array of these fields in this order."""

    no: int
    kind: str
    debit_id: int
    credit_id: int
    amount: int
    currency: str
    at_ms: int
    member_id: int
    payment_id: bytes
    biller_id: int = 0
    customer_number: str = ""
    bill_id: int = 0
    cleared: int = 0
    credit: int = 0
    refunds_no: int = 0
    reason: str = ""


TRANSFER_COLUMNS = tuple(TransferRow.__struct_fields__)
_INSERT = (
    f"INSERT INTO transfer ({', '.join(TRANSFER_COLUMNS)}, hash) "
    f"VALUES ({', '.join('?' * (len(TRANSFER_COLUMNS) + 1))})"
)


@dataclass(slots=True)
class LedgerAccount:
    """An account as the ledger sees it. `balance` is in the direction of its normal side and follows every post."""

    id: int
    number: str
    kind: str
    owner_id: int
    name: str
    currency: str
    balance: int
    floor: int


_ACCOUNT = "SELECT id, number, kind, owner_id, name, currency, balance, floor FROM account WHERE "


def transfer_hash(previous: bytes, row: TransferRow) -> bytes:
    """SHA-256 over the hash before it and the row's canonical bytes."""
    return hashlib.sha256(previous + _ENCODER.encode(row)).digest()


def head_bytes(transfer_no: int, chain_hash: bytes, at_ms: int) -> bytes:
    """What a signed head signs: its label, number u64, hash, time u64 (Unix milliseconds)."""
    return b"billbuddy chain head\0" + _HEAD.pack(transfer_no, chain_hash, at_ms)


class Ledger:
    """The ledger of one store."""

    def __init__(self, store: Store, root: Ed25519PrivateKey) -> None:
        self._store = store
        self._root = root
        row = store.one("SELECT no, hash FROM transfer ORDER BY no DESC LIMIT 1")
        self._no: int = row[0] if row else 0
        self._hash: bytes = row[1] if row else CHAIN_START
        head = store.one("SELECT max(transfer_no) FROM head")
        self._head_no: int = (head and head[0]) or 0
        self._saved = (self._no, self._hash, self._head_no)

    @property
    def head(self) -> tuple[int, bytes]:
        """Number and hash of the newest transfer."""
        return self._no, self._hash

    def hash_of(self, transfer_no: int) -> bytes:
        """The chain's hash at a transfer; empty when there is none of this number."""
        row = self._store.one("SELECT hash FROM transfer WHERE no = ?", (transfer_no,))
        return bytes(row[0]) if row else b""

    def accounts_by_number(self, numbers: Iterable[str]) -> dict[str, LedgerAccount]:
        """Accounts of these numbers; unknown ones are missing."""
        rows = self._store.rows_in(_ACCOUNT + "number IN", list(numbers))
        return {row[1]: LedgerAccount(*row) for row in rows}

    def accounts_by_id(self, ids: Iterable[int]) -> dict[int, LedgerAccount]:
        """Accounts of these ids; unknown ones are missing."""
        return {row[0]: LedgerAccount(*row) for row in self._store.rows_in(_ACCOUNT + "id IN", list(ids))}

    def accounts_of(self, owner_id: int, kind: str = "wallet") -> list[LedgerAccount]:
        """The accounts of a member (or biller), oldest first."""
        rows = self._store.all(_ACCOUNT + "owner_id = ? AND kind = ? ORDER BY id", (owner_id, kind))
        return [LedgerAccount(*row) for row in rows]

    def begin(self) -> None:
        """Marks where the chain stands, for `undo`: call it before each transaction."""
        self._saved = (self._no, self._hash, self._head_no)

    def undo(self) -> None:
        """The transaction was rolled back: the chain is where it was."""
        self._no, self._hash, self._head_no = self._saved

    def stage(self, row: TransferRow, debit: LedgerAccount, credit: LedgerAccount) -> bytes:
        """Numbers and chains one transfer and moves the two balances in memory. Gives its hash.

        Raises NotEnoughMoney or TooMuchMoney (nothing is changed then) when an account would go below its floor or
        above its ceiling. The caller hands all staged rows and accounts to `write` in the same transaction.
        """
        if debit.currency != row.currency or credit.currency != row.currency or debit.id == credit.id:
            raise ValueError("a transfer is between two accounts of its own currency")
        debit_after = debit.balance + (row.amount if debit.kind == "cash" else -row.amount)
        credit_after = credit.balance + (-row.amount if credit.kind == "cash" else row.amount)
        if debit_after < debit.floor or credit_after < credit.floor:
            raise NotEnoughMoney
        if debit_after > CEILING[debit.kind] or credit_after > CEILING[credit.kind]:
            raise TooMuchMoney
        debit.balance, credit.balance = debit_after, credit_after
        self._no += 1
        row.no, row.debit_id, row.credit_id = self._no, debit.id, credit.id
        self._hash = transfer_hash(self._hash, row)
        return self._hash

    def write(self, staged: list[tuple[TransferRow, bytes]], touched: Iterable[LedgerAccount], now_ms: int) -> None:
        """Stores staged transfers and the balances of the accounts they touched, and a signed head now and then."""
        self._store.run_many(_INSERT, [(*msgspec.structs.astuple(row), digest) for row, digest in staged])
        self._store.run_many("UPDATE account SET balance = ? WHERE id = ?", [(a.balance, a.id) for a in touched])
        if self._no - self._head_no >= HEAD_EVERY:
            self.sign_head(now_ms)

    def post(self, row: TransferRow, debit: LedgerAccount, credit: LedgerAccount) -> bytes:
        """One transfer on its own: stage and write. Raises NotEnoughMoney."""
        digest = self.stage(row, debit, credit)
        self.write([(row, digest)], (debit, credit), row.at_ms)
        return digest

    def sign_head(self, now_ms: int) -> None:
        """Stores a signed head of the chain as it stands, unless that is there already."""
        if self._no == self._head_no:
            return
        signature = self._root.sign(head_bytes(self._no, self._hash, now_ms))
        self._store.run("INSERT INTO head VALUES (?, ?, ?, ?)", (self._no, self._hash, now_ms, signature))
        self._head_no = self._no
