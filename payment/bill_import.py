"""CSV files of bills: checked and sealed on the asking thread, stored in one short transaction of the writing thread.

That thread answers every payment, so it does nothing for a bill but insert it: about 10 µs each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import apsw
import msgspec

from payment.billing import BillerInfo, Billing, BillRow
from payment.contract.messages import Bill
from payment.contract.money import AMOUNT_MINOR_MAX
from payment.core import Core
from payment.errors import OperatorError
from payment.imports import Record, biller_of, customer_number
from payment.ledger import TransferRow
from payment.operations import Operations
from payment.rowseal import COLUMNS

LINES_PER_BILL_MAX = 60
_KEYS_PER_QUERY = 200
_SAID = (
    *("biller_id", "customer_number", "bill_ref", "title", "period", "due_on", "currency"),
    *("lines", "total", "minimum"),
)
"""What a file says of a bill: the same file may be loaded again, another one may not say otherwise."""

_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True)
class Wanted:
    """One bill of a file, checked, with its first row."""

    biller: BillerInfo
    values: dict[str, Any]
    row: Record


@dataclass
class Plan:
    """What is to be stored of a file. `next_id` is the bill number that it counts on being the next."""

    file: str
    next_id: int
    new: list[Wanted]
    known: int
    bills: list[tuple[Any, ...]] = field(default_factory=list)
    customers: list[tuple[Any, ...]] = field(default_factory=list)
    touched: set[tuple[int, str]] = field(default_factory=set)


def wanted_bills(billers: Mapping[int, BillerInfo], records: list[Record]) -> list[Wanted]:
    """The bills of a file; rows of one reference are the lines of one bill. Any thread. Raises OperatorError."""
    bills: dict[tuple[int, str], list[Record]] = {}
    for record in records:
        biller = biller_of(billers, record)
        reference = record.optional("bill_ref", "") or _reference(record)
        bills.setdefault((biller.id, reference), []).append(record)
    return [_wanted(billers[biller_id], reference, rows) for (biller_id, reference), rows in bills.items()]


def plan(core: Core, wanted: list[Wanted]) -> Plan:
    """What of it is new, numbered and sealed. Any thread, on a reading connection of its own. Raises OperatorError."""
    with core.store.reader() as connection:
        (next_id,) = next(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM bill"))
        known = _known(connection, wanted)
    new = [bill for bill in wanted if not _is_known(bill, known)]
    made = Plan(wanted[0].row.row.file if wanted else "", next_id, new, len(wanted) - len(new))
    for number, bill in enumerate(new, next_id):
        values = {**bill.values, "id": number, "cancelled": 0}
        sealed = tuple(values[name] for name in COLUMNS["bill"])
        made.bills.append((*sealed, core.sealer.seal("bill", sealed)))
    made.touched = {(b.biller.id, b.values["customer_number"]) for b in new}
    for biller_id, customer in made.touched:
        row = (biller_id, customer, "")
        made.customers.append((*row, core.sealer.seal("customer", row)))
    return made


def store_bills(operations: Operations, made: Plan) -> tuple[int, int]:
    """Issues the bills, in the writing thread's transaction. Gives how many are new, and how many were there."""
    core = operations.core
    row = core.store.one("SELECT coalesce(max(id), 0) + 1 FROM bill")
    is_as_planned = row is not None and row[0] == made.next_id
    if not is_as_planned or any(core.billing.billers.get(b.biller.id) != b.biller for b in made.new):
        raise OperatorError("bills or billers changed meanwhile; nothing was loaded: give the command again")
    core.store.run_many(_insert("INSERT", "bill", COLUMNS["bill"], "paid"), made.bills)
    core.store.run_many(_insert("INSERT OR IGNORE", "customer", COLUMNS["customer"], "credit"), made.customers)
    rich = {(r[0], r[1]) for r in core.store.all("SELECT biller_id, customer_number FROM customer WHERE credit > 0")}
    if not rich.isdisjoint(made.touched):
        for number, bill in enumerate(made.new, made.next_id):
            if (bill.biller.id, customer := str(bill.values["customer_number"])) in rich:
                _use_credit(operations, bill.biller, number, customer, bill.values["total"])
    operations.changes.customers |= made.touched
    if made.new:
        operations.log("bill import", f"{len(made.new)} bills", made.file)
    return len(made.new), made.known


def load_bills(operations: Operations, records: list[Record]) -> tuple[int, int]:
    """All of it at once, where nobody waits for the writing thread."""
    return store_bills(operations, plan(operations.core, wanted_bills(operations.core.billing.billers, records)))


def _insert(verb: str, table: str, columns: tuple[str, ...], empty: str) -> str:
    """One row of a sealed table; its column `empty` follows what transfers say later."""
    marks = ", ".join("?" * (len(columns) + 1))
    return f"{verb} INTO {table} ({', '.join(columns)}, seal, {empty}) VALUES ({marks}, 0)"


