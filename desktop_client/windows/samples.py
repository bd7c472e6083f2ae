"""Sample data for every window: each opens alone, and the gallery takes its pictures from here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from desktop_client.i18n import _, set_language, system_language
from desktop_client.presenters.views import (
    AmountChoice,
    Bubble,
    Card,
    CardButton,
    CardRow,
    ConversationHead,
    Entry,
    FormCard,
    FormField,
    Me,
    PaySheetModel,
    RosterGroup,
    RosterRow,
    TimeMark,
)
from desktop_client.theme import Ui
from desktop_client.widgets.contact import Face
from desktop_client.windows.base import BaseWindow, make_root
from desktop_client.windows.conversation import ConversationWindow
from desktop_client.windows.login import LoginWindow
from desktop_client.windows.notice import NoticeWindow
from desktop_client.windows.pay_sheet import PaySheetWindow
from desktop_client.windows.roster import RosterWindow
from desktop_client.windows.trust import TrustWindow
from im_protocol.limits import PAYMENT_ID

OWN = Face(10234, "Lin Yue 林悦")
ELECTRICITY = 100
WANG = 10001


def login(ui: Ui) -> LoginWindow:
    window = LoginWindow(ui)
    window.prefill("10234", "", "192.0.2.10:7470", True)
    window.show_server(_("Dorm 7 server"), True, "good")
    window._password.set("correct horse")
    return window


def login_error(ui: Ui) -> LoginWindow:
    window = login(ui)
    window.show_error(_("The member number or the password is wrong. Nothing else was sent."), "password")
    return window


def trust(ui: Ui) -> TrustWindow:
    window = TrustWindow(ui)
    words = ("river", "candle", "orbit", "maple", "seven", "harbor")
    window.ask("Dorm 7", "192.0.2.10", words, lambda _matches: None)
    return window


def key_changed(ui: Ui) -> TrustWindow:
    window = TrustWindow(ui)
    old = ("river", "candle", "orbit", "maple", "seven", "harbor")
    new = ("copper", "lemon", "garden", "winter", "north", "paper")
    window.show_key_changed("Dorm 7", "192.0.2.10", old, new)
    return window


def notice(ui: Ui) -> NoticeWindow:
    window = NoticeWindow(ui)
    window.add(_("Settings and known servers cannot be stored on this device: {why}").format(why="No space left"))
    return window


def billers() -> tuple[RosterRow, ...]:
    return (
        RosterRow(100, "biller", "Electricity 电费", _("Room 402 · due 30 Nov"), "busy", "⚡", "¥ 86.40", "danger"),
        RosterRow(101, "biller", "Water 水费", _("Room 402 · due 5 Dec"), "away", "💧", "¥ 4.10", "warning"),
        RosterRow(102, "biller", "Mobile 话费", _("nothing due"), "online", "📱", "✓", "good"),
        RosterRow(103, "biller", "Property fee 物业费", _("paid 3 Nov · receipt"), "online", "🏠", "✓", "good"),
    )


def roster(ui: Ui) -> RosterWindow:
    window = RosterWindow(ui)
    window.show_me(Me(10234, "Lin Yue 林悦", "online", "back at nine", "¥ 268.50"))
    roommates = (
        RosterRow(10001, "member", "Wang Lei", _("my half of the power bill 👍"), "online", unread=2),
        RosterRow(10002, "member", "李娜 Li Na", _("in the library"), "away", unread=1),
        RosterRow(10003, "member", "赵敏 Zhao Min", _("offline · last seen 18:20"), "offline", dimmed=True),
    )
    classmates = tuple(RosterRow(10100 + n, "member", f"Classmate {n}", "", "offline", dimmed=True) for n in range(31))
    window._folded.add("classmates")
    window.show_groups(
        [
            RosterGroup("billpay", _("Bill-pay"), "4", billers()),
            RosterGroup("roommates", _("Roommates"), "2/3", roommates),
            RosterGroup("classmates", _("Classmates"), "5/31", classmates),
        ]
    )
    window.show_connection(_("connected"), "good")
    return window


def roster_recent(ui: Ui) -> RosterWindow:
    window = roster(ui)
    window.widgets.tabs.choose("recent")
    window.show_connection(_("reconnecting…"), "warning")
    return window


def large_roster(ui: Ui, members: int = 10_000) -> RosterWindow:
    """A roster as large as the design's limit, for the figures."""
    window = RosterWindow(ui)
    window.show_me(Me(10234, "Lin Yue 林悦", "online", "", "¥ 268.50"))
    rows = tuple(RosterRow(10_001 + n, "member", f"Member {n}", "online", "online") for n in range(members))
    window.show_groups(
        [RosterGroup("billpay", "Bill-pay", "4", billers()), RosterGroup("all", "All", str(members), rows)]
    )
    return window


