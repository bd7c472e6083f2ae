"""Sealing of requests and answers: HPKE (RFC 9180) in the shape of Oblivious HTTP (RFC 9458).

The chat server relays these bytes and cannot read them. One HPKE context seals one request; the answer is encrypted
with a key exported from that context, so it fits only the request that it answers. Byte tables: im_protocol/SEALING.md.
"""

from __future__ import annotations

import hmac
import secrets
import struct

import msgspec
from Crypto.Protocol import HPKE
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from im_protocol.packets import Type
from payment.contract.keys import SUITE, KeyConfig, OpeningKey, sealing_key
from payment.contract.messages import NESTING_MAX, Answer, Envelope
from payment.contract.nesting import depth_of

HEADER = struct.Struct(">BHHH")
ENC_BYTES = 1_120  # ML-KEM-768 ciphertext (1,088), then the ephemeral X25519 public key (32)
TAG_BYTES = 16
PADDED_BYTES = (512, 2_048, 8_192, 32_768)
"""Sizes that plaintexts are padded to, so that the length tells at most which of four classes a message is in."""

_INFO = b"billbuddy payment request\0"
_RESPONSE_LABEL = b"billbuddy payment response"
_RESPONSE_NONCE_BYTES = 32  # max(Nk, Nn) of RFC 9458 section 4.4
_KEY_BYTES, _NONCE_BYTES = 32, 12
_LENGTH = struct.Struct(">I")
_AAD = struct.Struct(">QH")

_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)
_NOT_A_REQUEST = (msgspec.DecodeError, ValueError, RecursionError)
_ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class SealError(Exception):
    """The sealed bytes cannot be opened. One message for every cause: a forger must not learn which check failed."""

    def __init__(self) -> None:
        super().__init__("the sealed message cannot be opened")


class EnvelopeError(SealError):
    """The seal is good, what is inside is no request that this version knows. `sealer` can still answer."""

    def __init__(self, sealer: ResponseSealer) -> None:
        super().__init__()
        self.sealer = sealer


class ResponseContext:
    """What the sealer of a request keeps, to open its one answer."""

    def __init__(self, enc: bytes, secret: bytes) -> None:
        self._enc = enc
        self._secret = secret

    def open(self, body: bytes) -> Answer:
        """The answer in a SEALED_ANSWER body. Raises SealError for anything but the answer to this request."""
        if not _RESPONSE_NONCE_BYTES + TAG_BYTES <= len(body) <= _RESPONSE_NONCE_BYTES + TAG_BYTES + PADDED_BYTES[-1]:
            raise SealError
        key, nonce = _response_key(self._enc, self._secret, body[:_RESPONSE_NONCE_BYTES])
        try:
            plain = ChaCha20Poly1305(key).decrypt(nonce, body[_RESPONSE_NONCE_BYTES:], b"")
            return _ANSWER.decode(_unpad(plain))
        except (InvalidTag, msgspec.DecodeError, ValueError, RecursionError):
            raise SealError from None


class ResponseSealer:
    """What the opener of a request keeps, to seal its answer."""

    __slots__ = ("_enc", "_secret")

    def __init__(self, enc: bytes, secret: bytes) -> None:
        self._enc = enc
        self._secret = secret

    def seal(self, answer: Answer) -> bytes:
        """The body of SEALED_ANSWER. Raises ValueError for an answer over the largest padded size."""
        return self.seal_encoded(_ENCODER.encode(answer))

    def seal_encoded(self, answer: bytes, response_nonce: bytes | None = None) -> bytes:
        """The same for an answer that is encoded already. `response_nonce` (32 bytes) is given by tests only."""
        response_nonce = response_nonce or secrets.token_bytes(_RESPONSE_NONCE_BYTES)
        key, nonce = _response_key(self._enc, self._secret, response_nonce)
        return response_nonce + ChaCha20Poly1305(key).encrypt(nonce, _pad(answer), b"")