def _reference(record: Record) -> str:
    parts = [record.text(name) for name in ("customer_number", "period", "title")]
    return "auto-" + hashlib.sha256(_ENCODER.encode(parts)).hexdigest()[:24]


def _wanted(biller: BillerInfo, reference: str, records: list[Record]) -> Wanted:
    first = records[0]
    for record in records:
        for column in ("customer_number", "title", "period", "due_on"):
            if record.text(column) != first.text(column):
                raise record.error(column, f"differs from line {first.line} of the same bill {reference}")
        if record.optional("minimum", first.optional("minimum", "")) != first.optional("minimum", ""):
            raise record.error("minimum", f"differs from line {first.line} of the same bill {reference}")
    if len(records) > LINES_PER_BILL_MAX:
        raise first.error("bill_ref", f"a bill has at most {LINES_PER_BILL_MAX} lines")
    lines = [(record.text("line_text"), record.minor("line_amount", biller.currency)) for record in records]
    _assert_no_repeats(lines, records)
    total = sum(minor for _, minor in lines)
    if total > AMOUNT_MINOR_MAX:
        raise first.error("line_amount", f"bill {reference} is larger than anybody may pay")
    minimum = first.minor_or_zero("minimum", biller.currency)
    if minimum > total:
        raise first.error("minimum", "is more than the bill")
    values = {
        "biller_id": biller.id,
        "customer_number": customer_number(first, biller),
        "bill_ref": reference,
        "title": first.text("title"),
        "period": first.text("period"),
        "due_on": first.day("due_on"),
        "currency": biller.currency,
        "lines": _ENCODER.encode(lines),
        "total": total,
        "minimum": minimum,
    }
    _assert_deliverable(values, biller, first)
    return Wanted(biller, values, first)


def _assert_no_repeats(lines: list[tuple[str, int]], records: list[Record]) -> None:
    """An amount has several spellings (5 and 5.00), so rows that differ as texts may be one row twice."""
    seen: dict[tuple[str, int, str], Record] = {}
    for (text, minor), record in zip(lines, records, strict=True):
        first = seen.setdefault((text, minor, record.optional("occurrence", "")), record)
        if first is not record:
            raise record.error(
                "line_amount", f"repeats line {first.line}; if it is meant, number them in a column occurrence"
            )


def _assert_deliverable(values: dict[str, Any], biller: BillerInfo, record: Record) -> None:
    """What is stored is checked by the rules of whoever will read it: the type that carries it to members."""
    try:
        message = Billing.to_message(BillRow(id=1, cancelled=0, paid=0, **values), biller.rule)
        msgspec.msgpack.decode(_ENCODER.encode(message), type=Bill)
    except msgspec.ValidationError as error:
        raise record.error("title", f"the bill cannot be shown to members: {error}") from None


def _known(connection: apsw.Connection, wanted: list[Wanted]) -> dict[tuple[int, str], tuple[Any, ...]]:
    """What is stored of bills of these references, by biller and reference."""
    found: dict[tuple[int, str], tuple[Any, ...]] = {}
    for at in range(0, len(wanted), _KEYS_PER_QUERY):
        part = wanted[at : at + _KEYS_PER_QUERY]
        marks = ",".join(["(?,?)"] * len(part))
        query = f"SELECT {', '.join(_SAID)} FROM bill WHERE (biller_id, bill_ref) IN (VALUES {marks})"
        keys = tuple(value for bill in part for value in (bill.biller.id, bill.values["bill_ref"]))
        for row in connection.execute(query, keys):
            found[row[0], row[2]] = row
    return found


def _is_known(bill: Wanted, known: dict[tuple[int, str], tuple[Any, ...]]) -> bool:
    row = known.get((bill.biller.id, bill.values["bill_ref"]))
    if row is not None and row != tuple(bill.values[name] for name in _SAID):
        what = f"bill {bill.values['bill_ref']} was loaded before with other contents"
        raise bill.row.error("bill_ref", what)
    return row is not None


def _use_credit(operations: Operations, biller: BillerInfo, bill_id: int, number: str, total: int) -> None:
    """A new bill is paid from the customer's credit first. The biller has that money, so none moves."""
    core = operations.core
    customer = core.arrears.customer(biller.id, number)
    used = min(customer[1] if customer else 0, total)
    if not used:
        return
    cash = core.ledger.accounts_by_number([f"cash-{biller.currency}"])[f"cash-{biller.currency}"]
    account = core.ledger.accounts_by_id([biller.account_id])[biller.account_id]
    row = TransferRow(
        *(0, "credit_use", 0, 0, 0, biller.currency, core.clock(), 0, b"", biller.id, number, bill_id),
        cleared=used,
        credit=-used,
    )
    core.ledger.post(row, account, cash)
    core.billing.add_credit([(-used, biller.id, number)])
    bill = core.billing.bills_by_id([bill_id])[bill_id]
    bill.paid = used
    core.billing.clear([bill])
