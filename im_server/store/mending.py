"""Rows of a mailbox that should not be there: from a server with other limits, or of a damaged disk.

One of them must not keep its owner from all that comes after it. What can still be shown is shown; for the rest a mark
stands in its place, so that the numbers stay without gaps.
"""

from __future__ import annotations

import hashlib

import msgspec

from im_protocol import limits
from im_protocol.appended import fault_of
from im_protocol.codec import encode_body
from im_protocol.packets import ChatSend

MARK = "\N{REPLACEMENT CHARACTER} This message is damaged on the server and cannot be shown."
_NOTHING_APPENDED = 0x92
_decode = msgspec.msgpack.Decoder(ChatSend).decode


def deliverable(body: bytes) -> bytes:
    """The stored body if every client can read it, byte for byte; otherwise what can be saved of it."""
    try:
        message = _decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError, TypeError):
        return encode_body(ChatSend(_id_for(body), MARK))
    if body[0] == _NOTHING_APPENDED and len(body) <= limits.CHAT_BODY_BYTES_MAX:
        return body
    if len(body) > limits.CHAT_BODY_BYTES_MAX or fault_of(body):
        return encode_body(message)  # without the appended fields
    return body


def _id_for(body: object) -> bytes:
    """Always the same for the same bytes, so that clients do not show it twice."""
    raw = body if isinstance(body, bytes) else repr(body).encode()
    return hashlib.sha256(raw).digest()[: limits.MESSAGE_ID_BYTES]
