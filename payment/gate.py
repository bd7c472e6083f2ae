"""The password gate: lets one guess at a time through for each member and account, off the writing thread.

Guesses at the same account wait for each other, so that fifty right ones cost one scrypt and count as one, and a
hundred wrong ones are counted one by one. Everything but scrypt itself runs on the writing thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from payment.credentials import Counted, Credentials, Locked, PinRecord
from payment.meter import METER

Slow = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""slow(work, then): runs `work` on another thread, then `then(result)` on the writing thread."""


@dataclass(frozen=True)
class Verified:
    """The password is right."""


@dataclass(frozen=True)
class Wrong:
    """The password is wrong. `locked_until_ms` 0: not locked yet."""

    attempts_left: int
    locked_until_ms: int


Verdict = Verified | Wrong | Locked


@dataclass
class _Guess:
    member_id: int
    account_number: str
    pin: str
    nonce: bytes
    then: Callable[[Verdict], None]
    spend: Callable[[], None]

    @property
    def key(self) -> tuple[int, str]:
        return self.member_id, self.account_number


class PinGate:
    """Checks payment passwords.

    `write(work, then)` runs `work` inside the coming transaction and `then(result)` after its commit; `clock` gives
    Unix milliseconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        write: Callable[[Callable[[], Any], Callable[[Any], None]], None],
        slow: Slow,
        save_nonce: Callable[[bytes], None],
        clock: Callable[[], int],
    ) -> None:
        self._credentials = credentials
        self._write = write
        self._slow = slow
        self._save_nonce = save_nonce
        self._clock = clock
        self._waiting: dict[tuple[int, str], deque[_Guess]] = {}

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
        if guess.key in self._waiting:
            self._waiting[guess.key].append(guess)
            return
        self._waiting[guess.key] = deque()
        self._count(guess)

    def _count(self, guess: _Guess) -> None:
        def count() -> Counted | Locked:
            self._save_nonce(guess.nonce)
            guess.spend()
            return self._credentials.count_attempt(guess.member_id, guess.account_number, self._clock())

        self._write(count, lambda counted: self._counted(guess, counted))

    def _counted(self, guess: _Guess, counted: Counted | Locked) -> None:
        if isinstance(counted, Locked):
            self._finish(guess, counted)
            return
        record = counted.record
        self._slow(
            lambda: self._scrypt(record, guess.pin),
            lambda is_right: self._checked(guess, counted, record if is_right else None),
        )

    def _scrypt(self, record: PinRecord | None, pin: str) -> bool:
        with METER.span("password"):
            return self._credentials.check(record, pin)

    def _checked(self, guess: _Guess, counted: Counted, record: PinRecord | None) -> None:
        now_ms = self._clock()
        current = self._credentials.record_of(guess.member_id, guess.account_number)
        if record is None or current is None or current.record_id != record.record_id:
            self._finish(guess, Wrong(counted.attempts_left, counted.locked_until_ms))
            return

        def settle() -> None:
            self._credentials.settle(guess.member_id, guess.account_number, record, guess.pin, now_ms)

        self._write(settle, lambda _: self._finish(guess, Verified()))

    def _finish(self, guess: _Guess, verdict: Verdict) -> None:
        waiting = self._waiting.pop(guess.key)
        guess.then(verdict)
        for other in waiting:
            self.check(other.member_id, other.account_number, other.pin, other.nonce, other.then, other.spend)


def _nothing() -> None:
    """For requests that have nothing to keep but their nonce."""
