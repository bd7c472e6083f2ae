"""A pay sheet over the real subsystem in one thread: what stood on the pressed button, and what the ledger took."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from desktop_client.outbox import Order
from desktop_client.outcomes import Outcome
from desktop_client.presenters.pay_sheet import PaySheetPresenter
from desktop_client.windows.pay_sheet import PaySheetWindow
from payment.contract.messages import Account, Amount, AskBill, Bill, BillsAre, NotPaid, Paid, Pay, Refused
from payment.contract.money import with_sign
from payment.ledger import TransferRow
from tests.payment.house import ELECTRICITY, LIN, MOBILE, PIN, WANG, WATER, House

RULES = {"exact": ELECTRICITY, "up_to_due": WATER, "over_is_credit": MOBILE}


class Counter:
    """The desk of a house: bills to pay, and the balances of one member with two accounts."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._bills = 0
        for member in (LIN, WANG):
            house.do("account", "top-up", "--member", str(member), "--amount", "900000.00")
        house.do("limits", "set", "--single", "900000.00", "--daily", "9000000.00", "--per-minute", "10000")
        self._open_second_account()

    def _open_second_account(self) -> None:
        core = self.house.core
        cash = core.ledger.accounts_by_number(["cash-CNY"])["cash-CNY"]
        record = core.credentials.prepare(PIN)
        core.ledger.begin()
        with core.store.transaction():
            row = core.store.one("SELECT max(id) + 1 FROM account")
            assert row is not None
            number = "6200000000007781"
            core.store.insert(
                "account", id=row[0], number=number, kind="wallet", normal="credit", owner_id=LIN, name="Savings",
                currency="CNY", balance=0, floor=0, opened_at_ms=self.house.clock(),
            )  # fmt: skip
            wallet = core.ledger.accounts_by_number([number])[number]
            at_ms = self.house.clock()
            core.ledger.post(TransferRow(0, "top_up", 0, 0, 50_000, "CNY", at_ms, LIN, b""), cash, wallet)
            core.credentials.set(wallet.id, number, record, at_ms, "operator")

    def bill(self, rule: str, due: int, minimum: int) -> Bill:
        """A new bill of a customer of its own; amounts in minor units."""
        self._bills += 1
        self.house.clock.forward(1_000)  # longer than a lock after wrong passwords
        biller, number = RULES[rule], f"{self._bills:08d}"
        least = f"{minimum // 100}.{minimum % 100:02d}" if minimum else ""
        line = (
            f"{biller},{number},2026-01,Bill {number},Usage,{due // 100}.{due % 100:02d},2026-01-20,R-{number},{least}"
        )
        header = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref,minimum"
        self.house.load(f"{header}\n{line}\n")
        return self.open_bills(biller, number)[0][0]

    def open_bills(self, biller: int, number: str) -> tuple[list[Bill], list[Account]]:
        answer = self.house.ask(LIN, AskBill(biller, number))
        assert isinstance(answer, BillsAre), answer
        return list(answer.bills), list(answer.accounts)

    def now(self, bill: Bill) -> tuple[Bill | None, list[Account]]:
        """The bill as it is now (None: nothing is due on it any more), and the accounts."""
        bills, accounts = self.open_bills(bill.biller_id, bill.customer_number)
        return next((b for b in bills if b.bill_id == bill.bill_id), None), accounts

    def pay(self, member: int, bill: Bill, minor: int, account: str = "") -> Paid | NotPaid | Refused:
        order = Pay(
            secrets.token_bytes(16), bill.biller_id, bill.customer_number, bill.bill_id, Amount(minor, "CNY"),
            account or self.house.account(member), PIN,
        )  # fmt: skip
        answer = self.house.ask(member, order)
        assert isinstance(answer, Paid | NotPaid | Refused), answer
        return answer

    def taken(self, member: int) -> list[tuple[int, str]]:
        """Every payment of a member in the ledger: minor units, and the account's number."""
        rows = self.house.core.store.all(
            "SELECT t.amount, a.number FROM transfer t JOIN account a ON a.id = t.debit_id "
            "WHERE t.kind = 'payment' AND t.member_id = ? ORDER BY t.no",
            (member,),
        )
        return [(row[0], row[1]) for row in rows]


@dataclass
class Press:
    """What a person saw at the moment of pressing."""

    button: str
    account: str


@dataclass
class Till:
    """Stands for `Payments`: orders go to the house when `land` is called, as after a while on the network."""

    counter: Counter
    pressed: list[Press] = field(default_factory=list)
    flying: list[tuple[Order, str, Callable[[Outcome], None]]] = field(default_factory=list)
    made: list[Order] = field(default_factory=list)

    def new_order(
        self, biller: int, name: str, customer: str, bill_id: int, title: str, amount: Amount, account: str
    ) -> Order:
        at_ms = self.counter.house.clock()
        return Order(secrets.token_bytes(16), biller, name, customer, bill_id, title, amount, account, at_ms)

    def pay(self, order: Order, account: str, pin: str, done: Callable[[Outcome], None]) -> None:
        assert self.pressed, "an order without a press"
        seen = self.pressed[-1]
        assert seen.button.endswith(with_sign(order.amount)), f"{seen.button!r} orders {with_sign(order.amount)}"
        assert order.account == account and account[-4:] in seen.account, f"{seen.account!r} pays from {account}"
        self.made.append(order)
        self.flying.append((order, pin, done))

    def land(self) -> None:
        """The subsystem decides, and its answer arrives."""
        house, before = self.counter.house, self.counter.taken(LIN)
        for order, pin, done in self.flying:
            request = Pay(
                order.payment_id,
                order.biller_id,
                order.customer_number,
                order.bill_id,
                order.amount,
                order.account,
                pin,
            )
            answer = house.ask(LIN, request)
            taken = self.counter.taken(LIN)[len(before) :]
            if isinstance(answer, Paid):
                assert taken == [(order.amount.minor, order.account)], "the ledger took something else"
                outcome = Outcome("paid", order)
            else:
                assert isinstance(answer, NotPaid | Refused), answer
                assert taken == []
                final = getattr(answer, "final", True)
                outcome = Outcome("not_paid", order, answer.code, answer.text, final=final)
            self.flying = []
            done(outcome)


class Visit:
    """One sheet of one bill, from opening to its end."""

    def __init__(self, counter: Counter, window: PaySheetWindow, bill: Bill) -> None:
        self.counter = counter
        self.window = window
        self.till = Till(counter)
        self.bill = bill
        self.ended: list[Outcome] = []
        self.cancelled: list[bool] = []
        accounts = counter.now(bill)[1]
        self.presenter = PaySheetPresenter(
            window, self.till, bill, "Biller", "Room 402", accounts, self.ended.append,  # type: ignore[arg-type]
            lambda: self.cancelled.append(True),
        )  # fmt: skip

    def seen(self) -> Press:
        w = self.window.widgets
        account = dict(w.account._choices).get(w.account.variable.get(), "")
        return Press(str(w.pay_button["text"]), account)

    def look(self) -> None:
        """Notes what a person sees before he presses."""
        self.till.pressed.append(self.seen())
