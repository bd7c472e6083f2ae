"""CSV files of accounts, billers, customers and bills. A bad row refuses the whole file, and says where it is.

Reading and checking (`read_…`) is done on the asking thread; `load_…` runs in the writing thread's transaction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeVar

from host.tables import Row, TableError, once, read_table
from host.text import is_one_line
from im_protocol.limits import BILLER_ID_MAX, BILLER_ID_MIN, ID_MAX, MEMBER_ID_MIN
from payment.arrears import number_fits
from payment.billing import BillerInfo
from payment.contract.money import CurrencyError, parse_amount
from payment.credentials import PinRecord, is_pin, is_weak
from payment.errors import OperatorError
from payment.operations import Operations

FILE_BYTES_MAX = 64 * 2**20
_ZERO = re.compile(r"0+(\.0*)?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Record:
    """One line of a CSV file, with readers of its cells that refuse with the place."""

    row: Row

    @property
    def line(self) -> int:
        return self.row.line

    def text(self, column: str, chars_max: int = 64) -> str:
        """The column's text, which must be there and not be empty."""
        value = self.optional(column, "", chars_max)
        if not value:
            raise self.error(column, "is empty")
        return value

    def optional(self, column: str, default: str, chars_max: int = 64) -> str:
        """The column's text, or `default` where it is empty or not there."""
        value = self.row.values.get(column, "")
        if len(value) > chars_max:
            raise self.error(column, f"has {len(value)} characters, and {chars_max} at most are allowed")
        if not is_one_line(value):
            raise self.error(column, "has a control character")
        return value or default

    def number(self, column: str, least: int, most: int) -> int:
        """A whole number in ASCII digits within a range."""
        text = self.text(column, 200)
        if not (text.isascii() and text.isdigit()):
            raise self.error(column, f"{text!r} is not a whole number")
        if len(text) > 30 or not least <= int(text) <= most:
            raise self.error(column, f"{text} is not within {least} to {most}")
        if text != str(int(text)):  # the same number twice would look like two
            raise self.error(column, f"{text} has zeros in front; write it as {int(text)}")
        return int(text)

    def minor(self, column: str, currency: str) -> int:
        """An amount in minor units."""
        try:
            return parse_amount(self.text(column), currency).minor
        except CurrencyError as error:
            raise self.error(column, str(error)) from None
        except ValueError as error:
            raise self.error(column, f"{self.text(column)!r}: {error}") from None

    def minor_or_zero(self, column: str, currency: str) -> int:
        """The same where nothing or zero is allowed."""
        return 0 if _ZERO.fullmatch(self.optional(column, "0")) else self.minor(column, currency)

    def day(self, column: str) -> str:
        """A date as YYYY-MM-DD."""
        text = self.text(column)
        try:
            if not _DAY.fullmatch(text):
                raise ValueError
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise self.error(column, f"{text!r} is not a date like 2026-01-31") from None

    def error(self, column: str, what: str) -> OperatorError:
        """The refusal of the whole file."""
        return OperatorError(f"{self.row.error(column, what)}; nothing was loaded")


@dataclass(frozen=True)
class Columns:
    """What one kind of file has: columns that must be there, that may, and that together stand once."""

    needed: tuple[str, ...]
    known: tuple[str, ...]
    once: tuple[str, ...] = ()


def read_csv(file: str, content: bytes, columns: Columns) -> tuple[list[Record], str]:
    """All records, and a note on columns that are not used. Raises OperatorError naming file, line and column."""
    if len(content) > FILE_BYTES_MAX:
        raise OperatorError(f"{file} is larger than {FILE_BYTES_MAX >> 20} MiB; nothing was loaded")
    try:
        table = read_table(file, content, columns.needed, columns.known)
        if columns.once:
            once(table.rows, columns.once)
    except TableError as error:
        raise OperatorError(f"{error}; nothing was loaded") from None
    note = f"{file}: these columns are not used: {', '.join(table.unused)}\n" if table.unused else ""
    return [Record(row) for row in table.rows], note


def _at(record: Record, column: str, work: Callable[[], _T]) -> _T:
    """Runs work; its refusal gets this record's place."""
    try:
        return work()
    except (OperatorError, ValueError) as error:
        raise record.error(column, str(error)) from None


# ---- accounts, billers, customers ------------------------------------------------------------------------------

