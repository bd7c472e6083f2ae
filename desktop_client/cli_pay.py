"""`billbuddy-cli pay` and `payment-status`. Every way out says whether money moved."""

from __future__ import annotations

import argparse
import secrets
import time
from dataclasses import replace
from functools import partial

from desktop_client import cli_documents as documents
from desktop_client.cli_commands import Runner, failure_of
from desktop_client.cli_offline import Failure, Result
from desktop_client.events import OrderChanged
from desktop_client.i18n import _
from desktop_client.outbox import Order, Outbox
from desktop_client.payments import Outcome
from desktop_client.profile import Profile
from desktop_client.store import FILE_NAME, Store
from desktop_client.wording import amount_problem, problem
from im_protocol.packets import Contact, Refusal
from payment.contract.messages import Amount, BillsAre, Prompt
from payment.contract.money import AmountError, parse_amount

DONE, REFUSED, USAGE, UNKNOWN = 0, 1, 2, 3
DECIDING_SECONDS = 20.0  # how long a command waits for an outcome before it ends with status 3
PIN_DIGITS = 6


def check_arguments(options: argparse.Namespace) -> None:
    """Payment id and amount, before anything is connected. Raises Failure."""
    payment_id = options.payment_id
    if payment_id and not (len(payment_id) == 32 and all(c in "0123456789abcdefABCDEF" for c in payment_id)):
        text = _("A payment id is 32 hexadecimal characters.") + " " + _("No money moved.")
        raise Failure(USAGE, "bad_payment_id", text, money_moved=False)
    if getattr(options, "amount", None) is not None:
        _amount(options.amount, "CNY")


def _amount(text: str, currency: str) -> Amount:
    try:
        return parse_amount(text, currency)
    except AmountError as error:
        worded = f"{amount_problem(error)} " + _("No money moved.")
        raise Failure(USAGE, error.code, worded, money_moved=False) from error


def pay(runner: Runner) -> Result:
    """Pays the oldest open bill of a biller, or repeats the payment of a given id."""
    options = runner.options
    biller = runner.biller(options.biller)
    payment_id = bytes.fromhex(options.payment_id)
    earlier = runner.member.outbox.get(payment_id) if payment_id else None
    if earlier is not None and earlier.biller_id == biller.id:
        order = earlier
        if options.amount is not None:
            order = replace(order, amount=_amount(options.amount, order.amount.currency))
    else:
        _settle_earlier(runner, biller)
        made = _new_order(runner, biller, payment_id)
        if isinstance(made, Outcome):
            return _result(made)
        order = made
    pin = _pin(runner)
    return _result(_send(runner, order, pin))


def _settle_earlier(runner: Runner, biller: Contact) -> None:
    """An order of before that is still being decided is asked after first: it may have paid this very bill."""
    for order in runner.member.outbox.deciding(biller.id):
        result = runner.call(partial(runner.member.payments.ask_payment, order.payment_id))
        if isinstance(result, Refusal) or result.state == "deciding":
            text = _("An earlier payment of this biller is still being decided: {id}. No new one was sent.")
            worded = text.format(id=order.payment_id.hex())
            extra = {"outcome": "deciding", "payment_id": order.payment_id.hex(), "money_moved": None}
            raise Failure(UNKNOWN, "still_deciding", worded, **extra)


def _new_order(runner: Runner, biller: Contact, payment_id: bytes) -> Order | Outcome:
    """The order for the oldest open bill. An Outcome when the id already has one, or nothing is due."""
    options = runner.options
    answer = _ask_bill(runner, biller, options.customer)
    if not answer.bills:
        if payment_id:
            result = runner.call(lambda done: runner.member.payments.ask_payment(payment_id, done))
            if isinstance(result, Outcome) and result.code != "never_arrived":
                return result
        text = _("Nothing is due.") + " " + _("No money moved.")
        raise Failure(REFUSED, "nothing_due", text, outcome="not_paid", money_moved=False)
    bill = answer.bills[0]
    amount = bill.due if options.amount is None else _amount(options.amount, bill.due.currency)
    account = answer.accounts[0].number if len(answer.accounts) == 1 else ""
    return Order(
        payment_id or secrets.token_bytes(16),
        biller.id,
        biller.name,
        answer.customer_number,
        bill.bill_id,
        bill.title,
        amount,
        account,
        int(time.time() * 1000),
    )


