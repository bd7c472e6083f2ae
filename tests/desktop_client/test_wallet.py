"""The wallet's window, as a person sees it."""

from __future__ import annotations

import pytest

from desktop_client.outcomes import NOTHING_SENT
from desktop_client.presenters.views import FormCard
from desktop_client.presenters.wallet import WalletPresenter
from im_protocol import codes
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Refusal
from tests.desktop_client.fakes import ConversationRecorder
from tests.desktop_client.person import Person
from tests.desktop_client.subsystem import PIN


def open_wallet(person: Person) -> ConversationRecorder:
    person.signed_in()
    person.app.open_contact(PAYMENT_ID)
    view = person.windows.last("conversation")
    person.until(lambda: view.keyed("account-"))
    return view


def test_wallet_shows_balance_and_receipts_of_all_billers(person: Person) -> None:
    view = open_wallet(person)
    assert view.keyed("account-")[0].amount == "¥ 268.50"
    bill = person.open_biller()
    person.pay(bill)
    person.until(lambda: view.keyed("order-") and view.keyed("account-")[0].amount == "¥ 182.10")
    assert view.keyed("order-")[0].headline == "Electricity"


@pytest.mark.parametrize(
    ("old", "new", "again", "words"),
    [
        (PIN, "271828", "271829", "not the same"),
        (PIN, "27182", "27182", "six digits"),
        (PIN, "１２３４５６", "１２３４５６", "six digits"),
        ("000000", "271828", "271828", "is wrong"),
    ],
)
def test_payment_password_that_cannot_be_set_says_why(
    person: Person, old: str, new: str, again: str, words: str
) -> None:
    view = open_wallet(person)
    view.on_card_action("account-0234", "set-pin")
    view.on_form("set-pin", {"old": old, "new": new, "again": again})
    person.until(lambda: words in view.keyed("set-pin")[0].error)


def test_payment_password_is_changed(person: Person) -> None:
    view = open_wallet(person)
    view.on_card_action("account-0234", "set-pin")
    assert isinstance(view.keyed("set-pin")[0], FormCard)
    view.on_form("set-pin", {"old": PIN, "new": "271828", "again": "271828"})
    person.until(lambda: view.last("show_banner") == ("The payment password was changed.", "good"))
    assert view.keyed("set-pin") == []


def test_the_form_of_the_payment_password_is_brought_into_view(person: Person) -> None:
    view = open_wallet(person)
    view.on_card_action("account-0234", "set-pin")
    assert view.last("see") == ("set-pin",)


def test_a_wallet_closed_while_the_payment_password_is_set_tells_it_in_the_roster(person: Person) -> None:
    view = open_wallet(person)
    view.on_card_action("account-0234", "set-pin")
    view.on_form("set-pin", {"old": PIN, "new": "271828", "again": "271828"})
    view.on_close()
    roster = person.windows.last("roster")
    person.until(lambda: roster.last("show_toast") == ("The payment password was changed.", "good"))


@pytest.mark.parametrize("code", sorted({v for k, v in vars(codes).items() if k.isupper() and isinstance(v, str)}))
def test_a_change_that_nobody_answered_is_not_guessed_about(person: Person, code: str) -> None:
    view = open_wallet(person)
    view.on_card_action("account-0234", "set-pin")
    wallet = person.app.conversations[PAYMENT_ID]
    assert isinstance(wallet, WalletPresenter)
    wallet._on_set(Refusal(code, ""))
    error = view.keyed("set-pin")[0].error
    assert ("is not known yet" in error) == (code not in NOTHING_SENT)
    assert code in NOTHING_SENT or "Nothing was" not in error
