"""Prompt provider: asks for the missing element, and words every result. Prompts are data; the client draws them."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from payment.arrears import moment_text
from payment.billing import BillerInfo, BillRow, least
from payment.contract.messages import (
    Account,
    Action,
    Amount,
    Field,
    NotPaid,
    Paid,
    Prompt,
    Receipt,
    Refused,
    SignedReceipt,
)
from payment.contract.money import exponent_of, format_amount, with_sign
from payment.limits import OverLimit

DOMAIN = "billbuddy-payment"
_LOCALE = Path(__file__).with_name("locale")


@lru_cache(maxsize=8)
def _catalog(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, _LOCALE, [language], fallback=True)


class Words:
    """Texts in one language (BCP 47; anything but Chinese is English)."""

    def __init__(self, lang: str) -> None:
        is_chinese = lang.lower().replace("_", "-").split("-")[0] == "zh"
        self._: Callable[[str], str] = _catalog("zh_CN" if is_chinese else "en").gettext

    # ---- results ----------------------------------------------------------------------------------------------

    def paid(self, signed: SignedReceipt, receipt: Receipt, balance_after: int) -> Paid:
        """The money moved."""
        _ = self._
        balance = Amount(balance_after, receipt.paid.currency)
        text = _("{amount} paid to {biller}. Your balance is {balance}.").format(
            amount=with_sign(receipt.paid), biller=receipt.biller_name, balance=with_sign(balance)
        )
        if receipt.credit.minor > 0:
            text += " " + _("{amount} is kept as credit.").format(amount=with_sign(receipt.credit))
        elif receipt.remaining.minor > 0:
            text += " " + _("{amount} is still due.").format(amount=with_sign(receipt.remaining))
        return Paid(signed, balance, text)

    def already_paid(self, payer: tuple[int, str, int] | None, member_id: int) -> NotPaid:
        """The bill was paid before, with who and when where known."""
        _ = self._
        if payer is None:
            text = _("This bill has been paid. You were not charged.")
        elif payer[0] == member_id:
            text = _("You paid this bill on {when}. You were not charged again.").format(when=moment_text(payer[2]))
        else:
            # An account's name may be only "Wallet", so the member's number tells who.
            text = _("Member {member} ({name}) paid this bill on {when}. You were not charged.").format(
                member=payer[0], name=payer[1], when=moment_text(payer[2])
            )
        return NotPaid("already_paid", text)

    def no_such_bill(self) -> NotPaid:
        return NotPaid("no_such_bill", self._("There is no such bill. No money was moved."))

    def bill_cancelled(self) -> NotPaid:
        return NotPaid("no_such_bill", self._("The biller cancelled this bill. No money was moved."))

    def no_such_biller_paid(self) -> NotPaid:
        return NotPaid("no_such_biller", self._("There is no such biller. No money was moved."))

    def no_account(self) -> NotPaid:
        text = self._("You have no payment account for this. Ask the operator. No money was moved.")
        return NotPaid("no_account", text, final=False)

    def no_such_account(self) -> NotPaid:
        text = self._("You have no such account for this. No money was moved.")
        return NotPaid("no_account", text, final=False)

    def no_pin(self) -> NotPaid:
        text = self._("Your account has no payment password yet. Set one first. No money was moved.")
        return NotPaid("no_pin", text, final=False)

    def not_enough_money(self, balance: Amount) -> NotPaid:
        text = self._("Your balance of {balance} is not enough. No money was moved.").format(balance=with_sign(balance))
        return NotPaid("not_enough_money", text)

    def amount_not_allowed(self, bill: BillRow, biller: BillerInfo) -> NotPaid:
        """The amount does not fit the biller's rule; says what does."""
        _ = self._
        due, lowest = Amount(bill.due, bill.currency), Amount(least(bill, biller.rule), bill.currency)
        if biller.rule == "exact":
            text = _("{biller} takes exactly {due}. No money was moved.")
        elif biller.rule == "up_to_due":
            text = _("{biller} takes from {least} to {due}. No money was moved.")
        else:
            text = _("{biller} takes {least} or more. No money was moved.")
        worded = text.format(biller=biller.name, due=with_sign(due), least=with_sign(lowest))
        return NotPaid("amount_not_allowed", worded)

    def over_limit(self, over: OverLimit, currency: str) -> NotPaid:
        """Which limit refuses, and when it frees. The largest single payment frees never, so that one is final."""
        _ = self._
        allowed = Amount(over.allowed, currency)
        if over.code == "limit_single":
            text = _("The largest single payment is {amount}. No money was moved.").format(amount=with_sign(allowed))
        elif over.code == "limit_daily":
            text = _("This passes the daily limit of {amount}, which frees at {when}. No money was moved.").format(
                amount=with_sign(allowed), when=moment_text(over.frees_at_ms)
            )
        else:
            text = _("At most {count} payments a minute. Try again at {when}. No money was moved.").format(
                count=over.allowed, when=moment_text(over.frees_at_ms)
            )
        return NotPaid(over.code, text, final=over.frees_at_ms == 0, retry_at_ms=over.frees_at_ms)

    def payment_id_reused(self) -> NotPaid:
        text = self._("This payment id was used for another order. No money was moved for this one.")
        return NotPaid("payment_id_reused", text)

    def wrong_pin(self, attempts_left: int, locked_until_ms: int) -> NotPaid:
        text = self._wrong_pin_text(attempts_left, locked_until_ms)
        return NotPaid("wrong_pin", text, False, locked_until_ms, attempts_left)

    def pin_locked(self, until_ms: int) -> NotPaid:
        return NotPaid("pin_locked", self._locked_text(until_ms), False, until_ms, 0)

    def wrong_old_pin(self, attempts_left: int, locked_until_ms: int) -> Refused:
        text = self._wrong_pin_text(attempts_left, locked_until_ms)
        return Refused("wrong_pin", text, locked_until_ms, attempts_left)

    def old_pin_locked(self, until_ms: int) -> Refused:
        return Refused("pin_locked", self._locked_text(until_ms), until_ms, 0)

    def _wrong_pin_text(self, attempts_left: int, locked_until_ms: int) -> str:
        _ = self._
        if locked_until_ms:
            return _("Wrong payment password. It is locked until {when}. No money was moved.").format(
                when=moment_text(locked_until_ms)
            )
        if attempts_left == 1:
            return _("Wrong payment password. One try is left. No money was moved.")
        return _("Wrong payment password. {count} tries are left. No money was moved.").format(count=attempts_left)

    def _locked_text(self, until_ms: int) -> str:
        return self._("The payment password is locked until {when}. No money was moved.").format(
            when=moment_text(until_ms)
        )

    # ---- refusals of the request itself ------------------------------------------------------------------------

    def refused(self, code: str) -> Refused:
        """A refusal that needs no figures."""
        _ = self._
        texts = {
            "bad_request": _("The payment service does not understand this request. No money was moved."),
            "stale": _("The request is too old or from the future: check the clock. No money was moved."),
            "asked_before": _("This order came after its outcome was asked for. No money was moved."),
            "not_six_digits": _("The payment password has six digits. No money was moved."),
            "rate_limited": _("Too many requests of yours in the last minutes: wait a little. No money was moved."),
            "replayed": _("This request was received before. It moved no money."),
            "no_such_biller": _("There is no such biller."),
            "no_such_customer": _("The biller has no such customer number."),
            "no_account": _("You have no payment account. Ask the operator."),
            "weak_pin": _("Choose six digits that are not easy to guess: no runs, no repeats."),
            "old_pin_needed": _("To change the payment password, type the old one too."),
        }
        names = {"asked_before": "stale", "not_six_digits": "bad_request", "old_pin_needed": "wrong_pin"}
        return Refused(names.get(code, code), texts[code])

    def pin_set(self) -> str:
        return self._("The payment password is set.")

    def pin_was_reset(self, at_ms: int) -> str:
        text = self._("The operator reset your payment password on {when}. Change it, so that only you know it.")
        return text.format(when=moment_text(at_ms))

    def records_are_older(self, lost: Receipt) -> str:
        """A notice: the member holds a receipt of a payment that the ledger lost."""
        _ = self._
        return _(
            "The payment service has older records than your receipt {no} of {when} shows. Do not pay again what you "
            "hold a receipt for, and tell your operator."
        ).format(no=lost.receipt_no, when=moment_text(lost.paid_at_ms))

    # ---- prompts ----------------------------------------------------------------------------------------------

    def prompt(
        self, biller: BillerInfo, missing: Iterable[str], bill: BillRow | None, accounts: list[Account]
    ) -> Prompt:
        """A form for exactly the missing elements (customer_number, amount, account, pin)."""
        _ = self._
        fields = [self._field(name, biller, bill, accounts) for name in missing]
        one = fields[0].name if len(fields) == 1 else ""
        text = {
            "customer_number": _("Type your customer number once. It is on your bill or meter."),
            "amount": _("How much do you want to pay?"),
            "account": _("Choose the account to pay from."),
            "pin": _("Type your payment password."),
        }.get(one, _("Something is still missing."))
        actions = [Action("submit", _("Continue")), Action("cancel", _("Cancel"), "plain")]
        return Prompt(biller.name, text, fields, actions)

    def _field(self, name: str, biller: BillerInfo, bill: BillRow | None, accounts: list[Account]) -> Field:
        _ = self._
        if name == "customer_number":
            rule = biller.number_rule or "[0-9]{1,32}"
            error = _("This is not a customer number of {biller}.").format(biller=biller.name)
            return Field("customer_number", "digits", _("Customer number"), biller.number_hint, rule, error)
        if name == "amount":
            due = Amount(bill.due, bill.currency) if bill else None
            hint = _("Due: {due}").format(due=with_sign(due)) if due else ""
            places = exponent_of(biller.currency)
            rule = rf"[0-9]{{1,10}}(\.[0-9]{{1,{places}}})?" if places else "[0-9]{1,12}"
            error = _("An amount is digits with at most one dot, for example 86.40.")
            return Field("amount", "amount", _("Amount"), hint, rule, error, format_amount(due) if due else "")
        if name == "account":
            choices = [(a.number, f"{a.name} ····{a.number[-4:]} · {with_sign(a.balance)}"[:64]) for a in accounts]
            value = choices[0][0] if len(choices) == 1 else ""
            return Field("account", "choice", _("Account"), value=value, choices=choices)
        error = _("The payment password has six digits.")
        return Field("pin", "pin", _("Payment password"), "", "[0-9]{6}", error)