def bill_card() -> Card:
    return Card(
        "bill",
        headline=_("Electricity · November 2026"),
        amount="¥ 86.40",
        note=_("due in 8 days · 30 Nov"),
        note_tone="danger",
        rows=(CardRow(_("Usage 144 kWh"), "¥ 80.64"), CardRow(_("Late fee October"), "¥ 5.76")),
        buttons=(CardButton("pay", _("Pay {amount}").format(amount="¥ 86.40")),),
    )


def receipt_card() -> Card:
    return Card(
        "receipt",
        banner=_("✓ Paid — receipt"),
        banner_tone="good",
        rows=(
            CardRow(_("Amount"), "¥ 86.40", strong=True),
            CardRow(_("From"), _("Wallet · · · 0234")),
            CardRow(_("Remaining due"), "¥ 0.00"),
            CardRow(_("Receipt"), "7F3K-92QD-XW41"),
            CardRow(_("Signature"), _("verified on this device"), "good"),
        ),
        buttons=(CardButton("save_receipt", _("Save receipt"), "link"),),
    )


def refusal_card() -> Card:
    return Card(
        "refusal",
        banner=_("Not paid"),
        banner_tone="danger",
        text=_("The payment password is wrong. No money moved. 2 attempts are left."),
        buttons=(CardButton("pay", _("Try again")),),
    )


def deciding_card() -> Card:
    return Card(
        "deciding",
        banner=_("Still deciding"),
        banner_tone="warning",
        text=_("The connection broke before the answer came. BillBuddy asks again by itself; nobody pays twice."),
    )


def form_card() -> FormCard:
    rule = _("The customer number has eight digits.")
    return FormCard(
        "form",
        _("Which customer number?"),
        _("You find it at the top of your last bill."),
        (FormField("customer_number", "digits", _("Customer number"), _("eight digits"), "[0-9]{8}", rule),),
        _("Continue"),
    )


def _biller_window(ui: Ui, entries: list[Entry]) -> ConversationWindow:
    window = ConversationWindow(ui, ELECTRICITY, "biller", OWN)
    footer = _("Sealed for the payment service — the chat server cannot read it")
    detail = _("Room 402 · customer 88201402")
    window.show_head(
        ConversationHead(
            ELECTRICITY, "biller", "Electricity 电费", detail, "online", "⚡", _("verified biller"), footer
        )
    )
    window.show_entries(entries)
    return window


def bill(ui: Ui) -> ConversationWindow:
    times = (TimeMark(_("Today 20:14")), TimeMark(_("Today 20:15")))
    return _biller_window(ui, [times[0], bill_card(), times[1], receipt_card()])


def bill_form(ui: Ui) -> ConversationWindow:
    window = _biller_window(ui, [TimeMark(_("Today 20:14")), form_card()])
    ui.root.update_idletasks()
    window.find("submit").invoke()
    return window


def bill_outcomes(ui: Ui) -> ConversationWindow:
    window = _biller_window(ui, [TimeMark(_("Today 20:14")), refusal_card(), deciding_card()])
    window.show_banner(_("Reconnecting… what you pay is decided as soon as the connection is back."), "warning")
    return window


