"""Bills, receipts and outcomes as the cards of a bill-pay conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from desktop_client.i18n import _
from desktop_client.outbox import Order
from desktop_client.outcomes import Outcome
from desktop_client.presenters.views import Card, CardButton, CardRow, FormCard, FormField, Tone
from desktop_client.wording import (
    account_tail,
    clock_time,
    due_in_words,
    more_bills,
    parse_day,
    problem,
    receipt_held,
    short_day,
)
from payment.contract.messages import Account, Amount, Bill, Prompt, Receipt
from payment.contract.money import with_sign

if TYPE_CHECKING:
    from desktop_client.app import Member

FORM_KEY = "form"
NOTHING_KEY = "nothing-due"
MORE_KEY = "more-bills"
CHANGE_NUMBER = "change-number"
SOON_DAYS = 10  # a bill due within these is shown in red, a later one in amber


def due_tone(due_on: str, today: date) -> Tone:
    """How urgent a due date is."""
    day = parse_day(due_on)
    return "warning" if day is None or (day - today).days > SOON_DAYS else "danger"


def bill_key(bill_id: int) -> str:
    return f"bill-{bill_id}"


def order_key(payment_id: bytes) -> str:
    """One card for an order, whatever becomes of it."""
    return f"order-{payment_id.hex()}"


def is_outcome(card: Card) -> bool:
    """Whether the card says what became of an order."""
    return card.key.startswith(("order-", "receipt-"))


def bill_card(
    bill: Bill,
    biller_name: str,
    today: date,
    *,
    deciding: bool,
    held: Receipt | None = None,
    with_number: bool = False,
) -> Card:
    """An open bill with its lines and the way to pay it. `held`: the receipt of a payment that the payment service
    has forgotten. `with_number`: also with the way to another customer number."""
    rows = [CardRow(line.text, with_sign(line.amount)) for line in bill.lines]
    paid_minor = bill.total.minor - bill.due.minor
    if paid_minor > 0:
        rows.append(CardRow(_("Already paid"), with_sign(type(bill.total)(paid_minor, bill.total.currency)), "good"))
    button = CardButton("pay", _("Pay {amount}").format(amount=with_sign(bill.due)), enabled=not deciding)
    buttons = (button, _number_button()) if with_number else (button,)
    note = due_in_words(bill.due_on, today)
    return Card(
        key=bill_key(bill.bill_id),
        headline=" · ".join(part for part in (bill.title or biller_name, bill.period) if part),
        amount=with_sign(bill.due),
        note=_("a payment is still being decided") if deciding else note,
        note_tone="warning" if deciding else due_tone(bill.due_on, today),
        rows=tuple(rows),
        buttons=buttons,
        text=receipt_held(held) if held is not None else "",
    )


def _number_button() -> CardButton:
    return CardButton(CHANGE_NUMBER, _("Change number"), "outline")


def settled_bill_card(card: Card) -> Card:
    """The same bill after it was dealt with: nothing to press any more."""
    return Card(
        key=card.key, headline=card.headline, amount=card.amount, note=card.note, note_tone="muted", rows=card.rows
    )


def nothing_due_card(biller_name: str, last_paid_on: str, credit: str) -> Card:
    """There is no open bill."""
    rows: tuple[CardRow, ...] = ()
    if last_paid_on:
        rows += (CardRow(_("Last paid"), short_day(last_paid_on)),)
    if credit:
        rows += (CardRow(_("Credit"), credit, "good"),)
    return Card(
        key=NOTHING_KEY, headline=biller_name, note="✓ " + _("nothing due"), note_tone="good", rows=rows,
        text=_("There is nothing to pay now."),
        buttons=(CardButton(CHANGE_NUMBER, _("Change number"), "link"),),
    )  # fmt: skip


def more_bills_card(shown: int, count: int, due: Amount | None) -> Card:
    """There are more open bills than a window holds."""
    words, text = more_bills(shown, count)
    return Card(MORE_KEY, amount=with_sign(due) if due is not None else "", note=words, text=text)


def receipt_card(receipt: Receipt, verified: bool, accounts: Sequence[Account]) -> Card:
    """The receipt of a payment, or of a refund as its own line."""
    name = next((a.name for a in accounts if a.number.endswith(receipt.account_tail)), _("Account"))
    signature = CardRow(_("Signature"), _("verified on this device"), "good")
    if not verified:
        signature = CardRow(_("Signature"), _("NOT valid"), "danger")
    refund = receipt.kind == "refund"
    account = account_tail(receipt.account_tail, name)
    rows = [
        CardRow(_("Amount"), with_sign(receipt.paid), strong=True),
        CardRow(_("To") if refund else _("From"), account),
        CardRow(_("Remaining due"), with_sign(receipt.remaining)),
    ]
    if receipt.credit.minor > 0:
        rows.append(CardRow(_("Credit"), with_sign(receipt.credit), "good"))
    if receipt.reason:
        rows.append(CardRow(_("Reason"), receipt.reason))
    rows += [CardRow(_("Receipt"), receipt.receipt_no), signature]
    key = f"receipt-{receipt.receipt_no}" if refund else order_key(receipt.payment_id)
    return Card(
        key=key,
        banner=_("Refund — receipt") if refund else _("✓ Paid — receipt"),
        banner_tone="accent" if refund else "good",
        rows=tuple(rows),
        buttons=(CardButton(f"save:{receipt.receipt_no}", _("Save receipt"), "link"),),
    )


def paid_card(outcome: Outcome) -> Card:
    """Paid for sure, with no receipt that could be shown here."""
    order = outcome.order
    rows = [CardRow(_("Amount"), with_sign(order.amount), strong=True)] if order.amount.minor else []
    rows.append(CardRow(_("Payment"), order.payment_id.hex()[:8]))
    return Card(
        key=order_key(order.payment_id),
        banner=_("✓ Paid"),
        banner_tone="good",
        rows=tuple(rows),
        text=_("The receipt is not on this device; the wallet fetches it when it is opened."),
    )


def deciding_card(order: Order) -> Card:
    """Nobody here knows yet. It says so, and asks again by itself."""
    rows = [CardRow(_("Amount"), with_sign(order.amount), strong=True)] if order.amount.minor else []
    rows += [CardRow(_("Sent"), clock_time(order.made_at_ms)), CardRow(_("Payment"), order.payment_id.hex()[:8])]
    return Card(
        key=order_key(order.payment_id),
        banner=_("Still deciding"),
        banner_tone="warning",
        rows=tuple(rows),
        text=_("The answer has not come yet. This card asks by itself and changes when it is known. Don't pay again."),
    )


def refusal_card(outcome: Outcome) -> Card:
    """Not paid, why, and that no money moved."""
    rows = []
    if outcome.order.amount.minor:
        rows.append(CardRow(_("Amount"), with_sign(outcome.order.amount), strong=True))
    if outcome.retry_at_ms:
        rows.append(CardRow(_("Free again at"), clock_time(outcome.retry_at_ms)))
    return Card(
        key=order_key(outcome.order.payment_id),
        banner=_("Not paid — no money moved"),
        banner_tone="danger",
        rows=tuple(rows),
        text=problem(outcome.code, outcome.text),
    )


def outcome_line(outcome: Outcome) -> tuple[str, Tone]:
    """An outcome in one line, for toasts and the roster."""
    amount = outcome.order.amount
    sum_text = with_sign(amount) if amount.minor else ""
    if outcome.state == "paid":
        paid = with_sign(outcome.receipt.paid) if outcome.receipt is not None else sum_text
        return _("✓ Paid {amount}").format(amount=paid).strip(), "good"
    if outcome.state == "deciding":
        return _("{amount} still being decided. Don't pay again.").format(amount=sum_text).strip(), "warning"
    return _("{amount} not paid — no money moved").format(amount=sum_text).strip(), "danger"


def form_card(prompt: Prompt, error: str = "") -> FormCard:
    """The subsystem's form, drawn from its data."""
    fields = tuple(
        FormField(f.name, f.kind, f.label, f.hint, f.rule, f.error, f.value, tuple((a, b) for a, b in f.choices))
        for f in prompt.fields
    )
    submit = next((a.label for a in prompt.actions if a.name == "submit"), _("Continue"))
    return FormCard(FORM_KEY, prompt.title, prompt.text, fields, submit, error)


def number_form(number: str, prompt: Prompt | None) -> FormCard:
    """Asks for another customer number; in the biller's own words where it asked for one before."""
    asked = form_card(prompt).fields if prompt is not None else ()
    field = next((f for f in asked if f.name == "customer_number"), None)
    field = field or FormField("customer_number", "text", _("Customer number"))
    text = _("Bills are shown for {number} now.").format(number=number) if number else ""
    return FormCard(CHANGE_NUMBER, _("Another customer number"), text, (field,), _("Show the bills"))


def save_receipt(member: Member, receipt_no: str, folder: Path) -> tuple[str, Tone]:
    """Writes a receipt's file into the folder; returns what to tell the person."""
    from payment.contract.receipts import ReceiptError, write_receipt_file

    found = member.history.find_receipt(receipt_no)
    if found is None:
        return _("There is no receipt {id}.").format(id=receipt_no), "danger"
    path = folder / f"billbuddy-receipt-{receipt_no}.json"
    try:
        write_receipt_file(path, found[0], member.sealer.root)
    except (OSError, ReceiptError) as error:
        return _("The receipt could not be saved: {why}").format(why=error), "danger"
    return _("Saved to {file}.").format(file=path), "good"
