"""`ledger check`: recomputes everything from the transfers, in one snapshot, and names the first wrong row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from payment.audit import CHAIN_START as AUDIT_START
from payment.audit import audit_hash
from payment.contract.messages import Paid
from payment.contract.receipts import ReceiptError, verify_receipt
from payment.ledger import CHAIN_START, NORMAL_SIDE, TRANSFER_COLUMNS, TransferRow, head_bytes, transfer_hash
from payment.results import decode_result
from payment.rowseal import COLUMNS, RowSealer


class WrongRow(Exception):
    """The first row that does not fit. Its text names table, row and what is wrong."""

    def __init__(self, table: str, row: object, what: str) -> None:
        super().__init__(f"{table} {row}: {what}")


@dataclass(frozen=True)
class CheckResult:
    """What a check found. `wrong` is '' when all is well."""

    transfers: int
    accounts: int
    bills: int
    results: int
    audit_entries: int
    head_no: int
    head_hash: str
    wrong: str


class _Check:
    def __init__(self, connection: apsw.Connection, sealer: RowSealer, root_public: bytes) -> None:
        self._db = connection
        self._sealer = sealer
        self._root_public = root_public
        self._root = Ed25519PublicKey.from_public_bytes(root_public)
        self.balances: defaultdict[int, int] = defaultdict(int)
        self.cleared: defaultdict[int, int] = defaultdict(int)
        self.credits: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.refunds: defaultdict[int, int] = defaultdict(int)
        self.payments: dict[int, int] = {}
        self.hashes: dict[int, bytes] = {}
        self.moved: dict[int, TransferRow] = {}
        self.accounts: dict[int, dict[str, Any]] = {}
        self.head = (0, CHAIN_START)
        self.counts: dict[str, int] = {}

    def run(self) -> None:
        if (row := next(self._db.execute("PRAGMA integrity_check"), None)) != ("ok",):
            raise WrongRow("database", "file", str(row and row[0]))
        self._seals()
        self._transfers()
        self._accounts()
        self._billers()
        self._bills()
        self._customers()
        self._results()
        self._heads()
        self._audit()

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        yield from self._db.execute(sql)

    def _seals(self) -> None:
        """Every sealed row is as the subsystem wrote it."""
        for table, columns in COLUMNS.items():
            count = 0
            for *values, seal in self._rows(f'SELECT {", ".join(columns)}, seal FROM "{table}"'):
                count += 1
                if not self._sealer.fits(table, tuple(values), seal):
                    raise WrongRow(table, _name(values[0], values[1]), "was changed by something else than the service")
            self.counts[table] = count
        for row in self._rows("SELECT " + ", ".join(COLUMNS["account"]) + ", balance FROM account"):
            account = dict(zip((*COLUMNS["account"], "balance"), row, strict=True))
            self.accounts[account["id"]] = account

    def _transfers(self) -> None:
        previous, expected = CHAIN_START, 1
        for *values, digest in self._rows(f"SELECT {', '.join(TRANSFER_COLUMNS)}, hash FROM transfer ORDER BY no"):
            row = TransferRow(*values)
            if row.no != expected:
                raise WrongRow("transfer", expected, "is missing")
            try:
                fits = transfer_hash(previous, row) == digest
            except (TypeError, OverflowError):
                fits = False
            if not fits:
                raise WrongRow("transfer", row.no, "does not fit its hash and the one before it")
            self._one_transfer(row)
            previous, expected = digest, expected + 1
            self.hashes[row.no] = digest
        self.head = (expected - 1, previous)

    def _one_transfer(self, row: TransferRow) -> None:
        debit, credit = self.accounts.get(row.debit_id), self.accounts.get(row.credit_id)
        if debit is None or credit is None:
            raise WrongRow("transfer", row.no, "names an account that does not exist")
        if {debit["currency"], credit["currency"]} != {row.currency}:
            raise WrongRow("transfer", row.no, "mixes currencies")
        if row.kind == "payment" and row.cleared + row.credit != row.amount:
            raise WrongRow("transfer", row.no, "is not what it cleared and credited")
        for account, sign in ((debit, 1), (credit, -1)):
            self.balances[account["id"]] += sign * row.amount * (1 if account["normal"] == "debit" else -1)
            if self.balances[account["id"]] < account["floor"]:
                raise WrongRow("transfer", row.no, f"takes account {account['number']} below its floor")
        self.cleared[row.bill_id] += row.cleared
        self.credits[row.biller_id, row.customer_number] += row.credit
        if row.kind == "payment":
            self.payments[row.no] = row.amount
        if row.kind == "refund":
            self.refunds[row.refunds_no] += row.amount
            if self.refunds[row.refunds_no] > self.payments.get(row.refunds_no, 0):
                raise WrongRow("transfer", row.no, "refunds more than was paid")
        if row.kind in ("payment", "refund"):
            self.moved[row.no] = row

    def _accounts(self) -> None:
        sums: defaultdict[str, int] = defaultdict(int)
        for account_id, account in self.accounts.items():
            if account["normal"] != NORMAL_SIDE[account["kind"]]:
                raise WrongRow("account", account_id, "has the wrong normal side")
            if account["balance"] != self.balances[account_id]:
                what = f"says {account['balance']}, its transfers say {self.balances[account_id]}"
                raise WrongRow("account", account_id, what)
            sums[account["currency"]] += account["balance"] if account["normal"] == "debit" else -account["balance"]
        for currency, total in sums.items():
            if total:
                raise WrongRow("account", f"sum of {currency}", f"is {total}, not zero")
        for (account_id,) in self._rows("SELECT account_id FROM pin"):
            if account_id not in self.accounts:
                raise WrongRow("pin", account_id, "belongs to no account")

    def _billers(self) -> None:
        for biller_id, account_id in self._rows("SELECT id, account_id FROM biller"):
            account = self.accounts.get(account_id)
            if account is None or account["kind"] != "biller" or account["owner_id"] != biller_id:
                raise WrongRow("biller", biller_id, "has no account of its own")

    def _bills(self) -> None:
        known: set[int] = {0}
        query = "SELECT id, total, paid, cancelled FROM bill"
        for bill_id, total, paid, cancelled in self._rows(query):
            known.add(bill_id)
            if paid != self.cleared[bill_id]:
                raise WrongRow("bill", bill_id, f"says {paid} was paid, its transfers say {self.cleared[bill_id]}")
            if paid > total or (cancelled and paid):
                raise WrongRow("bill", bill_id, "has more paid than it may")
        for bill_id in self.cleared:
            if bill_id not in known:
                raise WrongRow("bill", bill_id, "is missing, a transfer cleared it")

    def _customers(self) -> None:
        found: set[tuple[int, str]] = set()
        for biller_id, number, credit in self._rows("SELECT biller_id, customer_number, credit FROM customer"):
            found.add((biller_id, number))
            if credit != self.credits[biller_id, number]:
                what = f"says {credit} of credit, its transfers say {self.credits[biller_id, number]}"
                raise WrongRow("customer", _name(biller_id, number), what)
        for (biller_id, number), credit in self.credits.items():
            if credit and (biller_id, number) not in found:
                raise WrongRow("customer", _name(biller_id, number), "is missing and has credit")

    def _results(self) -> None:
        """Every payment and refund has a stored result with a receipt that says the same, and the other way round."""
        waiting = dict(self.moved)
        for member_id, payment_id, no, result in self._rows(
            "SELECT member_id, payment_id, transfer_no, result FROM result"
        ):
            name = _name(member_id, payment_id)
            try:
                answer = decode_result(result)
            except msgspec.DecodeError:
                raise WrongRow("result", name, "cannot be read") from None
            if isinstance(answer, Paid) != bool(no):
                raise WrongRow("result", name, "is paid without a transfer, or refused with one")
            if isinstance(answer, Paid):
                self._receipt(name, answer, waiting.pop(no, None), member_id)
        for no in waiting:
            raise WrongRow("transfer", no, "has no stored result")

    def _receipt(self, name: str, answer: Paid, row: TransferRow | None, member_id: int) -> None:
        try:
            receipt = verify_receipt(answer.receipt, self._root_public)
        except ReceiptError as error:
            raise WrongRow("result", name, str(error)) from None
        if row is None:
            raise WrongRow("result", name, "names a transfer that is no payment, or was named before")
        says = (receipt.transfer_no, receipt.member_id, receipt.paid.minor, receipt.bill_id, receipt.chain_hash)
        if says != (row.no, member_id, row.amount, row.bill_id, self.hashes[row.no]):
            raise WrongRow("result", name, "has a receipt that differs from its transfer")

    def _heads(self) -> None:
        for no, digest, at_ms, signature in self._rows("SELECT transfer_no, hash, at_ms, signature FROM head"):
            try:
                self._root.verify(signature, head_bytes(no, digest, at_ms))
            except InvalidSignature:
                raise WrongRow("head", no, "is not signed by the root key") from None
            if self.hashes.get(no) != digest:
                raise WrongRow("head", no, "differs from the chain: transfers are missing or were rewritten")

    def _audit(self) -> None:
        previous, count = AUDIT_START, 0
        query = "SELECT no, at_ms, who, action, subject, detail, why, hash FROM audit ORDER BY no"
        for *entry, digest in self._rows(query):
            count += 1
            if entry[0] != count:
                raise WrongRow("audit", count, "is missing")
            if audit_hash(previous, *entry) != digest:
                raise WrongRow("audit", count, "does not fit its hash and the one before it")
            previous = digest
        self.counts["audit"] = count


def check(connection: apsw.Connection, sealer: RowSealer, root_public: bytes) -> CheckResult:
    """Checks one snapshot (see Store.reader). `root_public` is the root key that signed receipts and heads."""
    work = _Check(connection, sealer, root_public)
    wrong = ""
    try:
        work.run()
    except WrongRow as error:
        wrong = str(error)
    counts = work.counts
    return CheckResult(
        work.head[0],
        counts.get("account", 0),
        counts.get("bill", 0),
        counts.get("result", 0),
        counts.get("audit", 0),
        work.head[0],
        work.head[1].hex(),
        wrong,
    )


def _name(first: object, second: object) -> str:
    if isinstance(second, bytes):
        second = second.hex()
    return f"{first}/{second}"
