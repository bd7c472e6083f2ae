"""What `billbuddy-cli` prints: the same facts as a JSON document and as lines for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from desktop_client.i18n import _
from desktop_client.outcomes import FROM_RECEIPT, Outcome
from desktop_client.wording import more_bills, problem, short_day
from payment.contract.messages import Account, Amount, Bill, BillerState, BillsAre, Prompt, Receipt
from payment.contract.money import AmountError, format_amount, parse_amount, with_sign


def amount_document(amount: Amount | None) -> dict[str, Any] | None:
    if amount is None:
        return None
    return {"minor": amount.minor, "currency": amount.currency, "text": format_amount(amount)}


def moment(at_ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")


def account_document(account: Account) -> dict[str, Any]:
    return {
        "number": account.number,
        "name": account.name,
        "balance": amount_document(account.balance),
        "has_pin": account.has_pin,
    }


def state_document(state: BillerState | None) -> dict[str, Any]:
    if state is None:
        return {"state": "unknown"}
    return {
        "state": state.state,
        "due": amount_document(state.due),
        "due_on": state.due_on,
        "customer_number": state.customer_number,
        "place": state.place,
        "last_paid_on": state.last_paid_on,
    }


def state_text(state: BillerState | None) -> str:
    """What a biller's line of the roster tells: the amount and its day, or why there is none."""
    if state is None:
        return ""
    if state.state == "no_customer":
        return _("customer number needed")
    if state.due is None:
        return _("nothing due")
    due = _("overdue {day}") if state.state == "overdue" else _("due {day}")
    return f"{with_sign(state.due)} · {due.format(day=short_day(state.due_on))}"


def bill_document(bill: Bill) -> dict[str, Any]:
    return {
        "bill_id": bill.bill_id,
        "title": bill.title,
        "period": bill.period,
        "lines": [{"text": line.text, "amount": amount_document(line.amount)} for line in bill.lines],
        "total": amount_document(bill.total),
        "due": amount_document(bill.due),
        "minimum": amount_document(bill.minimum),
        "due_on": bill.due_on,
        "rule": bill.rule,
    }


def bills_document(biller_id: int, name: str, answer: BillsAre) -> dict[str, Any]:
    return {
        "biller_id": biller_id,
        "biller": name,
        "customer_number": answer.customer_number,
        "place": answer.place,
        "bills": [bill_document(bill) for bill in answer.bills],
        "more": answer.more,
        "open_bills": answer.open_bills,
        "open_due": amount_document(answer.open_due),
        "credit": amount_document(answer.credit),
    }


def bills_text(name: str, answer: BillsAre) -> list[str]:
    lines = [f"{name} · {answer.place} · {answer.customer_number}".replace(" ·  · ", " · ")]
    for bill in answer.bills:
        lines.append(f"  {bill.title} {bill.period}".rstrip())
        lines += [f"    {line.text}: {with_sign(line.amount)}" for line in bill.lines]
        due, day = with_sign(bill.due), short_day(bill.due_on)
        lines.append("  " + _("Due: {amount}, on {day}").format(amount=due, day=day))
    if answer.more:
        lines.append("  " + " ".join(more_bills(len(answer.bills), answer.open_bills)))
    if not answer.bills:
        lines.append("  " + _("Nothing is due."))
    if answer.credit is not None and answer.credit.minor:
        lines.append("  " + _("Credit with the biller: {amount}").format(amount=with_sign(answer.credit)))
    return lines


