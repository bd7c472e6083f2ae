"""Foreign text on one line: whatever somebody typed is shown, and does nothing."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host.text import is_one_line, is_seen, one_line

ANYTHING = st.text(st.characters(), max_size=40)  # lone surrogates too: an argument of a command may have them
WITHOUT_EFFECT = {"Cc", "Cs", "Zl", "Zp"}


@given(ANYTHING)
@example("hi\nElectricity 电费: Paid ¥ 80.64")
@example("\x1b]0;title\x07\x1b[2Jgone\x9b31m")
@example("\u202egnihtemos\u202c \u2066x\u2069 \u200f")
@example("\r\nline\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_any_text_becomes_one_line_without_control_characters(text: str) -> None:
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert not [c for c in shown if unicodedata.category(c) in WITHOUT_EFFECT]
    assert not [c for c in shown if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "LRI", "RLI", "FSI")]
    assert one_line(shown) == shown
    assert is_one_line(shown)


@given(ANYTHING)
def test_nothing_is_left_out_in_silence(text: str) -> None:
    assert bool(one_line(text)) == bool(text)
    assert len(one_line(text)) >= len(text.replace("\r\n", "\n"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lin Yue 林悦",
        "张\u3000三",  # the ideographic space
        "86.40 € · ¥ 86.40",
        "👨‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 ❤️",
        "می\u200cخواهم",  # Persian with its joiner's opposite
        "שלום עולם",
        "\U0001fae9",  # an emoji newer than the tables of Python 3.11
        "nai\u0308ve",
    ],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text
    assert is_one_line(text)


def test_signs_are_readable() -> None:
    assert one_line("a\r\nb\tc\x1b[1m\x7f\u202e") == "a⏎b␉c␛[1m␡\\u202e"
    assert one_line("\x9b31m\udcff") == "\\x9b31m\\udcff"


def test_hidden_tag_characters_are_shown_outside_a_flag() -> None:
    assert one_line("Electricity\U000e0041") == "Electricity\\ue0041"


def test_long_text_is_cut_with_a_sign() -> None:
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    "text", ["", " ", "\u3000", "\u200d\u200c", "\u3164", "\u2800 \u2800", "\ufe0f", "\u200b", "\u00ad"]
)
def test_what_is_not_drawn_is_no_name(text: str) -> None:
    assert not is_seen(text)


@pytest.mark.parametrize(
    "text", ["a", "-", "张　三", "❤\ufe0f", "\U0001f468\u200d\U0001f469", "أحمد", "\U0001fae9", "a\u0301"]
)
def test_what_is_drawn_is_one(text: str) -> None:
    assert is_seen(text)
