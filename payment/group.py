"""Group commit: all writes and orders of a turn in one transaction, and one by one when that is refused.

An error of one order, whatever it is, costs the others nothing: the group is rolled back and each tried by itself. Only
a failing disk ends the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeVar

from payment.core import Core
from payment.guard import ends_the_process
from payment.orders import Order

log = logging.getLogger("payment.group")
_T = TypeVar("_T")
Work = Callable[[], Any]


class Failure(Enum):
    """What became of a write or an order that was not carried out."""

    NOTHING_CHARGED = "nothing was changed, and this seal will change nothing later"
    OUTCOME_UNKNOWN = "nothing was changed now; whether this seal may still be decided is not known"


class GroupCommit:
    """Commits on one core. The writing thread only."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def commit(
        self, writes: Sequence[Work], orders: Sequence[Order]
    ) -> tuple[list[Any], list[bytes | Failure], set[tuple[int, str]]]:
        """Results of the writes, encoded answers of the orders, and the customers whose bills changed.

        Raises what ends the process.
        """
        try:
            return self._transact(writes, orders)
        except Exception as error:  # one order's error, whatever it is, is not the others' business
            if ends_the_process(error):
                raise
            log.exception("a group of %d writes and %d orders was refused", len(writes), len(orders))
            self._core.orders.undo()
        return self._one_by_one(writes, orders)

    def _transact(
        self, writes: Sequence[Work], orders: Sequence[Order]
    ) -> tuple[list[Any], list[bytes | Failure], set[tuple[int, str]]]:
        core = self._core
        answers: list[bytes | Failure] = []
        customers: set[tuple[int, str]] = set()
        core.ledger.begin()
        with core.store.transaction():
            core.sweep()
            done = [work() for work in writes]
            if orders:
                encoded, group = core.orders.apply(list(orders), core.clock())
                answers.extend(encoded)
                customers = group.customers
        return done, answers, customers

    def _one_by_one(
        self, writes: Sequence[Work], orders: Sequence[Order]
    ) -> tuple[list[Any], list[bytes | Failure], set[tuple[int, str]]]:
        done: list[Any] = []
        answers: list[bytes | Failure] = []
        customers: set[tuple[int, str]] = set()
        for work in writes:
            result = self._alone(lambda work=work: self._transact([work], []))  # type: ignore[misc]
            done.append(Failure.NOTHING_CHARGED if result is None else result[0][0])
        for order in orders:
            result = self._alone(lambda order=order: self._transact([], [order]))  # type: ignore[misc]
            answers.append(self._spend(order) if result is None else result[1][0])
            customers |= set() if result is None else result[2]
        return done, answers, customers

    def _alone(self, transact: Callable[[], _T]) -> _T | None:
        try:
            return transact()
        except Exception as error:  # as above
            if ends_the_process(error):
                raise
            log.exception("a write or an order was refused by itself as well")
            self._core.orders.undo()
            return None

    def _spend(self, order: Order) -> Failure:
        """Before its member is told that nothing was charged, the seal of an order that failed is made worthless."""
        core = self._core

        def spend() -> None:
            core.save_nonce(order.nonce, order.made_at_ms)
            core.orders.mark_dead(order.key, order.made_at_ms - 1, core.clock())

        spent = self._alone(lambda: self._transact([spend], []))
        return Failure.OUTCOME_UNKNOWN if spent is None else Failure.NOTHING_CHARGED
