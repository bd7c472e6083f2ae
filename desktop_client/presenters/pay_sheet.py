"""The pay sheet: how much, from which account, and the payment password."""

from __future__ import annotations

from collections.abc import Callable

from desktop_client.i18n import _
from desktop_client.outbox import Order
from desktop_client.payments import Outcome, Payments
from desktop_client.presenters.views import AmountChoice, PaySheetForm, PaySheetModel, PaySheetView
from desktop_client.wording import account_tail, amount_problem, problem
from payment.contract.messages import Account, Amount, Bill
from payment.contract.money import AmountError, format_amount, parse_amount, sub, with_sign

PIN_DIGITS = 6
STAYS_OPEN = {"wrong_pin": "pin", "weak_pin": "pin", "amount_not_allowed": "amount"}
"""Refusals that the person can mend right here, and the field that they are about."""


class PaySheetPresenter:
    """Drives one pay sheet until there is an outcome or it is given up."""

    def __init__(
        self,
        view: PaySheetView,
        payments: Payments,
        bill: Bill,
        biller_name: str,
        place: str,
        accounts: list[Account],
        done: Callable[[Outcome], None],
        cancelled: Callable[[], None],
    ) -> None:
        self.view = view
        self._payments = payments
        self._bill = bill
        self._biller_name = biller_name
        self._place = place
        self._accounts = accounts
        self._done = done
        self._cancelled = cancelled
        self._order: Order | None = None
        self._busy = False
        view.on_change = self.change
        view.on_pay = self.pay
        view.on_cancel = self.cancel
        self.change(PaySheetForm("full", "", accounts[0].number if accounts else "", ""))

    def change(self, form: PaySheetForm) -> None:
        """Another choice: new totals."""
        self.view.show(self._model(form))

    def cancel(self) -> None:
        """Given up before anything was sent. While an order is on its way, its outcome is waited for instead."""
        if not self._busy:
            self.view.close()
            self._cancelled()

    def pay(self, form: PaySheetForm) -> None:
        """The Pay button."""
        if self._busy:
            return
        try:
            amount = self._amount(form)
        except AmountError as error:
            self.view.show_error(amount_problem(error), "amount")
            return
        account = next((a for a in self._accounts if a.number == form.account), None)
        if account is None:
            self.view.show_error(_("Choose the account to pay from."), "account")
            return
        if not (len(form.pin) == PIN_DIGITS and form.pin.isascii() and form.pin.isdigit()):
            self.view.show_error(_("The payment password is six digits."), "pin")
            return
        self._busy = True
        self.view.show_error("", "")
        self.view.set_busy(True, _("Paying…"))
        self._payments.pay(self._order_for(amount, account), account.number, form.pin, self._on_outcome)

    def _order_for(self, amount: Amount, account: Account) -> Order:
        """The order of the last try, when it may be tried again and is for the same; otherwise a new one."""
        b, last = self._bill, self._order
        if last is None or (last.amount, last.account) != (amount, account.number):
            last = self._payments.new_order(
                b.biller_id, self._biller_name, b.customer_number, b.bill_id, b.title, amount, account.number
            )
        self._order = last
        return last

    def _on_outcome(self, outcome: Outcome) -> None:
        self._busy = False
        self.view.clear_pin()
        self.view.set_busy(False)
        if outcome.state == "prompt" and outcome.prompt is not None:
            first = outcome.prompt.fields[0].name if outcome.prompt.fields else ""
            self.view.show_error(outcome.prompt.title, first)
            return
        if outcome.state == "not_paid" and outcome.code in STAYS_OPEN:
            if outcome.final:
                self._order = None
            self.view.show_error(problem(outcome.code, outcome.text), STAYS_OPEN[outcome.code])
            return
        self.view.close()
        self._done(outcome)

    def _amount(self, form: PaySheetForm) -> Amount:
        if form.choice == "minimum":
            return self._bill.minimum
        if form.choice == "other":
            return parse_amount(form.other_amount, self._bill.due.currency)
        return self._bill.due

    def _model(self, form: PaySheetForm) -> PaySheetModel:
        bill = self._bill
        try:
            amount: Amount | None = self._amount(form)
        except AmountError:
            amount = None
        headline = " · ".join(part for part in (bill.title or self._biller_name, bill.period, self._place) if part)
        shown = with_sign(amount) if amount is not None else "—"
        return PaySheetModel(
            title=_("Pay {biller}").format(biller=self._biller_name),
            headline=headline,
            amount=shown,
            choices=self._choices(),
            accounts=tuple((a.number, _account_line(a)) for a in self._accounts),
            after_text=self._after(amount, form.account),
            pay_text=_("Pay {amount}").format(amount=shown),
            footer=_("sealed for the payment service"),
        )

    def _choices(self) -> tuple[AmountChoice, ...]:
        bill = self._bill
        due = format_amount(bill.due)
        choices = [AmountChoice("full", _("Full {amount}").format(amount=due), due)]
        if bill.rule != "exact":
            if 1 < bill.minimum.minor < bill.due.minor:  # the smallest coin means that there is no minimum
                least = format_amount(bill.minimum)
                choices.append(AmountChoice("minimum", _("Minimum {amount}").format(amount=least), least))
            choices.append(AmountChoice("other", _("Other…"), ""))
        return tuple(choices)

    def _after(self, amount: Amount | None, number: str) -> str:
        account = next((a for a in self._accounts if a.number == number), None)
        if amount is None or account is None or account.balance.currency != amount.currency:
            return ""
        left = sub(account.balance, amount)
        if left.minor < 0:
            return _("There is not enough money in this account.")
        rest = sub(self._bill.due, amount)
        if rest.minor > 0:
            what = _("{amount} still due").format(amount=with_sign(rest))
        elif rest.minor < 0:
            what = _("{amount} becomes credit").format(amount=with_sign(Amount(-rest.minor, rest.currency)))
        else:
            what = _("bill cleared")
        balance = _("After paying: {account} {balance}").format(account=account.name, balance=with_sign(left))
        return f"{balance} · {what}"


def _account_line(account: Account) -> str:
    return f"{account_tail(account.number, account.name)} ({with_sign(account.balance)})"
