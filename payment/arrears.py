"""Arrears query: what does this customer of this biller owe? And which customer number is this member's?"""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from payment.billing import BillerInfo, Billing, BillRow
from payment.contract.messages import (
    ANSWER_MINOR_MAX,
    BILLS_PER_ANSWER_MAX,
    Account,
    Amount,
    Bill,
    BillerState,
    BillsAre,
)
from payment.credentials import Credentials
from payment.ledger import Ledger
from payment.limits import Limits
from payment.store import Store

BILLS_BYTES_MAX = 28_000
"""Encoded bills of one answer: with accounts and the rest they fit the largest sealed answer (32,764 bytes)."""

STATES_BYTES_MAX = 30_000  # the same for the rows of an overview
_ENCODER = msgspec.msgpack.Encoder()


class Arrears:
    """Reads of one store, on the writing thread (so that an answer always knows the commits before it)."""

    def __init__(
        self, store: Store, ledger: Ledger, billing: Billing, credentials: Credentials, limits: Limits
    ) -> None:
        self._limits = limits
        self._store = store
        self._ledger = ledger
        self._billing = billing
        self._credentials = credentials

    def bound_number(self, member_id: int, biller_id: int) -> str | None:
        """The customer number that the member uses with this biller."""
        row = self._store.one(
            "SELECT customer_number FROM binding WHERE member_id = ? AND biller_id = ?", (member_id, biller_id)
        )
        return row[0] if row else None

    def remember(self, member_id: int, biller_id: int, customer_number: str) -> None:
        """Keeps the number for the member's next questions, inside a transaction."""
        self._store.insert("binding", member_id=member_id, biller_id=biller_id, customer_number=customer_number)

    def members_of(self, customers: list[tuple[int, str]]) -> set[int]:
        """Every member who uses one of these (biller_id, customer_number)."""
        rows = self._store.rows_in("SELECT member_id FROM binding WHERE (biller_id, customer_number) IN", customers)
        return {row[0] for row in rows}

    def customer(self, biller_id: int, customer_number: str) -> tuple[str, int] | None:
        """Place and credit (minor units) of a customer; None when the biller has no such customer."""
        row = self._store.one(
            "SELECT place, credit FROM customer WHERE biller_id = ? AND customer_number = ?",
            (biller_id, customer_number),
        )
        return (row[0], row[1]) if row else None

    def accounts(self, member_id: int, currency: str | None = None, now_ms: int | None = None) -> list[Account]:
        """The member's payment accounts (of one currency, when given; with what their limits allow at `now_ms`)."""
        return [
            Account(
                a.number,
                a.name,
                Amount(a.balance, a.currency),
                self._credentials.has_pin(a.id),
                -1 if now_ms is None else self._limits.pay_max(a.id, now_ms),
            )
            for a in self._ledger.accounts_of(member_id)
            if currency in (None, a.currency)
        ]

    def bills(
        self, biller: BillerInfo, customer_number: str, member_id: int, after_bill: int = 0, now_ms: int | None = None
    ) -> BillsAre | None:
        """A page of the open bills of a customer, oldest first; None when there is no such customer.

        `after_bill`: the page begins after this bill, whether it is still open or not. Of a bill that is not this
        customer's it begins at the first.
        """
        found = self.customer(biller.id, customer_number)
        if found is None:
            return None
        place, credit = found
        rows = self._billing.open_bills(biller.id, customer_number)
        rest = self._after(rows, biller, customer_number, after_bill)
        bills = self._page(rest, biller)
        return BillsAre(
            biller.id,
            customer_number,
            place,
            bills,
            self.accounts(member_id, biller.currency, now_ms),
            Amount(credit, biller.currency) if credit else None,
            len(bills) < len(rest),
            len(rows),
            Amount(_sum(rows), biller.currency),
        )

    def _after(self, rows: list[BillRow], biller: BillerInfo, number: str, after_bill: int) -> list[BillRow]:
        last = self._billing.bills_by_id([after_bill]).get(after_bill) if after_bill else None
        if last is None or (last.biller_id, last.customer_number) != (biller.id, number):
            return rows
        return [row for row in rows if (row.due_on, row.id) > (last.due_on, last.id)]

    def _page(self, rows: list[BillRow], biller: BillerInfo) -> list[Bill]:
        """As many as one answer holds; at least one, since an import takes no bill that is too large for that."""
        bills: list[Bill] = []
        left = BILLS_BYTES_MAX
        for row in rows[:BILLS_PER_ANSWER_MAX]:
            bill = self._billing.to_message(row, biller.rule)
            left -= len(_ENCODER.encode(bill))
            if left < 0 and bills:
                break
            bills.append(bill)
        return bills

    def states(self, member_id: int, today: str) -> list[BillerState]:
        """One roster row for every biller. `today` is ISO 8601 and tells due from overdue."""
        rows = self._store.all("SELECT biller_id, customer_number FROM binding WHERE member_id = ?", (member_id,))
        bound = {row[0]: row[1] for row in rows}
        states = [self._state(biller, bound.get(biller.id), today) for biller in self._billing.billers.values()]
        if len(_ENCODER.encode(states)) > STATES_BYTES_MAX:
            return [msgspec.structs.replace(state, place="") for state in states]
        return states

    def _state(self, biller: BillerInfo, number: str | None, today: str) -> BillerState:
        if number is None:
            return BillerState(biller.id, "no_customer")
        customer = self.customer(biller.id, number)
        place = customer[0] if customer else ""
        paid_on = self._last_paid_on(biller.id, number)
        bills = self._billing.open_bills(biller.id, number)
        if not bills:
            return BillerState(biller.id, "nothing_due", None, "", number, place, paid_on)
        due_on = bills[0].due_on
        due = Amount(_sum(bills), biller.currency)
        state = "overdue" if due_on < today else "due"
        return BillerState(biller.id, state, due, due_on, number, place, paid_on)  # type: ignore[arg-type]

    def _last_paid_on(self, biller_id: int, number: str) -> str:
        row = self._store.one(
            "SELECT max(at_ms) FROM transfer WHERE kind = 'payment' AND bill_id > 0 AND bill_id IN "
            "(SELECT id FROM bill WHERE biller_id = ? AND customer_number = ? AND paid > 0)",
            (biller_id, number),
        )
        return day_text(row[0]) if row and row[0] else ""


def _sum(rows: list[BillRow]) -> int:
    """What is due on all, or the largest amount that an answer can name."""
    return min(sum(row.due for row in rows), ANSWER_MINOR_MAX)


def number_fits(biller: BillerInfo, customer_number: str) -> bool:
    """Whether a text can be a customer number of this biller: its own rule, or ASCII digits when it has none."""
    rule = biller.number_rule or "[0-9]{1,32}"
    return re.fullmatch(rule, customer_number, re.ASCII) is not None


def day_text(at_ms: int) -> str:
    """The date (ISO 8601) of a moment in the house's own time zone."""
    return datetime.fromtimestamp(at_ms // 1000).astimezone().strftime("%Y-%m-%d")


def moment_text(at_ms: int) -> str:
    """Date and time of a moment in the house's own time zone."""
    return datetime.fromtimestamp(at_ms // 1000).astimezone().strftime("%Y-%m-%d %H:%M")
