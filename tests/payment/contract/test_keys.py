from __future__ import annotations

import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.contract import keys

NOW = 1_767_225_600_000
HOUR = 3_600_000
ROOT = Ed25519PrivateKey.from_private_bytes(bytes(32))
PINNED = ROOT.public_key().public_bytes_raw()


def config(key_id: int, start: int = NOW, end: int = NOW + HOUR) -> keys.KeyConfig:
    return keys.opening_key(key_id, bytes([key_id]) * 32).config(start, end)


def test_configs_come_newest_first() -> None:
    body = keys.sign_key_configs(ROOT, [config(1, NOW - HOUR), config(2)], NOW)
    assert [c.key_id for c in keys.verify_key_configs(body, PINNED, NOW)] == [2, 1]


def test_a_key_before_or_after_its_time_is_left_out() -> None:
    skew = keys.CLOCK_SKEW_MS
    body = keys.sign_key_configs(ROOT, [config(1)], NOW)
    for now in (NOW - skew, NOW, NOW + HOUR + skew):
        assert keys.verify_key_configs(body, PINNED, now)
    for now in (NOW - skew - 1, NOW + HOUR + skew + 1):
        with pytest.raises(keys.KeyConfigError, match="date and time"):
            keys.verify_key_configs(body, PINNED, now)


def test_another_root_is_refused() -> None:
    body = keys.sign_key_configs(Ed25519PrivateKey.generate(), [config(1)], NOW)
    with pytest.raises(keys.KeyConfigError, match="trusts"):
        keys.verify_key_configs(body, PINNED, NOW)


def test_an_unknown_suite_is_left_out() -> None:
    other = msgspec.structs.replace(config(1), aead_id=1)
    body = keys.sign_key_configs(ROOT, [other], NOW)
    with pytest.raises(keys.KeyConfigError):
        keys.verify_key_configs(body, PINNED, NOW)


def test_every_flipped_byte_is_refused() -> None:
    body = keys.sign_key_configs(ROOT, [config(1)], NOW)
    for at in range(0, len(body), 7):
        broken = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        with pytest.raises(keys.KeyConfigError):
            keys.verify_key_configs(broken, PINNED, NOW)
    for broken in (b"", body[:-1], b"\xff" * 40):
        with pytest.raises(keys.KeyConfigError):
            keys.verify_key_configs(broken, PINNED, NOW)


def test_the_fingerprint_is_sha256() -> None:
    assert keys.root_fingerprint(PINNED) == hashlib.sha256(PINNED).digest()


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_low_order_public_keys_are_refused(point: bytes) -> None:
    good = config(1).public_key
    with pytest.raises(ValueError, match="key"):
        keys.sealing_key(good[:-32] + point)
