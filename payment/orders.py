"""A group of verified orders, decided one after the other and stored together: the heart of a payment.

Everything is read for the whole group at once, decided in memory in order of arrival, and written for the whole
group at once: transfers, balances, bills, results. The caller wraps `apply` in one transaction and answers after its
commit.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.arrears import Arrears
from payment.billing import BillerInfo, Billing, BillRow, split
from payment.contract.messages import SENTENCE_CHARS_MAX, Amount, Answer, Envelope, NotPaid, Paid, Pay, Receipt
from payment.contract.receipts import sign_receipt
from payment.contract.rules import Split
from payment.ledger import Ledger, LedgerAccount, NotEnoughMoney, TransferRow
from payment.limits import Limits
from payment.prompts import Words
from payment.results import decode_result
from payment.rowseal import RowSealer
from payment.store import Store
from payment.verification import kept_from

_ENCODER = msgspec.msgpack.Encoder()
_RESULT = (
    "INSERT INTO result (member_id, payment_id, fingerprint, transfer_no, result, at_ms, seal) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_MARK = (
    "INSERT INTO asked VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
    "SET made_at_ms = max(made_at_ms, excluded.made_at_ms), at_ms = max(at_ms, excluded.at_ms)"
)
_SPENT = "INSERT OR IGNORE INTO nonce VALUES (?, ?)"
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no letter looks like a digit
BOUND_KEPT_MAX = 50_000


def fingerprint(pay: Pay) -> bytes:
    """What makes two orders the same: SHA-256 over every element but the id and the password."""
    parts = (pay.biller_id, pay.customer_number, pay.bill_id, pay.amount, pay.account)
    return hashlib.sha256(_ENCODER.encode(parts)).digest()


@dataclass(slots=True)
class Order:
    """One verified order: seal, freshness and password are good. `nonce` is stored when no result is."""

    member_id: int
    pay: Pay
    fingerprint: bytes
    nonce: bytes
    made_at_ms: int
    words: Words
    customer_number: str | None = None
    account: str = ""
    left_a_row: bool = False

    @property
    def account_number(self) -> str:
        """The account that pays: the one that was sent, or the member's only one."""
        return self.account or self.pay.account or ""

    @property
    def key(self) -> tuple[int, bytes]:
        return self.member_id, self.pay.payment_id


@dataclass
class Group:
    """What one group has read, and what it will write."""

    accounts: dict[str, LedgerAccount]
    biller_accounts: dict[int, LedgerAccount]
    bills: dict[int, BillRow]
    results: dict[tuple[int, bytes], tuple[bytes, bytes]]
    dead_until_ms: dict[tuple[int, bytes], int]
    new_results: list[tuple[int, bytes, bytes, int, bytes, int, bytes]] = field(default_factory=list)
    transfers: list[tuple[TransferRow, bytes]] = field(default_factory=list)
    touched: dict[int, LedgerAccount] = field(default_factory=dict)
    cleared: dict[int, BillRow] = field(default_factory=dict)
    payers: dict[int, tuple[int, str, int]] = field(default_factory=dict)
    credits: list[tuple[int, int, str]] = field(default_factory=list)
    spent: list[Order] = field(default_factory=list)
    customers: set[tuple[int, str]] = field(default_factory=set)
    bindings: set[tuple[int, int, str]] = field(default_factory=set)


