"""The receiver's half of HPKE (RFC 9180, base mode), for opening many requests a second.

pycryptodome seals; its receiver spends most of its 0.35 ms in wrappers written in Python. This is the same arithmetic
on primitives of `cryptography` (OpenSSL) and `hmac`, in 0.08 ms, and nothing but what this one suite needs. The tests
check the two against each other and against a third implementation; each request of a client is one more such check,
since the client seals with the library.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from Crypto.Hash import SHAKE256
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

ENC_BYTES = 1_120  # ML-KEM-768 ciphertext (1,088), then the ephemeral X25519 public key (32)
_MLKEM_BYTES = 1_088
_KEY_BYTES, _NONCE_BYTES, _HASH_BYTES = 32, 12, 32

_SUITE_ID = b"HPKE" + bytes.fromhex("647a00010003")
_VERSION = b"HPKE-v1"
_COMBINER_LABEL = bytes.fromhex("5c2e2f2f5e5c")  # \.//^\ as drawn in draft-connolly-cfrg-xwing-kem


class Decapsulator:
    """The private half of MLKEM768-X25519, from its 32-byte seed."""

    def __init__(self, seed: bytes) -> None:
        expanded = SHAKE256.new(seed).read(96)
        self._mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self._x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self._x25519_public = self._x25519.public_key().public_bytes_raw()

    def shared_secret(self, enc: bytes) -> bytes:
        """What the sender encapsulated. Raises ValueError for a low-order X25519 point or another length.

        A wrong ML-KEM ciphertext gives a secret that fits nothing (implicit rejection, FIPS 203).
        """
        point = enc[_MLKEM_BYTES:]
        first = self._mlkem.decapsulate(enc[:_MLKEM_BYTES])
        second = self._x25519.exchange(X25519PublicKey.from_public_bytes(point))
        return hashlib.sha3_256(first + second + point + self._x25519_public + _COMBINER_LABEL).digest()


class ReceiverContext:
    """One received HPKE context. Raises ValueError when `enc` is no encapsulation."""

    def __init__(self, private: Decapsulator, enc: bytes, info: bytes) -> None:
        context = _schedule_context(info)
        secret = _extract(private.shared_secret(enc), b"secret", b"")
        self._key = _expand(secret, b"key", context, _KEY_BYTES)
        self._nonce = _expand(secret, b"base_nonce", context, _NONCE_BYTES)
        self._exporter = _expand(secret, b"exp", context, _HASH_BYTES)

    def open_first(self, ciphertext: bytes, aad: bytes) -> bytes:
        """The context's first message (sequence number 0, so the nonce is the base nonce). Raises ValueError."""
        try:
            return ChaCha20Poly1305(self._key).decrypt(self._nonce, ciphertext, aad)
        except InvalidTag:
            raise ValueError("the tag does not fit") from None

    def export(self, label: bytes) -> bytes:
        """32 bytes of secret for this label (RFC 9180 section 5.3)."""
        return _expand(self._exporter, b"sec", label, _HASH_BYTES)


@lru_cache(maxsize=64)
def _schedule_context(info: bytes) -> bytes:
    """RFC 9180 section 5.1, mode_base without psk: the same for all requests to one key, so computed once."""
    return b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    """LabeledExtract of RFC 9180 section 4."""
    return hmac.digest(salt, _VERSION + _SUITE_ID + label + material, "sha256")


def _expand(secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180 section 4, for up to one block (32 bytes)."""
    labeled = size.to_bytes(2) + _VERSION + _SUITE_ID + label + info
    return hmac.digest(secret, labeled + b"\x01", "sha256")[:size]
