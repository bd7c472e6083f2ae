"""Service and model side by side: pay, retry, refund, top up, bill, cancel, restart, in any order."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from payment import credentials
from payment.contract.messages import Answer, AskPayment, NotPaid, Paid, Pay, PaymentUnknown
from payment.contract.receipts import verify_receipt
from tests.payment.house import LIN, WANG, House

MEMBERS = st.sampled_from([LIN, WANG])
MINOR = st.integers(1, 3_000)


class Bill:
    """A bill as the model knows it; the biller takes any part of what is due."""

    def __init__(self, number: int, total: int) -> None:
        self.number, self.total, self.paid, self.cancelled = number, total, 0, False


class Machine(RuleBasedStateMachine):
    bills = Bundle("bills")
    orders = Bundle("orders")
    transfers = Bundle("transfers")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="billbuddy-states-")
        self.scrypt, credentials._SCRYPT_N = credentials._SCRYPT_N, 2
        self.house = House(Path(self.folder.name, "payment"), furnish=False)
        for member in (LIN, WANG):
            argv = ("account", "open", "--member", str(member), "--name", str(member), "--pin-stdin")
            self.house.do(*argv, stdin="314159")
        self.house.do("biller", "add", "--name", "Water", "--id", "102", "--rule", "up_to_due")
        self.house.do("limits", "set", "--per-minute", "1000")
        self.balance = {LIN: 0, WANG: 0}
        self.results: dict[tuple[int, bytes], tuple[Pay, Answer]] = {}
        self.billed = 0

    @rule(member=MEMBERS, minor=MINOR)
    def top_up(self, member: int, minor: int) -> None:
        self.house.do("account", "top-up", "--member", str(member), "--amount", f"{minor // 100}.{minor % 100:02}")
        self.balance[member] += minor

    @rule(target=bills, total=MINOR)
    def bill(self, total: int) -> Any:
        self.billed += 1
        row = f"102,1,2026-01,Water,Usage,{total // 100}.{total % 100:02},2026-01-20,W-{self.billed}"
        self.house.load(f"biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref\n{row}\n")
        return Bill(self.billed, total)

    @rule(bill=consumes(bills))
    def cancel(self, bill: Bill) -> None:
        outcome = self.house.run("bill", "cancel", str(bill.number), "--why", "test")
        assert outcome.status == (1 if bill.paid else 0)
        bill.cancelled = not bill.paid

    @rule(target=orders, member=MEMBERS, bill=bills, minor=MINOR)
    def order(self, member: int, bill: Bill, minor: int) -> Any:
        pay = self.house.order(member, biller_id=102, customer_number="1", bill_id=bill.number, minor=minor)
        return member, bill, pay

    @rule(target=transfers, order=orders, copies=st.integers(1, 3))
    def pay(self, order: tuple[int, Bill, Pay], copies: int) -> Any:
        """Sends an order, perhaps several times at once, perhaps again."""
        member, bill, pay = order
        answers = self.house.ask_all([(member, pay)] * copies)
        assert all(answer == answers[0] for answer in answers)
        answer, key = answers[0], (member, pay.payment_id)
        if key in self.results:
            assert answer == self.results[key][1]
            return multiple()
        self.results[key] = (pay, answer)
        assert pay.amount is not None
        minor = pay.amount.minor
        if bill.cancelled or not minor <= bill.total - bill.paid or self.balance[member] < minor:
            assert isinstance(answer, NotPaid) and answer.final
            return multiple()
        assert isinstance(answer, Paid)
        bill.paid += minor
        self.balance[member] -= minor
        return (member, verify_receipt(answer.receipt, self.house.core.keystore.root_public).transfer_no, [minor])

    @rule(order=orders)
    def ask(self, order: tuple[int, Bill, Pay]) -> None:
        member, _, pay = order
        answer = self.house.ask(member, AskPayment(pay.payment_id))
        known = self.results.get((member, pay.payment_id))
        assert answer == (known[1] if known else PaymentUnknown(pay.payment_id))
        self.house.clock.forward(1)

    @rule(transfer=transfers, minor=MINOR)
    def refund(self, transfer: tuple[int, int, list[int]], minor: int) -> None:
        member, number, left = transfer
        amount = f"{minor // 100}.{minor % 100:02}"
        outcome = self.house.run("refund", "--transfer", str(number), "--amount", amount, "--why", "test")
        assert outcome.status == (0 if minor <= left[0] else 1)
        if minor <= left[0]:
            left[0] -= minor
            self.balance[member] += minor

    @rule()
    def restart(self) -> None:
        self.house.restart()

    @invariant()
    def balances_agree(self) -> None:
        if hasattr(self, "house"):
            assert {member: self.house.balance(member) for member in self.balance} == self.balance

    def teardown(self) -> None:
        if hasattr(self, "house"):
            self.house.check()
            self.house.close()
            self.folder.cleanup()
            credentials._SCRYPT_N = self.scrypt


Machine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
test_service_and_model_agree = pytest.mark.timeout(300)(Machine.TestCase)