def prompt_document(prompt: Prompt) -> dict[str, Any]:
    fields = [
        {"name": f.name, "kind": f.kind, "label": f.label, "hint": f.hint, "rule": f.rule, "choices": f.choices}
        for f in prompt.fields
    ]
    return {"title": prompt.title, "text": prompt.text, "fields": fields}


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    return {
        "kind": receipt.kind,
        "receipt_no": receipt.receipt_no,
        "payment_id": receipt.payment_id.hex(),
        "member_id": receipt.member_id,
        "biller_id": receipt.biller_id,
        "biller": receipt.biller_name,
        "customer_number": receipt.customer_number,
        "account_tail": receipt.account_tail,
        "bill_id": receipt.bill_id,
        "bill": receipt.bill_title,
        "billed": amount_document(receipt.billed),
        "paid": amount_document(receipt.paid),
        "remaining": amount_document(receipt.remaining),
        "credit": amount_document(receipt.credit),
        "paid_at": moment(receipt.paid_at_ms),
        "transfer_no": receipt.transfer_no,
        "refunded_transfer_no": receipt.refunded_transfer_no,
        "chain_hash": receipt.chain_hash.hex(),
        "reason": receipt.reason,
    }


def receipt_text(receipt: Receipt) -> list[str]:
    is_refund = receipt.kind == "refund"
    rows = [
        (_("Receipt"), receipt.receipt_no),
        (_("Member"), str(receipt.member_id)),
        (_("Biller"), f"{receipt.biller_name} ({receipt.biller_id})"),
        (_("Customer number"), receipt.customer_number),
        (_("Bill"), receipt.bill_title),
        (_("Refund of") if is_refund else _("Billed"), with_sign(receipt.billed)),
        (_("Refunded") if is_refund else _("Paid"), with_sign(receipt.paid)),
        (_("Can still be refunded") if is_refund else _("Remaining due"), with_sign(receipt.remaining)),
        (_("Credit with the biller"), with_sign(receipt.credit) if receipt.credit.minor else ""),
        (_("Reason"), receipt.reason),
        (_("When"), moment(receipt.paid_at_ms)),
        (_("Transfer"), str(receipt.transfer_no)),
        (_("Gives back transfer"), str(receipt.refunded_transfer_no) if is_refund else ""),
        (_("Chain hash"), receipt.chain_hash.hex()),
    ]
    return [f"  {label}: {value}" for label, value in rows if value]


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """One shape for all outcomes of a payment."""
    document: dict[str, Any] = {
        "outcome": "not_paid" if outcome.state == "prompt" else outcome.state,
        "payment_id": outcome.order.payment_id.hex(),
        "money_moved": {"paid": True, "deciding": None}.get(outcome.state, False),
        "code": outcome.code,
        "text": "\n".join(outcome_text(outcome)),
    }
    if outcome.receipt is not None:
        document["receipt"] = receipt_document(outcome.receipt)
        document["signature_verified"] = outcome.verified
        document["balance_after"] = amount_document(outcome.balance_after)
    if outcome.prompt is not None:
        document["prompt"] = prompt_document(outcome.prompt)
    if outcome.attempts_left >= 0:
        document["attempts_left"] = outcome.attempts_left
    if outcome.retry_at_ms:
        document["retry_at"] = moment(outcome.retry_at_ms)
    return document


def outcome_text(outcome: Outcome) -> list[str]:
    """The outcome in words; every one of them says whether money moved."""
    if outcome.state == "paid":
        first = _("Paid.")
        if outcome.code == FROM_RECEIPT:
            first += " " + _("The payment service was not asked again: this device has kept it.")
        return [first] if outcome.receipt is None else [first, *receipt_text(outcome.receipt)]
    if outcome.state == "deciding":
        payment_id = outcome.order.payment_id.hex()
        return [_("Still deciding. Ask again: billbuddy-cli payment-status {id}").format(id=payment_id)]
    if outcome.state == "prompt" and outcome.prompt is not None:
        return [_("Not paid, no money moved.") + f" {outcome.prompt.text or outcome.prompt.title}"]
    return [_("Not paid, no money moved.") + " " + problem(outcome.code, outcome.text)]


def is_amount(text: str, amount: Amount) -> bool:
    """Whether a typed amount is this one."""
    try:
        return parse_amount(text, amount.currency) == amount
    except AmountError:
        return False
