"""Account and password verification.

A guess is counted in a committed transaction before it is checked, so that neither a crash nor a hundred guesses at
once gain a free one. The count is per member and account number: a stranger cannot lock somebody's account. An unknown
account goes through the same steps, scrypt included, and gets the same answer as a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from itertools import pairwise

from payment.schema import Attempt
from payment.store import Store

PIN_DIGITS = 6
TRIES_MAX = 3
LOCKS_MS = (15 * 60_000, 60 * 60_000, 24 * 60 * 60_000)
"""How long the first, second, and every later lock lasts: at most three guesses a day in the long run."""

ATTEMPT_ROWS_MAX = 20
"""Account numbers one member can have open guesses at: bounds the table, no honest member has so many accounts."""

VERIFIED_MS = 10 * 60_000
"""How long a verified password is known by its keyed check in memory, so that the next payments cost no scrypt."""

VERIFIED_MAX = 50_000
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1  # 16 MiB, about 50 ms: the least that OWASP still lists
_SCRYPT_BYTES_MAX = 64 * 2**20

_COMMON = frozenset(
    {
        *("112233", "123123", "123321", "123654", "131452", "142857", "147258", "147369"),
        *("147852", "159357", "159753", "168168", "258369", "332211", "369258", "456123"),
        *("456789", "520131", "520520", "521521", "789456", "987321"),
    }
)


@dataclass(frozen=True)
class PinRecord:
    """What is stored of a payment password. `record_id` is new with every change."""

    record_id: bytes
    salt: bytes
    hash: bytes


@dataclass(frozen=True)
class Counted:
    """A guess that has been counted and may now be checked. `record` None: no such account of this member."""

    record: PinRecord | None
    attempts_left: int
    locked_until_ms: int


@dataclass(frozen=True)
class Locked:
    """No guess is taken before this moment."""

    until_ms: int


def is_pin(pin: str) -> bool:
    """Six ASCII digits."""
    return len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()


def is_weak(pin: str) -> bool:
    """Among the first that a thief tries: one digit, a run, a repeated group, a pattern on the keypad."""
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    repeated = pin[:2] * 3 == pin or pin[:3] * 2 == pin
    mirrored_pairs = pin[0] == pin[1] and pin[2] == pin[3] and pin[4] == pin[5]
    return steps <= {0} or steps <= {1} or steps <= {9} or repeated or mirrored_pairs or pin in _COMMON


def new_pin() -> str:
    """A random payment password that is not weak."""
    while True:
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"
        if not is_weak(pin):
            return pin


class Credentials:
    """Payment passwords of one store. `pepper` (32 bytes) is in a file beside the database, never in it."""

    def __init__(self, store: Store, pepper: bytes) -> None:
        self._store = store
        self._pepper = pepper
        self._process_key = secrets.token_bytes(32)
        self._verified: dict[tuple[int, str], tuple[bytes, bytes, int]] = {}
        self._dummy = PinRecord(secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(32))

    # ---- the slow way: count, check, settle -------------------------------------------------------------------

    def count_attempt(self, member_id: int, account_number: str, now_ms: int) -> Counted | Locked:
        """Takes one of the member's guesses at this account. Inside a transaction that must commit before checking."""
        tries, locks, until = self._attempt(member_id, account_number)
        if until > now_ms:
            return Locked(until)
        if tries == 0 and self._has_too_many_rows(member_id):
            return Locked(now_ms + LOCKS_MS[0])
        tries = 1 if tries >= TRIES_MAX else tries + 1
        until = 0
        if tries == TRIES_MAX:
            until = now_ms + LOCKS_MS[min(locks, len(LOCKS_MS) - 1)]
            locks += 1
        self._store.insert(
            "attempt",
            member_id=member_id,
            account_number=account_number,
            tries=tries,
            locks=locks,
            locked_until_ms=until,
        )
        self._verified.pop((member_id, account_number), None)
        return Counted(self.record_of(member_id, account_number), TRIES_MAX - tries, until)

    def check(self, record: PinRecord | None, pin: str) -> bool:
        """Whether the password is right. Costs a full scrypt, whatever the answer; any thread."""
        known = record or self._dummy
        return hmac.compare_digest(known.hash, self._hash(pin, known.salt)) and record is not None

    def settle(self, member_id: int, account_number: str, record: PinRecord, pin: str, now_ms: int) -> None:
        """After a right guess: forgets the counted ones (inside a transaction) and remembers the keyed check."""
        self._store.run(
            "DELETE FROM attempt WHERE member_id = ? AND account_number = ?", (member_id, account_number)
        )
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        check = self._keyed(record.record_id, member_id, pin)
        self._verified[member_id, account_number] = (record.record_id, check, now_ms + VERIFIED_MS)

    # ---- the fast way -----------------------------------------------------------------------------------------

    def is_verified(self, member_id: int, account_number: str, pin: str, now_ms: int) -> bool:
        """Whether this very password was verified minutes ago.

        Safe because a miss counts for nothing: it only leads to the slow way, where the guess is counted and which
        drops the entry. The check is keyed with a key that never leaves this process's memory.
        """
        known = self._verified.get((member_id, account_number))
        if known is None:
            return False
        record_id, check, until_ms = known
        if not until_ms - VERIFIED_MS <= now_ms < until_ms:
            del self._verified[member_id, account_number]
            return False
        return hmac.compare_digest(check, self._keyed(record_id, member_id, pin))

    # ---- setting ----------------------------------------------------------------------------------------------

    def has_pin(self, account_id: int) -> bool:
        """Whether the account has a payment password."""
        return self._store.one("SELECT 1 FROM pin WHERE account_id = ?", (account_id,)) is not None

    def prepare(self, pin: str) -> PinRecord:
        """The record of a new password. Costs a full scrypt; any thread."""
        salt = secrets.token_bytes(16)
        return PinRecord(secrets.token_bytes(16), salt, self._hash(pin, salt))

    def set(self, account_id: int, account_number: str, record: PinRecord, now_ms: int, set_by: str) -> None:
        """Stores a password inside a transaction, and ends all counts and keyed checks of the account."""
        self._store.insert(
            "pin",
            account_id=account_id,
            record_id=record.record_id,
            salt=record.salt,
            hash=record.hash,
            set_at_ms=now_ms,
            set_by=set_by,
        )
        self._store.run("DELETE FROM attempt WHERE account_number = ?", (account_number,))
        for key in [key for key in self._verified if key[1] == account_number]:
            del self._verified[key]

    def record_of(self, member_id: int, account_number: str) -> PinRecord | None:
        """The stored password of this member's account."""
        row = self._store.one(
            "SELECT p.record_id, p.salt, p.hash FROM account a JOIN pin p ON p.account_id = a.id "
            "WHERE a.number = ? AND a.owner_id = ? AND a.kind = 'wallet'",
            (account_number, member_id),
        )
        return PinRecord(*row) if row else None

    def _attempt(self, member_id: int, account_number: str) -> tuple[int, int, int]:
        row = self._store.one(
            "SELECT tries, locks, locked_until_ms FROM attempt WHERE member_id = ? AND account_number = ?",
            (member_id, account_number),
        )
        return (row[0], row[1], row[2]) if row else (0, 0, 0)

    def _has_too_many_rows(self, member_id: int) -> bool:
        with self._store.bound():
            return Attempt.select().where(Attempt.member_id == member_id).count() >= ATTEMPT_ROWS_MAX

    def _hash(self, pin: str, salt: bytes) -> bytes:
        stretched = hashlib.scrypt(
            pin.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=_SCRYPT_BYTES_MAX, dklen=32
        )
        return hmac.digest(self._pepper, stretched, "sha256")

    def _keyed(self, record_id: bytes, member_id: int, pin: str) -> bytes:
        return hmac.digest(self._process_key, record_id + member_id.to_bytes(8) + pin.encode(), "sha256")
