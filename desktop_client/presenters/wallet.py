"""The wallet: accounts with their balance, all receipts, and the payment password. Drawn as a conversation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from desktop_client.app import Member
from desktop_client.events import OverviewChanged, ToldElsewhere
from desktop_client.i18n import _
from desktop_client.outcomes import NOTHING_SENT
from desktop_client.presenters import cards
from desktop_client.presenters.views import (
    Card,
    CardButton,
    ConversationHead,
    Entry,
    FormCard,
    FormField,
    TimeMark,
    Windows,
)
from desktop_client.wording import account_tail, cause, pin_change_unknown, problem, time_mark, unanswered
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Refusal
from payment.contract.messages import Account, Answer, Done, Receipt, Refused
from payment.contract.money import with_sign

PIN_KEY = "set-pin"
PIN_RULE = "[0-9]{6}"


class WalletPresenter:
    """Drives the wallet's window."""

    def __init__(
        self, member: Member, windows: Windows, closed: Callable[[], None], downloads: Callable[[], Path]
    ) -> None:
        self._member = member
        self._closed = closed
        self._downloads = downloads
        self._form: FormCard | None = None
        self._busy = False
        self.view = windows.conversation(PAYMENT_ID, "biller")
        self.view.on_card_action = self.act
        self.view.on_form = self.submit
        self.view.on_check_bill = self.refresh
        self.view.on_send_text = lambda text: self.view.set_draft("")
        self.view.on_close = self.close
        self._cancels = [member.bus.subscribe(OverviewChanged, lambda event: self.draw())]
        self.draw()
        self.refresh()

    def refresh(self) -> None:
        """Asks for balances and receipts again."""
        self._member.payments.refresh_overview()
        self._member.payments.fetch_receipts(self._on_receipts)

    def act(self, key: str, action: str) -> None:
        """A button of a card."""
        if action == PIN_KEY:
            self._form = _pin_form(has_old=any(a.has_pin for a in self._accounts()))
            self.draw()
            self.view.see(PIN_KEY)
        elif action.startswith("save:"):
            text, tone = cards.save_receipt(self._member, action.removeprefix("save:"), self._downloads())
            self.view.show_banner(text, tone)

    def submit(self, key: str, values: dict[str, str]) -> None:
        """The form with the old and the new payment password."""
        if self._form is None or self._busy:
            return
        if any(re.fullmatch(PIN_RULE, values.get(f.name, "")) is None for f in self._form.fields):
            self._fail(_("The payment password is six digits."))
        elif values["new"] != values["again"]:
            self._fail(_("The two new payment passwords are not the same."))
        else:
            self._busy = True
            self._member.payments.set_pin(values["new"], values.get("old") or None, self._on_set)

    def close(self) -> None:
        """The window is gone."""
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()
        self._closed()

    def redraw(self) -> None:
        """Shows everything again: the language is another one now."""
        if self._form is not None:
            self._form = _pin_form(has_old=any(a.has_pin for a in self._accounts()))
        self.view.show_banner("", "plain")
        self.draw()

    def draw(self) -> None:
        """Shows everything as it is now."""
        accounts = self._accounts()
        detail = " · ".join(account_tail(a.number, a.name) for a in accounts)
        footer = _("Sealed for the payment service — the chat server cannot read it")
        self.view.show_head(ConversationHead(PAYMENT_ID, "biller", _("Wallet"), detail, "none", "wallet", "", footer))
        now = int(time.time() * 1000)
        entries: list[Entry] = []
        for _signed, receipt in self._member.history.receipts():
            entries.append(TimeMark(time_mark(receipt.paid_at_ms, now)))
            entries.append(replace(cards.receipt_card(receipt, True, accounts), headline=receipt.biller_name))
        entries += [_account_card(account) for account in accounts]
        if self._form is not None:
            entries.append(self._form)
        self.view.show_entries(entries)

    def _accounts(self) -> list[Account]:
        overview = self._member.payments.overview
        return list(overview.accounts) if overview is not None else []

    def _on_receipts(self, found: list[Receipt] | Refusal) -> None:
        if not self._cancels:
            return
        if isinstance(found, Refusal):
            is_open = bool(self._member.outbox.deciding())
            self.view.show_banner(unanswered(found.code, found.message, is_open=is_open), "warning")
        else:
            self.view.show_banner("", "plain")
            self.draw()

    def _on_set(self, answer: Answer | Refusal) -> None:
        self._busy = False
        if isinstance(answer, Done):
            text, is_good = answer.text, True
        elif isinstance(answer, Refused):
            text, is_good = answer.text, False
        else:
            text, is_good = _unanswered(answer), False
        if not self._cancels:  # the window was closed meanwhile
            self._member.bus.publish(ToldElsewhere(text, is_good))
        elif is_good:
            self._form = None
            self.view.show_banner(text, "good")
            self.draw()
        else:
            self._fail(text)

    def _fail(self, error: str) -> None:
        if self._form is not None:
            self._form = replace(self._form, error=error)
            self.view.replace(PIN_KEY, self._form)


def _unanswered(answer: Answer | Refusal) -> str:
    """Whether the new payment password holds is only known when the request did not arrive, or was answered."""
    if isinstance(answer, Refusal) and answer.code in NOTHING_SENT:
        return problem(answer.code, answer.message)
    why = cause(answer.code, answer.message) if isinstance(answer, Refusal) else cause("bad_answer")
    return f"{why} {pin_change_unknown()}"


def _account_card(account: Account) -> Card:
    text = _("Change payment password") if account.has_pin else _("Set payment password")
    return Card(
        key=f"account-{account.number[-4:]}",
        headline=account_tail(account.number, account.name),
        amount=with_sign(account.balance),
        buttons=(CardButton(PIN_KEY, text, "outline"),),
    )


def _pin_form(*, has_old: bool) -> FormCard:
    fields = [FormField("old", "pin", _("Old payment password"), rule=PIN_RULE)] if has_old else []
    fields.append(FormField("new", "pin", _("New payment password"), rule=PIN_RULE))
    fields.append(FormField("again", "pin", _("The new one again"), rule=PIN_RULE))
    text = _("Six digits that you type to pay. Never tell them to anybody.")
    return FormCard(PIN_KEY, _("Payment password"), text, tuple(fields), _("Set it"))
