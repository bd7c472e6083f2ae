"""The pay sheet: how much, from which account, and the payment password."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from desktop_client.i18n import _
from desktop_client.outbox import Order
from desktop_client.outcomes import Outcome
from desktop_client.payments import Payments
from desktop_client.presenters.offer import Offer, choices_of, offer_of, range_hint
from desktop_client.presenters.views import PaySheetForm, PaySheetModel, PaySheetView
from desktop_client.wording import account_tail, problem
from payment.contract.messages import Account, Bill
from payment.contract.money import with_sign

PIN_DIGITS = 6
STAYS_OPEN = {"wrong_pin": "pin", "weak_pin": "pin", "amount_not_allowed": "amount"}
"""Refusals that the person can mend right here, and the field that they are about."""


class PaySheetPresenter:
    """Drives one pay sheet until there is an outcome or it is given up.

    What was shown last is kept as an `Offer`. An order is made of that offer only, and only while the form still
    means the same: what is on the pressed button is what is paid, and where the two could differ nothing is.
    """

    def __init__(
        self,
        view: PaySheetView,
        payments: Payments,
        bill: Bill,
        biller_name: str,
        place: str,
        accounts: Sequence[Account],
        done: Callable[[Outcome], None],
        cancelled: Callable[[], None],
    ) -> None:
        self.view = view
        self._payments = payments
        self._bill = bill
        self._is_open_bill = True
        self._biller_name = biller_name
        self._place = place
        self._accounts = list(accounts)
        self._done = done
        self._cancelled = cancelled
        self._order: Order | None = None
        self._busy = False
        self._left = False
        self._form = PaySheetForm("full", "", accounts[0].number if accounts else "", "")
        self._offer = Offer(None, "")
        self._pay_text = ""
        view.on_change = self.change
        view.on_pay = self.pay
        view.on_cancel = self.cancel
        self._show()

    @property
    def bill_id(self) -> int:
        return self._bill.bill_id

    def change(self, form: PaySheetForm) -> None:
        """Another key, paste, choice or account: a new offer."""
        self._form = replace(form, pin="", pay_text="")
        if not self._busy:
            self._show()

    def update(self, bill: Bill | None, accounts: Sequence[Account]) -> None:
        """The bill or the balances changed meanwhile (None: the bill is not open any more).

        When that changes what would be paid, the password has to be typed anew: nobody pays what he has not looked at.
        """
        self._is_open_bill = bill is not None
        self._bill = bill or self._bill
        self._accounts = list(accounts)
        if self._busy:
            return  # the order is made; its outcome shows what is so now
        before, choices = self._offer, choices_of(self._bill)
        if self._form.choice not in {choice.key for choice in choices}:
            self._form = replace(self._form, choice=choices[0].key)  # as the window does
        self._show()
        if self._offer.terms != before.terms:
            self.view.clear_pin()
            if not self._offer.problem:
                self.view.show_error(_("The bill has changed meanwhile. Look at the amount before you pay."), "changed")

    def cancel(self) -> None:
        """Given up before anything was sent. While an order is on its way, its outcome is waited for instead."""
        if not self._busy:
            self.view.close()
            self._cancelled()

    def leave(self) -> Order | None:
        """The conversation goes, and the sheet with it. Returns the order on its way: its outcome is told to `done`."""
        if not self._busy:
            self.cancel()
            return None
        self._left = True
        self.view.close()
        return self._order

    def pay(self, form: PaySheetForm) -> None:
        """The Pay button."""
        if self._busy:
            return
        shown, pay_text = self._offer, self._pay_text
        self.change(form)
        offer = self._offer
        if offer.problem:
            self.view.show_error(offer.problem, offer.field)
            return
        if offer.terms != shown.terms or form.pay_text not in ("", pay_text):
            self.view.show_error(_("The amount has changed. Look at it, and press Pay again."), "changed")
            return
        if not (len(form.pin) == PIN_DIGITS and form.pin.isascii() and form.pin.isdigit()):
            self.view.show_error(_("The payment password is six digits."), "pin")
            return
        self._busy = True
        self.view.show_error("", "")
        self.view.set_busy(True, _("Paying…"))
        self._payments.pay(self._order_for(offer), offer.account, form.pin, self._on_outcome)

    def _order_for(self, offer: Offer) -> Order:
        """The order of the last try, when it may be tried again and is for the same; otherwise a new one."""
        b, last = self._bill, self._order
        assert offer.amount is not None
        same = last is not None and (last.bill_id, last.amount, last.account) == (b.bill_id, *offer.terms)
        if last is None or not same:
            last = self._payments.new_order(
                b.biller_id, self._biller_name, b.customer_number, b.bill_id, b.title, offer.amount, offer.account
            )
        self._order = last
        return last

    def _on_outcome(self, outcome: Outcome) -> None:
        self._busy = False
        if self._left:  # nobody is there to mend anything
            self._done(outcome)
            return
        self.view.clear_pin()
        self.view.set_busy(False)
        if outcome.state == "prompt" and outcome.prompt is not None:
            self._show()
            first = outcome.prompt.fields[0].name if outcome.prompt.fields else ""
            self.view.show_error(outcome.prompt.text or outcome.prompt.title, first)
            return
        if outcome.state == "not_paid" and outcome.code in STAYS_OPEN:
            if outcome.final:
                self._order = None
            self._show()
            self.view.show_error(problem(outcome.code, outcome.text), STAYS_OPEN[outcome.code])
            return
        self.view.close()
        self._done(outcome)

    def redraw(self) -> None:
        """The language is another one now; an order on its way keeps the texts that it was made with."""
        if not self._busy:
            self._show()

    def _show(self) -> None:
        """Makes the offer anew and shows it: every text of the sheet comes from it."""
        bill = self._bill
        open_bill = bill if self._is_open_bill else None
        self._offer = offer = offer_of(open_bill, self._biller_name, self._accounts, self._form)
        shown = with_sign(offer.amount) if offer.amount is not None else "—"
        self._pay_text = _("Pay {amount}").format(amount=shown) if offer.amount is not None else _("Pay")
        headline = " · ".join(part for part in (bill.title or self._biller_name, bill.period, self._place) if part)
        untouched = self._form.choice == "other" and not self._form.other_amount
        self.view.show(
            PaySheetModel(
                title=_("Pay {biller}").format(biller=self._biller_name),
                headline=headline,
                amount=shown,
                choices=choices_of(bill),
                accounts=tuple((a.number, _account_line(a)) for a in self._accounts),
                after_text=offer.problem or offer.after,
                pay_text=self._pay_text,
                footer=_("sealed for the payment service"),
                can_pay=not offer.problem,
                after_tone="danger" if offer.problem and not untouched else "muted",
                amount_hint=range_hint(bill),
            )
        )


def _account_line(account: Account) -> str:
    return f"{account_tail(account.number, account.name)} ({with_sign(account.balance)})"
