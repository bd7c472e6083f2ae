"""The audit log: every operator action that touches money or passwords, in a hash chain of its own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from payment.store import Store

CHAIN_START = bytes(32)
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Operator:
    """Who gives a command: the operating system's user, and the reason they gave."""

    user: str
    why: str = ""


def audit_hash(
    previous: bytes, no: int, at_ms: int, who: str, action: str, subject: str, detail: str, why: str
) -> bytes:
    """SHA-256 over the hash before it and the MessagePack array of the entry."""
    return hashlib.sha256(previous + _ENCODER.encode((no, at_ms, who, action, subject, detail, why))).digest()


class AuditLog:
    """Appends entries inside the transaction of the action itself, so neither is there without the other."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, operator: Operator, action: str, subject: str, detail: str, now_ms: int) -> None:
        """One entry. `subject` names what was acted on ("member 10001"); no secret ever goes into `detail`."""
        last = self._store.one("SELECT no, hash FROM audit ORDER BY no DESC LIMIT 1")
        no, previous = (last[0] + 1, last[1]) if last else (1, CHAIN_START)
        entry = (no, now_ms, operator.user, action, subject, detail, operator.why)
        self._store.run("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*entry, audit_hash(previous, *entry)))

    def last(self, count: int) -> list[tuple[int, int, str, str, str, str, str]]:
        """The newest entries, oldest of them first: no, at_ms, who, action, subject, detail, why."""
        rows = self._store.all(
            "SELECT no, at_ms, who, action, subject, detail, why FROM audit ORDER BY no DESC LIMIT ?", (count,)
        )
        return [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in reversed(rows)]
