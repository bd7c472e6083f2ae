"""Arrears query: what does this customer of this biller owe? And which customer number is this member's?"""

from __future__ import annotations

import re
from datetime import datetime

from payment.billing import BillerInfo, Billing
from payment.contract.messages import Account, Amount, BillerState, BillsAre
from payment.credentials import Credentials
from payment.ledger import Ledger
from payment.store import Store

BILLS_SHOWN_MAX = 24  # the oldest ones; with their lines they fit the largest sealed answer
ANSWER_LINES_MAX = 200


class Arrears:
    """Reads of one store, on the writing thread (so that an answer always knows the commits before it)."""

    def __init__(self, store: Store, ledger: Ledger, billing: Billing, credentials: Credentials) -> None:
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

    def accounts(self, member_id: int, currency: str | None = None) -> list[Account]:
        """The member's payment accounts (of one currency, when given)."""
        return [
            Account(a.number, a.name, Amount(a.balance, a.currency), self._credentials.has_pin(a.id))
            for a in self._ledger.accounts_of(member_id)
            if currency in (None, a.currency)
        ]

    def bills(self, biller: BillerInfo, customer_number: str, member_id: int) -> BillsAre | None:
        """Open bills of a customer; None when there is no such customer."""
        found = self.customer(biller.id, customer_number)
        if found is None:
            return None
        place, credit = found
        rows = self._billing.open_bills(biller.id, customer_number)
        bills = [self._billing.to_message(row, biller.rule) for row in rows[:BILLS_SHOWN_MAX]]
        while len(bills) > 1 and sum(len(bill.lines) for bill in bills) > ANSWER_LINES_MAX:
            bills.pop()
        return BillsAre(
            biller.id,
            customer_number,
            place,
            bills,
            self.accounts(member_id, biller.currency),
            Amount(credit, biller.currency) if credit else None,
        )

    def states(self, member_id: int, today: str) -> list[BillerState]:
        """One roster row for every biller. `today` is ISO 8601 and tells due from overdue."""
        rows = self._store.all("SELECT biller_id, customer_number FROM binding WHERE member_id = ?", (member_id,))
        bound = {row[0]: row[1] for row in rows}
        return [self._state(biller, bound.get(biller.id), today) for biller in self._billing.billers.values()]

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
        due = Amount(sum(bill.due for bill in bills), biller.currency)
        state = "overdue" if due_on < today else "due"
        return BillerState(biller.id, state, due, due_on, number, place, paid_on)  # type: ignore[arg-type]

    def _last_paid_on(self, biller_id: int, number: str) -> str:
        row = self._store.one(
            "SELECT max(at_ms) FROM transfer WHERE kind = 'payment' AND bill_id > 0 AND bill_id IN "
            "(SELECT id FROM bill WHERE biller_id = ? AND customer_number = ? AND paid > 0)",
            (biller_id, number),
        )
        return day_text(row[0]) if row and row[0] else ""


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
