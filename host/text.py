"""Texts of other people, made safe to show on one line.

A chat message, a name, a signature, a bill's line: all of it is typed by somebody else, and what is printed or put into
a title must neither obey it (ESC, OSC), nor break into a second line that looks like one of ours, nor run backwards
(bidi overrides). Such characters are shown as visible signs; every other one stays what it is.
"""

from __future__ import annotations

import re
import unicodedata

LINE_BREAK_SIGN = "⏎"
CUT_SIGN = "…"

_LINE_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")  # what str.splitlines and terminals break at
_JOINERS = frozenset("\u200c\u200d")  # emoji families, Persian and Indic scripts are wrong without them
_PREPENDED = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Signs of numbers and of verses: format characters by category, but they are drawn."""

_FLAG = re.compile("(\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f)")
"""The flags of England, Scotland, Wales …: the only use of tag characters that is seen (Unicode TR 51, 2.5)."""


_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Fillers and an empty Braille cell: letters and marks by category, but nothing is drawn (Default_Ignorable)."""


class _Signs(dict[int, str]):
    """Code point to what is shown for it; each is judged once."""

    def __missing__(self, code: int) -> str:
        sign = _sign(chr(code))
        self[code] = sign
        return sign


def _sign(character: str) -> str:
    code = ord(character)
    if character in _LINE_BREAKS:
        return LINE_BREAK_SIGN
    if code < 0x20:
        return chr(0x2400 + code)  # the block of control pictures
    if code == 0x7F:
        return "␡"
    if character in _JOINERS or character in _PREPENDED:
        return character
    is_nothing = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF  # never a character, in no version of Unicode
    if is_nothing or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"
    return character


_SIGNS = _Signs()


def one_line(text: str, chars_max: int = 0) -> str:
    """`text` on one line, with a visible sign for every character that would do something else than be seen.

    `chars_max` above 0 cuts what is longer and ends it with "…".
    """
    if not text.isprintable():
        text = text.replace("\r\n", "\n")
        parts = _FLAG.split(text)  # every second one is such a flag
        text = "".join(part if at % 2 else part.translate(_SIGNS) for at, part in enumerate(parts))
    if 0 < chars_max < len(text):
        return text[: chars_max - 1] + CUT_SIGN
    return text


def is_one_line(text: str) -> bool:
    """Whether the text can stand on one line as it is: the rule for names, signatures and titles."""
    return one_line(text) == text


def is_seen(text: str) -> bool:
    """Whether anything of the text is drawn: joiners, fillers and blanks alone are no name."""
    return any(
        not character.isspace()
        and character not in _EMPTY
        and (character in _PREPENDED or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp", "Zs"))
        and not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef")  # selectors alone
        for character in text
    )
