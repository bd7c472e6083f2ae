"""CSV files of accounts, billers, customers and bills. A bad row refuses the whole file, and says where it is."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from payment.arrears import number_fits
from payment.billing import BillerInfo
from payment.contract.money import CurrencyError, parse_amount
from payment.credentials import PinRecord, is_pin, is_weak
from payment.errors import OperatorError
from payment.ledger import TransferRow
from payment.operations import Operations

FILE_BYTES_MAX = 64 * 2**20
LINES_PER_BILL_MAX = 60
_ENCODER = msgspec.msgpack.Encoder()
_T = TypeVar("_T")


@dataclass(frozen=True)
class Record:
    """One line of a CSV file, by column name, with where it is."""

    file: str
    line: int
    values: dict[str, str]

    def text(self, column: str, chars_max: int = 64) -> str:
        """The column's text, which must be there and not be empty."""
        value = self.optional(column, "")
        if not value:
            raise self.error(column, "is empty")
        if len(value) > chars_max:
            raise self.error(column, f"has more than {chars_max} characters")
        return value

    def optional(self, column: str, default: str) -> str:
        """The column's text, or `default` where it is empty or not there."""
        return self.values.get(column, "").strip() or default

    def number(self, column: str) -> int:
        """A whole number in ASCII digits."""
        text = self.text(column)
        if not (text.isascii() and text.isdigit()):
            raise self.error(column, f"{text!r} is not a whole number")
        return int(text)

    def minor(self, column: str, currency: str) -> int:
        """An amount in minor units."""
        try:
            return parse_amount(self.text(column), currency).minor
        except CurrencyError as error:
            raise self.error(column, str(error)) from None
        except ValueError as error:
            raise self.error(column, f"{self.text(column)!r}: {error}") from None

    def day(self, column: str) -> str:
        """A date as YYYY-MM-DD."""
        text = self.text(column)
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise self.error(column, f"{text!r} is not a date like 2026-01-31") from None

    def error(self, column: str, what: str) -> OperatorError:
        """The refusal of the whole file."""
        return OperatorError(f"{self.file} line {self.line}, column {column}: {what}; nothing was loaded")


def read_csv(path: Path, columns: tuple[str, ...]) -> list[Record]:
    """All records of a UTF-8 file (with or without a byte order mark) whose first line names these columns at least.

    Raises OperatorError naming file, line and column.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise OperatorError(f"{path.name} is larger than {FILE_BYTES_MAX >> 20} MiB; nothing was loaded")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}; nothing was loaded") from None
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise OperatorError(f"{path.name} line {line} is not UTF-8; nothing was loaded") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return list(_records(path.name, reader, columns))
    except csv.Error as error:
        raise OperatorError(f"{path.name} line {reader.line_num}: {error}; nothing was loaded") from None


def _records(file: str, reader: Iterator[list[str]], columns: tuple[str, ...]) -> Iterator[Record]:
    names = [name.strip() for name in next(reader, [])]
    for column in columns:
        if column not in names:
            raise OperatorError(f"{file} line 1: column {column} is missing; nothing was loaded")
    for row in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            raise OperatorError(f"{file} line {line}: {len(row)} columns, not {len(names)}; nothing was loaded")
        yield Record(file, line, dict(zip(names, row, strict=True)))


def _at(record: Record, column: str, work: Callable[[], _T]) -> _T:
    """Runs work; its refusal gets this record's place."""
    try:
        return work()
    except (OperatorError, ValueError) as error:
        raise record.error(column, str(error)) from None


# ---- accounts, billers, customers ------------------------------------------------------------------------------

ACCOUNT_COLUMNS = ("member_id", "name", "pin", "balance")
BILLER_COLUMNS = ("id", "name")
CUSTOMER_COLUMNS = ("biller_id", "customer_number", "place")
BILL_COLUMNS = ("biller_id", "customer_number", "period", "title", "line_text", "line_amount", "due_on")


def checked_pins(records: list[Record]) -> list[str]:
    """The payment passwords of an account file, all fit for use."""
    pins = [record.text("pin") for record in records]
    for record, pin in zip(records, pins, strict=True):
        if not is_pin(pin) or is_weak(pin):
            raise record.error("pin", "a payment password is six digits that are not easy to guess")
    return pins


def load_accounts(operations: Operations, records: list[Record], pins: list[PinRecord]) -> int:
    """Opens an account for each record, with its balance as a first top-up."""
    for record, pin in zip(records, pins, strict=True):
        member_id, name = record.number("member_id"), record.text("name")
        currency = record.optional("currency", "CNY")
        _at(record, "member_id", partial(operations.open_account, member_id, name, currency, pin))
        if record.optional("balance", "0").strip("0.") != "":
            record.minor("balance", currency)
            operations.top_up(member_id, record.text("balance"), currency)
    return len(records)


