"""How a text is laid out: nothing is lost, no line is too wide, emoji stay whole, right-to-left text is in order."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_client.widgets import emoji, scripts
from desktop_client.widgets.layout import Layout, for_tk, lay_out
from tests.gui.strange import STRANGE

SIDE = 18


def measure(text: str) -> int:
    """A font whose letters are ten pixels wide, and whose marks take no room."""
    return sum(0 if unicodedata.combining(c) else 10 for c in text)


def shown(layout: Layout) -> list[str]:
    """The lines as they are drawn, emoji in angle brackets."""
    return ["".join(f"<{r.shown}>" if r.kind == "emoji" else r.shown for r in line.runs) for line in layout.lines]


def keys(text: str) -> list[str]:
    return [found.key for found in emoji.find(text)]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)
HARD = "ab 电，👍🏽👨\u200d👩\ufe0f\ufe0e🇨🇳1\u20e3\u0301\u202eשלוםعربي\n\t\0\U0001faff✓©"
HARD_TEXT = st.text(st.sampled_from(HARD), max_size=40)


@settings(max_examples=150)
@given(st.one_of(ANY_TEXT, HARD_TEXT), st.integers(20, 400))
def test_lines_hold_every_visible_character_once_and_in_order(text: str, width: int) -> None:
    layout = lay_out(text, measure, width, side=SIDE)
    covered = [n for line in layout.lines for n in range(line.start, line.end)]
    assert covered == sorted(set(covered))
    missing = set(range(len(text))) - set(covered)
    assert all(text[n].isspace() or scripts.is_mark(text[n]) or scripts.LINE_END.match(text[n]) for n in missing)
    for line in layout.lines:
        assert all(line.start <= run.start <= run.end <= line.end for run in line.runs)


@settings(max_examples=150)
@given(st.one_of(ANY_TEXT, HARD_TEXT, st.text("a  \t", max_size=30)), st.integers(40, 400))
def test_no_line_is_wider_than_its_room(text: str, width: int) -> None:
    assert lay_out(text, measure, width, side=SIDE).width <= width


@settings(max_examples=100)
@given(st.one_of(ANY_TEXT, HARD_TEXT), st.integers(60, 300), st.integers(1, 4))
def test_a_cut_text_keeps_its_lines_and_its_room(text: str, width: int, lines: int) -> None:
    layout = lay_out(text, measure, width, lines_max=lines, side=SIDE)
    assert len(layout.lines) <= lines and layout.width <= width
    assert layout.cut == (len(lay_out(text, measure, width, side=SIDE).lines) > lines)


@pytest.mark.parametrize("name", STRANGE)
def test_the_work_is_bounded_by_the_lines_that_are_wanted(name: str) -> None:
    asked: list[int] = []

    def counting(text: str) -> int:
        asked.append(len(text))
        return measure(text)

    lay_out(STRANGE[name], counting, 380, lines_max=20, side=SIDE)
    assert sum(asked) < 200_000


def test_every_sequence_of_the_pack_is_one_picture() -> None:
    all_keys = emoji.pack().keys()
    assert [key for key in all_keys if not (key in emoji.SIGNS or keys(key) == [key])] == []
    assert len(all_keys) > 3_900


def test_emoji_are_found_with_all_that_belongs_to_them() -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    assert keys(f"a{family}b") == [family]
    assert keys("🇨🇳🇩🇪") == ["🇨🇳", "🇩🇪"]
    assert keys("👍🏽") == ["👍🏽"]
    assert keys("1\ufe0f\u20e3") == ["1\u20e3"]
    assert keys("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f") == [
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    ]
    assert keys("❤") == keys("❤\ufe0f") == ["❤"]
    assert keys("86.40 © 2026 #1 *") == []
    assert keys("©\ufe0f") == ["©"]


def test_the_newest_emoji_are_there() -> None:
    """Unicode 17: distorted face, fight cloud, hairy creature, orca, landslide, trombone, treasure chest, dancer."""
    newest = "\U0001faea \U0001faef \U0001fac8 \U0001facd \U0001f6d8 \U0001fa8a \U0001fa8e \U0001f9d1\u200d\U0001fa70"
    assert keys(newest) == newest.split()


def test_what_the_set_lacks_is_taken_apart_and_never_left_to_tk() -> None:
    assert keys("👍\u200d👍") == ["👍", "👍"]
    assert keys("\U0001faff") == [""]
    assert keys("👨\u200d" * 2_000) == ["👨"] * 2_000


def test_text_style_is_a_grey_picture() -> None:
    assert [(found.key, found.grey) for found in emoji.find("☎\ufe0e☎")] == [("☎", True), ("☎", False)]


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_tk_is_handed_no_emoji_and_no_control(text: str) -> None:
    for line in lay_out(text, measure, 380, lines_max=40, side=SIDE).lines:
        for run in line.runs:
            if run.kind == "text":
                assert not emoji.find(run.shown)
                assert not any(unicodedata.category(c) in ("Cc", "Cs", "Cf") for c in run.shown)
                assert "\ufe0f" not in run.shown and "\u20e3" not in run.shown
    assert not emoji.find(for_tk(text)) and len(for_tk(text)) <= 80


def test_hebrew_is_drawn_from_right_to_left() -> None:
    layout = lay_out("אב 12", measure, 400, side=SIDE)
    assert shown(layout) == ["12 בא"]
    assert layout.lines[0].right
    assert shown(lay_out("ab אב c", measure, 400, side=SIDE)) == ["ab בא c"]
    assert shown(lay_out("א(ב)", measure, 400, side=SIDE)) == ["(ב)א"]


def test_arabic_letters_are_joined() -> None:
    assert shown(lay_out("سلام", measure, 400, side=SIDE)) == ["\ufee1\ufefc\ufeb3"]


def test_an_override_does_not_turn_an_amount_round() -> None:
    assert shown(lay_out("pay \u202e04.68\u202c now", measure, 400, side=SIDE)) == ["pay 04.68 now"]


def test_an_emoji_keeps_its_place_in_a_line_of_hebrew() -> None:
    assert shown(lay_out("א👍ב", measure, 400, side=SIDE)) == ["ב<👍>א"]


def test_marks_beyond_a_few_are_not_drawn() -> None:
    layout = lay_out("e" + "\u0301" * 500 + "x", measure, 400, side=SIDE)
    assert shown(layout) == ["e" + "\u0301" * scripts.MARKS_MAX + "x"]