class Orders:
    """Decides orders of one store. The writing thread only."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        billing: Billing,
        arrears: Arrears,
        limits: Limits,
        root: Ed25519PrivateKey,
        sealer: RowSealer,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._billing = billing
        self._arrears = arrears
        self._limits = limits
        self._root = root
        self._sealer = sealer
        self._bound: set[tuple[int, int]] = set()
        self._promised: dict[tuple[int, bytes], int] = {}

    def stored_result(self, member_id: int, payment_id: bytes) -> tuple[bytes, bytes] | None:
        """Fingerprint and answer of a payment id that was decided."""
        row = self._store.one(
            "SELECT fingerprint, result FROM result WHERE member_id = ? AND payment_id = ?", (member_id, payment_id)
        )
        return (row[0], row[1]) if row else None

    def promise(self, key: tuple[int, bytes], made_at_ms: int) -> None:
        """The member is about to be told that no money moved: orders sealed until then are dead from this moment.

        From this moment, and not from the commit of `mark_dead`: an order that comes later in the same turn must
        not slip in between.
        """
        self._promised[key] = max(made_at_ms, self._promised.get(key, made_at_ms))

    def promises_kept(self) -> None:
        """The turn is over: what was promised in it has been written, or was not said."""
        self._promised.clear()

    def mark_dead(self, key: tuple[int, bytes], made_at_ms: int, now_ms: int) -> None:
        """Keeps the promise over a restart: orders for this id sealed until then are dead. Inside a transaction."""
        self._store.run(_MARK, (*key, made_at_ms, kept_from(made_at_ms, now_ms)))

    def forget_asked(self, before_ms: int) -> None:
        """Drops marks whose orders are stale by now. Inside a transaction."""
        self._store.run("DELETE FROM asked WHERE at_ms < ?", (before_ms,))

    def came_too_late(self, member_id: int, payment_id: bytes, envelope: Envelope) -> bool:
        """Whether the member was told, after this order was sealed, that no money moved under its id."""
        row = self._store.one(
            "SELECT made_at_ms FROM asked WHERE member_id = ? AND payment_id = ?", (member_id, payment_id)
        )
        dead_until_ms = max(row[0] if row else -1, self._promised.get((member_id, payment_id), -1))
        return envelope.made_at_ms <= dead_until_ms

    # ---- a group ----------------------------------------------------------------------------------------------

    def apply(self, orders: list[Order], now_ms: int) -> tuple[list[bytes], Group]:
        """Decides and stores the orders. Gives each one's encoded answer, in order."""
        group = self._read(orders)
        answers = [self._one(order, group, now_ms) for order in orders]
        self._write(group, now_ms)
        return answers, group

    def undo(self) -> None:
        """The transaction of the last `apply` was rolled back."""
        self._ledger.undo()
        self._limits.forget()
        self._bound.clear()

    def _read(self, orders: list[Order]) -> Group:
        billers = self._billing.billers
        biller_accounts = {b.account_id for o in orders if (b := billers.get(o.pay.biller_id))}
        rows = self._store.rows_in(
            "SELECT member_id, payment_id, fingerprint, result FROM result WHERE (member_id, payment_id) IN",
            [order.key for order in orders],
        )
        marks = self._store.rows_in(
            "SELECT member_id, payment_id, made_at_ms FROM asked WHERE (member_id, payment_id) IN",
            [order.key for order in orders],
        )
        return Group(
            self._ledger.accounts_by_number({o.account_number for o in orders}),
            self._ledger.accounts_by_id(biller_accounts),
            self._billing.bills_by_id({o.pay.bill_id for o in orders if o.pay.bill_id is not None}),
            {(row[0], row[1]): (row[2], row[3]) for row in rows},
            {(row[0], row[1]): row[2] for row in marks},
        )

    def _write(self, group: Group, now_ms: int) -> None:
        if group.transfers:
            self._ledger.write(group.transfers, group.touched.values(), now_ms)
            self._billing.clear(list(group.cleared.values()))
        if group.credits:
            self._billing.add_credit(group.credits)
        if group.new_results:
            self._store.run_many(_RESULT, group.new_results)
        if group.spent:
            self._store.run_many(_SPENT, [(o.nonce, kept_from(o.made_at_ms, now_ms)) for o in group.spent])
            marks = [(*o.key, o.made_at_ms - 1, kept_from(o.made_at_ms, now_ms)) for o in group.spent]
            self._store.run_many(_MARK, marks)
        for member_id, biller_id, number in group.bindings:
            self._arrears.remember(member_id, biller_id, number)

    def _one(self, order: Order, group: Group, now_ms: int) -> bytes:
        """The deciding step. Everything that was looked at when the order arrived is looked at again here."""
        stored = group.results.get(order.key)
        if stored is not None:
            same = stored[0] == order.fingerprint
            return stored[1] if same else _ENCODER.encode(order.words.payment_id_reused())
        if order.made_at_ms <= group.dead_until_ms.get(order.key, -1):
            self._spend(order, group)
            return _ENCODER.encode(order.words.refused("asked_before"))
        answer, transfer_no = self._decide(order, group, now_ms)
        encoded = _ENCODER.encode(answer)
        if not isinstance(answer, Paid) or len(answer.text) > SENTENCE_CHARS_MAX:
            decode_result(encoded)  # what is stored can be read again; a Paid was read when its receipt was signed
        if isinstance(answer, NotPaid) and not answer.final:
            self._spend(order, group)
            group.dead_until_ms[order.key] = order.made_at_ms - 1
            return encoded
        values = (order.member_id, order.pay.payment_id, order.fingerprint, transfer_no, encoded, now_ms)
        group.new_results.append((*values, self._sealer.seal("result", values)))
        group.results[order.key] = (order.fingerprint, encoded)
        return encoded

    def _spend(self, order: Order, group: Group) -> None:
        """Its answer leaves no result, so its nonce and a mark keep it true."""
        group.spent.append(order)
        order.left_a_row = True

    def _decide(self, order: Order, group: Group, now_ms: int) -> tuple[Answer, int]:
        """Paid or NotPaid, and the transfer's number (0: none)."""
        biller = self._billing.billers.get(order.pay.biller_id)
        if biller is None:
            return order.words.no_such_biller_paid(), 0
        wallet = group.accounts.get(order.account_number)
        if wallet is None or wallet.owner_id != order.member_id or wallet.currency != biller.currency:
            return order.words.no_account(), 0
        bill = self._bill(order, biller, group)
        if isinstance(bill, NotPaid):
            return bill, 0
        amount = order.pay.amount
        parts = split(bill, biller.rule, amount.minor) if amount and amount.currency == bill.currency else None
        if parts is None:
            return order.words.amount_not_allowed(bill, biller), 0
        over = self._limits.check(wallet.id, parts.cleared + parts.credit, now_ms)
        if over is not None:
            return order.words.over_limit(over, wallet.currency), 0
        return self._pay(order, biller, bill, wallet, parts, group, now_ms)

    def _bill(self, order: Order, biller: BillerInfo, group: Group) -> BillRow | NotPaid:
        """The bill that is meant, with something due on it."""
        if order.pay.bill_id is None:
            return self._oldest_bill(order, biller, group)
        bill = group.bills.get(order.pay.bill_id)
        wrong_customer = bill is not None and order.customer_number not in (None, bill.customer_number)
        if bill is None or bill.biller_id != biller.id or wrong_customer:
            return order.words.no_such_bill()
        if bill.cancelled:
            return order.words.bill_cancelled()
        return bill if bill.due else self._already_paid(order, bill, group)

    def _oldest_bill(self, order: Order, biller: BillerInfo, group: Group) -> BillRow | NotPaid:
        number = order.customer_number or ""
        for found in self._billing.open_bills(biller.id, number):
            bill = group.bills.setdefault(found.id, found)
            if bill.due:
                return bill
        newest = self._billing.newest_bill(biller.id, number)
        return self._already_paid(order, newest, group) if newest else order.words.no_such_bill()

    def _already_paid(self, order: Order, bill: BillRow, group: Group) -> NotPaid:
        payer = group.payers.get(bill.id) or self._billing.last_payer(bill.id)
        return order.words.already_paid(payer, order.member_id)

    def _pay(
        self,
        order: Order,
        biller: BillerInfo,
        bill: BillRow,
        wallet: LedgerAccount,
        parts: Split,
        group: Group,
        now_ms: int,
    ) -> tuple[Answer, int]:
        minor, currency = parts.cleared + parts.credit, wallet.currency
        row = TransferRow(
            *(0, "payment", 0, 0, minor, currency, now_ms, order.member_id, order.pay.payment_id),
            *(biller.id, bill.customer_number, bill.id, parts.cleared, parts.credit),
        )
        biller_account = group.biller_accounts[biller.account_id]
        try:
            chain_hash = self._ledger.stage(row, wallet, biller_account)
        except NotEnoughMoney:
            return order.words.not_enough_money(Amount(wallet.balance, currency)), 0
        billed = bill.due
        bill.paid += parts.cleared
        self._limits.note(wallet.id, minor, now_ms)
        self._collect(order, row, chain_hash, bill, wallet, biller_account, group)
        receipt = Receipt(
            format="billbuddy-receipt-1",
            kind="payment",
            receipt_no=receipt_no(row.no, chain_hash),
            payment_id=order.pay.payment_id,
            member_id=order.member_id,
            biller_id=biller.id,
            biller_name=biller.name,
            customer_number=bill.customer_number,
            account_tail=wallet.number[-4:],
            bill_id=bill.id,
            bill_title=bill.title,
            billed=Amount(billed, currency),
            paid=Amount(minor, currency),
            remaining=Amount(bill.due, currency),
            credit=Amount(parts.credit, currency),
            paid_at_ms=now_ms,
            transfer_no=row.no,
            refunded_transfer_no=0,
            chain_hash=chain_hash,
        )
        return order.words.paid(sign_receipt(receipt, self._root), receipt, wallet.balance), row.no

    def _collect(
        self,
        order: Order,
        row: TransferRow,
        chain_hash: bytes,
        bill: BillRow,
        wallet: LedgerAccount,
        biller_account: LedgerAccount,
        group: Group,
    ) -> None:
        group.transfers.append((row, chain_hash))
        group.touched[wallet.id] = wallet
        group.touched[biller_account.id] = biller_account
        group.cleared[bill.id] = bill
        group.payers[bill.id] = (order.member_id, wallet.name, row.at_ms)
        group.customers.add((row.biller_id, row.customer_number))
        if row.credit:
            group.credits.append((row.credit, row.biller_id, row.customer_number))
        if (order.member_id, row.biller_id) not in self._bound:
            if len(self._bound) > BOUND_KEPT_MAX:
                self._bound.clear()
            self._bound.add((order.member_id, row.biller_id))
            if self._arrears.bound_number(order.member_id, row.biller_id) is None:
                group.bindings.add((order.member_id, row.biller_id, row.customer_number))


def receipt_no(transfer_no: int, chain_hash: bytes) -> str:
    """The number printed on a receipt: the transfer's, and four signs of the chain up to it.

    A ledger that was put back to an older copy gives its transfers the same numbers again, and another chain: so a
    receipt's number is not used for another payment.
    """
    code = int.from_bytes(chain_hash[:4], "big") >> 12
    signs = "".join(_SIGNS[code >> shift & 31] for shift in (15, 10, 5, 0))
    return f"BB{transfer_no:08d}-{signs}"
