"""What a pay sheet offers at this moment: the one value from which its amount, totals, button and order are made.

Everything here is a pure function of the bill, the accounts and the form, and the biller's rule is the subsystem's own
(`payment.contract.rules`): the sheet cannot promise what is then refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from desktop_client.i18n import _
from desktop_client.presenters.views import AmountChoice, PaySheetForm
from desktop_client.wording import amount_problem
from payment.contract.messages import Account, Amount, Bill
from payment.contract.money import AmountError, format_amount, parse_amount, sub, with_sign
from payment.contract.rules import Split, least_of, most_of, split_of


@dataclass(frozen=True)
class Offer:
    """`amount` and `account` are what Pay would order; `problem` says why it may not (empty: it may).

    `field` names the input that the problem is about; `after` says how things are when it is paid.
    """

    amount: Amount | None
    account: str
    after: str = ""
    problem: str = ""
    field: str = ""

    @property
    def terms(self) -> tuple[Amount | None, str]:
        """What is paid and from where: when it differs from what was shown, nothing is paid."""
        return self.amount, self.account


def choices_of(bill: Bill) -> tuple[AmountChoice, ...]:
    """The amounts that the biller's rule leaves to choose; a single one where it leaves none."""
    due, least = bill.due, Amount(least_of(bill.rule, bill.due.minor, bill.minimum.minor), bill.due.currency)
    choices = [AmountChoice("full", _("Full {amount}").format(amount=format_amount(due)), format_amount(due))]
    if least.minor == most_of(bill.rule, due.minor):
        return tuple(choices)
    if 1 < least.minor < due.minor:  # the smallest coin means that there is no minimum
        words = _("Minimum {amount}").format(amount=format_amount(least))
        choices.append(AmountChoice("minimum", words, format_amount(least)))
    choices.append(AmountChoice("other", _("Other…"), ""))
    return tuple(choices)


def offer_of(bill: Bill | None, biller_name: str, accounts: Sequence[Account], form: PaySheetForm) -> Offer:
    """What pressing Pay would order, as the form stands."""
    if bill is None:
        return Offer(None, form.account, problem=_("This bill is no longer open. There is nothing to pay on it."))
    try:
        amount = _amount(bill, form)
    except AmountError as error:
        return Offer(None, form.account, problem=amount_problem(error), field="amount")
    account = next((a for a in accounts if a.number == form.account), None)
    if account is None:
        words = _("Choose the account to pay from.") if accounts else _no_account(bill.due.currency)
        return Offer(amount, form.account, problem=words, field="account")
    parts = split_of(bill.rule, bill.due.minor, bill.minimum.minor, amount.minor)
    if parts is None:
        return Offer(amount, account.number, problem=rule_words(bill, biller_name), field="amount")
    problem = _account_problem(account, amount)
    if problem:
        return Offer(amount, account.number, problem=problem, field="account")
    return Offer(amount, account.number, after=_after(bill, account, amount, parts))


def rule_words(bill: Bill, biller_name: str) -> str:
    """Which amounts the biller takes for this bill."""
    if bill.rule == "exact":
        words = _("{biller} takes exactly {due}.")
    elif bill.rule == "up_to_due":
        words = _("{biller} takes from {least} to {due}.")
    else:
        words = _("{biller} takes {least} or more.")
    least = Amount(least_of(bill.rule, bill.due.minor, bill.minimum.minor), bill.due.currency)
    return words.format(biller=biller_name, due=with_sign(bill.due), least=with_sign(least))


def range_hint(bill: Bill) -> str:
    """The amounts that may be typed, for the empty field: "20.00 – 86.40"."""
    least = format_amount(Amount(least_of(bill.rule, bill.due.minor, bill.minimum.minor), bill.due.currency))
    if bill.rule == "over_is_credit":
        return _("{least} or more").format(least=least)
    return f"{least} – {format_amount(bill.due)}"


def _amount(bill: Bill, form: PaySheetForm) -> Amount:
    """Raises AmountError for what was typed and is no amount."""
    if form.choice == "minimum":
        return Amount(least_of(bill.rule, bill.due.minor, bill.minimum.minor), bill.due.currency)
    if form.choice == "other":
        return parse_amount(form.other_amount, bill.due.currency)
    return bill.due


def _account_problem(account: Account, amount: Amount) -> str:
    """Why this account cannot pay the amount; empty when it can."""
    if account.balance.currency != amount.currency:
        return _no_account(amount.currency)
    if not account.has_pin:
        return _("This account has no payment password yet. Set one in the wallet, then pay.")
    if 0 <= account.pay_max < amount.minor:
        return _limit_words(Amount(account.pay_max, amount.currency))
    missing = amount.minor - account.balance.minor
    if missing > 0:
        words = _("There is not enough money in this account: {amount} is missing.")
        return words.format(amount=with_sign(Amount(missing, amount.currency)))
    return ""


def _limit_words(most: Amount) -> str:
    if most.minor == 0:
        return _("This account has reached its limit; nothing more can be paid from it today.")
    return _("By its limits this account can pay at most {amount} now.").format(amount=with_sign(most))


def _no_account(currency: str) -> str:
    return _("You have no payment account in {currency}. Ask your operator for one.").format(currency=currency)


def _after(bill: Bill, account: Account, amount: Amount, parts: Split) -> str:
    rest = bill.due.minor - parts.cleared
    if rest > 0:
        what = _("{amount} still due").format(amount=with_sign(Amount(rest, amount.currency)))
    elif parts.credit > 0:
        what = _("{amount} becomes credit").format(amount=with_sign(Amount(parts.credit, amount.currency)))
    else:
        what = _("bill cleared")
    left = with_sign(sub(account.balance, amount))
    return _("After paying: {account} {balance}").format(account=account.name, balance=left) + f" · {what}"
