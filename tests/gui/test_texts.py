"""Texts: line breaks of Chinese, cutting to a width, catalogs."""

from __future__ import annotations

import gettext
import io
import re

from hypothesis import assume, given
from hypothesis import strategies as st

from desktop_client import i18n
from desktop_client.widgets.contact import initial, picture_name
from desktop_client.widgets.layout import lay_out


class TenPixels:
    """A font whose every character is ten pixels wide."""

    def measure(self, text: str) -> int:
        return 10 * len(text)


FONT = TenPixels()
STOPS_IN_A_ROW = re.compile("[，。]{7}")  # more than a line holds: some of them have to begin one


def wrap(text: str, width: int) -> str:
    """The text in the lines in which it is drawn."""
    layout = lay_out(text, FONT.measure, width, side=10)
    return "\n".join(text[line.start : line.end] for line in layout.lines)


@given(st.text(alphabet="电费账单，。（）《》～ab 1￥\u3000\n", max_size=60), st.integers(20, 400))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    wrapped = wrap(text, width)
    assert "".join(wrapped.split()) == "".join(text.split())


@given(st.text(alphabet="电费账单，。", min_size=1, max_size=60))
def test_no_line_begins_with_a_stop(text: str) -> None:
    assume(not STOPS_IN_A_ROW.search(text))
    lines = wrap("电" + text, 80).split("\n")
    assert all(line[:1] not in ("，", "。") for line in lines)


def test_a_text_in_plain_letters_is_one_item_for_tk_whatever_its_lines() -> None:
    layout = lay_out("some English words, and more of them", FONT.measure, 120, side=10)
    assert layout.simple and [line.runs[0].shown for line in layout.lines] == [
        "some English", "words, and", "more of them",
    ]  # fmt: skip


@given(st.text(max_size=40), st.integers(0, 500))
def test_a_cut_text_fits(text: str, width: int) -> None:
    cut = lay_out(text, FONT.measure, width, lines_max=1, side=10)
    assert not width or cut.width <= max(width, 10)


def test_an_avatar_shows_the_chinese_character_or_the_first_letter() -> None:
    assert [initial(name) for name in ("Lin Yue 林悦", "wang", " ", "")] == ["林", "W", "?", "?"]


def test_an_unknown_icon_is_a_bill() -> None:
    assert [picture_name(icon) for icon in ("⚡", "water", "../../etc", "")] == ["electricity", "water", "bill", "bill"]


def test_the_language_falls_back_to_english() -> None:
    assert i18n.set_language("zh_CN") == "zh_CN"
    assert i18n._("Sign in") == "登录"
    assert i18n.set_language("fr_FR") == "en"
    assert i18n._("Sign in") == "Sign in"


def test_a_catalog_compiles_without_msgfmt() -> None:
    po = "\n".join(
        (
            'msgid ""',
            'msgstr "Content-Type: text/plain; charset=UTF-8\\n"',
            "",
            'msgid "one"',
            'msgid_plural "many"',
            'msgstr[0] "一"',
            "",
            "#, fuzzy",
            'msgid "a"',
            'msgstr "b"',
            "",
            'msgid ""',
            '"long "',
            '"text"',
            'msgstr "长"',
        )
    )
    catalog = gettext.GNUTranslations(io.BytesIO(i18n.compile_po(po)))
    assert catalog.gettext("long text") == "长"
    assert catalog.gettext("a") == "a"
    assert catalog.ngettext("one", "many", 1) == "一"
