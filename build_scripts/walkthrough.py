"""The headless demonstration: a person's way through the real windows, each step with its picture."""

from __future__ import annotations

import sys
import time
import tkinter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from build_scripts import buddy, common
from build_scripts.dormitory import DemoMember, Dormitory
from desktop_client.__main__ import open_application, parse
from desktop_client.i18n import set_language
from desktop_client.profile import Profile
from desktop_client.windows.conversation import ConversationWindow
from desktop_client.windows.driver import Driver, Hand, NotShown
from desktop_client.windows.login import LoginWindow
from desktop_client.windows.pay_sheet import PaySheetWindow
from desktop_client.windows.roster import RosterWindow

DESKTOP_COLOUR = "#dfe5ee"
ELECTRICITY = 101
AMOUNT = "¥ 86.40"
BALANCE_BEFORE, BALANCE_AFTER = "¥ 268.50", "¥ 182.10"
WORDS = {
    "en": {"nothing due": "nothing due", "receipt": "Paid — receipt", "verified": "verified on this device"},
    "zh_CN": {"nothing due": "无欠费", "receipt": "已支付", "verified": "本机"},
}


class Walkthrough:
    """The windows of one member, and the person in front of them."""

    def __init__(self, place: Dormitory, member: DemoMember, friend: DemoMember, pictures: Path | None, lang: str):
        self.place, self.member, self.friend = place, member, friend
        self._pictures = pictures
        self._words = WORDS[lang]
        self._number = 0
        self._errors: list[str] = []
        set_language(lang)
        options = parse(["--invite", place.invite, "--as", str(member.id), "--lang", lang, "--theme", "light"])
        profile = Profile(place.folder / "clients" / f"{member.id}-window")
        self._windows, self._application = open_application(options, profile)
        self._windows.root.report_callback_exception = self._note_error
        self.hands = Driver(self._windows)
        self._lay_desktop()
        self.roster: Hand
        self.bill: Hand

    def run(self) -> None:
        """Every step in its order. Raises NotShown or SetupError at the first that does not happen."""
        steps: list[tuple[str, Callable[[], Hand]]] = [
            ("sign in with member id and password", self._sign_in),
            ("see the roster with the amounts due", self._see_roster),
            ("double-click Electricity and read the bill", self._open_bill),
            ("press Pay: the pay sheet asks for the payment password", self._open_sheet),
            ("type the payment password and read the receipt", self._pay),
            ("close and open Electricity again: nothing due", self._ask_again),
            ("the roster shows no amount at Electricity any more", self._see_roster_again),
            ("send a chat message and read the answer", self._chat),
        ]
        try:
            self._application.start()
            for text, step in steps:
                self._number += 1
                started = time.monotonic()
                hand = step()
                self._picture(hand)
                common.say(f"  {self._number}. {text}: done in {time.monotonic() - started:.1f} s")
                if self._errors:
                    raise common.SetupError("An error in a window:\n" + "\n".join(self._errors))
        finally:
            self._application.stop()
            self._windows.quit()
            self._windows.root.destroy()

    # ---- the steps

    def _sign_in(self) -> Hand:
        login = self.hands.window(LoginWindow)
        login.type_into("member_id", str(self.member.id))
        login.type_into("password", self.member.password)
        self._picture(login, "-typed")
        login.click("sign_in")
        self.roster = self.hands.window(RosterWindow)
        return self.roster

    def _see_roster(self) -> Hand:
        for text in (self.member.name, BALANCE_BEFORE, AMOUNT, self.friend.name):
            self.roster.wait_for(text)
        return self.roster

    def _open_bill(self) -> Hand:
        self.roster.double_click_contact(self._biller_name())
        self.bill = self.hands.window(ConversationWindow, contact_id=ELECTRICITY)
        for text in (AMOUNT, "¥ 80.64", "¥ 5.76", "88201402"):
            self.bill.wait_for(text)
        return self.bill

    def _open_sheet(self) -> Hand:
        self.bill.click_card_button("pay")
        sheet = self.hands.window(PaySheetWindow)
        for text in (AMOUNT, BALANCE_AFTER):
            sheet.wait_for(text)
        return sheet

    def _pay(self) -> Hand:
        sheet = self.hands.window(PaySheetWindow)
        sheet.type_pin(self.member.pin)
        self._picture(sheet, "-typed")
        sheet.click("pay")
        sheet.wait_closed()
        for text in (self._words["receipt"], self._words["verified"]):
            self.bill.wait_for(text)
        self.roster.wait_for(BALANCE_AFTER)
        return self.bill

    def _ask_again(self) -> Hand:
        self._close(self.bill)
        self.roster.double_click_contact(self._biller_name())
        self.bill = self.hands.window(ConversationWindow, contact_id=ELECTRICITY)
        self.bill.wait_for(self._words["nothing due"])
        self.bill.click("check_bill")
        self.hands.wait_until(lambda: "pay" not in self.bill.actions(), "the Pay button to be gone")
        return self.bill

    def _see_roster_again(self) -> Hand:
        self.hands.wait_until(lambda: not self.roster.shows(AMOUNT), "the amount to leave the roster")
        return self.roster

    def _chat(self) -> Hand:
        text = "my half of the power bill is 43.20 元"
        self.roster.double_click_contact(self.friend.name)
        chat = self.hands.window(ConversationWindow, contact_id=self.friend.id)
        chat.type_into("message", text)
        chat.click("send")
        chat.wait_for(text)
        chat.wait_for(buddy.answer_to(text).split(":")[0])
        return chat

    # ---- inside

    def _lay_desktop(self) -> None:
        """A virtual display has no background of its own."""
        root = self._windows.root
        desktop = tkinter.Toplevel(root, background=DESKTOP_COLOUR)
        desktop.overrideredirect(True)
        desktop.geometry(f"{root.winfo_screenwidth()}x{root.winfo_screenheight()}+0+0")
        desktop.lower()

    def _close(self, hand: Hand) -> None:
        """As a window manager's close button does."""
        top = hand.window.top
        top.tk.eval(str(top.protocol("WM_DELETE_WINDOW")))
        hand.wait_closed()

    def _biller_name(self) -> str:
        groups = self.place.client_json(self.member.id, "contacts")["groups"]
        return next(str(row["name"]) for group in groups for row in group["contacts"] if row["id"] == ELECTRICITY)

    def _picture(self, hand: Hand, before: str = "") -> None:
        if self._pictures is not None:
            self._pictures.mkdir(parents=True, exist_ok=True)
            hand.settle()
            self.hands.screenshot(self._pictures / f"step-{self._number}{before}.png")

    def _note_error(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        self._errors.append(f"{kind.__name__}: {error}")
        sys.excepthook(kind, error, trace)


def run(place: Dormitory, member_id: int, friend_id: int, pictures: Path | None, lang: str) -> int:
    """Exit status of the headless demonstration: 0 only if every step happened and the ledger is right."""
    common.say("On a virtual display:")
    walk = Walkthrough(place, place.members[member_id], place.members[friend_id], pictures, lang)
    try:
        walk.run()
    except (NotShown, common.SetupError) as error:
        common.say(f"  FAILED: {error}")
        return 1
    common.say(f"  ledger check: {place.admin('ledger', 'check').splitlines()[0]}")
    if pictures is not None:
        common.say(f"Pictures are in {pictures}")
    common.say("Every step happened.")
    return 0
