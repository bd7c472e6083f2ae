"""Arrears clearing: bills, what may be paid on them, and marking them paid in the transaction that takes the money."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from payment.contract.messages import Amount, Bill, BillLine, Rule
from payment.contract.rules import Split, least_of, split_of
from payment.store import Store


@dataclass(frozen=True)
class BillerInfo:
    """A biller and its rules (see schema.Biller)."""

    id: int
    name: str
    icon: str
    rule: Rule
    currency: str
    number_rule: str
    number_hint: str
    account_id: int


@dataclass(slots=True)
class BillRow:
    """A bill as stored; `paid` follows what the current group of payments clears."""

    id: int
    biller_id: int
    customer_number: str
    bill_ref: str
    title: str
    period: str
    lines: bytes
    total: int
    minimum: int
    currency: str
    due_on: str
    cancelled: int
    paid: int

    @property
    def due(self) -> int:
        """What is still to pay, in minor units."""
        return self.total - self.paid


_COLUMNS = (
    "id, biller_id, customer_number, bill_ref, title, period, lines, total, minimum, currency, due_on, cancelled, paid"
)
_BILL = f"SELECT {_COLUMNS} FROM bill WHERE "
_LINES = msgspec.msgpack.Decoder(list[tuple[str, int]])


def least(bill: BillRow, rule: Rule) -> int:
    """The smallest amount that may be paid on the bill now."""
    return least_of(rule, bill.due, bill.minimum)


def split(bill: BillRow, rule: Rule, minor: int) -> Split | None:
    """How the biller's rule divides a payment of `minor`; None when it does not allow that amount."""
    return split_of(rule, bill.due, bill.minimum, minor)


class Billing:
    """Billers and bills of one store. The writing thread only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.billers: dict[int, BillerInfo] = {}
        self.reload()

    def reload(self) -> None:
        """Reads the billers again, after an operator changed them."""
        rows = self._store.all(
            "SELECT id, name, icon, rule, currency, number_rule, number_hint, account_id FROM biller ORDER BY id"
        )
        self.billers = {row[0]: BillerInfo(*row) for row in rows}

    def bills_by_id(self, ids: Iterable[int]) -> dict[int, BillRow]:
        """Bills of these ids, cancelled ones too; unknown ones are missing."""
        return {row[0]: BillRow(*row) for row in self._store.rows_in(_BILL + "id IN", list(ids))}

    def open_bills(self, biller_id: int, customer_number: str) -> list[BillRow]:
        """Bills with something due, oldest first."""
        rows = self._store.all(
            _BILL + "biller_id = ? AND customer_number = ? AND cancelled = 0 AND paid < total ORDER BY due_on, id",
            (biller_id, customer_number),
        )
        return [BillRow(*row) for row in rows]

    def newest_bill(self, biller_id: int, customer_number: str) -> BillRow | None:
        """The customer's newest bill, paid or not."""
        row = self._store.one(
            _BILL + "biller_id = ? AND customer_number = ? AND cancelled = 0 ORDER BY id DESC LIMIT 1",
            (biller_id, customer_number),
        )
        return BillRow(*row) if row else None

    def clear(self, bills: Sequence[BillRow]) -> None:
        """Stores what was paid on bills, in the transaction that stores the transfers."""
        self._store.run_many("UPDATE bill SET paid = ? WHERE id = ?", [(bill.paid, bill.id) for bill in bills])

    def add_credit(self, changes: Sequence[tuple[int, int, str]]) -> None:
        """Adds (minor, biller_id, customer_number) to customers' credit; minor may be negative."""
        self._store.run_many(
            "UPDATE customer SET credit = credit + ? WHERE biller_id = ? AND customer_number = ?", changes
        )

    def last_payer(self, bill_id: int) -> tuple[int, str, int] | None:
        """Who paid last on the bill: member id, name of the account's holder, when (Unix milliseconds)."""
        row = self._store.one(
            "SELECT t.member_id, a.name, t.at_ms FROM transfer t JOIN account a ON a.id = t.debit_id "
            "WHERE t.bill_id = ? AND t.bill_id > 0 AND t.kind = 'payment' ORDER BY t.no DESC LIMIT 1",
            (bill_id,),
        )
        return (row[0], row[1], row[2]) if row else None

    @staticmethod
    def to_message(bill: BillRow, rule: Rule) -> Bill:
        """The bill as clients get it."""
        lines = [BillLine(text, Amount(minor, bill.currency)) for text, minor in _LINES.decode(bill.lines)]
        return Bill(
            bill.id,
            bill.biller_id,
            bill.customer_number,
            bill.title,
            bill.period,
            lines,
            Amount(bill.total, bill.currency),
            Amount(bill.due, bill.currency),
            Amount(least(bill, rule), bill.currency),
            bill.due_on,
            rule,
        )
