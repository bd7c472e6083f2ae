"""What the members know of their payments, and whether the subsystem's books agree.

The audit here reads the database with plain SQL and shares no code with the subsystem's own `ledger check`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import msgspec

from payment.contract.messages import Answer, AskPayment, NotPaid, Paid, Pay, PaymentUnknown, Receipt
from payment.contract.receipts import verify_receipt
from tests.faults.house import Desk, House


@dataclass
class Books:
    """Every order that was sent, with the answer that its member got, if any."""

    house: House
    sent: dict[bytes, tuple[int, Pay]] = field(default_factory=dict)
    paid: dict[bytes, Paid] = field(default_factory=dict)
    not_paid: dict[bytes, NotPaid] = field(default_factory=dict)

    def send(self, member_id: int, pay: Pay) -> None:
        """Noted before it is sent, as clients do."""
        self.sent[pay.payment_id] = (member_id, pay)

    def hear(self, payment_id: bytes, answer: Answer) -> None:
        """An answer arrived. Whatever was heard before must be heard again."""
        if isinstance(answer, Paid):
            assert payment_id not in self.not_paid, "told not paid before, and paid now"
            known = self.paid.setdefault(payment_id, answer)
            assert known == answer, "the same payment id got two different receipts"
        elif isinstance(answer, NotPaid):
            assert payment_id not in self.paid, "told paid before, and not paid now"
            if answer.final:
                self.not_paid[payment_id] = answer

    @property
    def open(self) -> list[bytes]:
        """Payment ids whose outcome their members do not know."""
        return [payment_id for payment_id in self.sent if payment_id not in self.paid | self.not_paid]

    def check(self, path: Path) -> None:
        """Compares with the database as it lies in the folder; what nobody answered may or may not be in it."""
        happened = audit(path, self.house)
        for payment_id, answer in self.paid.items():
            assert payment_id in happened, "an acknowledged payment is not in the ledger"
            receipt = verify_receipt(answer.receipt, self.house.root)
            assert happened[payment_id] == receipt.transfer_no, "the receipt names another transfer"
            self._fits(payment_id, receipt)
        for payment_id in self.not_paid:
            assert payment_id not in happened, "a refused payment is in the ledger"
        assert happened.keys() <= self.sent.keys(), "a payment that nobody ordered is in the ledger"

    def _fits(self, payment_id: bytes, receipt: Receipt) -> None:
        member_id, pay = self.sent[payment_id]
        assert (receipt.payment_id, receipt.member_id) == (payment_id, member_id), "somebody else's receipt"
        assert (receipt.bill_id, receipt.paid) == (pay.bill_id, pay.amount), "a receipt for something else"

    def resolve(self, desk: Desk, nonces: list[bytes]) -> Counter[str]:
        """Asks after every open payment; sends those again that never arrived. Afterwards every outcome is known.

        `nonces` are two fresh ones for each open payment.
        """
        outcomes: Counter[str] = Counter()
        for payment_id in self.open:
            member_id, pay = self.sent[payment_id]
            asked_ms = desk.core.clock()
            answer = desk.answers([desk.ask(member_id, AskPayment(payment_id), nonces.pop(), asked_ms)])[0]
            outcomes[type(answer).__name__] += 1
            if isinstance(answer, PaymentUnknown):
                # Sealed after the question, so it may still be paid, even if this machine's clock steps back meanwhile.
                answer = desk.answers([desk.ask(member_id, pay, nonces.pop(), asked_ms + 1)])[0]
            assert isinstance(answer, Paid | NotPaid), f"a payment that resolves to {answer}"
            self.hear(payment_id, answer)
        return outcomes


def audit(path: Path, house: House) -> dict[bytes, int]:
    """Recomputes all from the transfers. Gives the transfer of every payment id that was paid."""
    connection = apsw.Connection(str(path / "payment.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "the file is damaged"
        transfers = connection.execute(
            "SELECT no, kind, debit_id, credit_id, amount, payment_id, bill_id, cleared FROM transfer ORDER BY no"
        ).fetchall()
        accounts = connection.execute("SELECT id, kind, balance, floor FROM account").fetchall()
        bills = connection.execute("SELECT id, total, paid FROM bill").fetchall()
        results = connection.execute(
            "SELECT payment_id, transfer_no, result FROM result WHERE transfer_no > 0"
        ).fetchall()
    finally:
        connection.close()
    _check_balances(transfers, accounts, house)
    _check_bills(transfers, bills)
    paid = {row[5]: row[0] for row in transfers if row[1] == "payment"}
    assert len(paid) == sum(row[1] == "payment" for row in transfers), "a payment id was paid twice"
    assert {payment_id: no for payment_id, no, _ in results} == paid, "results and transfers disagree"
    for _, no, result in results:
        answer = msgspec.msgpack.decode(result, type=Paid)
        assert verify_receipt(answer.receipt, house.root).transfer_no == no
    return paid


def _check_balances(transfers: list[tuple], accounts: list[tuple], house: House) -> None:
    assert [row[0] for row in transfers] == list(range(1, len(transfers) + 1)), "a transfer number is missing"
    balances: dict[int, int] = defaultdict(int)
    kinds = {row[0]: row[1] for row in accounts}
    for _, _, debit_id, credit_id, amount, *_ in transfers:
        balances[debit_id] += amount if kinds[debit_id] == "cash" else -amount
        balances[credit_id] += -amount if kinds[credit_id] == "cash" else amount
    for account_id, kind, balance, floor in accounts:
        assert balances[account_id] == balance, f"account {account_id} ({kind}) does not follow from the transfers"
        assert balance >= floor
    held = sum(balance for _, kind, balance, _ in accounts if kind == "cash")
    owed = sum(balance for _, kind, balance, _ in accounts if kind != "cash")
    assert held == owed == house.opened_minor, "money was created or lost"


def _check_bills(transfers: list[tuple], bills: list[tuple]) -> None:
    cleared: dict[int, int] = defaultdict(int)
    for row in transfers:
        cleared[row[6]] += row[7]
    for bill_id, total, paid in bills:
        assert cleared[bill_id] == paid <= total, f"bill {bill_id} was not cleared by what was paid on it"
