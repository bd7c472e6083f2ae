"""Login passwords: Argon2id (RFC 9106), its cost kept within what a small server can do for a whole dormitory.

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


def hash_password(password: str) -> str:
    """The text to store."""
    return _hasher.hash(password)


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
        try:
            return _hasher.verify(stored_hash, password)
        except (VerificationError, InvalidHashError):
            return False
