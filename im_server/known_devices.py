"""Devices that signed in before: a quick way in for them, which stays quick after a restart.

Argon2id is slow on purpose, and a thousand clients that come back at once would wait for it half a minute. So a right
password leaves a verifier for its device:

    HMAC-SHA256(server's key, device id ‖ stored Argon2id hash ‖ 00 ‖ password)

It is no shortcut for a thief of the database, nor of the whole folder: the device id is a random secret of 128 bits
that only the device has (the server keeps its SHA-256), and without it no guess at the password can be tried. A new
password has another Argon2id hash, so old verifiers end with it. Whoever misses is checked, and counted, the slow way.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from im_server.store.known_devices import KnownDeviceRow
from im_server.store.models import device_name_of

DEVICES_PER_MEMBER_MAX = 16  # as many as may be signed in at once; the one not used for longest makes room


def key_from(tls_key_file: Path) -> bytes:
    """The verifiers' key, of the server's own private key: a database without it verifies nothing."""
    return hmac.new(b"billbuddy known devices", tls_key_file.read_bytes(), hashlib.sha256).digest()


class KnownDevices:
    """Verifiers by member and device. Thread-safe. `save` is called with what has to be stored and what goes."""

    def __init__(
        self, key: bytes, rows: Iterable[KnownDeviceRow], save: Callable[[KnownDeviceRow, list[bytes]], None]
    ) -> None:
        self._key = key
        self._save = save
        self._lock = threading.Lock()  # guards _members
        self._members: dict[int, dict[bytes, bytes]] = {}
        for row in sorted(rows, key=lambda row: row.used_at_ms):
            self._members.setdefault(row.member_id, {})[row.device] = row.verifier

    def is_known(self, member_id: int, device_id: bytes) -> bool:
        return device_name_of(device_id) in self._members.get(member_id, ())

    def fits(self, member_id: int, device_id: bytes, stored_hash: str, password: str) -> bool:
        """Whether this very device gave this very password before."""
        expected = self._members.get(member_id, {}).get(device_name_of(device_id))
        return expected is not None and hmac.compare_digest(expected, self._verifier(device_id, stored_hash, password))

    def remember(self, member_id: int, device_id: bytes, stored_hash: str, password: str, now_ms: int) -> None:
        """The password was right: the device is known from now on, and the newest of its member."""
        device, verifier = device_name_of(device_id), self._verifier(device_id, stored_hash, password)
        with self._lock:
            devices = self._members.setdefault(member_id, {})
            if devices.get(device) == verifier:
                devices[device] = devices.pop(device)
                return
            devices.pop(device, None)
            devices[device] = verifier
            gone = list(devices)[:-DEVICES_PER_MEMBER_MAX]
            for old in gone:
                del devices[old]
        self._save(KnownDeviceRow(member_id, device, verifier, now_ms), gone)

    def _verifier(self, device_id: bytes, stored_hash: str, password: str) -> bytes:
        message = device_id + stored_hash.encode() + b"\0" + password.encode()
        return hmac.new(self._key, message, hashlib.sha256).digest()
