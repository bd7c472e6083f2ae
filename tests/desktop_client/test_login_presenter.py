"""Signing in, as a person sees it."""

from __future__ import annotations

import pytest

from desktop_client.profile import Profile
from im_protocol.packets import Type
from im_protocol.words import key_words
from tests.desktop_client.peer import LIN, PASSWORD, Peer
from tests.desktop_client.person import Person


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
