"""Security verification: is a request intact, from this member, fresh, and not replayed?

Intact and from this member: `open` (the seal covers content, member id and packet type). Fresh: made within a window
around now. Not replayed: its nonce was not seen within the window. Nonces of every request are kept in memory; those of
money requests that were answered without a stored result are in the database, for days, so that neither a restart nor
a clock that jumps brings them back to life (a request that left a result is answered with it, which moves nothing).
"""

from __future__ import annotations

from collections import deque

from payment.contract import sealing
from payment.contract.messages import Envelope
from payment.keystore import LIFE_MS, KeyStore

FRESH_MS = 5 * 60_000
"""How far a request's time may be from the clock, either way: what clocks of unattended computers differ by."""

NONCES_MAX = 1_000_000
"""Nonces kept at once, about 100 MB: 1,500 requests a second for a whole window. More is refused, not forgotten."""


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


class Verifier:
    """Opens requests and tells fresh ones from replays. One thread only."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._seen: set[bytes] = set()
        self._order: deque[tuple[int, bytes]] = deque()

    def open(self, body: bytes, member_id: int, now_ms: int) -> tuple[Envelope, sealing.ResponseSealer]:
        """The request in a sealed body. Raises SealError, the same for every cause, an unknown key included."""
        private = self._keystore.opening_key(sealing.key_id_of(body), now_ms)
        if private is None:
            raise sealing.SealError
        return sealing.open_request(private, body, member_id)

    def check_fresh(self, envelope: Envelope, member_id: int, now_ms: int) -> bytes:
        """Marks the request as seen and gives its nonce with the member's id. Raises Stale or Replayed."""
        nonce = nonce_of(envelope, member_id)
        self._forget(now_ms)
        if abs(now_ms - envelope.made_at_ms) > FRESH_MS:
            raise Stale
        if nonce in self._seen or len(self._seen) >= NONCES_MAX:
            raise Replayed
        self.remember(nonce, now_ms)
        return nonce

    def remember(self, nonce: bytes, at_ms: int) -> None:
        """Takes a nonce as seen."""
        self._seen.add(nonce)
        self._order.append((at_ms, nonce))

    def _forget(self, now_ms: int) -> None:
        """Drops nonces whose requests are stale by now. A request from the future is fresh for two windows."""
        while self._order and self._order[0][0] < now_ms - 2 * FRESH_MS - 1_000:
            self._seen.discard(self._order.popleft()[1])
