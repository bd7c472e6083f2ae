"""What an answer proves of an order: the one table that turns answers and refusals into one of the three outcomes.

Sealed answers come from the payment subsystem and are believed. Refusals are the chat server's word, which nobody
signed: they tell of this one try only. So as soon as another try under the same payment id may have arrived (an earlier
run, another device, a crash between storing and sending), only a sealed answer that covers all tries decides, and
everything else is "not known yet". What is known to be paid stays paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from desktop_client.outbox import Order
from desktop_client.sealer import CLOCK_WRONG, PAYMENT_KEY_CHANGED
from desktop_client.session import NOT_CONNECTED
from im_protocol import codes
from im_protocol.packets import Refusal
from payment.contract.messages import (
    Amount,
    Answer,
    NotPaid,
    PaymentUnknown,
    Prompt,
    Receipt,
    Refused,
    SignedReceipt,
)

NEVER_ARRIVED = "never_arrived"
ASKED_BACK = "asked_back"
REUSED = "payment_id_reused"
NOT_STORED = "not_stored"  # it was answered, but this device could not store what
FROM_RECEIPT = "from_receipt"  # nobody could be asked just now; the receipt that is kept here says it

NOTHING_SENT = frozenset(
    {
        NOT_CONNECTED,
        PAYMENT_KEY_CHANGED,
        CLOCK_WRONG,
        codes.PAYMENT_AWAY,
        codes.BAD_SEAL,
        codes.RATE_LIMITED,
        codes.NO_SUCH_MEMBER,
        codes.FORGED_SENDER,
        codes.BAD_REQUEST_ID,
        codes.NOT_NOW,
    }
)
"""Refusals that say that this try did not reach the subsystem (PROTOCOL.md, section 6, and three of our own). After
every other one the outcome is not known."""


@dataclass(frozen=True)
class Outcome:
    """What became of an order. `prompt` when an element is missing (nothing was paid). Times in Unix milliseconds."""

    state: Literal["paid", "not_paid", "deciding", "prompt"]
    order: Order
    code: str = ""
    text: str = ""
    signed: SignedReceipt | None = None
    receipt: Receipt | None = None
    verified: bool = False
    balance_after: Amount | None = None
    prompt: Prompt | None = None
    attempts_left: int = -1
    retry_at_ms: int = 0
    final: bool = True


def outcome_unless_paid(order: Order, answer: Answer | Refusal, *, others: bool) -> Outcome:
    """The outcome of every answer but Paid. `others`: another try under this payment id may have arrived, or still may.

    | answer | only this try | others as well |
    |---|---|---|
    | NotPaid, final (the stored result of the id) | not paid | not paid |
    | PaymentUnknown (older orders are dead from here on) | not paid | not paid |
    | NotPaid, not final; Refused | not paid | deciding |
    | Prompt | prompt | deciding |
    | a refusal of NOTHING_SENT | not paid | deciding |
    | anything else | deciding | deciding |
    """
    if isinstance(answer, PaymentUnknown):
        return Outcome("not_paid", order, NEVER_ARRIVED)
    is_final = isinstance(answer, NotPaid) and answer.final
    if others and not is_final:
        return Outcome("deciding", order, getattr(answer, "code", ""))
    if isinstance(answer, NotPaid | Refused):
        return Outcome(
            "not_paid",
            order,
            answer.code,
            answer.text,
            attempts_left=answer.attempts_left,
            retry_at_ms=answer.retry_at_ms,
            final=is_final or isinstance(answer, Refused),
        )
    if isinstance(answer, Prompt):
        return Outcome("prompt", order, ASKED_BACK, answer.text or answer.title, prompt=answer)
    if isinstance(answer, Refusal) and answer.code in NOTHING_SENT:
        return Outcome("not_paid", order, answer.code, answer.message)
    return Outcome("deciding", order, getattr(answer, "code", ""))


def stands_for(receipt: Receipt, order: Order) -> bool:
    """Whether the receipt is of what the order asks for; the subsystem refuses other contents under the same id."""
    return (
        receipt.payment_id == order.payment_id
        and receipt.biller_id == order.biller_id
        and order.bill_id in (0, receipt.bill_id)
        and (not order.amount.minor or order.amount == receipt.paid)
    )


def stranger(payment_id: bytes) -> Order:
    """Stands for an order that another device made."""
    return Order(payment_id, 0, "", "", 0, "", Amount(0, "CNY"), "", 0)
