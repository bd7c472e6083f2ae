"""Setting and changing the payment password."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from payment.contract.messages import Done, SetPin
from payment.credentials import Locked, PinRecord, is_pin, is_weak
from payment.gate import Failed, PinGate, Verdict, Verified
from payment.prompts import Words

if TYPE_CHECKING:
    from payment.service import Asked, Service

log = logging.getLogger("payment.pin_changes")


class PinChanges:
    """Handles SetPin. `words` gives the texts in the asker's language."""

    def __init__(self, service: Service, gate: PinGate, words: Callable[[Asked], Words]) -> None:
        self._service = service
        self._core = service.core
        self._gate = gate
        self._words = words
        self._setting: set[int] = set()

    def set_pin(self, asked: Asked, request: SetPin) -> None:
        words, member_id = self._words(asked), asked.member_id
        accounts = self._core.ledger.accounts_of(member_id)
        with_pin = [account for account in accounts if self._core.credentials.has_pin(account.id)]
        if not accounts:
            self._service.answer(asked, words.refused("no_account"))
        elif not is_pin(request.new) or is_weak(request.new):
            self._service.answer(asked, words.refused("weak_pin"))
        elif not with_pin:
            self._store_pin(asked, request.new)
        elif request.old is None:
            self._service.answer(asked, words.refused("old_pin_needed"))
        elif not is_pin(request.old):
            self._service.answer(asked, words.refused("not_six_digits"))
        else:
            self._gate.check(
                member_id,
                with_pin[0].number,
                request.old,
                asked.nonce,
                lambda verdict: self._old_checked(asked, request.new, verdict),
            )

    def _old_checked(self, asked: Asked, new: str, verdict: Verdict) -> None:
        words = self._words(asked)
        if isinstance(verdict, Verified):
            self._store_pin(asked, new)
        elif isinstance(verdict, Failed):
            self._service.fail(asked)
        elif isinstance(verdict, Locked):
            self._service.answer(asked, words.old_pin_locked(verdict.until_ms))
        else:
            self._service.answer(asked, words.wrong_old_pin(verdict.attempts_left, verdict.locked_until_ms))

    def _store_pin(self, asked: Asked, new: str) -> None:
        """Sets the password of all the member's accounts: people remember one. One change at a time for each member."""
        if asked.member_id in self._setting:
            self._service.answer(asked, self._words(asked).refused("rate_limited"))
            return
        self._setting.add(asked.member_id)
        credentials, now_ms = self._core.credentials, self._core.clock()

        targets = [(account.id, account.number) for account in self._core.ledger.accounts_of(asked.member_id)]

        def prepare() -> list[PinRecord] | None:
            try:
                return [credentials.prepare(new) for _ in targets]
            except Exception:  # no memory, for example; the asker is told below
                log.exception("a payment password could not be prepared")
                return None

        def stored(records: list[PinRecord] | None) -> None:
            self._setting.discard(asked.member_id)
            if records is None:
                self._service.fail(asked)
                return

            def store() -> None:
                self._core.save_nonce(asked.nonce, asked.envelope.made_at_ms)
                for (account_id, number), record in zip(targets, records, strict=True):
                    credentials.set(account_id, number, record, now_ms, "member")

            self._service.write(store, lambda _: self._pin_stored(asked), lambda: self._service.fail(asked))

        try:
            self._service.slow(prepare, stored)
        except Exception:
            self._setting.discard(asked.member_id)
            raise

    def _pin_stored(self, asked: Asked) -> None:
        self._service.changed(asked.member_id)
        self._service.answer(asked, Done(self._words(asked).pin_set()))
