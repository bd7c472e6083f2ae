"""What travels inside a sealed request and its sealed answer: tagged MessagePack arrays (`[tag, field, …]`).

Times are Unix milliseconds, dates ISO 8601 text (YYYY-MM-DD), ids 16 random bytes unless said otherwise.
Fields that the member has not given yet are None: the subsystem answers with a prompt for exactly those.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Short = Annotated[str, Meta(max_length=64)]
Sentence = Annotated[str, Meta(max_length=400)]
Digits = Annotated[str, Meta(max_length=32)]
Minor = Annotated[int, Meta(ge=-(10**15), le=10**15)]
Rule = Literal["exact", "up_to_due", "over_is_credit"]


class Amount(msgspec.Struct, array_like=True, frozen=True, order=False):
    """Money: integer minor units (cents, fen) of an ISO 4217 currency. Arithmetic is in `money`."""

    minor: Minor
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Message(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Base of requests and answers; the tag is the class name."""


# ---- requests ------------------------------------------------------------------------------------------------


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """What is sealed: one request with its freshness. `nonce` is new for every seal, also of a retry."""

    nonce: Id16
    made_at_ms: int
    lang: Annotated[str, Meta(max_length=16)]
    request: Request


class Overview(Message, frozen=True):
    """The roster's figures: balance, and the state of every biller. `newest` is the member's receipt of the highest
    transfer number that the device holds: a ledger that does not know it is an older copy, and says so in a notice."""

    newest: SignedReceipt | None = None


class AskBill(Message, frozen=True):
    """What do I owe this biller? A customer number given once is remembered for this member."""

    biller_id: int
    customer_number: Digits | None = None


class Pay(Message, frozen=True):
    """Pay a bill. `bill_id` None: the oldest open bill. `pin` is the six-digit payment password."""

    payment_id: Id16
    biller_id: int
    customer_number: Digits | None = None
    bill_id: int | None = None
    amount: Amount | None = None
    account: Digits | None = None
    pin: Annotated[str, Meta(max_length=16)] | None = None


class AskPayment(Message, frozen=True):
    """What became of this payment id? Asked after a cut, as often as needed."""

    payment_id: Id16


class AskReceipts(Message, frozen=True):
    """The member's receipts, newest first, before this transfer number (0: the newest)."""

    before_transfer: int = 0


class SetPin(Message, frozen=True):
    """Set the payment password (`old` None while there is none) or change it."""

    new: Annotated[str, Meta(max_length=16)]
    old: Annotated[str, Meta(max_length=16)] | None = None


Request = Overview | AskBill | Pay | AskPayment | AskReceipts | SetPin


# ---- parts of answers ----------------------------------------------------------------------------------------


class BillLine(msgspec.Struct, array_like=True, frozen=True):
    text: Short
    amount: Amount


class Bill(msgspec.Struct, array_like=True, frozen=True):
    """One bill. `due` is what is still to pay of `total`; `minimum` the least that may be paid now."""

    bill_id: int
    biller_id: int
    customer_number: Digits
    title: Short
    period: Short
    lines: list[BillLine]
    total: Amount
    due: Amount
    minimum: Amount
    due_on: Short
    rule: Rule = "exact"


class Account(msgspec.Struct, array_like=True, frozen=True):
    """A payment account of the member. Only its owner ever gets the whole `number` (in a sealed answer)."""

    number: Digits
    name: Short
    balance: Amount
    has_pin: bool = True


class BillerState(msgspec.Struct, array_like=True, frozen=True):
    """One bill-pay row of the roster. `state` no_customer: the customer number is not known yet."""

    biller_id: int
    state: Literal["no_customer", "nothing_due", "due", "overdue"]
    due: Amount | None = None
    due_on: Short = ""
    customer_number: Digits = ""
    place: Short = ""
    last_paid_on: Short = ""


class Field(msgspec.Struct, array_like=True, frozen=True):
    """One input of a form. `rule` is a regular expression that the whole value must match; `error` words a miss."""

    name: Literal["customer_number", "amount", "account", "pin"]
    kind: Literal["digits", "text", "amount", "choice", "pin"]
    label: Short
    hint: Sentence = ""
    rule: Sentence = ""
    error: Sentence = ""
    value: Short = ""
    choices: list[tuple[str, str]] = []


class Action(msgspec.Struct, array_like=True, frozen=True):
    name: Literal["submit", "cancel"]
    label: Short
    style: Literal["primary", "plain"] = "primary"


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """What is signed. Language-neutral; `kind` refund has its own receipt that names the payment's transfer."""

    format: Literal["billbuddy-receipt-1"]
    kind: Literal["payment", "refund"]
    receipt_no: Short
    payment_id: Id16
    member_id: int
    biller_id: int
    biller_name: Short
    customer_number: Digits
    account_tail: Digits
    bill_id: int
    bill_title: Short
    billed: Amount
    paid: Amount
    remaining: Amount
    credit: Amount
    paid_at_ms: int
    transfer_no: int
    refunded_transfer_no: int
    chain_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    reason: Sentence = ""


class SignedReceipt(msgspec.Struct, array_like=True, frozen=True):
    """`receipt` is the MessagePack of Receipt, byte for byte as signed (Ed25519, RFC 8032) by the root key."""

    receipt: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


# ---- answers -------------------------------------------------------------------------------------------------


class OverviewIs(Message, frozen=True):
    """`notices` are sentences that the member must see, for example that the operator reset the payment password."""

    accounts: list[Account]
    billers: list[BillerState]
    notices: list[Sentence] = []


class Prompt(Message, frozen=True):
    """A form as data: the client draws it, fills the same request's fields and sends it again."""

    title: Short
    text: Sentence
    fields: list[Field]
    actions: list[Action]


class BillsAre(Message, frozen=True):
    """Open bills, oldest first (empty: nothing due), and the accounts to pay from."""

    biller_id: int
    customer_number: Digits
    place: Short
    bills: list[Bill]
    accounts: list[Account]
    credit: Amount | None = None


class Paid(Message, frozen=True):
    """The money moved. The same payment id gives the same bytes again."""

    receipt: SignedReceipt
    balance_after: Amount
    text: Sentence = ""


class NotPaid(Message, frozen=True):
    """No money moved, and never will under this payment id when `final`.

    `code`: wrong_pin, pin_locked, no_pin, no_account, not_enough_money, no_such_bill, already_paid, amount_not_allowed,
    limit_single, limit_daily, limit_rate, payment_id_reused. `text` says it in words, that no money moved included.
    `retry_at_ms` says when a lock or limit frees.
    """

    code: Short
    text: Sentence
    final: bool = True
    retry_at_ms: int = 0
    attempts_left: int = -1


class PaymentUnknown(Message, frozen=True):
    """This payment id has never arrived here: no money moved under it."""

    payment_id: Id16


class ReceiptsAre(Message, frozen=True):
    receipts: list[SignedReceipt]
    more: bool


class Done(Message, frozen=True):
    """The payment password was set."""

    text: Sentence


class Refused(Message, frozen=True):
    """The request itself is no good (no_such_biller, no_such_customer, bad_request, stale, replayed, wrong_pin,
    pin_locked, weak_pin): no money moved."""

    code: Short
    text: Sentence
    retry_at_ms: int = 0
    attempts_left: int = -1


Answer = OverviewIs | Prompt | BillsAre | Paid | NotPaid | PaymentUnknown | ReceiptsAre | Done | Refused
