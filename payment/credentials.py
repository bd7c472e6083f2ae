"""Account and password verification.

A guess is counted in a committed transaction before it is checked, and its verdict is committed before anybody hears
it, so that neither a crash nor a hundred guesses at once gain a free one. The count is per member and account number: a
stranger cannot lock somebody's account.

Only guesses that were judged wrong lock. One whose process ended before the verdict was committed told its guesser
nothing, whatever it was; it is given back. `UNJUDGED_MAX` bounds even those.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from itertools import pairwise

from payment.store import Store

PIN_DIGITS = 6
TRIES_MAX = 3
LOCKS_MS = (15 * 60_000, 60 * 60_000, 24 * 60 * 60_000)
"""How long the first, second, and every later lock lasts: at most three guesses a day in the long run."""

UNJUDGED_MAX = 30
"""Guesses at one account that end in a crash, one after the other and none judged between them, before it is locked all
the same: who can make the service crash at will should not do it for ever."""

VERIFIED_MS = 10 * 60_000
"""How long a verified password is known by its keyed check in memory, so that the next payments cost no scrypt."""

VERIFIED_MAX = 50_000
LOCKS_COUNTED_MAX = 1_000  # each further lock is as long as these
_FORGET_UNJUDGED = "DELETE FROM unjudged WHERE member_id = ? AND account_number = ?"
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


@dataclass(frozen=True)
class Wrong:
    """The password is wrong. `locked_until_ms` 0: not locked yet."""

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
        """Takes one of the member's guesses at this account. Inside a transaction that must commit before checking.

        The callers let one guess at a time through for each member and account, so what is still unjudged here was
        cut off by the end of a process.
        """
        key = (member_id, account_number)
        _, _, until = self._attempt(*key)
        if until > now_ms:
            return Locked(until)
        unjudged = self._unjudged(*key)
        if unjudged >= UNJUDGED_MAX:
            return Locked(self._lock(*key, now_ms))
        self._store.insert("unjudged", member_id=member_id, account_number=account_number, guesses=unjudged + 1)
        self._verified.pop(key, None)
        return Counted(self.record_of(*key))

    def judge_wrong(self, member_id: int, account_number: str, now_ms: int) -> Wrong:
        """The guess that was counted last is wrong. Inside a transaction that must commit before anybody hears it."""
        key = (member_id, account_number)
        tries, locks, _ = self._attempt(*key)
        tries = 1 if tries >= TRIES_MAX else tries + 1
        if tries == TRIES_MAX:
            return Wrong(0, self._lock(*key, now_ms))
        self._store.insert(
            "attempt", member_id=member_id, account_number=account_number, tries=tries, locks=locks, locked_until_ms=0
        )
        others = max(0, self._unjudged(*key) - 1)
        self._store.insert("unjudged", member_id=member_id, account_number=account_number, guesses=others)
        # What was cut off is told as if it had been wrong while that is not the last try: nobody shall count on more.
        return Wrong(max(1, TRIES_MAX - tries - others), 0)

    def _lock(self, member_id: int, account_number: str, now_ms: int) -> int:
        """Locks for the next longer time; gives the moment of its end."""
        _, locks, _ = self._attempt(member_id, account_number)
        until = now_ms + LOCKS_MS[min(locks, len(LOCKS_MS) - 1)]
        self._store.insert(
            "attempt",
            member_id=member_id,
            account_number=account_number,
            tries=TRIES_MAX,
            locks=min(locks + 1, LOCKS_COUNTED_MAX),
            locked_until_ms=until,
        )
        self._store.run(_FORGET_UNJUDGED, (member_id, account_number))
        self._verified.pop((member_id, account_number), None)
        return until

    def check(self, record: PinRecord | None, pin: str) -> bool:
        """Whether the password is right. Costs a full scrypt, whatever the answer; any thread."""
        known = record or self._dummy
        return hmac.compare_digest(known.hash, self._hash(pin, known.salt)) and record is not None and is_pin(pin)

    def settle(self, member_id: int, account_number: str, record: PinRecord, pin: str, now_ms: int) -> None:
        """After a right guess: forgets the counted ones (inside a transaction) and remembers the keyed check."""
        self._store.run("DELETE FROM attempt WHERE member_id = ? AND account_number = ?", (member_id, account_number))
        self._store.run(_FORGET_UNJUDGED, (member_id, account_number))
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
        """The record of a new password. Costs a full scrypt; any thread.

        Raises ValueError for what is not six digits: HMAC pads keys with zeros, so "271828" would open "271828\\0" too.
        """
        if not is_pin(pin):
            raise ValueError("the payment password has six digits")
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
        for table in ("attempt", "unjudged"):
            self._store.run(f"DELETE FROM {table} WHERE account_number = ?", (account_number,))
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

    def _unjudged(self, member_id: int, account_number: str) -> int:
        row = self._store.one(
            "SELECT guesses FROM unjudged WHERE member_id = ? AND account_number = ?", (member_id, account_number)
        )
        return int(row[0]) if row else 0

    def _hash(self, pin: str, salt: bytes) -> bytes:
        stretched = hashlib.scrypt(
            pin.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=_SCRYPT_BYTES_MAX, dklen=32
        )
        return hmac.digest(self._pepper, stretched, "sha256")

    def _keyed(self, record_id: bytes, member_id: int, pin: str) -> bytes:
        return hmac.digest(self._process_key, record_id + member_id.to_bytes(8) + pin.encode(), "sha256")
