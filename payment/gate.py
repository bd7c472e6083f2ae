"""The password gate: lets one guess at a time through for each member, off the writing thread.

Guesses of a member wait for each other, so that fifty right ones cost one scrypt and count as one, a hundred wrong ones
are counted one by one, and nobody's guesses hold up those of others. Everything but scrypt itself runs on the writing
thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from payment.credentials import Counted, Credentials, Locked, PinRecord, Wrong
from payment.guard import safely
from payment.meter import METER

Slow = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""slow(work, then): runs `work` on another thread, then `then(result)` on the writing thread."""

log = logging.getLogger("payment.gate")


@dataclass(frozen=True)
class Verified:
    """The password is right."""


@dataclass(frozen=True)
class Failed:
    """The check could not be made: nothing was judged, and what was counted is given back."""


Verdict = Verified | Wrong | Locked | Failed


@dataclass
class _Guess:
    member_id: int
    account_number: str
    pin: str
    nonce: bytes
    then: Callable[[Verdict], None]
    spend: Callable[[], None]


class PinGate:
    """Checks payment passwords.

    `write(work, then, failed)` runs `work` inside the coming transaction and `then(result)` after its commit, or
    `failed()` when the database refused it; `clock` gives Unix milliseconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        write: Callable[[Callable[[], Any], Callable[[Any], None], Callable[[], None]], None],
        slow: Slow,
        save_nonce: Callable[[bytes], None],
        clock: Callable[[], int],
    ) -> None:
        self._credentials = credentials
        self._write = write
        self._slow = slow
        self._save_nonce = save_nonce
        self._clock = clock
        self._waiting: dict[int, deque[_Guess]] = {}

    def waiting(self, member_id: int) -> int:
        """How many guesses of a member wait for the one that is being checked."""
        return len(self._waiting.get(member_id, ()))

    def check(
        self,
        member_id: int,
        account_number: str,
        pin: str,
        nonce: bytes,
        then: Callable[[Verdict], None],
        spend: Callable[[], None] | None = None,
    ) -> None:
        """Calls `then` on the writing thread: at once when the password was verified minutes ago, else later.

        `spend` runs in the transaction that counts a guess, beside keeping its nonce.
        """
        if self._credentials.is_verified(member_id, account_number, pin, self._clock()):
            then(Verified())
            return
        guess = _Guess(member_id, account_number, pin, nonce, then, spend or _nothing)
        if member_id in self._waiting:
            self._waiting[member_id].append(guess)
            return
        self._waiting[member_id] = deque()
        self._count(guess)

    def _count(self, guess: _Guess) -> None:
        def count() -> Counted | Locked:
            self._save_nonce(guess.nonce)
            guess.spend()
            return self._credentials.count_attempt(guess.member_id, guess.account_number, self._clock())

        self._write(count, lambda counted: self._counted(guess, counted), lambda: self._finish(guess, Failed()))

    def _counted(self, guess: _Guess, counted: Counted | Locked) -> None:
        if isinstance(counted, Locked):
            self._finish(guess, counted)
            return
        try:
            self._slow(
                lambda: self._scrypt(counted.record, guess.pin),
                lambda is_right: self._checked(guess, counted.record, is_right),
            )
        except Exception:  # no thread could be had, for example: this guess is lost, those that wait are not
            log.exception("a password check could not be started")
            self._finish(guess, Failed())

    def _scrypt(self, record: PinRecord | None, pin: str) -> bool | None:
        """Whether the password is right; None when it could not be found out (no memory, for example)."""
        try:
            with METER.span("password"):
                return self._credentials.check(record, pin)
        except Exception:  # no memory, for example; the guess is given back, and the thread goes on
            log.exception("a password could not be checked")
            return None

    def _checked(self, guess: _Guess, record: PinRecord | None, is_right: bool | None) -> None:
        """The verdict is committed before it is told; see `credentials`."""
        if is_right is None:
            self._finish(guess, Failed())
            return
        now_ms, key = self._clock(), (guess.member_id, guess.account_number)
        current = self._credentials.record_of(*key)
        is_current = record is not None and current is not None and current.record_id == record.record_id

        def judge() -> Verdict:
            if record is None or not is_right or not is_current:
                return self._credentials.judge_wrong(*key, now_ms)
            self._credentials.settle(*key, record, guess.pin, now_ms)
            return Verified()

        self._write(judge, lambda verdict: self._finish(guess, verdict), lambda: self._finish(guess, Failed()))

    def _finish(self, guess: _Guess, verdict: Verdict) -> None:
        waiting = self._waiting.pop(guess.member_id)
        safely("an answer to a password", guess.then, verdict)
        for other in waiting:
            self.check(other.member_id, other.account_number, other.pin, other.nonce, other.then, other.spend)


def _nothing() -> None:
    """For requests that have nothing to keep but their nonce."""
