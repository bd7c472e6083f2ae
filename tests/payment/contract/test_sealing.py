"""Sealing: RFC 9180 and an independent implementation, golden vectors, and every way to break a seal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from Crypto.Hash import SHAKE256
from Crypto.Protocol import HPKE
from Crypto.PublicKey import ECC, Hybrid
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from payment.contract import keys, sealing
from payment.contract.messages import Amount, Done, Envelope, Overview, Pay

MEMBER = 10_001
KEY = keys.opening_key(7, bytes(range(32)))
CONFIG = KEY.config(0, 1)
ENVELOPE = Envelope(bytes(16), 1, "en", Pay(bytes(16), 101, "1", 1, Amount(1, "CNY"), "2", "314159"))
VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "sealing.json").read_text())


def vector(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


def refuses(body: bytes, member: int = MEMBER, key: keys.OpeningKey = KEY) -> str:
    with pytest.raises(sealing.SealError) as caught:
        sealing.open_request(key, body, member)
    assert type(caught.value) is sealing.SealError
    return str(caught.value)


def test_the_library_fits_rfc_9180_appendix_a_2_1() -> None:
    private = ECC.construct(
        curve="Curve25519", seed=bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
    )
    context = HPKE.new(
        receiver_key=private,
        aead_id=HPKE.AEAD.CHACHA20_POLY1305,
        enc=bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"),
        info=b"Ode on a Grecian Urn",
    )
    sealed = (
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
        "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c",
    )
    for number, text in enumerate(sealed):
        plain = context.unseal(bytes.fromhex(text), f"Count-{number}".encode())
        assert plain == b"Beauty is truth, truth beauty"
    exported = {
        b"": "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e",
        b"\0": "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69",
        b"TestContext": "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
    }
    for label, value in exported.items():
        assert context.export(label, 32).hex() == value


def test_an_independent_implementation_reads_and_writes_the_same() -> None:
    seed = SHAKE256.new(bytes(range(32))).read(96)
    private = hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(seed[:64]), X25519PrivateKey.from_private_bytes(seed[64:])
    )
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
    aead = HPKE.AEAD.CHACHA20_POLY1305
    ours = HPKE.new(receiver_key=keys.sealing_key(CONFIG.public_key), aead_id=aead, info=b"i")
    assert suite.decrypt(ours.enc + ours.seal(b"hello"), private, b"i") == b"hello"
    theirs = suite.encrypt(b"hello", private.public_key(), b"i")
    opened = HPKE.new(receiver_key=KEY.hybrid, aead_id=aead, enc=theirs[: sealing.ENC_BYTES], info=b"i")
    assert opened.unseal(theirs[sealing.ENC_BYTES :]) == b"hello"


def test_golden_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    key = keys.opening_key(1, vector("sealing_key_seed"))
    assert keys.public_bytes(key.hybrid) == vector("public_key")
    envelope = msgspec.msgpack.decode(vector("envelope"), type=Envelope)
    monkeypatch.setattr(Hybrid, "get_random_bytes", lambda size: vector("encapsulation_randomness")[:size])
    body, context = sealing.seal_request(key.config(0, 1), envelope, VECTORS["member_id"])
    assert body == vector("sealed_request") and body[:7] == vector("header")
    opened, sealer = sealing.open_request(key, body, VECTORS["member_id"])
    assert opened == envelope
    assert sealing.aad_of(VECTORS["member_id"]) == vector("aad")
    sealed = sealer.seal_encoded(vector("answer"), vector("response_nonce"))
    assert sealed == vector("sealed_answer")
    assert msgspec.msgpack.encode(context.open(sealed)) == vector("answer")
    assert keys.verify_key_configs(vector("key_config_body"), vector("root_public_key"), 1_767_225_600_000)


def test_a_request_and_its_answer_make_the_way() -> None:
    body, context = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    envelope, sealer = sealing.open_request(KEY, body, MEMBER)
    assert envelope == ENVELOPE
    assert context.open(sealer.seal(Done("good"))) == Done("good")


def test_lengths_tell_only_a_size_class() -> None:
    short, _ = sealing.seal_request(CONFIG, Envelope(bytes(16), 1, "en", Overview()), MEMBER)
    longer, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    assert len(short) == len(longer)
    _, sealer = sealing.open_request(KEY, short, MEMBER)
    assert {len(sealer.seal(Done("x" * size))) for size in (1, 100, 400)} == {512 + 48}
    with pytest.raises(ValueError, match="over the limit"):
        sealer.seal_encoded(bytes(32_765))


def test_every_flipped_bit_of_a_request_is_one_uniform_refusal() -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    header, enc_end = sealing.HEADER.size, sealing.HEADER.size + sealing.ENC_BYTES
    bits = [*range(header * 8), *range(header * 8, enc_end * 8, 211), *range(enc_end * 8, len(body) * 8, 97)]
    bits += range((len(body) - 16) * 8, len(body) * 8)
    said = set()
    for bit in bits:
        broken = bytearray(body)
        broken[bit // 8] ^= 1 << bit % 8
        said.add(refuses(bytes(broken)))
    assert len(said) == 1


@pytest.mark.parametrize("size", [0, 1, 6, 7, 1_126, 1_127, 1_143, 1_654])
def test_truncated_requests_are_refused(size: int) -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    refuses(body[:size])


def test_oversized_requests_are_refused() -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    refuses(body + b"\0")
    refuses(body + bytes(40_000))


@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_low_order_points_in_the_encapsulation_are_refused(point: bytes) -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    end = sealing.HEADER.size + sealing.ENC_BYTES
    refuses(body[: end - 32] + point + body[end:])


def test_an_all_zero_encapsulation_is_refused() -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    end = sealing.HEADER.size + sealing.ENC_BYTES
    refuses(body[: sealing.HEADER.size] + bytes(sealing.ENC_BYTES) + body[end:])


def test_another_member_or_key_is_refused() -> None:
    body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    refuses(body, member=MEMBER + 1)
    refuses(body, key=keys.opening_key(7, bytes(32)))
    refuses(body, key=keys.opening_key(8, bytes(range(32))))


def test_a_key_that_is_none_cannot_be_sealed_to() -> None:
    for public in (bytes(1_216), b"", CONFIG.public_key[:-1], CONFIG.public_key[:-32] + bytes(32)):
        with pytest.raises(sealing.SealError):
            sealing.seal_request(msgspec.structs.replace(CONFIG, public_key=public), ENVELOPE, MEMBER)
    with pytest.raises(sealing.SealError):
        sealing.seal_request(msgspec.structs.replace(CONFIG, kem_id=0x20), ENVELOPE, MEMBER)


def test_an_answer_fits_only_its_own_request() -> None:
    body, context = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    other, other_context = sealing.seal_request(CONFIG, ENVELOPE, MEMBER + 1)
    answer = sealing.open_request(KEY, body, MEMBER)[1].seal(Done("mine"))
    swapped = sealing.open_request(KEY, other, MEMBER + 1)[1].seal(Done("theirs"))
    for wrong in (swapped, b"", answer[:-1], answer + b"\0", bytes(len(answer)), bytes(50_000)):
        with pytest.raises(sealing.SealError):
            context.open(wrong)
    with pytest.raises(sealing.SealError):
        other_context.open(answer)


def test_every_flipped_byte_of_an_answer_is_refused() -> None:
    body, context = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
    answer = sealing.open_request(KEY, body, MEMBER)[1].seal(Done("mine"))
    for at in range(len(answer)):
        broken = answer[:at] + bytes([answer[at] ^ 0x80]) + answer[at + 1 :]
        with pytest.raises(sealing.SealError):
            context.open(broken)


def test_padding_that_is_not_zero_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for pad in (lambda m: b"\xff\xff\xff\xff" + bytes(508), lambda m: bytes(511) + b"\1", lambda m: bytes(100)):
        monkeypatch.setattr(sealing, "_pad", pad)
        body, _ = sealing.seal_request(CONFIG, ENVELOPE, MEMBER)
        monkeypatch.undo()
        refuses(body)