def load_billers(operations: Operations, records: list[Record]) -> int:
    """Adds billers, or changes those that are there."""
    for record in records:
        wanted = BillerInfo(
            record.number("id"),
            record.text("name"),
            record.optional("icon", "other"),
            record.optional("rule", "exact"),  # type: ignore[arg-type]
            record.optional("currency", "CNY"),
            record.optional("number_rule", ""),
            record.optional("number_hint", ""),
            0,
        )
        _at(record, "id", partial(operations.put_biller, wanted, may_exist=True))
    return len(records)


def load_customers(operations: Operations, records: list[Record]) -> int:
    """Adds customers, or changes their places; with a member id, binds that member to the number."""
    for record in records:
        biller = _biller(operations, record)
        number = _customer_number(record, biller)
        _put_customer(operations, biller.id, number, record.optional("place", "")[:64])
        if record.optional("member_id", ""):
            operations.core.arrears.remember(record.number("member_id"), biller.id, number)
        operations.changes.customers.add((biller.id, number))
    operations.log("customer import", f"{len(records)} customers")
    return len(records)


def _biller(operations: Operations, record: Record) -> BillerInfo:
    biller = operations.core.billing.billers.get(record.number("biller_id"))
    if biller is None:
        raise record.error("biller_id", f"there is no biller {record.number('biller_id')}")
    return biller


def _customer_number(record: Record, biller: BillerInfo) -> str:
    number = record.text("customer_number", 32)
    if not number_fits(biller, number):
        raise record.error("customer_number", f"{number!r} does not fit the rule of {biller.name}")
    return number


def _put_customer(operations: Operations, biller_id: int, number: str, place: str) -> None:
    known = operations.core.arrears.customer(biller_id, number)
    credit = known[1] if known else 0
    operations.core.store.insert(
        "customer", biller_id=biller_id, customer_number=number, place=place, credit=credit
    )


# ---- bills -----------------------------------------------------------------------------------------------------


def load_bills(operations: Operations, records: list[Record]) -> tuple[int, int]:
    """Issues bills. Gives how many are new, and how many were there already (the same file may be loaded again)."""
    bills: dict[tuple[int, str], list[Record]] = {}
    for record in records:
        biller = _biller(operations, record)
        reference = record.optional("bill_ref", "")[:64] or _reference(record)
        bills.setdefault((biller.id, reference), []).append(record)
    new = 0
    for (_, reference), lines in bills.items():
        new += _put_bill(operations, reference, lines)
    if new:
        operations.log("bill import", f"{new} bills", records[0].file)
    return new, len(bills) - new


def _reference(record: Record) -> str:
    parts = [record.text(name) for name in ("customer_number", "period", "title")]
    return "auto-" + hashlib.sha256(_ENCODER.encode(parts)).hexdigest()[:24]


def _put_bill(operations: Operations, reference: str, records: list[Record]) -> int:
    """One bill of one or more lines; 1 when it is new, 0 when the very same is there."""
    first, core = records[0], operations.core
    biller = _biller(operations, first)
    head = {
        "biller_id": biller.id,
        "customer_number": _customer_number(first, biller),
        "bill_ref": reference,
        "title": first.text("title"),
        "period": first.text("period"),
        "due_on": first.day("due_on"),
        "currency": biller.currency,
    }
    for record in records:
        for column in ("customer_number", "title", "period", "due_on"):
            if record.text(column) != first.text(column):
                raise record.error(column, f"differs from line {first.line} of the same bill {reference}")
    if len(records) > LINES_PER_BILL_MAX:
        raise first.error("bill_ref", f"a bill has at most {LINES_PER_BILL_MAX} lines")
    lines = [(record.text("line_text"), record.minor("line_amount", biller.currency)) for record in records]
    total = sum(minor for _, minor in lines)
    minimum = first.minor("minimum", biller.currency) if first.optional("minimum", "") else 0
    if minimum > total:
        raise first.error("minimum", "is more than the bill")
    bill = {**head, "lines": _ENCODER.encode(lines), "total": total, "minimum": minimum}
    if _is_known(operations, bill, first):
        return 0
    row = core.store.one("SELECT coalesce(max(id), 0) + 1 FROM bill")
    assert row is not None
    core.store.insert_new("bill", id=row[0], cancelled=0, paid=0, **bill)
    number = str(head["customer_number"])
    if core.arrears.customer(biller.id, number) is None:
        _put_customer(operations, biller.id, number, "")
    _use_credit(operations, biller, row[0], number, total)
    operations.changes.customers.add((biller.id, number))
    return 1


def _is_known(operations: Operations, bill: dict[str, object], record: Record) -> bool:
    names = list(bill)
    row = operations.core.store.one(
        f"SELECT {', '.join(names)} FROM bill WHERE biller_id = ? AND bill_ref = ?",
        (bill["biller_id"], bill["bill_ref"]),
    )
    if row is None:
        return False
    if dict(zip(names, row, strict=True)) != bill:
        raise record.error("bill_ref", f"bill {bill['bill_ref']} was loaded before with other contents")
    return True


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
