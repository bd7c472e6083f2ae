"""What travels inside a sealed request and its sealed answer: tagged MessagePack arrays (`[tag, field, …]`).

Times are Unix milliseconds, dates ISO 8601 text (YYYY-MM-DD), ids 16 random bytes unless said otherwise. Every integer
has the range that the store and the arithmetic have, so that what decodes can be worked with.
Fields that the member has not given yet are None: the subsystem answers with a prompt for exactly those.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from im_protocol.limits import ID_MAX

NESTING_MAX = 16  # arrays and maps in each other; the messages themselves need four
BILLS_PER_ANSWER_MAX = 24
RECEIPT_BYTES_MAX = 8_192  # all texts at their limit, in characters of four bytes, are under four thousand

Id = Annotated[int, Meta(ge=0, le=ID_MAX)]
Ms = Annotated[int, Meta(ge=0, le=ID_MAX)]
Count = Annotated[int, Meta(ge=0, le=ID_MAX)]
AttemptsLeft = Annotated[int, Meta(ge=-1, le=1_000)]
Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
Short = Annotated[str, Meta(max_length=64)]
SENTENCE_CHARS_MAX = 400
Sentence = Annotated[str, Meta(max_length=SENTENCE_CHARS_MAX)]
Digits = Annotated[str, Meta(max_length=32)]
ANSWER_MINOR_MAX = 10**15  # a thousand times the largest amount that anybody may type or import
Minor = Annotated[int, Meta(ge=-ANSWER_MINOR_MAX, le=ANSWER_MINOR_MAX)]
Rule = Literal["exact", "up_to_due", "over_is_credit"]


class Amount(msgspec.Struct, array_like=True, frozen=True, order=False):
    """Money: integer minor units (cents, fen) of an ISO 4217 currency. Arithmetic is in `money`."""

    minor: Minor
    currency: Annotated[str, Meta(min_length=3, max_length=3, pattern="^[A-Z]{3}$")]


class Message(msgspec.Struct, array_like=True, frozen=True, tag=True):
    """Base of requests and answers; the tag is the class name."""


# ---- requests ------------------------------------------------------------------------------------------------


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """What is sealed: one request with its freshness. `nonce` is new for every seal, also of a retry."""

    nonce: Id16
    made_at_ms: Ms
    lang: Annotated[str, Meta(max_length=16)]
    request: Request


class Overview(Message, frozen=True):
    """The roster's figures: balance, and the state of every biller. `newest` is the member's receipt of the highest
    transfer number that the device holds: a ledger that does not know it is an older copy, and says so in a notice."""

    newest: SignedReceipt | None = None


class AskBill(Message, frozen=True):
    """What do I owe this biller? A customer number given once is remembered for this member.

    `after_bill`: go on after this bill of the page before (0: begin with the oldest).
    """

    biller_id: Id
    customer_number: Digits | None = None
    after_bill: Id = 0


class Pay(Message, frozen=True):
    """Pay a bill. `bill_id` None: the oldest open bill. `pin` is the six-digit payment password.

    `account` None: the only account in the biller's currency.
    """

    payment_id: Id16
    biller_id: Id
    customer_number: Digits | None = None
    bill_id: Id | None = None
    amount: Amount | None = None
    account: Digits | None = None
    pin: Annotated[str, Meta(max_length=16)] | None = None


class AskPayment(Message, frozen=True):
    """What became of this payment id? Asked after a cut, as often as needed."""

    payment_id: Id16


class AskReceipts(Message, frozen=True):
    """The member's receipts, newest first, before this transfer number (0: the newest)."""

    before_transfer: Id = 0


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

    bill_id: Id
    biller_id: Id
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
    """A payment account of the member. Only its owner ever gets the whole `number` (in a sealed answer).

    `pay_max` is the most that one payment from it may be now by its limits, in minor units (-1: not told).
    """

    number: Digits
    name: Short
    balance: Amount
    has_pin: bool = True
    pay_max: Annotated[int, Meta(ge=-1, le=ANSWER_MINOR_MAX)] = -1


class BillerState(msgspec.Struct, array_like=True, frozen=True):
    """One bill-pay row of the roster. `state` no_customer: the customer number is not known yet."""

    biller_id: Id
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
    member_id: Id
    biller_id: Id
    biller_name: Short
    customer_number: Digits
    account_tail: Digits
    bill_id: Id
    bill_title: Short
    billed: Amount
    paid: Amount
    remaining: Amount
    credit: Amount
    paid_at_ms: Ms
    transfer_no: Id
    refunded_transfer_no: Id
    chain_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]
    reason: Sentence = ""


class SignedReceipt(msgspec.Struct, array_like=True, frozen=True):
    """`receipt` is the MessagePack of Receipt, byte for byte as signed (Ed25519, RFC 8032) by the root key."""

    receipt: Annotated[bytes, Meta(max_length=RECEIPT_BYTES_MAX)]
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
    """Open bills, oldest first (empty: nothing due), and the accounts to pay from.

    `more`: there are further ones; ask on with `after_bill` the last of these. `open_bills` counts all that are open,
    `open_due` is their sum.
    """

    biller_id: Id
    customer_number: Digits
    place: Short
    bills: list[Bill]
    accounts: list[Account]
    credit: Amount | None = None
    more: bool = False
    open_bills: Count = 0
    open_due: Amount | None = None


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
    retry_at_ms: Ms = 0
    attempts_left: AttemptsLeft = -1


class PaymentUnknown(Message, frozen=True):
    """No money moved under this payment id, and no order for it that was sealed before the question ever will."""

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
    retry_at_ms: Ms = 0
    attempts_left: AttemptsLeft = -1


Answer = OverviewIs | Prompt | BillsAre | Paid | NotPaid | PaymentUnknown | ReceiptsAre | Done | Refused
