"""Login passwords: Argon2id (RFC 9106), its cost kept within what a small server can do for a whole dormitory.

A password that was made here, with 79 bits of chance, is stored as a salted SHA-256 until its first use, which stores
it as Argon2id: 2^78 guesses are too many at any price (see ARCHITECTURE.md). So thousands are added in seconds.

A password that was just verified is remembered for minutes as a keyed digest, in memory only, so that the
reconnecting of all devices after a network cut does not cost a full hash each. The key never leaves the
process and the stored hash is part of the digest, so a changed password is not remembered.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

REMEMBERED_SECONDS = 600
REMEMBERED_MAX = 20_000
# OWASP's second set (19 MiB, 2 passes, 1 lane): about 15 ms here
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DECOY = _hasher.hash(secrets.token_hex(16))


MADE_CHARS = 16
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread
_MADE = "$made$"
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """The text to store for a password that a person chose. About 15 ms."""
    return _hasher.hash(password)


def make_password() -> str:
    """Sixteen of 31 characters: 79 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(MADE_CHARS))


def hash_made_password(password: str) -> str:
    """The text to store, until its first use, for a password of `make_password`."""
    if len(password) != MADE_CHARS or not set(password) <= set(_ALPHABET):
        raise ValueError("this password was not made here")
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{_MADE}{salt.hex()}${_digest(salt, password)}"


def is_made(stored_hash: str) -> bool:
    """Whether a stored text is one of `hash_made_password`: after a right password it is to be stored as Argon2id."""
    return stored_hash.startswith(_MADE)


def _digest(salt: bytes, password: str) -> str:
    return hashlib.sha256(salt + password.encode()).hexdigest()


class PasswordChecker:
    """Verifies passwords. Thread-safe."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._lock = threading.Lock()  # guards _remembered
        self._remembered: OrderedDict[bytes, float] = OrderedDict()

    def is_right(self, stored_hash: str | None, password: str) -> bool:
        """Whether the password fits. An unknown member (None) costs as much as a known one."""
        if stored_hash is None:
            self._verify(_DECOY, password)
            return False
        digest = hmac.new(self._key, stored_hash.encode() + b"\0" + password.encode(), hashlib.sha256).digest()
        now = time.monotonic()
        with self._lock:
            if self._remembered.get(digest, 0.0) > now:
                return True
        if not self._verify(stored_hash, password):
            return False
        with self._lock:
            self._remembered[digest] = now + REMEMBERED_SECONDS
            while len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return True

    @staticmethod
    def _verify(stored_hash: str, password: str) -> bool:
        if is_made(stored_hash):
            salt, _, digest = stored_hash.removeprefix(_MADE).partition("$")
            if hmac.compare_digest(digest, _digest(bytes.fromhex(salt), password)):
                return True
            stored_hash = _DECOY  # a wrong guess takes as long as at any other member
        try:
            return _hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False