def seal_request(config: KeyConfig, envelope: Envelope, member_id: int) -> tuple[bytes, ResponseContext]:
    """The body of SEALED_REQUEST for this member, and what opens its answer.

    Raises SealError when the config's public key is no key or its suite is not this one.
    """
    header = HEADER.pack(config.key_id, config.kem_id, config.kdf_id, config.aead_id)
    if (config.kem_id, config.kdf_id, config.aead_id) != SUITE:
        raise SealError
    try:
        context = HPKE.new(
            receiver_key=sealing_key(config.public_key),
            aead_id=HPKE.AEAD.CHACHA20_POLY1305,
            info=_INFO + header,
        )
    except ValueError:
        raise SealError from None
    sealed = context.seal(_pad(_ENCODER.encode(envelope)), aad_of(member_id))
    secret = context.export(_RESPONSE_LABEL, _KEY_BYTES)
    return header + context.enc + sealed, ResponseContext(context.enc, secret)


def open_request(private: OpeningKey, body: bytes, member_id: int) -> tuple[Envelope, ResponseSealer]:
    """The request in a SEALED_REQUEST body that the relay says is from this member, and what seals its answer.

    Raises SealError for whatever is wrong with the seal, and its subclass EnvelopeError when only the content is.
    """
    least = HEADER.size + ENC_BYTES + TAG_BYTES + PADDED_BYTES[0]
    most = HEADER.size + ENC_BYTES + TAG_BYTES + PADDED_BYTES[-1]
    if not least <= len(body) <= most or body[: HEADER.size] != HEADER.pack(private.key_id, *SUITE):
        raise SealError
    header, enc = body[: HEADER.size], body[HEADER.size : HEADER.size + ENC_BYTES]
    try:
        context = HPKE.new(
            receiver_key=private.hybrid,
            aead_id=HPKE.AEAD.CHACHA20_POLY1305,
            enc=enc,
            info=_INFO + header,
        )
        plain = _unpad(context.unseal(body[HEADER.size + ENC_BYTES :], aad_of(member_id)))
    except ValueError:
        raise SealError from None
    sealer = ResponseSealer(enc, context.export(_RESPONSE_LABEL, _KEY_BYTES))
    try:
        envelope = _ENVELOPE.decode(plain)
        if _ENCODER.encode(envelope) != plain and depth_of(plain) > NESTING_MAX:  # only what was appended can be deep
            raise ValueError("nested too deeply")
    except _NOT_A_REQUEST:
        raise EnvelopeError(sealer) from None
    return envelope, sealer


def check_answer(answer: bytes) -> None:
    """What is sealed must be what the other side can read. Raises ValueError for bytes that are no answer."""
    _ANSWER.decode(answer)


def key_id_of(body: bytes) -> int:
    """The key id that a SEALED_REQUEST body names. Raises SealError when there is none."""
    if not body:
        raise SealError
    return body[0]


def aad_of(member_id: int) -> bytes:
    """What binds a request to its sender and its packet type: member id u64, then packet type u16, big-endian."""
    return _AAD.pack(member_id, Type.SEALED_REQUEST)


def _pad(message: bytes) -> bytes:
    """Length u32, message, zeros up to the next padded size."""
    need = _LENGTH.size + len(message)
    for size in PADDED_BYTES:
        if need <= size:
            return _LENGTH.pack(len(message)) + message + bytes(size - need)
    raise ValueError(f"a message of {len(message)} bytes is over the limit of {PADDED_BYTES[-1] - _LENGTH.size}")


def _unpad(padded: bytes) -> bytes:
    if len(padded) not in PADDED_BYTES:
        raise ValueError("not a padded size")
    (length,) = _LENGTH.unpack_from(padded)
    end = _LENGTH.size + length
    if end > len(padded) or padded.count(0, end) != len(padded) - end:
        raise ValueError("bad padding")
    return padded[_LENGTH.size : end]


def _response_key(enc: bytes, secret: bytes, response_nonce: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the answer, as in RFC 9458 section 4.4 (HKDF-SHA256, RFC 5869; both fit one block)."""
    prk = hmac.digest(enc + response_nonce, secret, "sha256")
    key = hmac.digest(prk, b"key\x01", "sha256")
    nonce = hmac.digest(prk, b"nonce\x01", "sha256")
    return key[:_KEY_BYTES], nonce[:_NONCE_BYTES]
