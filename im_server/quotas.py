"""What one member may ask for: token buckets, one a kind of packet, shared by all of the member's devices.

The limits are far above what a person at a program does, and above the benchmarks' members at full speed on a fast
machine; they are there so that one member cannot take from the others what all share: the processor, the writer's
queue, the disk. Whoever goes on after being refused is read more slowly (`Dispatcher`), and so costs next to nothing.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

from im_protocol.packets import Type

STORED_ROW_BYTES = 320  # what a message costs on the disk beside its body: ids, places, three indexes
LONG_BODY_BYTES = 1_024  # a longer message also takes of its sender's `long_bytes`
CHAT_TOKEN_BYTES = 4_096  # a message takes one token for each started 4 KiB of its body
_DAY_SECONDS = 86_400.0
_reading_lock = threading.Lock()  # guards every MemberQuota's `reading`


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` tokens at once, and `per_second` more in the long run."""

    burst: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Quotas:
    """Each kind's rate. Tests narrow them."""

    chat: Rate = Rate(2_400, 600)  # messages of up to 4 KiB; 200 benchmark members send 300 a second each
    stored_bytes: Rate = Rate(64 * 2**20, 64 * 2**20 / _DAY_SECONDS)  # 64 MiB a day: 200,000 short messages
    long_bytes: Rate = Rate(12 * 2**20, 256 * 2**10)  # bodies over 1 KiB: the longest text, sixteen times a second
    presence: Rate = Rate(120, 2)  # each is told to everybody
    roster: Rate = Rate(400, 15)  # pages: three devices that read a roster of 10,000 at once
    sync: Rate = Rate(400, 40)  # pages, and ...
    reading_seconds: Rate = Rate(0.25, 0.02)  # ... the time that reading them takes: 15,000 entries at once
    acknowledged: Rate = Rate(20_000, 5_000)  # CHAT_ACK: as many as messages can arrive
    order: Rate = Rate(300, 100)  # sealed requests, a few for each look at a biller
    keys: Rate = Rate(120, 2)  # KEY_CONFIG_REQUEST: one for each sign-in, one when a key went stale
    ping: Rate = Rate(300, 20)  # 16 devices ping every 30 seconds
    wrong: Rate = Rate(2_000, 500)  # refused packets of all kinds; beyond it the connection is read more slowly
    sign_in: Rate = Rate(100, 2)  # right passwords: each is told to everybody, twice


KINDS: dict[int, str] = {
    Type.PRESENCE_SET: "presence",
    Type.ROSTER_REQUEST: "roster",
    Type.SYNC_REQUEST: "sync",
    Type.CHAT_ACK: "acknowledged",
    Type.SEALED_REQUEST: "order",
    Type.KEY_CONFIG_REQUEST: "keys",
    Type.PING: "ping",
    Type.SIGN_IN: "sign_in",
}
"""Which quota a packet of a signed-in member takes one token of, before its body is read. CHAT_SEND takes its own."""


class Bucket:
    """Tokens that come back with time. Two I/O threads may use one at the same moment: without a lock a token may then
    be given twice, which harms nobody."""

    __slots__ = ("_at", "_rate", "tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._at = now
        self.tokens = rate.burst

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take so many tokens: 0.0; or leave them, and the seconds until there are enough."""
        rate = self._rate
        tokens = self.tokens + (now - self._at) * rate.per_second
        if tokens > rate.burst:
            tokens = rate.burst
        self._at = now
        if tokens < cost:
            self.tokens = tokens
            return (cost - tokens) / rate.per_second
        self.tokens = tokens - cost
        return 0.0

    def charge(self, cost: float, now: float) -> None:
        """Something cost so much: that may be more than there is, and is owed then."""
        self.take(now, 0.0)
        self.tokens -= cost

    def give_back(self, cost: float) -> None:
        """What was taken turned out to cost nothing."""
        self.tokens += cost

    def owe(self, now: float) -> float:
        """Take a token in any case; the seconds until none is owed any more."""
        wait = self.take(now)
        if wait:
            self.tokens -= 1.0
        return wait


@dataclass(slots=True)
class MemberQuota:
    """One member's buckets, made as they are needed. `reading`: pages of history that workers owe the member."""

    quotas: Quotas
    used_at: float
    chat: Bucket
    stored: Bucket
    kinds: dict[str, Bucket] = field(default_factory=dict)
    reading: int = 0

    def bucket(self, kind: str, now: float) -> Bucket:
        self.used_at = now
        found = self.kinds.get(kind)
        if found is None:
            found = self.kinds[kind] = Bucket(getattr(self.quotas, kind), now)
        return found

    def begin_page(self, pages_max: int) -> bool:
        """Count a page of history that is about to be read; False when so many are being read already."""
        with _reading_lock:
            if self.reading >= pages_max:
                return False
            self.reading += 1
            return True

    def page_read(self, seconds: float, now: float) -> None:
        """A page is read, and about to be sent; it took a thread so long."""
        with _reading_lock:
            self.reading -= 1
            self.bucket("reading_seconds", now).charge(seconds, now)

    def reading_wait(self, now: float) -> float:
        """The seconds until the next page may be read: until what the last ones took is paid off."""
        with _reading_lock:
            return self.bucket("reading_seconds", now).take(now, 0.0)

    def message(self, now: float, body_bytes: int) -> float:
        """A chat message is about to be stored: 0.0, or the seconds until the member may send it."""
        cost = 1 + body_bytes // CHAT_TOKEN_BYTES
        wait = self.chat.take(now, cost)
        if wait:
            return wait
        wait = self.bucket("long_bytes", now).take(now, body_bytes) if body_bytes > LONG_BODY_BYTES else 0.0
        wait = wait or self.stored.take(now, STORED_ROW_BYTES + body_bytes)
        if wait:
            self.chat.give_back(cost)
        return wait


class QuotaBook:
    """Every member's quota, over reconnections. Forgets who was away for so long that all buckets are full again."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._lock = threading.Lock()  # guards _members
        self._members: dict[int, MemberQuota] = {}

    def of(self, member_id: int, now: float) -> MemberQuota:
        """The member's quota: always the same one, whatever the number of its devices."""
        with self._lock:
            found = self._members.get(member_id)
            if found is None:
                quotas = self._quotas
                found = MemberQuota(quotas, now, Bucket(quotas.chat, now), Bucket(quotas.stored_bytes, now))
                self._members[member_id] = found
            found.used_at = now
            return found

    def forget_idle(self, now: float) -> None:
        """Drop what no longer says anything."""
        with self._lock:
            for member_id in [i for i, quota in self._members.items() if now - quota.used_at > _DAY_SECONDS]:
                del self._members[member_id]


def retry_ms(seconds: float) -> int:
    """What a refusal says: never sooner than it is true."""
    return math.ceil(seconds * 1_000) + 1
