"""Stored results: the encoded answers of decided payment ids."""

from __future__ import annotations

import msgspec

from payment.contract.messages import NotPaid, Paid

_RESULT: msgspec.msgpack.Decoder[Paid | NotPaid] = msgspec.msgpack.Decoder(Paid | NotPaid)


def decode_result(result: bytes) -> Paid | NotPaid:
    """The answer in a stored result. Raises msgspec.DecodeError for bytes that are none."""
    return _RESULT.decode(result)
