"""Limits of what one account may pay: the largest single payment, a day's total, payments a minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from payment.store import Store

SINGLE_DEFAULT = 1_000_000  # minor units: 10,000.00
DAILY_DEFAULT = 2_000_000
PER_MINUTE_DEFAULT = 10
MINUTE_MS = 60_000


@dataclass(frozen=True)
class LimitSet:
    """Limits of one account; amounts in minor units of its currency."""

    single_max: int
    daily_max: int
    per_minute_max: int


@dataclass(frozen=True)
class OverLimit:
    """Which limit refuses a payment, what it allows, and when it frees (0: it does not by itself)."""

    code: str
    allowed: int
    frees_at_ms: int


class _Spent:
    """What an account paid today, and when it paid within the last minute."""

    __slots__ = ("recent", "total")

    def __init__(self) -> None:
        self.total = 0
        self.recent: deque[int] = deque()


class Limits:
    """Limits and spending of one store. The writing thread only; memory follows what was committed.

    A failed commit ends the process, so memory cannot run ahead of the database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sets: dict[int, LimitSet] = {}
        self._spent: dict[int, _Spent] = {}
        self._day_start_ms = self._day_end_ms = 0
        self.reload()

    def reload(self) -> None:
        """Reads the limits again, after an operator set them."""
        rows = self._store.all('SELECT account_id, single_max, daily_max, per_minute_max FROM "limit"')
        self._sets = {row[0]: LimitSet(*row[1:]) for row in rows}

    def forget(self) -> None:
        """Reads spending again at the next payment, after a transaction was rolled back."""
        self._day_start_ms = self._day_end_ms = 0

    def of(self, account_id: int) -> LimitSet:
        """What holds for this account."""
        own = self._sets.get(account_id) or self._sets.get(0)
        return own or LimitSet(SINGLE_DEFAULT, DAILY_DEFAULT, PER_MINUTE_DEFAULT)

    def set(self, account_id: int, limits: LimitSet) -> None:
        """Sets the limits of an account (0: of all that have none), inside a transaction."""
        self._store.insert(
            "limit",
            account_id=account_id,
            single_max=limits.single_max,
            daily_max=limits.daily_max,
            per_minute_max=limits.per_minute_max,
        )
        self._sets[account_id] = limits

    def check(self, account_id: int, minor: int, now_ms: int) -> OverLimit | None:
        """Which limit a payment of `minor` would pass now; None when it may be made."""
        limits = self.of(account_id)
        if minor > limits.single_max:
            return OverLimit("limit_single", limits.single_max, 0)
        spent = self._spent_by(account_id, now_ms)
        while spent.recent and spent.recent[0] <= now_ms - MINUTE_MS:
            spent.recent.popleft()
        while spent.recent and spent.recent[-1] > now_ms:  # the clock was put back: they would count for that long
            spent.recent.pop()
        if len(spent.recent) >= limits.per_minute_max:
            frees = spent.recent[-limits.per_minute_max] + MINUTE_MS if limits.per_minute_max else 0
            return OverLimit("limit_rate", limits.per_minute_max, frees)
        if spent.total + minor > limits.daily_max:
            return OverLimit("limit_daily", limits.daily_max, self._day_end_ms)
        return None

    def pay_max(self, account_id: int, now_ms: int) -> int:
        """The most that one payment may be now, in minor units: by the single limit and by what is left of the day."""
        limits = self.of(account_id)
        return max(0, min(limits.single_max, limits.daily_max - self._spent_by(account_id, now_ms).total))

    def note(self, account_id: int, minor: int, now_ms: int) -> None:
        """A payment was made."""
        spent = self._spent_by(account_id, now_ms)
        spent.total += minor
        spent.recent.append(now_ms)

    def _spent_by(self, account_id: int, now_ms: int) -> _Spent:
        if not self._day_start_ms <= now_ms < self._day_end_ms:
            self._read(now_ms)
        spent = self._spent.get(account_id)
        if spent is None:
            spent = self._spent[account_id] = _Spent()
        return spent

    def _read(self, now_ms: int) -> None:
        """Reads all spending of the day: at start, at midnight, and when the clock was set.

        One pass over the transfers instead of an index that every payment would have to keep.
        """
        self._day_start_ms, self._day_end_ms = day_of(now_ms)
        self._spent = {}
        rows = self._store.all(
            "SELECT debit_id, amount, at_ms FROM transfer WHERE kind = 'payment' AND at_ms > ? ORDER BY no",
            (min(self._day_start_ms - 1, now_ms - MINUTE_MS),),
        )
        for account_id, amount, at_ms in rows:
            spent = self._spent.setdefault(account_id, _Spent())
            if self._day_start_ms <= at_ms < self._day_end_ms:
                spent.total += amount
            if now_ms - MINUTE_MS < at_ms <= now_ms:
                spent.recent.append(at_ms)


def day_of(now_ms: int) -> tuple[int, int]:
    """Start and end (Unix milliseconds) of the day in the house's own time zone."""
    now = datetime.fromtimestamp(now_ms // 1000).astimezone()
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=1, hours=3)).replace(hour=0)  # the 3 hours carry it over a change of the clocks
    return int(start.timestamp()) * 1000, int(end.timestamp()) * 1000
