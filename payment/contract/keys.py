"""Keys that orders are sealed to, and the root key that vouches for them.

The subsystem has one Ed25519 root key (RFC 8032), which clients pin. It signs the set of key configs that are in
force; a config names one hybrid public key (ML-KEM-768 with X25519) and its suite. See im_protocol/SEALING.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated

import msgspec
from Crypto.PublicKey import Hybrid
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

KEM_MLKEM768_X25519 = 0x647A
KDF_HKDF_SHA256 = 0x0001
AEAD_CHACHA20_POLY1305 = 0x0003
SUITE = (KEM_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_CHACHA20_POLY1305)

PUBLIC_KEY_BYTES = 1216  # ML-KEM-768 encapsulation key (1184), then X25519 (32)
SEED_BYTES = 32
CONFIGS_MAX = 8
CLOCK_SKEW_MS = 5 * 60_000  # a key is taken this much before and after its time, as clocks differ

_FORMAT = "billbuddy-keys-1"


class KeyConfigError(Exception):
    """The key configs are not signed by the pinned root, or none of them can be used. Says which."""


class NoKeyNowError(KeyConfigError):
    """The keys are the trusted ones, but none is valid at this time: a clock is wrong."""


class KeyConfig(msgspec.Struct, array_like=True, frozen=True):
    """One public key with its suite, and when it may be used (Unix milliseconds, both included)."""

    key_id: Annotated[int, Meta(ge=0, le=255)]
    kem_id: Annotated[int, Meta(ge=0, le=0xFFFF)]
    kdf_id: Annotated[int, Meta(ge=0, le=0xFFFF)]
    aead_id: Annotated[int, Meta(ge=0, le=0xFFFF)]
    public_key: Annotated[bytes, Meta(max_length=4_096)]
    not_before_ms: int
    not_after_ms: int


class KeyConfigSet(msgspec.Struct, array_like=True, frozen=True):
    """What the root signs: every config in force at `signed_at_ms`."""

    format: str
    root_public_key: Annotated[bytes, Meta(min_length=32, max_length=32)]
    signed_at_ms: int
    configs: Annotated[list[KeyConfig], Meta(max_length=CONFIGS_MAX)]


class SignedKeyConfigs(msgspec.Struct, array_like=True, frozen=True):
    """Body of KEY_CONFIG. `payload` is the MessagePack of KeyConfigSet, byte for byte as signed (Ed25519)."""

    payload: Annotated[bytes, Meta(max_length=32_768)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


_ENCODER = msgspec.msgpack.Encoder()
_SIGNED = msgspec.msgpack.Decoder(SignedKeyConfigs)
_SET = msgspec.msgpack.Decoder(KeyConfigSet)


def root_fingerprint(root_public_key: bytes) -> bytes:
    """SHA-256 (32 bytes) of the root's raw 32-byte public key: what invite links carry."""
    return hashlib.sha256(root_public_key).digest()


def verify_key_configs(body: bytes, pinned_root: bytes, now_ms: int) -> list[KeyConfig]:
    """The configs of a KEY_CONFIG body that can be used now, newest first.

    `pinned_root` is the raw 32-byte Ed25519 public key; `now_ms` the clock in Unix milliseconds.
    Raises KeyConfigError when the body is malformed or signed by another key, KeyConfigNotNow when it holds no usable
    config.
    """
    try:
        signed = _SIGNED.decode(body)
        Ed25519PublicKey.from_public_bytes(pinned_root).verify(signed.signature, signed.payload)
        configs = _SET.decode(signed.payload)
    except InvalidSignature:
        raise KeyConfigError("the payment keys are not signed by the key that this device trusts") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise KeyConfigError(f"the payment keys cannot be read: {error}") from None
    if configs.format != _FORMAT or configs.root_public_key != pinned_root:
        raise KeyConfigError("the payment keys are of another format or for another root key")
    usable = [c for c in configs.configs if _is_usable(c, now_ms)]
    if not usable:
        raise NoKeyNowError("none of the payment keys is valid now: check this device's date and time")
    return sorted(usable, key=lambda c: c.not_before_ms, reverse=True)


def _is_usable(config: KeyConfig, now_ms: int) -> bool:
    in_time = config.not_before_ms - CLOCK_SKEW_MS <= now_ms <= config.not_after_ms + CLOCK_SKEW_MS
    suite_known = (config.kem_id, config.kdf_id, config.aead_id) == SUITE
    return in_time and suite_known and len(config.public_key) == PUBLIC_KEY_BYTES


def sign_key_configs(root: Ed25519PrivateKey, configs: list[KeyConfig], now_ms: int) -> bytes:
    """The body of KEY_CONFIG, signed by the subsystem's root key."""
    payload = _ENCODER.encode(KeyConfigSet(_FORMAT, root.public_key().public_bytes_raw(), now_ms, configs))
    return _ENCODER.encode(SignedKeyConfigs(payload, root.sign(payload)))


@dataclass(frozen=True, repr=False)
class OpeningKey:
    """A private key that opens orders: its id and the library's key. Never printed, so it has no repr."""

    key_id: int
    hybrid: Hybrid.HybridKey

    def config(self, not_before_ms: int, not_after_ms: int) -> KeyConfig:
        """The public half as clients get it."""
        return KeyConfig(self.key_id, *SUITE, public_bytes(self.hybrid), not_before_ms, not_after_ms)


def opening_key(key_id: int, seed: bytes) -> OpeningKey:
    """The private key of a 32-byte seed."""
    return OpeningKey(key_id, Hybrid.HybridKey(param_set=Hybrid.MLKEM768_X25519, seed=seed))


def sealing_key(public_key: bytes) -> Hybrid.HybridKey:
    """A public key to seal to. Raises ValueError for 1,216 bytes that are none (low-order X25519 points too)."""
    return Hybrid.HybridKey(param_set=Hybrid.MLKEM768_X25519, pk=public_key)


def public_bytes(key: Hybrid.HybridKey) -> bytes:
    """The public key as 1,216 bytes.

    The library has no public name for it yet (pycryptodome 4.4), so this is the only place that touches `_pk`.
    """
    return bytes(key._pk)