def _ask_bill(runner: Runner, biller: Contact, customer: str) -> BillsAre:
    """Asks for the bill, and the person for the customer number where the subsystem wants it."""
    while True:
        answer = runner.call(partial(runner.member.payments.ask_bill, biller.id, customer))
        if isinstance(answer, BillsAre):
            return answer
        if not isinstance(answer, Prompt) or runner.terminal.json:
            failure = failure_of(answer)
            failure.extra.update(outcome="not_paid", money_moved=False)
            failure.text = f"{failure.text} " + _("No money moved.")
            raise failure
        runner.terminal.say(f"{answer.title}\n{answer.text}".strip())
        customer = runner.terminal.ask(answer.fields[0].label + ":")


def _pin(runner: Runner) -> str:
    pin = runner.terminal.secret("BILLBUDDY_PIN", _("Payment password:"))
    if not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()):
        text = _("The payment password is six digits.") + " " + _("No money moved.")
        raise Failure(REFUSED, "bad_pin", text, outcome="not_paid", money_moved=False)
    return pin


def _send(runner: Runner, order: Order, pin: str) -> Outcome:
    """Pays, and waits a while for the outcome when it is still being decided."""
    settled: list[Outcome] = []
    payments = runner.member.payments

    def on_changed(event: OrderChanged) -> None:
        if event.outcome.order.payment_id == order.payment_id:
            settled.append(event.outcome)

    cancel = runner.client.bus.subscribe(OrderChanged, on_changed)
    try:
        outcome = runner.call(lambda done: payments.pay(order, order.account or None, pin, done))
        end = time.monotonic() + DECIDING_SECONDS
        while outcome.state == "deciding" and not settled and time.monotonic() < end:
            runner.turn()
        return settled[0] if settled else outcome
    except KeyboardInterrupt:
        return Outcome("deciding", order, "interrupted")
    finally:
        cancel()


def is_open(options: argparse.Namespace, profile: Profile) -> bool:
    """Whether this payment id may have been paid: one that is asked after, or an order here that is still deciding."""
    if options.command_key == "payment-status":
        return True
    if not options.payment_id:
        return False
    for file in profile.folder.glob(f"*-{options.member or profile.last_member}/{FILE_NAME}"):
        store = Store(file.parent)
        try:
            order = Outbox(store).get(bytes.fromhex(options.payment_id))
        finally:
            store.close()
        if order is not None and order.state == "deciding":
            return True
    return False


def payment_status(runner: Runner) -> Result:
    """Paid, not paid, or still deciding."""
    payment_id = bytes.fromhex(runner.options.payment_id)
    result = runner.call(lambda done: runner.member.payments.ask_payment(payment_id, done))
    if isinstance(result, Refusal):
        extra = {"outcome": "deciding", "payment_id": payment_id.hex(), "money_moved": None}
        raise Failure(UNKNOWN, result.code, _unknown_text(result), **extra)
    return _result(result)


def _unknown_text(refusal: Refusal) -> str:
    """Why nobody could be asked: the payment itself may have been made, so no word about that."""
    if refusal.code == "payment_away":
        why = _("The payment service is away.")
    else:
        why = problem(refusal.code, refusal.message)
    return f"{why} " + _("The outcome is not known yet. Ask again later.")


def _result(outcome: Outcome) -> Result:
    status = {"paid": DONE, "deciding": UNKNOWN}.get(outcome.state, REFUSED)
    return documents.outcome_document(outcome), documents.outcome_text(outcome), status
