"""What operators do, each as one transaction with its audit entry. Runs on the writing thread."""

from __future__ import annotations

import re
import secrets
from collections.abc import Container
from dataclasses import dataclass, field

import msgspec

from im_protocol import limits
from payment.audit import Operator
from payment.billing import BillerInfo
from payment.contract.messages import Amount, Paid, Receipt
from payment.contract.money import CURRENCIES, parse_amount, with_sign
from payment.contract.receipts import sign_receipt
from payment.core import Core
from payment.credentials import PinRecord
from payment.errors import OperatorError
from payment.ledger import NORMAL_SIDE, LedgerAccount, NotEnoughMoney, TransferRow
from payment.limits import LimitSet
from payment.orders import receipt_no
from payment.results import decode_result

BILLER_ID_MIN, BILLER_ID_MAX = 100, 9_999
BILLERS_MAX = limits.CONTACTS_PER_PACKET_MAX  # LINK_HELLO names them all, and so does a member's overview
ACCOUNT_DIGITS = 12
BALANCE_MINOR_MAX = 10**15  # the largest amount that an answer can carry (see contract.messages.Minor)
RULES = ("exact", "up_to_due", "over_is_credit")
ICONS = ("electricity", "water", "mobile", "property", "other")
_ENCODER = msgspec.msgpack.Encoder()


@dataclass
class Changes:
    """Who must be told after the commit."""

    members: set[int] = field(default_factory=set)
    customers: set[tuple[int, str]] = field(default_factory=set)
    billers: bool = False