def wallet(ui: Ui) -> ConversationWindow:
    window = ConversationWindow(ui, PAYMENT_ID, "biller", OWN)
    account = _("Wallet · · · 0234")
    footer = _("Sealed for the payment service — the chat server cannot read it")
    window.show_head(ConversationHead(PAYMENT_ID, "biller", _("Wallet"), account, "none", "wallet", "", footer))
    change = CardButton("set-pin", _("Change payment password"), "outline")
    fields = (
        FormField("old", "pin", _("Old payment password")),
        FormField("new", "pin", _("New payment password")),
        FormField("again", "pin", _("The new one again")),
    )
    text = _("Six digits that you type to pay. Never tell them to anybody.")
    window.show_entries(
        [
            TimeMark(_("Today 20:15")),
            replace(receipt_card(), headline="Electricity 电费"),
            Card("account", headline=account, amount="¥ 182.10", buttons=(change,)),
            FormCard("set-pin", _("Payment password"), text, fields, _("Set it")),
        ]
    )
    return window


def chat(ui: Ui) -> ConversationWindow:
    window = ConversationWindow(ui, WANG, "member", OWN)
    window.show_head(ConversationHead(WANG, "member", "Wang Lei", _("online"), "online"))
    entries: list[Entry] = [
        TimeMark(_("Yesterday 21:40")),
        Bubble("1", False, "Wang Lei", _("power bill is in, 86.40. split it?")),
        Bubble("2", True, OWN.name, _("sure, paid. sending you a request 😄"), "20:16"),
        TimeMark(_("Today 20:17")),
        Bubble(
            "3",
            False,
            "Wang Lei",
            _("Thanks! The water bill comes next week, and the landlord wants the meter read before Friday."),
        ),
        Bubble("4", True, OWN.name, _("ok, after class"), _("not sent"), failed=True),
    ]
    window.show_entries(entries)
    window.set_draft(_("ok thanks"))
    return window


def pay_sheet(ui: Ui) -> PaySheetWindow:
    window = PaySheetWindow(ui)
    window.show(pay_model())
    for digit in "123":
        window.widgets.pin._add(digit)
    return window


def pay_model() -> PaySheetModel:
    return PaySheetModel(
        _("Pay Electricity 电费"),
        _("Electricity · November 2026 · Room 402"),
        "¥ 86.40",
        (
            AmountChoice("full", _("Full {amount}").format(amount="86.40"), "86.40"),
            AmountChoice("minimum", _("Minimum {amount}").format(amount="20.00"), "20.00"),
            AmountChoice("other", _("Other…"), ""),
        ),
        (("6001", _("Wallet · · · 0234 (¥ 268.50)")), ("6002", _("Savings · · · 7781 (¥ 1,020.00)"))),
        _("After paying: wallet ¥ 182.10 · bill cleared"),
        _("Pay {amount}").format(amount="¥ 86.40"),
        _("sealed for the payment service"),
    )


def pay_error(ui: Ui) -> PaySheetWindow:
    window = PaySheetWindow(ui)
    window.show(pay_model())
    window._choose("other")
    window.show_error(_("Give an amount of at least ¥ 20.00."), "other_amount")
    return window


SCREENS: dict[str, Callable[[Ui], BaseWindow]] = {
    "login": login,
    "login_error": login_error,
    "trust": trust,
    "key_changed": key_changed,
    "notice": notice,
    "roster": roster,
    "roster_recent": roster_recent,
    "bill": bill,
    "bill_form": bill_form,
    "bill_outcomes": bill_outcomes,
    "wallet": wallet,
    "chat": chat,
    "pay_sheet": pay_sheet,
    "pay_error": pay_error,
}


def run(screen: str) -> None:
    """Open one screen alone until it is closed: [--lang en|zh_CN] [--theme light|dark|system]."""
    parser = argparse.ArgumentParser(description=f"The {screen} window with sample data.")
    parser.add_argument("--lang", default=system_language())
    parser.add_argument("--theme", default="light", choices=("light", "dark", "system"))
    parser.add_argument("--chat", action="store_true", help="conversation: with a member")
    options = parser.parse_args()
    set_language(options.lang)
    root = make_root()
    window = SCREENS[screen](Ui(root, options.theme))
    window.top.bind("<Destroy>", lambda e: root.quit() if e.widget is window.top else None)
    root.mainloop()