ACCOUNT_COLUMNS = Columns(
    ("member_id", "name", "pin", "balance"),
    ("member_id", "name", "pin", "balance", "currency"),
    ("member_id", "currency"),
)
BILLER_COLUMNS = Columns(
    ("id", "name"), ("id", "name", "icon", "rule", "currency", "number_rule", "number_hint"), ("id",)
)
CUSTOMER_COLUMNS = Columns(
    ("biller_id", "customer_number", "place"),
    ("biller_id", "customer_number", "place", "member_id"),
)
BILL_COLUMNS = Columns(
    ("biller_id", "customer_number", "period", "title", "line_text", "line_amount", "due_on"),
    (
        *("biller_id", "customer_number", "period", "title", "line_text", "line_amount", "due_on"),
        *("bill_ref", "minimum", "occurrence"),
    ),
)
COLUMNS = {"account": ACCOUNT_COLUMNS, "biller": BILLER_COLUMNS, "customer": CUSTOMER_COLUMNS, "bill": BILL_COLUMNS}


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
        member_id, name = record.number("member_id", MEMBER_ID_MIN, ID_MAX - 1), record.text("name")
        currency = record.optional("currency", "CNY")
        _at(record, "member_id", partial(operations.open_account, member_id, name, currency, pin))
        if record.minor_or_zero("balance", currency):
            _at(record, "balance", partial(operations.top_up, member_id, record.text("balance"), currency))
    return len(records)


def load_billers(operations: Operations, records: list[Record]) -> int:
    """Adds billers, or changes those that are there."""
    for record in records:
        wanted = BillerInfo(
            record.number("id", BILLER_ID_MIN, BILLER_ID_MAX),
            record.text("name"),
            record.optional("icon", "other"),
            record.optional("rule", "exact"),  # type: ignore[arg-type]
            record.optional("currency", "CNY"),
            record.optional("number_rule", "", 200),
            record.optional("number_hint", "", 200),
            0,
        )
        _at(record, "id", partial(operations.put_biller, wanted, may_exist=True))
    return len(records)


def load_customers(operations: Operations, records: list[Record]) -> int:
    """Adds customers, or changes their places; with a member id, binds that member to the number."""
    places: dict[tuple[int, str], Record] = {}
    bound: dict[tuple[int, int], Record] = {}
    for record in records:
        biller = biller_of(operations.core.billing.billers, record)
        number = customer_number(record, biller)
        _same_place(places.setdefault((biller.id, number), record), record)
        _put_customer(operations, biller.id, number, record.optional("place", ""))
        if record.optional("member_id", ""):
            member_id = record.number("member_id", MEMBER_ID_MIN, ID_MAX - 1)
            first = bound.setdefault((member_id, biller.id), record)
            if first is not record:
                raise record.error(
                    "member_id", f"member {member_id} has a number of {biller.name} in line {first.line}"
                )
            operations.core.arrears.remember(member_id, biller.id, number)
        operations.changes.customers.add((biller.id, number))
    operations.log("customer import", f"{len(records)} customers")
    return len(records)


def _same_place(first: Record, record: Record) -> None:
    """Several members may share a customer number, each in a line of its own; its place is one."""
    if first.optional("place", "") != record.optional("place", ""):
        raise record.error("place", f"differs from line {first.line} of the same customer number")


def biller_of(billers: Mapping[int, BillerInfo], record: Record) -> BillerInfo:
    """The biller of a row. Raises OperatorError when there is none."""
    biller_id = record.number("biller_id", BILLER_ID_MIN, BILLER_ID_MAX)
    biller = billers.get(biller_id)
    if biller is None:
        raise record.error("biller_id", f"there is no biller {biller_id}")
    return biller


def customer_number(record: Record, biller: BillerInfo) -> str:
    """The row's customer number. Raises OperatorError when it does not fit the biller's rule."""
    number = record.text("customer_number", 32)
    if not number_fits(biller, number):
        raise record.error("customer_number", f"{number!r} does not fit the rule of {biller.name}")
    return number


def _put_customer(operations: Operations, biller_id: int, number: str, place: str) -> None:
    known = operations.core.arrears.customer(biller_id, number)
    credit = known[1] if known else 0
    operations.core.store.insert("customer", biller_id=biller_id, customer_number=number, place=place, credit=credit)
