"""`billbuddy-cli pay` and `payment-status`. What ends them without an outcome is worded by `cli_stake`."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from functools import partial

from desktop_client import cli_documents as documents
from desktop_client.cli_base import DONE, REFUSED, UNKNOWN, USAGE, Failure, Result
from desktop_client.cli_runner import Runner, failure_of
from desktop_client.cli_stake import PAYMENT_ID_DIGITS
from desktop_client.events import OrderChanged
from desktop_client.i18n import _
from desktop_client.outbox import Order
from desktop_client.outcomes import NEVER_ARRIVED, REUSED, Outcome
from desktop_client.wording import amount_problem, cause, problem, receipt_held
from im_protocol.packets import Contact, Refusal
from payment.contract.messages import Amount, BillsAre, Prompt
from payment.contract.money import AmountError, parse_amount

DECIDING_SECONDS = 20.0  # how long a command waits for an outcome before it ends with status 3
PIN_DIGITS = 6


def check_arguments(options: argparse.Namespace) -> None:
    """Payment id and amount, before anything is connected. Raises Failure.

    An empty id is no id that was left out: a script whose variable is empty would pay anew at each retry.
    """
    if options.payment_id is not None:
        is_hex = all(c in "0123456789abcdefABCDEF" for c in options.payment_id)
        if not (len(options.payment_id) == PAYMENT_ID_DIGITS and is_hex):
            text = _("A payment id is 32 hexadecimal characters.") + " " + _("No money moved.")
            raise Failure(USAGE, "bad_payment_id", text, money_moved=False)
    if getattr(options, "amount", None) is not None:
        _amount(options, "CNY")


def _amount(options: argparse.Namespace, currency: str) -> Amount:
    try:
        return parse_amount(options.amount, currency)
    except AmountError as error:
        if options.payment_id:  # which may stand for a payment that was made
            raise Failure(USAGE, error.code, f"{amount_problem(error)} " + _("Nothing was sent.")) from error
        worded = f"{amount_problem(error)} " + _("No money moved.")
        raise Failure(USAGE, error.code, worded, money_moved=False) from error


def pay(runner: Runner) -> Result:
    """Pays the oldest open bill of a biller, or repeats the payment of a given id."""
    options, stake = runner.options, runner.stake
    biller = runner.biller(options.biller)
    stake.biller_id = biller.id
    if stake.is_given:
        decided = _result_of_given(runner, biller)
        if decided is not None:
            return decided
        earlier = runner.member.outbox.get(stake.payment_id)
        order = earlier if earlier is not None and earlier.biller_id == biller.id else None
        if order is not None and options.amount is not None:
            order = replace(order, amount=_amount(options, order.amount.currency))
        order = order or replace(_new_order(runner, biller), payment_id=stake.payment_id)
    else:
        _settle_earlier(runner, biller)
        order = _new_order(runner, biller)
    pin = _pin(runner)
    stake.payment_id = order.payment_id
    return _result(_send(runner, order, pin))


def _result_of_given(runner: Runner, biller: Contact) -> Result | None:
    """What a payment id that was given stands for already, here or on another device; None when it is free to use."""
    stake, options = runner.stake, runner.options
    outcome = _ask(runner)
    if outcome.state != "paid":
        return None if outcome.code == NEVER_ARRIVED else _result(outcome)
    receipt = outcome.receipt
    same = receipt is None or receipt.biller_id == biller.id
    if same and receipt is not None and options.amount is not None:
        same = receipt.paid == _amount(options, receipt.paid.currency)
    if same:
        return _result(outcome)
    document = documents.outcome_document(outcome)
    raise Failure(REFUSED, REUSED, problem(REUSED), payment_id=stake.payment_id.hex(), stands_for=document)


def _ask(runner: Runner) -> Outcome:
    """What became of the payment id. Fails as not known when nobody can be asked."""
    payment_id = runner.stake.payment_id
    result = runner.call(lambda done: runner.member.payments.ask_payment(payment_id, done))
    if isinstance(result, Refusal):
        extra = {"outcome": "deciding", "payment_id": payment_id.hex(), "money_moved": None}
        why = cause(result.code, result.message) + " " + _("The outcome is not known yet. Ask again later.")
        raise Failure(UNKNOWN, result.code, why, **extra)
    return result


def _settle_earlier(runner: Runner, biller: Contact) -> None:
    """An order of before that is still being decided is asked after first: it may have paid this very bill."""
    for order in runner.member.outbox.deciding(biller.id):
        result = runner.call(partial(runner.member.payments.ask_payment, order.payment_id))
        if isinstance(result, Refusal) or result.state == "deciding":
            text = _("An earlier payment of this biller is still being decided: {id}. No new one was sent.")
            worded = text.format(id=order.payment_id.hex())
            extra = {"outcome": "deciding", "payment_id": order.payment_id.hex(), "money_moved": None}
            raise Failure(UNKNOWN, "still_deciding", worded, **extra)


def _new_order(runner: Runner, biller: Contact) -> Order:
    """An order for the oldest open bill."""
    options = runner.options
    answer = _ask_bill(runner, biller, options.customer)
    if not answer.bills:
        raise Failure(REFUSED, "nothing_due", _("Nothing is due."))
    bill = answer.bills[0]
    held = runner.member.history.receipt_held_for(bill)
    if held is not None and not options.again:
        text = receipt_held(held) + " " + _("To pay all the same: --again.")
        raise Failure(REFUSED, "receipt_held", text, receipt_no=held.receipt_no)
    amount = bill.due if options.amount is None else _amount(options, bill.due.currency)
    account = answer.accounts[0].number if len(answer.accounts) == 1 else ""
    return runner.member.payments.new_order(
        biller.id, biller.name, answer.customer_number, bill.bill_id, bill.title, amount, account
    )


def _ask_bill(runner: Runner, biller: Contact, customer: str) -> BillsAre:
    """Asks for the bill, and the person for the customer number where the subsystem wants it."""
    while True:
        answer = runner.call(partial(runner.member.payments.ask_bill, biller.id, customer))
        if isinstance(answer, BillsAre):
            return answer
        if not isinstance(answer, Prompt) or runner.terminal.json or not answer.fields:
            raise failure_of(answer)
        for line in filter(None, (answer.title, answer.text)):
            runner.terminal.say(line)
        customer = runner.terminal.ask(answer.fields[0].label + ":")


def _pin(runner: Runner) -> str:
    pin = runner.terminal.secret("BILLBUDDY_PIN", _("Payment password:"))
    if not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()):
        raise Failure(REFUSED, "bad_pin", _("The payment password is six digits."))
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
    finally:
        cancel()


def payment_status(runner: Runner) -> Result:
    """Paid, not paid, or still deciding."""
    return _result(_ask(runner))


def _result(outcome: Outcome) -> Result:
    status = {"paid": DONE, "deciding": UNKNOWN}.get(outcome.state, REFUSED)
    return documents.outcome_document(outcome), documents.outcome_text(outcome), status
