"""How long to wait before a request is made again: longer each time, never sooner than the server said, and not all
clients at once."""

from __future__ import annotations

import random
from collections.abc import Callable

JITTER = 0.3  # a fraction of the wait, added at random
RETRY_AFTER_SECONDS_MAX = 300.0  # a server's advice beyond this is not believed


class Backoff:
    """Waits for one kind of request, in seconds. `chance` gives a number from 0 to 1."""

    def __init__(self, first: float, longest: float, chance: Callable[[], float] = random.random) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._tries = 0

    def reset(self) -> None:
        """It went well: the next trouble is a first one again."""
        self._tries = 0

    def wait(self, retry_after_ms: int = 0) -> float:
        """The next wait; `retry_after_ms` is what a refusal advised (0: nothing)."""
        own = min(self._first * 2.0**self._tries, self._longest)
        self._tries = min(self._tries + 1, 30)
        asked_for = min(retry_after_ms / 1000, RETRY_AFTER_SECONDS_MAX)
        return max(own, asked_for) * (1 + self._chance() * JITTER)