class Operations:
    """Operator actions on one core. Every method is called inside a transaction; errors are OperatorError."""

    def __init__(self, core: Core, operator: Operator) -> None:
        self.core = core
        self.operator = operator
        self.changes = Changes()

    def log(self, action: str, subject: str, detail: str = "") -> None:
        """The audit entry of this transaction."""
        self.core.audit.add(self.operator, action, subject, detail, self.core.clock())

    # ---- accounts ---------------------------------------------------------------------------------------------

    def open_account(self, member_id: int, name: str, currency: str, pin: PinRecord) -> LedgerAccount:
        """A new wallet. One for each member and currency."""
        _known_currency(currency)
        if member_id < 10_001:
            raise OperatorError(f"member ids begin at 10001, {member_id} is none")
        if not 1 <= len(name) <= 64:
            raise OperatorError("a name has 1 to 64 characters")
        if any(a.currency == currency for a in self.core.ledger.accounts_of(member_id)):
            raise OperatorError(f"member {member_id} has a {currency} account already")
        account = self._create_account(self._new_number(), "wallet", member_id, name, currency)
        self.core.credentials.set(account.id, account.number, pin, self.core.clock(), "operator")
        self.log("account open", f"member {member_id}", f"account ····{account.number[-4:]} {currency}")
        self.changes.members.add(member_id)
        return account

    def wallet_of(self, member_id: int, currency: str | None = None) -> LedgerAccount:
        """The member's (first) account."""
        for account in self.core.ledger.accounts_of(member_id):
            if currency in (None, account.currency):
                return account
        raise OperatorError(f"member {member_id} has no payment account")

    def top_up(self, member_id: int, amount_text: str, currency: str | None = None) -> LedgerAccount:
        """Cash paid in at the desk: cash and the member's wallet both grow."""
        wallet = self.wallet_of(member_id, currency)
        amount = parse_amount(amount_text, wallet.currency)
        if wallet.balance + amount.minor > BALANCE_MINOR_MAX:
            most = with_sign(Amount(BALANCE_MINOR_MAX, wallet.currency))
            raise OperatorError(f"an account holds at most {most}; no money moved")
        cash = self._cash(wallet.currency)
        row = TransferRow(
            *(0, "top_up", 0, 0, amount.minor, wallet.currency, self.core.clock(), member_id, b""),
            reason=self.operator.why,
        )
        self.core.ledger.post(row, cash, wallet)
        self.log("account top-up", f"member {member_id}", f"{with_sign(amount)}, transfer {row.no}")
        self.changes.members.add(member_id)
        return wallet

    def reset_pin(self, member_id: int, pin: PinRecord) -> None:
        """A new payment password for all of a member's accounts; locks end, the member is told."""
        self.wallet_of(member_id)
        for account in self.core.ledger.accounts_of(member_id):
            self.core.credentials.set(account.id, account.number, pin, self.core.clock(), "reset")
        self.log("pin reset", f"member {member_id}")
        self.changes.members.add(member_id)

    def _cash(self, currency: str) -> LedgerAccount:
        number = f"cash-{currency}"
        found = self.core.ledger.accounts_by_number([number]).get(number)
        return found or self._create_account(number, "cash", 0, "Cash", currency)

    def _new_number(self) -> str:
        while True:
            number = str(secrets.randbelow(9 * 10 ** (ACCOUNT_DIGITS - 1)) + 10 ** (ACCOUNT_DIGITS - 1))
            if not self.core.ledger.accounts_by_number([number]):
                return number

    def _create_account(self, number: str, kind: str, owner_id: int, name: str, currency: str) -> LedgerAccount:
        row = self.core.store.one("SELECT coalesce(max(id), 0) + 1 FROM account")
        assert row is not None
        self.core.store.insert(
            "account",
            id=row[0],
            number=number,
            kind=kind,
            normal=NORMAL_SIDE[kind],
            owner_id=owner_id,
            name=name,
            currency=currency,
            balance=0,
            floor=0,
            opened_at_ms=self.core.clock(),
        )
        return LedgerAccount(row[0], number, kind, owner_id, name, currency, 0, 0)

    # ---- billers ----------------------------------------------------------------------------------------------

    def put_biller(self, wanted: BillerInfo, *, may_exist: bool) -> int:
        """Adds a biller (id 0: the next free one), or changes one that may exist already. Gives its id."""
        billers = self.core.billing.billers
        biller_id = wanted.id or _free_id(billers)
        _check_biller(biller_id, wanted)
        known = billers.get(biller_id)
        if known and not may_exist:
            raise OperatorError(f"biller {biller_id} exists already: {known.name}")
        if known and known.currency != wanted.currency:
            raise OperatorError(f"biller {biller_id} takes {known.currency}; the currency of a biller never changes")
        if known is None and len(billers) >= BILLERS_MAX:
            raise OperatorError(f"one server has no more than {BILLERS_MAX} billers, and there are as many already")
        account_id = known.account_id if known else self._biller_account(biller_id, wanted)
        values = {**vars(wanted), "id": biller_id, "account_id": account_id}
        if known and vars(known) == values:
            return biller_id
        self.core.store.insert("biller", **values)
        self.core.billing.reload()
        self.log("biller add" if known is None else "biller change", f"biller {biller_id}", wanted.name)
        self.changes.billers = True
        return biller_id

    def _biller_account(self, biller_id: int, wanted: BillerInfo) -> int:
        return self._create_account(f"biller-{biller_id}", "biller", biller_id, wanted.name, wanted.currency).id

    def cancel_bill(self, bill_id: int) -> str:
        """Takes back a bill on which nothing has been paid."""
        store = self.core.store
        bill = self.core.billing.bills_by_id([bill_id]).get(bill_id)
        if bill is None:
            raise OperatorError(f"there is no bill {bill_id}; nothing was changed and no money moved")
        if bill.cancelled:
            raise OperatorError(f"bill {bill_id} is cancelled already; nothing was changed and no money moved")
        if bill.paid:
            raise OperatorError(f"bill {bill_id} has payments: refund them instead; no money moved")
        bill.cancelled = 1
        values = tuple(getattr(bill, name) for name in bill.__slots__ if name != "paid")
        seal = self.core.sealer.seal("bill", values)
        store.run("UPDATE bill SET cancelled = 1, seal = ? WHERE id = ?", (seal, bill_id))
        self.log("bill cancel", f"bill {bill_id}", bill.title)
        self.changes.customers.add((bill.biller_id, bill.customer_number))
        return bill.title

    # ---- refunds and limits -----------------------------------------------------------------------------------

    def refund(self, transfer_no: int, amount_text: str) -> Receipt:
        """Gives back a payment or a part of it: a new transfer with its own signed receipt."""
        found = self.core.store.one(
            "SELECT kind, debit_id, credit_id, amount, currency, member_id, biller_id, customer_number, credit, "
            "bill_id FROM transfer WHERE no = ?",
            (transfer_no,),
        )
        if found is None or found[0] != "payment":
            raise OperatorError(f"transfer {transfer_no} is no payment; no money moved")
        _, wallet_id, biller_account_id, paid, currency, member_id, biller_id, number, credit, bill_id = found
        amount = parse_amount(amount_text, currency)
        before, credit_back = self._refunded(transfer_no)
        if before + amount.minor > paid:
            left = with_sign(Amount(paid - before, currency))
            raise OperatorError(f"of payment {transfer_no} at most {left} can still be refunded; no money moved")
        customer = self.core.arrears.customer(biller_id, number)
        from_credit = min(amount.minor, credit - credit_back, customer[1] if customer else 0)
        accounts = self.core.ledger.accounts_by_id([wallet_id, biller_account_id])
        row = TransferRow(
            *(0, "refund", 0, 0, amount.minor, currency, self.core.clock(), member_id, b"", biller_id, number, bill_id),
            credit=-from_credit,
            refunds_no=transfer_no,
            reason=self.operator.why,
        )
        try:
            chain_hash = self.core.ledger.post(row, accounts[biller_account_id], accounts[wallet_id])
        except NotEnoughMoney:
            raise OperatorError("the biller's balance is not enough for this refund; no money moved") from None
        self.core.billing.add_credit([(-from_credit, biller_id, number)])
        receipt = self._refund_receipt(row, accounts[wallet_id], paid, before, chain_hash)
        self._store_refund(row, receipt, accounts[wallet_id].balance)
        self.log("refund", f"transfer {transfer_no}", f"{with_sign(amount)} by transfer {row.no}")
        self.changes.members.add(member_id)
        self.changes.customers.add((biller_id, number))
        return receipt

    def _refunded(self, transfer_no: int) -> tuple[int, int]:
        row = self.core.store.one(
            "SELECT coalesce(sum(amount), 0), coalesce(-sum(credit), 0) FROM transfer "
            "WHERE refunds_no = ? AND refunds_no > 0",
            (transfer_no,),
        )
        return (row[0], row[1]) if row else (0, 0)

    def _refund_receipt(
        self, row: TransferRow, wallet: LedgerAccount, paid: int, before: int, chain_hash: bytes
    ) -> Receipt:
        original = self._receipt_of(row.member_id, row.refunds_no)
        return msgspec.structs.replace(
            original,
            kind="refund",
            receipt_no=receipt_no(row.no, chain_hash),
            account_tail=wallet.number[-4:],
            billed=Amount(paid, row.currency),
            paid=Amount(row.amount, row.currency),
            remaining=Amount(paid - before - row.amount, row.currency),
            credit=Amount(row.credit, row.currency),
            paid_at_ms=row.at_ms,
            transfer_no=row.no,
            refunded_transfer_no=row.refunds_no,
            chain_hash=chain_hash,
            reason=row.reason,
        )

    def _receipt_of(self, member_id: int, transfer_no: int) -> Receipt:
        row = self.core.store.one(
            "SELECT result FROM result WHERE member_id = ? AND transfer_no = ? AND transfer_no > 0",
            (member_id, transfer_no),
        )
        stored = decode_result(row[0]) if row else None
        if not isinstance(stored, Paid):
            raise OperatorError(f"the receipt of transfer {transfer_no} is missing: run ledger check; no money moved")
        return msgspec.msgpack.decode(stored.receipt.receipt, type=Receipt)

    def _store_refund(self, row: TransferRow, receipt: Receipt, balance_after: int) -> None:
        try:  # what is signed is checked by the rules of whoever will read it: a result is never changed
            msgspec.msgpack.decode(_ENCODER.encode(receipt), type=Receipt)
        except msgspec.ValidationError as error:
            raise OperatorError(f"the receipt could not be read by anybody ({error}); no money moved") from None
        signed = sign_receipt(receipt, self.core.keystore.root)
        result = _ENCODER.encode(Paid(signed, Amount(balance_after, row.currency)))
        self.core.store.insert_new(
            "result",
            member_id=row.member_id,
            payment_id=secrets.token_bytes(16),
            fingerprint=bytes(32),
            transfer_no=row.no,
            result=result,
            at_ms=row.at_ms,
        )

    def set_limits(self, member_id: int, single: str | None, daily: str | None, per_minute: int | None) -> LimitSet:
        """Limits of a member's account (0: of all that have none of their own). None leaves one as it is."""
        account_id = self.wallet_of(member_id).id if member_id else 0
        currency = self.wallet_of(member_id).currency if member_id else "CNY"
        now = self.core.limits.of(account_id)
        if per_minute is not None and per_minute < 1:
            raise OperatorError("at least one payment a minute must be allowed")
        limits = LimitSet(
            parse_amount(single, currency).minor if single else now.single_max,
            parse_amount(daily, currency).minor if daily else now.daily_max,
            now.per_minute_max if per_minute is None else per_minute,
        )
        self.core.limits.set(account_id, limits)
        detail = f"single {limits.single_max}, daily {limits.daily_max}, {limits.per_minute_max} a minute"
        self.log("limits set", f"member {member_id}" if member_id else "everybody", detail)
        return limits


