"""All open bills of a customer, page by page: one sealed answer holds only so many."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from desktop_client.sealer import Sealer
from im_protocol.packets import Refusal
from payment.contract.messages import Answer, AskBill, Bill, BillsAre

BILLS_MAX = 1_000  # of one customer number: what a window can hold, and 20 years of monthly bills four times over


def ask_all_bills(
    sealer: Sealer, biller_id: int, customer_number: str | None, done: Callable[[Answer | Refusal], None]
) -> None:
    """BillsAre with all of them, Prompt, Refused, or a Refusal. Over BILLS_MAX the answer's `more` stays true."""
    found: dict[int, Bill] = {}

    def ask(after_bill: int) -> None:
        sealer.ask(AskBill(biller_id, customer_number or None, after_bill), on_answer)

    def on_answer(answer: Answer | Refusal) -> None:
        if not isinstance(answer, BillsAre):
            done(answer)
            return
        is_new = any(bill.bill_id not in found for bill in answer.bills)
        found.update((bill.bill_id, bill) for bill in answer.bills)
        if answer.more and is_new and len(found) < BILLS_MAX:
            ask(answer.bills[-1].bill_id)
        else:
            done(msgspec.structs.replace(answer, bills=list(found.values())))

    ask(0)
