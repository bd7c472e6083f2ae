"""A payment subsystem for the client's tests: real keys, sealing and receipts; accounts and bills kept simple."""

from __future__ import annotations

import datetime
import hashlib
import secrets
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.contract import keys, messages, sealing
from payment.contract.messages import Amount
from payment.contract.receipts import sign_receipt
from tests.desktop_client.decoration import decorated

PIN = "123456"
ELECTRICITY, WATER = 101, 102
FRESH_MS = 5 * 60_000
YEAR_MS = 365 * 86_400_000


def cny(minor: int) -> Amount:
    return Amount(minor, "CNY")


class Subsystem:
    """One account, two billers. Knows the payment contract and nothing of crashes or concurrency."""

    def __init__(self) -> None:
        self.root = Ed25519PrivateKey.generate()
        self.key_id = 1
        self.opening = keys.opening_key(1, secrets.token_bytes(32))
        self.balance = 26_850
        self.customers = {ELECTRICITY: "88201402"}
        self.due = {ELECTRICITY: 8_640, WATER: 410}
        self.rule = "exact"
        self.minimum = 8_640
        self.outcomes: dict[bytes, messages.Answer] = {}
        self.asked: list[messages.Request] = []
        self.notices: list[str] = []
        self.wrong_left = 3
        self.clock_ms = 0  # how far this house's clock is ahead of the test's
        self.decoration = ""  # is in every text that a person or the operator chose

    @property
    def root_bytes(self) -> bytes:
        return self.root.public_key().public_bytes_raw()

    def key_config(self) -> bytes:
        now = self.now_ms()
        return keys.sign_key_configs(self.root, [self.opening.config(now - YEAR_MS, now + YEAR_MS)], now)

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.clock_ms

    def rotate(self) -> None:
        self.key_id += 1
        self.opening = keys.opening_key(self.key_id, secrets.token_bytes(32))

    def answer(self, body: bytes, member_id: int) -> bytes:
        """Raises SealError for what does not open."""
        envelope, sealer = sealing.open_request(self.opening, body, member_id)
        self.asked.append(envelope.request)
        if abs(envelope.made_at_ms - self.now_ms()) > FRESH_MS:
            return sealer.seal(messages.Refused("stale", "Too old, or from the future. No money was moved."))
        return sealer.seal(decorated(self.decide(envelope.request, member_id), self.decoration))

    def decide(self, request: messages.Request, member_id: int) -> messages.Answer:
        if isinstance(request, messages.Overview):
            states = [self._state(b) for b in (ELECTRICITY, WATER)]
            return messages.OverviewIs([self._account()], states, self.notices)
        if isinstance(request, messages.AskBill):
            return self._bills(request)
        if isinstance(request, messages.Pay):
            if request.payment_id not in self.outcomes:
                answer = self._pay(request, member_id)
                if isinstance(answer, messages.NotPaid) and not answer.final:
                    return answer
                self.outcomes[request.payment_id] = answer
            return self.outcomes[request.payment_id]
        if isinstance(request, messages.AskPayment):
            return self.outcomes.get(request.payment_id) or messages.PaymentUnknown(request.payment_id)
        if isinstance(request, messages.AskReceipts):
            found = [a.receipt for a in self.outcomes.values() if isinstance(a, messages.Paid)]
            return messages.ReceiptsAre(found[::-1], False)
        if request.old != PIN:
            return messages.Refused("wrong_pin", "The payment password is wrong.")
        return messages.Done("The payment password was changed.")

    def _account(self) -> messages.Account:
        return messages.Account("6200000000000234", "Wallet", cny(self.balance))

    def _state(self, biller: int) -> messages.BillerState:
        due = self.due[biller]
        number = self.customers.get(biller, "")
        if not number:
            return messages.BillerState(biller, "no_customer")
        if not due:
            return messages.BillerState(biller, "nothing_due", None, "", number, "Room 402", "2026-11-03")
        return messages.BillerState(biller, "due", cny(due), self.due_on(), number, "Room 402")

    @staticmethod
    def due_on() -> str:
        return (datetime.date.today() + datetime.timedelta(days=8)).isoformat()  # noqa: DTZ011

    def _bill(self, biller: int) -> messages.Bill:
        due = self.due[biller]
        lines = [messages.BillLine("Usage 144 kWh", cny(due - 576)), messages.BillLine("Late fee October", cny(576))]
        least = min(self.minimum, due)
        number = self.customers[biller]
        total, day = cny(due), self.due_on()
        return messages.Bill(
            7, biller, number, "Electricity", "November 2026", lines, total, total, cny(least), day, self.rule
        )

    def _bills(self, request: messages.AskBill) -> messages.Answer:
        number = request.customer_number or self.customers.get(request.biller_id)
        if number is None:
            field = messages.Field(
                "customer_number", "digits", "Customer number", "On your old bills", "[0-9]{8}", "Eight digits."
            )
            actions = [messages.Action("submit", "Show my bill")]
            return messages.Prompt("Which customer are you?", "Asked once.", [field], actions)
        if number == "00000000":
            return messages.Refused("no_such_customer", "There is no such customer.")
        self.customers[request.biller_id] = number
        bills = [self._bill(request.biller_id)] if self.due[request.biller_id] else []
        return messages.BillsAre(request.biller_id, number, "Room 402", bills, [self._account()])

    def _pay(self, request: messages.Pay, member_id: int) -> messages.Answer:
        if request.pin != PIN:
            self.wrong_left -= 1
            text = "The payment password is wrong. No money was moved."
            return messages.NotPaid("wrong_pin", text, False, 0, self.wrong_left)
        due = self.due[request.biller_id]
        if not due:
            return messages.NotPaid("already_paid", "Wang Lei paid this bill. You were not charged.")
        paid = request.amount.minor if request.amount is not None else due
        if paid > self.balance:
            return messages.NotPaid("not_enough_money", "Your balance is not enough. No money was moved.")
        self.balance -= paid
        self.due[request.biller_id] = due - paid
        number = len(self.outcomes) + 1
        receipt = messages.Receipt(
            format="billbuddy-receipt-1",
            kind="payment",
            receipt_no=f"7F3K-92QD-XW{number:02}",
            payment_id=request.payment_id,
            member_id=member_id,
            biller_id=request.biller_id,
            biller_name="Electricity",
            customer_number=self.customers[request.biller_id],
            account_tail="0234",
            bill_id=7,
            bill_title="Electricity November 2026",
            billed=cny(due),
            paid=cny(paid),
            remaining=cny(due - paid),
            credit=cny(0),
            paid_at_ms=int(time.time() * 1000),
            transfer_no=number,
            refunded_transfer_no=0,
            chain_hash=hashlib.sha256(b"chain").digest(),
        )
        receipt = decorated(receipt, self.decoration)
        return messages.Paid(sign_receipt(receipt, self.root), cny(self.balance), "Paid. No more is due.")
