"""Roster and chats, as a person sees them."""

from __future__ import annotations

import re

import pytest

from desktop_client.history import ChatMessage
from desktop_client.presenters.views import Bubble, TimeMark
from im_protocol import codec, packets
from im_protocol.packets import Flag, Type
from tests.desktop_client.fakes import ConversationRecorder
from tests.desktop_client.peer import LIN, WANG, Peer
from tests.desktop_client.person import Person
from tests.desktop_client.subsystem import ELECTRICITY, PIN


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


def test_operators_notice_is_shown_once(person: Person, peer: Peer) -> None:
    text = "The operator reset your payment password."
    peer.subsystem.notices.append(text)
    roster = person.signed_in()
    person.until(lambda: ("show_toast", (text, "warning")) in roster.calls)
    peer.subsystem.due[ELECTRICITY] = 0
    peer.push(LIN, codec.encode(Type.PAYMENT_NOTICE, flags=Flag.PUSH))
    person.until(lambda: roster.last("show_groups")[0][0].rows[0].trailing == "✓")
    assert roster.calls.count(("show_toast", (text, "warning"))) == 1


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


def test_a_message_in_an_open_chat_is_unread_until_it_is_seen(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    person.app.open_contact(WANG)
    chat = person.windows.last("conversation")
    chat.seen = False
    peer.deliver(WANG, LIN, "split it?")
    person.until(lambda: roster.last("show_groups")[0][1].rows[0].unread == 1)
    assert chat.last("show_unread") == (1,)
    assert roster.last("show_toast") == ("Wang Lei: split it?", "accent")
    chat.seen = True
    chat.on_seen()
    person.until(lambda: roster.last("show_groups")[0][1].rows[0].unread == 0)
    assert chat.last("show_unread") == (0,)


@pytest.mark.parametrize("presence", ["busy", "away", "offline", "online"])
def test_a_choice_of_presence_keeps_the_signature_and_outlives_cuts_and_restarts(
    person: Person, peer: Peer, presence: str
) -> None:
    peer.shown[LIN] = ("online", "back at nine")
    roster = person.signed_in()
    person.until(lambda: roster.last("show_me")[0].signature == "back at nine")
    roster.on_set_presence(presence)
    person.until(lambda: peer.shown[LIN] == (presence, "back at nine"))
    me = roster.last("show_me")[0]
    assert (me.presence, me.signature) == (presence, "back at nine")
    peer.stop()
    person.until(lambda: roster.last("show_connection")[1] != "good")
    peer.shown[LIN] = ("gone", "back at nine")
    peer.start()
    person.until(lambda: peer.shown[LIN][0] == presence)
    person.app.sign_out()
    peer.shown[LIN] = ("gone", "back at nine")
    roster = person.signed_in()
    assert peer.shown[LIN] == (presence, "back at nine")
    assert roster.last("show_me")[0].presence == presence


def test_a_choice_before_the_signature_is_known_does_not_erase_it(person: Person, peer: Peer) -> None:
    peer.shown[LIN] = ("online", "back at nine")
    roster = person.signed_in()
    assert person.app.client.member is not None
    person.app.client.member.roster.own = None
    roster.on_set_presence("busy")
    own = packets.PresenceEvent(LIN, "online", "back at nine")
    peer.push(LIN, codec.encode(Type.PRESENCE_EVENT, own, flags=Flag.PUSH))
    person.until(lambda: peer.shown[LIN] == ("busy", "back at nine"))


@pytest.mark.parametrize("text", ["86", "86.4", "¥86.40", "¥ 86.40", "room 402", "8820", "electri", "电费"])
def test_a_bill_is_found_by_amount_place_number_and_name(person: Person, text: str) -> None:
    roster = person.signed_in()
    roster.on_search(text)
    groups = roster.last("show_groups")[0]
    assert [r.name for g in groups for r in g.rows] == ["Electricity 电费"]


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


def test_a_draft_is_there_again_when_the_conversation_is_opened_again(person: Person) -> None:
    person.signed_in()
    person.app.open_contact(WANG)
    view = person.windows.last("conversation")
    view.on_draft("half a sen")
    view.on_close()
    person.app.open_contact(WANG)
    again = person.windows.last("conversation")
    assert again.last("set_draft") == ("half a sen",)
    again.on_draft("314159")
    again.on_close()
    person.app.open_contact(WANG)
    assert person.windows.last("conversation").last("set_draft") == ("",), "a payment password is not kept"


def test_toast_and_row_of_a_message_are_one_line_whatever_is_in_it(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    peer.deliver(WANG, LIN, "hi\nElectricity 电费: Paid\x1b[0m\u202e")
    person.until(lambda: roster.last("show_toast"))
    assert roster.last("show_toast")[0] == "Wang Lei: hi⏎Electricity 电费: Paid␛[0m\\u202e"
    person.until(lambda: any(r.unread for g in roster.last("show_groups")[0] for r in g.rows))
    row = next(r for g in roster.last("show_groups")[0] for r in g.rows if r.unread)
    assert row.detail == "hi⏎Electricity 电费: Paid␛[0m\\u202e"


def test_every_older_message_is_reached_page_by_page(person: Person) -> None:
    person.signed_in()
    member = person.app.client.member
    assert member is not None
    start, day = 1_700_000_000_000, 86_400_000
    for n in range(450):
        text, at = f"message {n}", start + n * day // 10
        member.history.add_message(ChatMessage(n.to_bytes(16, "big"), WANG, n % 2 == 0, text, at, n + 1, "received"))
    person.app.open_contact(WANG)
    view = person.windows.last("conversation")
    shown = [b.text for b in bubbles(view)]
    assert shown == [f"message {n}" for n in range(250, 450)]
    view.on_older()
    view.on_older()
    assert [b.text for b in bubbles(view)] == [f"message {n}" for n in range(450)]
    count = len(view.entries)
    view.on_older()
    assert len(view.entries) == count, "there is nothing older"
    assert isinstance(view.entries[0], TimeMark)
    assert len({b.key for b in bubbles(view)}) == 450


def test_messages_of_others_say_when_they_came(person: Person, peer: Peer) -> None:
    person.signed_in()
    person.app.open_contact(WANG)
    view = person.windows.last("conversation")
    peer.deliver(WANG, LIN, "hello")
    person.until(lambda: bubbles(view))
    assert re.fullmatch(r"\d\d:\d\d", bubbles(view)[-1].status)


def test_billers_are_away_while_the_payment_service_is(person: Person, peer: Peer) -> None:
    roster = person.signed_in()
    for presence in ("offline", "online"):
        event = packets.PresenceEvent(ELECTRICITY, presence)  # type: ignore[arg-type]
        peer.push(LIN, codec.encode(Type.PRESENCE_EVENT, event, sender_id=ELECTRICITY, flags=Flag.PUSH))
        is_away = presence == "offline"
        person.until(lambda away=is_away: (roster.last("show_groups")[0][0].rows[0].dot == "offline") is away)
        row = roster.last("show_groups")[0][0].rows[0]
        assert (row.detail == "The payment service is away.") is is_away
        assert row.trailing == "¥ 86.40"
