"""The subsystem's keys: the Ed25519 root, and the sealing keys with their times. Rotation keeps an overlap."""

from __future__ import annotations

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.contract import keys
from payment.errors import FolderError
from payment.folder import Folder, read_secret, write_secret

DAY_MS = 86_400_000
LIFE_MS = 400 * DAY_MS  # a key that nobody rotates works for over a year
OVERLAP_MS = 7 * DAY_MS  # clients that were off for a week still get through with the old key


class _Entry(msgspec.Struct):
    key_id: int
    not_before_ms: int
    not_after_ms: int


class KeyStore:
    """Keys of one data folder. `now_ms` is the clock in Unix milliseconds."""

    def __init__(self, folder: Folder, now_ms: int) -> None:
        self._folder = folder
        self._index = folder.keys / "sealing.json"
        self.root = Ed25519PrivateKey.from_private_bytes(folder.secret("keys/root.key"))
        self.root_public = self.root.public_key().public_bytes_raw()
        self._entries = self._load()
        self._keys = {e.key_id: self._key(e.key_id) for e in self._entries}
        self._body = b""
        self._body_until_ms = 0
        if not any(e.not_before_ms <= now_ms <= e.not_after_ms for e in self._entries):
            self.rotate(now_ms, overlap_ms=OVERLAP_MS)

    def opening_key(self, key_id: int, now_ms: int) -> keys.OpeningKey | None:
        """The private key of this id while it is in force; None for one unknown or retired."""
        for entry in self._entries:
            if entry.key_id == key_id:
                if now_ms <= entry.not_after_ms + keys.CLOCK_SKEW_MS:
                    return self._keys[key_id]
                self._retire(entry)
        return None

    def _retire(self, entry: _Entry) -> None:
        """For good: who heard that a seal opens no more was told that nothing was charged.

        A clock that was wrong and is put right must not open it after all. The newest key stays, since without it
        nothing could be sealed at all.
        """
        if entry is self._entries[-1]:
            return
        entries = [other for other in self._entries if other is not entry]
        write_secret(self._index, msgspec.json.encode(entries))
        self._path(entry.key_id).unlink(missing_ok=True)
        self._entries = entries
        del self._keys[entry.key_id]
        self._body = b""

    def body(self, now_ms: int) -> bytes:
        """Body of KEY_CONFIG: every key in force, signed by the root. Signed anew once an hour."""
        if not self._body or now_ms >= self._body_until_ms or now_ms < self._body_until_ms - 3_600_000:
            configs = [
                # A key that was made while the clock was ahead is in force all the same.
                self._keys[e.key_id].config(min(e.not_before_ms, now_ms), e.not_after_ms)
                for e in reversed(self._entries)  # newest first, as clients want them
                if now_ms <= e.not_after_ms
            ]
            self._body = keys.sign_key_configs(self.root, configs, now_ms)
            self._body_until_ms = now_ms + 3_600_000
        return self._body

    @property
    def next_id(self) -> int:
        """The id that the next rotation gives."""
        return (self._entries[-1].key_id + 1) % 256 if self._entries else 1

    def has(self, key_id: int) -> bool:
        """Whether a key of this id is listed, retired or not."""
        return key_id in self._keys

    def rotate(self, now_ms: int, *, overlap_ms: int) -> int:
        """A new sealing key from now; the ones before it end after `overlap_ms`. Gives the new key id."""
        used = [e.key_id for e in self._entries]
        kept = [e for e in self._entries if now_ms <= e.not_after_ms + keys.CLOCK_SKEW_MS][-(keys.CONFIGS_MAX - 1) :]
        for entry in kept:
            entry.not_after_ms = min(entry.not_after_ms, now_ms + overlap_ms)
        key_id = self.next_id
        self._folder.secret(f"keys/sealing-{key_id}.key")
        entries = [*kept, _Entry(key_id, now_ms, now_ms + LIFE_MS)]
        write_secret(self._index, msgspec.json.encode(entries))
        for gone in set(used) - {e.key_id for e in entries}:
            self._path(gone).unlink(missing_ok=True)
        self._entries = entries
        self._keys = {e.key_id: self._key(e.key_id) for e in entries}
        self._body = b""
        return key_id

    def _load(self) -> list[_Entry]:
        if not self._index.exists():
            return []
        try:
            return msgspec.json.decode(read_secret(self._index), type=list[_Entry])
        except msgspec.DecodeError as error:
            raise FolderError(f"the key list {self._index} cannot be read: {error}") from error

    def _key(self, key_id: int) -> keys.OpeningKey:
        return keys.opening_key(key_id, read_secret(self._path(key_id), keys.SEED_BYTES))

    def _path(self, key_id: int) -> Path:
        return self._folder.keys / f"sealing-{key_id}.key"
