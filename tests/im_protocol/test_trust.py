"""Invite links and key words."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im_protocol.invite import Invite, InviteError, parse_invite
from im_protocol.words import key_words, word_list

ROOT = Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests/vectors/trust.json").read_text("utf-8"))
PAGE = (ROOT / "im_protocol/PROTOCOL.md").read_text("utf-8")


def invite_of(vector: dict[str, str]) -> Invite:
    keys = bytes.fromhex(vector["tls_pin"]), bytes.fromhex(vector["payment_fingerprint"])
    others = tuple(vector.get("others", ()))
    return Invite(vector["host"], int(vector["port"]), vector["server_name"], *keys, others)


@pytest.mark.parametrize("vector", VECTORS["invites"], ids=lambda v: v["host"])
def test_golden_invite_links_are_made_and_read(vector: dict[str, str]) -> None:
    assert invite_of(vector).link() == vector["link"]
    assert parse_invite(f"  {vector['link']}\n") == invite_of(vector)
    assert vector["link"] in PAGE


@pytest.mark.parametrize("vector", VECTORS["words"], ids=["counting", "zero"])
def test_golden_key_words(vector: dict[str, str]) -> None:
    words = key_words(bytes.fromhex(vector["tls_pin"]), bytes.fromhex(vector["payment_fingerprint"]))
    assert list(words) == vector["words"]
    assert " ".join(words) in PAGE


def test_any_one_changed_lost_or_added_character_is_noticed() -> None:
    link = invite_of(VECTORS["invites"][0]).link()
    letters = string.ascii_letters + string.digits + "-_.:/#[]= "
    for at in range(len(link)):
        for letter in letters:
            if letter != link[at]:
                with pytest.raises(InviteError):
                    parse_invite(link[:at] + letter + link[at + 1 :])
        with pytest.raises(InviteError):
            parse_invite(link[:at] + link[at + 1 :])
        if at:
            with pytest.raises(InviteError):
                parse_invite(link[:at] + "x" + link[at:])


@given(st.text(max_size=80))
def test_any_text_is_an_invite_or_a_clear_error(text: str) -> None:
    with pytest.raises(InviteError):
        parse_invite(text)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(1, 65_535))
def test_invite_round_trips(pin: bytes, fingerprint: bytes, port: int) -> None:
    invite = Invite("10.0.0.7", port, "宿舍 7", pin, fingerprint)
    assert parse_invite(invite.link()) == invite


def test_a_host_that_is_none_is_refused_when_the_link_is_made() -> None:
    with pytest.raises(ValueError, match="host"):
        Invite("no spaces allowed", 1, "x", bytes(32), bytes(32)).link()


def test_word_list_has_2048_different_words() -> None:
    assert len(set(word_list())) == 2_048
    assert (word_list()[0], word_list()[-1]) == ("abandon", "zoo")


def test_key_words_want_whole_digests() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        key_words(b"short", bytes(32))
