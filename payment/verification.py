"""Security verification: is a request intact, from this member, fresh, and not replayed?

Intact and from this member: `open` (the seal covers content, member id and packet type). Fresh: made within a window
around now. Not replayed: its nonce was not seen within the window. Nonces of every request are kept in memory; those of
money requests that were answered without a stored result are in the database, for days, so that neither a restart nor
a clock that jumps brings them back to life (a request that left a result is answered with it, which moves nothing).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from typing import NamedTuple

import msgspec

from payment.contract import sealing
from payment.contract.messages import Envelope, Pay, SetPin
from payment.keystore import LIFE_MS, KeyStore

FRESH_MS = 5 * 60_000
"""How far a request's time may be from the clock, either way: what clocks of unattended computers differ by."""

NONCES_MAX = 1_000_000
"""Nonces kept at once, about 100 MB: 1,500 requests a second for a whole window. More is refused, not forgotten."""

NONCES_PER_MEMBER_MAX = 100_000
"""A tenth of them, so that one member cannot use them up for all: 150 requests a second for a whole window."""

OPENED_MAX = 1_024
"""Opened requests that are kept, about 1 MB, so that a copy of one costs a look-up and not a third of a millisecond."""


_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)


def kept_from(made_at_ms: int, now_ms: int) -> int:
    """The moment from which a nonce or mark is kept for `core.KEPT_MS`: a seal from the future is fresh only later.

    No key opens a seal for longer than its life, so what is sealed to a time after that needs no keeping.
    """
    return min(max(now_ms, made_at_ms), now_ms + LIFE_MS)


def nonce_of(envelope: Envelope, member_id: int) -> bytes:
    """What tells this very request from all others: nonces are the member's own."""
    return member_id.to_bytes(8) + envelope.nonce


class Stale(Exception):
    """The request is too old, or from the future."""


class Replayed(Exception):
    """This very request was here before."""


class Crowded(Exception):
    """So many requests came in the last minutes that no further nonce can be kept."""


class Opened(NamedTuple):
    """A request, and what seals its answer. `is_copy`: the same bytes were here before."""

    envelope: Envelope
    sealer: sealing.ResponseSealer
    is_copy: bool = False


class Verifier:
    """Opens requests and tells fresh ones from replays. One thread only."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._seen: set[bytes] = set()
        self._order: deque[tuple[int, bytes]] = deque()
        self._of_member: dict[int, int] = {}
        self._opened: OrderedDict[bytes, tuple[bytes, sealing.ResponseSealer]] = OrderedDict()

    def open(self, body: bytes, member_id: int, now_ms: int) -> Opened:
        """The request in a sealed body. Raises SealError, the same for every cause, an unknown key included."""
        private = self._keystore.opening_key(sealing.key_id_of(body), now_ms)
        if private is None:
            raise sealing.SealError
        digest = hashlib.blake2b(member_id.to_bytes(8) + body, digest_size=16).digest()
        known = self._opened.get(digest)
        if known is not None:
            return Opened(_ENVELOPE.decode(known[0]), known[1], True)
        opened = Opened(*sealing.open_request(private, body, member_id))
        self._opened[digest] = _as_copy(opened)
        if len(self._opened) > OPENED_MAX:
            self._opened.popitem(last=False)
        return opened

    def check_fresh(self, envelope: Envelope, member_id: int, now_ms: int) -> bytes:
        """Marks the request as seen and gives its nonce with the member's id. Raises Stale, Replayed or Crowded."""
        nonce = nonce_of(envelope, member_id)
        self._forget(now_ms)
        if abs(now_ms - envelope.made_at_ms) > FRESH_MS:
            raise Stale
        if nonce in self._seen:
            raise Replayed
        if len(self._seen) >= NONCES_MAX or self._of_member.get(member_id, 0) >= NONCES_PER_MEMBER_MAX:
            raise Crowded
        self._seen.add(nonce)
        self._order.append((now_ms, nonce))
        self._of_member[member_id] = self._of_member.get(member_id, 0) + 1
        return nonce

    def _forget(self, now_ms: int) -> None:
        """Drops nonces whose requests are stale by now. A request from the future is fresh for two windows."""
        while self._order and self._order[0][0] < now_ms - 2 * FRESH_MS - 1_000:
            nonce = self._order.popleft()[1]
            self._seen.discard(nonce)
            member_id = int.from_bytes(nonce[:8])
            self._of_member[member_id] -= 1
            if not self._of_member[member_id]:
                del self._of_member[member_id]


def _as_copy(opened: Opened) -> tuple[bytes, sealing.ResponseSealer]:
    """What is kept of a request for its copies: they pay nothing, so no password is kept.

    As bytes, because a thousand requests as objects would cost every collection of garbage.
    """
    request = opened.envelope.request
    if isinstance(request, Pay):
        request = msgspec.structs.replace(request, pin=None)
    elif isinstance(request, SetPin):
        request = msgspec.structs.replace(request, new="", old=None)
    return _ENCODER.encode(msgspec.structs.replace(opened.envelope, request=request)), opened.sealer
