"""Presenters against windows that only remember, over a real connection to the small peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from desktop_client.app import Options
from desktop_client.i18n import set_language
from desktop_client.presenters.app import Application
from desktop_client.presenters.views import Bubble, Card, FormCard, LoginForm, PaySheetForm, TimeMark
from desktop_client.profile import Profile
from im_protocol import codec, packets
from im_protocol.invite import Invite
from im_protocol.packets import Flag, Type
from im_protocol.words import key_words
from payment.contract.receipts import read_receipt_file
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import ConversationRecorder, FakeWindows, wait_until
from tests.desktop_client.peer import ELECTRICITY, LIN, PASSWORD, PIN, WANG, WATER, Peer

ACCOUNT = "6200000000000234"


class Person:
    """Somebody in front of the windows."""

    def __init__(self, peer: Peer, profile: Profile, tmp_path: Path) -> None:
        self.peer = peer
        self.windows = FakeWindows()
        self.app = Application(self.windows, profile, Options(), QUICK, lambda: tmp_path)
        self.app.start()

    def until(self, condition: Any) -> None:
        wait_until(condition, self.turn)

    def turn(self) -> None:
        self.app.client.inbox.wait(0.002)
        self.windows.turn()

    @property
    def link(self) -> str:
        known = self.peer.known()
        return Invite("127.0.0.1", self.peer.port, "Dorm 7", known.pin_bytes, known.fingerprint_bytes).link()

    def sign_in(self, server: str | None = None, member: str = str(LIN), password: str = PASSWORD) -> None:
        login = self.windows.last("login")
        login.on_sign_in(LoginForm(member, password, self.link if server is None else server, True))

    def signed_in(self) -> Any:
        self.sign_in()
        self.until(lambda: self.app.roster is not None)
        roster = self.windows.last("roster")
        self.until(lambda: roster.last("show_me")[0].balance and roster.last("show_groups")[0])
        return roster

    def login_error(self) -> tuple[str, str]:
        login = self.windows.last("login")
        self.until(lambda: any(a[0] for n, a in login.calls if n == "show_error"))
        return login.last("show_error")

    def open_biller(self, biller: int = ELECTRICITY) -> ConversationRecorder:
        self.app.open_contact(biller)
        view = self.windows.last("conversation")
        self.until(lambda: any(not isinstance(e, TimeMark) for e in view.entries))
        return view

    def pay(self, view: ConversationRecorder, pin: str = PIN, choice: str = "full", other: str = "") -> Any:
        view.on_card_action("bill-7", "pay")
        sheet = self.windows.last("pay_sheet")
        sheet.on_pay(PaySheetForm(choice, other, ACCOUNT, pin))
        return sheet


@pytest.fixture
def person(peer: Peer, profile: Profile, tmp_path: Path) -> Iterator[Person]:
    someone = Person(peer, profile, tmp_path)
    yield someone
    someone.app.stop()


# ---- login -----------------------------------------------------------------------------------------------------


def test_invite_link_signs_in_without_asking_for_words(person: Person) -> None:
    roster = person.signed_in()
    assert "trust" not in person.windows.opened
    assert person.windows.last("login").closed
    me = roster.last("show_me")[0]
    assert (me.member_id, me.name, me.balance) == (LIN, "Lin Yue 林悦", "¥ 268.50")


def test_first_connection_shows_six_words_and_sends_no_password_before_the_yes(person: Person, peer: Peer) -> None:
    person.sign_in(f"127.0.0.1:{peer.port}")
    person.until(lambda: "trust" in person.windows.opened)
    name, address, words, answer = person.windows.last("trust").last("ask")
    known = peer.known()
    assert (name, address) == ("Dorm 7", f"127.0.0.1:{peer.port}")
    assert words == key_words(known.pin_bytes, known.fingerprint_bytes)
    assert Type.SIGN_IN not in peer.types_received()
    answer(True)
    person.until(lambda: person.app.roster is not None)


def test_words_that_do_not_match_sign_nobody_in(person: Person, peer: Peer, profile: Profile) -> None:
    person.sign_in(f"127.0.0.1:{peer.port}")
    person.until(lambda: "trust" in person.windows.opened)
    person.windows.last("trust").last("ask")[3](False)
    assert "key words" in person.login_error()[0]
    assert Type.SIGN_IN not in peer.types_received()
    assert profile.servers == []


@pytest.mark.parametrize(
    ("member", "password", "words", "field"),
    [
        (str(LIN), "wrong", "password is wrong", "password"),
        ("99999", PASSWORD, "no member with this number", "member_id"),
        ("lin", PASSWORD, "digits only", "member_id"),
        ("１０００１", PASSWORD, "digits only", "member_id"),
        (str(LIN), "", "Type your password", "password"),
    ],
)
def test_each_way_to_fail_has_its_own_message(
    person: Person, member: str, password: str, words: str, field: str
) -> None:
    person.sign_in(member=member, password=password)
    text, at = person.login_error()
    assert words in text
    assert at == field
    assert person.app.roster is None


def test_unreachable_server_is_said_so(person: Person, peer: Peer) -> None:
    link = person.link
    peer.stop()
    person.sign_in(link)
    assert "cannot be reached" in person.login_error()[0]


def test_invite_link_with_a_changed_character_is_refused(person: Person) -> None:
    link = person.link
    changed = link[:-20] + ("A" if link[-20] != "A" else "B") + link[-19:]
    person.sign_in(changed)
    text, field = person.login_error()
    assert "invite link" in text
    assert field == "server"
    login = person.windows.last("login")
    login.on_paste_invite(link)
    assert login.last("show_server") == (f"Dorm 7 · 127.0.0.1:{person.peer.port}", True, "good")


def test_changed_key_is_a_hard_stop(person: Person, peer: Peer, profile: Profile) -> None:
    profile.trust(peer.known())
    peer.stop()
    peer.new_certificate()
    peer.start()
    person.sign_in(f"127.0.0.1:{peer.port}")
    assert "key has changed" in person.login_error()[0]
    name, _address, old, new = person.windows.last("trust").last("show_key_changed")
    assert name == "Dorm 7"
    assert old != new
    assert Type.SIGN_IN not in peer.types_received()


def test_changed_payment_key_is_a_hard_stop(person: Person, peer: Peer, profile: Profile) -> None:
    known = profile.trust(peer.known())
    known.payment_fingerprint = "00" * 32
    person.sign_in(f"127.0.0.1:{peer.port}")
    assert "key has changed" in person.login_error()[0]
    assert Type.SIGN_IN not in peer.types_received()


def test_remembered_server_and_member_are_filled_in(person: Person, profile: Profile) -> None:
    person.signed_in()
    person.app.sign_out()
    member, line, server, remember = person.windows.last("login").last("prefill")
    assert (member, remember) == (str(LIN), True)
    assert "Dorm 7" in line
    assert server == f"127.0.0.1:{person.peer.port}"
    assert PASSWORD not in profile.path.read_text("utf-8")


# ---- roster ----------------------------------------------------------------------------------------------------


def test_roster_shows_bills_first_with_their_states(person: Person) -> None:
    roster = person.signed_in()
    groups = roster.last("show_groups")[0]
    assert [g.title for g in groups] == ["Bill-pay", "Roommates"]
    electricity, water = groups[0].rows
    assert electricity.detail.startswith("Room 402 · due ")
    assert (electricity.trailing, electricity.trailing_tone, electricity.dot) == ("¥ 86.40", "danger", "busy")
    assert (water.detail, water.trailing) == ("customer number needed", "")
    assert groups[1].count == "1/2"
    assert groups[1].rows[1].dimmed


def test_presence_of_others_changes_live(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    away = packets.PresenceEvent(WANG, "offline", "", 1_700_000_000_000)
    peer.push(LIN, codec.encode(Type.PRESENCE_EVENT, away, flags=Flag.PUSH))
    person.until(lambda: roster.last("show_groups")[0][1].count == "0/2")


def test_search_filters_contacts(person: Person) -> None:
    roster = person.signed_in()
    roster.on_search("wang")
    groups = roster.last("show_groups")[0]
    assert [r.name for g in groups for r in g.rows] == ["Wang Lei"]


def test_payment_notice_brings_new_figures(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    peer.subsystem.due[ELECTRICITY] = 0
    peer.push(LIN, codec.encode(Type.PAYMENT_NOTICE, flags=Flag.PUSH))
    person.until(lambda: roster.last("show_groups")[0][0].rows[0].trailing == "✓")


def test_connection_line_follows_the_connection(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    assert roster.last("show_connection") == ("connected", "good")
    peer.stop()
    person.until(lambda: roster.last("show_connection") == ("reconnecting…", "warning"))
    peer.start()
    person.until(lambda: roster.last("show_connection") == ("connected", "good"))


def test_unread_messages_are_counted_until_the_chat_is_opened(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    peer.deliver(WANG, LIN, "split it?")
    person.until(lambda: roster.last("show_groups")[0][1].rows[0].unread == 1)
    assert roster.last("show_toast") == ("Wang Lei: split it?", "accent")
    person.app.open_contact(WANG)
    person.until(lambda: roster.last("show_groups")[0][1].rows[0].unread == 0)


# ---- chat ------------------------------------------------------------------------------------------------------


def bubbles(view: ConversationRecorder) -> list[Bubble]:
    return [e for e in view.entries if isinstance(e, Bubble)]


def test_chat_shows_own_and_other_messages_with_their_state(person: Person, peer: Peer) -> None:
    person.signed_in()
    person.app.open_contact(WANG)
    view = person.windows.last("conversation")
    view.on_send_text("power bill is in")
    assert bubbles(view)[0].status == "sending…"
    person.until(lambda: bubbles(view)[0].status.endswith("✓"))
    peer.deliver(WANG, LIN, "sure")
    person.until(lambda: [b.text for b in bubbles(view)] == ["power bill is in", "sure"])
    assert [b.own for b in bubbles(view)] == [True, False]
    assert isinstance(view.entries[0], TimeMark)


@pytest.mark.parametrize("contact", [WANG, ELECTRICITY])
def test_six_digits_are_caught_before_they_are_sent(person: Person, peer: Peer, contact: int) -> None:
    person.signed_in()
    person.app.open_contact(contact)
    view = person.windows.last("conversation")
    view.on_send_text(PIN)
    assert "payment password" in view.last("show_banner")[0]
    assert view.last("set_draft") == (PIN,)
    assert bubbles(view) == []
    assert Type.CHAT_SEND not in peer.types_received()


def test_six_digits_are_sent_when_they_are_meant(person: Person) -> None:
    person.signed_in()
    person.app.open_contact(WANG)
    view = person.windows.last("conversation")
    view.on_send_text("402402")
    view.on_send_text("402402")
    person.until(lambda: [b.text for b in bubbles(view)] == ["402402"])


def test_open_chat_is_brought_to_the_front_and_not_opened_twice(person: Person) -> None:
    person.signed_in()
    person.app.open_contact(WANG)
    person.app.open_contact(WANG)
    assert len(person.windows.opened["conversation"]) == 1
    assert person.windows.last("conversation").count("raise_window") == 1


# ---- paying ----------------------------------------------------------------------------------------------------


def test_biller_is_asked_by_itself_and_shows_the_bill(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    card = view.keyed("bill-")[0]
    assert (card.headline, card.amount) == ("Electricity · November 2026", "¥ 86.40")
    assert card.note.startswith("due in 8 days · ")
    assert [(r.label, r.value) for r in card.rows] == [("Usage 144 kWh", "¥ 80.64"), ("Late fee October", "¥ 5.76")]
    assert card.buttons[0].text == "Pay ¥ 86.40"
    head = view.last("show_head")[0]
    assert (head.detail, head.badge) == ("Room 402 · customer 88201402", "verified biller")


def test_missing_customer_number_is_a_form_that_checks_its_rule(person: Person) -> None:
    person.signed_in()
    view = person.open_biller(WATER)
    form = view.keyed("form")[0]
    assert isinstance(form, FormCard)
    assert form.fields[0].label == "Customer number"
    view.on_form("form", {"customer_number": "abc"})
    assert view.keyed("form")[0].error == "Eight digits."
    view.on_form("form", {"customer_number": "00000000"})
    person.until(lambda: view.keyed("form")[0].error == "There is no such customer.")
    view.on_form("form", {"customer_number": "12345678"})
    person.until(lambda: view.keyed("bill-"))
    assert view.keyed("form") == []


def test_payment_ends_with_a_verified_receipt_and_nothing_due(person: Person, tmp_path: Path) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view)
    person.until(lambda: view.keyed("order-"))
    assert sheet.closed
    receipt = view.keyed("order-")[0]
    assert (receipt.banner, receipt.banner_tone) == ("✓ Paid — receipt", "good")
    rows = {r.label: r.value for r in receipt.rows}
    assert (rows["Amount"], rows["From"]) == ("¥ 86.40", "Wallet • • • 0234")
    assert (rows["Remaining due"], rows["Signature"]) == ("¥ 0.00", "verified on this device")
    assert view.keyed("bill-")[0].buttons == ()
    person.until(lambda: roster.last("show_groups")[0][0].rows[0].trailing == "✓")
    view.on_card_action(receipt.key, receipt.buttons[0].action)
    saved = tmp_path / f"billbuddy-receipt-{rows['Receipt']}.json"
    assert read_receipt_file(saved)[1] == person.peer.subsystem.root_bytes
    view.on_check_bill()
    person.until(lambda: view.keyed("nothing-due"))


def test_receipt_is_still_there_when_the_conversation_is_opened_again(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    view.on_close()
    again = person.open_biller()
    person.until(lambda: again.keyed("nothing-due"))
    assert again.keyed("order-")[0].banner == "✓ Paid — receipt"


def test_pay_sheet_tells_the_balance_after(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    view.on_card_action("bill-7", "pay")
    model = person.windows.last("pay_sheet").last("show")[0]
    assert [c.key for c in model.choices] == ["full"]
    assert model.accounts[0][1] == "Wallet • • • 0234 (¥ 268.50)"
    assert model.after_text == "After paying: Wallet ¥ 182.10 · bill cleared"
    assert model.pay_text == "Pay ¥ 86.40"


def test_part_payment_follows_the_rule_and_leaves_the_rest(person: Person) -> None:
    person.peer.subsystem.rule, person.peer.subsystem.minimum = "up_to_due", 2_000
    person.signed_in()
    view = person.open_biller()
    view.on_card_action("bill-7", "pay")
    sheet = person.windows.last("pay_sheet")
    assert [c.text for c in sheet.last("show")[0].choices] == ["Full 86.40", "Minimum 20.00", "Other…"]
    sheet.on_change(PaySheetForm("other", "30", ACCOUNT, ""))
    assert sheet.last("show")[0].after_text == "After paying: Wallet ¥ 238.50 · ¥ 56.40 still due"
    sheet.on_pay(PaySheetForm("other", "30", ACCOUNT, PIN))
    person.until(lambda: view.keyed("order-") and view.keyed("bill-") and view.keyed("bill-")[0].amount == "¥ 56.40")
    assert view.keyed("bill-")[0].buttons[0].text == "Pay ¥ 56.40"


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "99999999999999", "１２", "", "1e3"])
def test_bad_amount_is_caught_in_the_sheet(person: Person, amount: str) -> None:
    person.peer.subsystem.rule = "up_to_due"
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view, choice="other", other=amount)
    text, field = sheet.last("show_error")
    assert text
    assert field == "amount"
    assert not person.peer.subsystem.outcomes


def test_wrong_password_keeps_the_sheet_open(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view, "000000")
    person.until(lambda: sheet.last("show_error") and sheet.last("show_error")[1] == "pin")
    assert "No money was moved" in sheet.last("show_error")[0]
    assert not sheet.closed
    sheet.on_pay(PaySheetForm("full", "", ACCOUNT, PIN))
    person.until(lambda: sheet.closed)
    assert view.keyed("order-")[0].banner_tone == "good"


def test_bill_paid_by_somebody_else_meanwhile_is_a_refusal_in_words(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.subsystem.due[ELECTRICITY] = 0
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    card = view.keyed("order-")[0]
    assert card.banner == "Not paid — no money moved"
    assert "Wang Lei" in card.text


def test_away_payment_service_says_nothing_was_charged(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.payment_away = True
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    assert view.keyed("order-")[0].text == "The payment service is away. Nothing was charged."


def test_cut_payment_is_deciding_and_turns_into_the_receipt(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    seen: list[str] = []
    person.peer.cut_on_pay = "after"
    person.pay(view)

    def watch() -> bool:
        seen.extend(c.banner for c in view.keyed("order-"))
        return "✓ Paid — receipt" in seen

    person.until(watch)
    assert seen[0] == "Still deciding"
    assert len(view.keyed("order-")) == 1


def test_while_an_order_is_deciding_the_bill_cannot_be_paid_again(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    person.peer.cut_on_pay = "after"
    person.pay(view)
    person.until(lambda: view.keyed("order-"))
    if view.keyed("order-")[0].banner == "Still deciding":
        before = len(person.windows.opened["pay_sheet"])
        view.on_card_action("bill-7", "pay")
        assert len(person.windows.opened["pay_sheet"]) == before


def test_texts_are_chinese_when_the_language_is(person: Person) -> None:
    set_language("zh_CN")
    roster = person.signed_in()
    assert roster.last("show_connection")[0] == "已连接"
    view = person.open_biller()
    assert view.keyed("bill-")[0].buttons[0].text == "支付 ¥ 86.40"


def test_sign_out_closes_all_windows(person: Person) -> None:
    roster = person.signed_in()
    view = person.open_biller()
    person.app.sign_out()
    assert roster.closed
    assert view.closed
    assert len(person.windows.opened["login"]) == 2


def test_card_of_a_closed_window_does_no_harm(person: Person) -> None:
    person.signed_in()
    view = person.open_biller()
    sheet = person.pay(view)
    view.on_close()
    person.until(lambda: person.peer.subsystem.outcomes and sheet.closed)
    assert all(isinstance(e, (Card, TimeMark)) for e in view.entries)