def _free_id(billers: Container[int]) -> int:
    """The id after the highest one; where that is at the end of the range, the lowest that no biller has."""
    highest = max((number for number in range(BILLER_ID_MIN, BILLER_ID_MAX + 1) if number in billers), default=0)
    if highest < BILLER_ID_MAX:
        return max(highest, BILLER_ID_MIN) + 1
    return next(number for number in range(BILLER_ID_MIN, BILLER_ID_MAX) if number not in billers)


def _known_currency(currency: str) -> None:
    if currency not in CURRENCIES:
        raise OperatorError(f"currency {currency} is not known; known are {', '.join(CURRENCIES)}")


def _check_biller(biller_id: int, wanted: BillerInfo) -> None:
    _known_currency(wanted.currency)
    if not BILLER_ID_MIN <= biller_id <= BILLER_ID_MAX:
        raise OperatorError(f"biller ids are {BILLER_ID_MIN} to {BILLER_ID_MAX}, {biller_id} is none")
    if not 1 <= len(wanted.name) <= 64:
        raise OperatorError("a biller's name has 1 to 64 characters")
    if wanted.rule not in RULES:
        raise OperatorError(f"rule {wanted.rule!r} is not known; known are {', '.join(RULES)}")
    if wanted.icon not in ICONS:
        raise OperatorError(f"icon {wanted.icon!r} is not known; known are {', '.join(ICONS)}")
    if len(wanted.number_rule) > 200 or len(wanted.number_hint) > 200:
        raise OperatorError("the customer number's rule and hint have at most 200 characters")
    try:
        re.compile(wanted.number_rule)
    except re.error as error:
        raise OperatorError(f"the customer number's rule is no regular expression: {error}") from None
