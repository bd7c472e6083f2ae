"""Outcomes that came while the biller's conversation was closed: told by the roster, kept until it is opened."""

from __future__ import annotations

from desktop_client.outcomes import Outcome

UNTOLD_MAX = 50  # of one biller; nobody pays more often without looking


class Untold:
    """By biller and payment id. Of this sign-in only: after a start, open orders are asked after anyway."""

    def __init__(self) -> None:
        self._outcomes: dict[int, dict[bytes, Outcome]] = {}

    def add(self, outcome: Outcome) -> None:
        """A newer outcome of the same order takes the place of the older one."""
        kept = self._outcomes.setdefault(outcome.order.biller_id, {})
        kept.pop(outcome.order.payment_id, None)
        kept[outcome.order.payment_id] = outcome
        while len(kept) > UNTOLD_MAX:
            kept.pop(next(iter(kept)))

    def take(self, biller_id: int) -> list[Outcome]:
        """All of a biller, oldest first; from here on they are told."""
        return list(self._outcomes.pop(biller_id, {}).values())

    def of(self, biller_id: int) -> list[Outcome]:
        """All of a biller, oldest first."""
        return list(self._outcomes.get(biller_id, {}).values())
