"""What a text shows character by character: signs for controls, joined Arabic letters, the order of right-to-left text.

Tk 8.6 on X11 does none of it: it draws letters in the order of the string and unjoined, and lets a hundred combining
marks run out of their line. The bidirectional algorithm (UAX #9) is python-bidi's, the joining arabic-reshaper's.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import Any

MARKS_MAX = 4  # combining marks drawn on one letter; the languages of the world need no more
TAB = "    "
REPLACEMENT = "\ufffd"

# Line ends of every kind; a text is taken apart there first.
LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Anything that is not simply drawn as it is: controls, marks, right-to-left letters, invisible and reserved ones.
SPECIAL = re.compile(
    "[\0-\x1f\x7f-\x9f\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u08ff\u0e31-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\ufb1d-\ufdff\ufe00-\ufe0f\ufe20-\ufe2f\ufe70-\ufeff\ufff0-\uffff"
    "\U00010800-\U00010fff\U0001e800-\U0001efff\U000e0000-\U0010ffff\ud800-\udfff]"
)
RIGHT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
ARABIC = re.compile("[\u0600-\u07bf\u0860-\u08ff]")
NON_JOINER = "\u200c"
_LAM = {"\ufedf": 0, "\ufee0": 1}
_LAM_ALEF = {"\ufe82": "\ufef5\ufef6", "\ufe84": "\ufef7\ufef8", "\ufe88": "\ufef9\ufefa", "\ufe8e": "\ufefb\ufefc"}


def is_mark(character: str) -> bool:
    """Whether a character stands on the one before it."""
    return unicodedata.category(character) in ("Mn", "Me", "Mc")


def shown_characters(text: str, *, join: bool = True) -> list[str]:
    """What is drawn for each character of a line; empty for what is invisible. `join` shapes Arabic."""
    shown: list[str] = []
    marks = 0
    for character in text:
        sign = _sign(character)
        marks = marks + 1 if is_mark(character) else 0
        shown.append("" if marks > MARKS_MAX else sign)
    if join and ARABIC.search(text):
        _join(text, shown)
    return shown


@lru_cache(maxsize=2_048)
def _sign(character: str) -> str:
    code = ord(character)
    if character == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0x80 <= code < 0xA0 or 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return REPLACEMENT
    if unicodedata.category(character) == "Cf" or character in "\u034f\u115f\u1160\u3164\uffa0\u20e3":
        return ""
    if 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFF:
        return ""
    return character


def _join(text: str, shown: list[str]) -> None:
    """Put the joined forms of Arabic letters into `shown`; lam and alef become one sign."""
    letters = [index for index, sign in enumerate(shown) if sign or text[index] == NON_JOINER]
    forms = _reshaper().reshape("".join(text[index] for index in letters))
    if len(forms) != len(letters):
        return
    for index, form in zip(letters, forms, strict=True):
        if ARABIC.match(text[index]):
            shown[index] = form
    for here, following in pairwise(letters):
        if shown[here] in _LAM and shown[following] in _LAM_ALEF:
            shown[here] = _LAM_ALEF[shown[following]][_LAM[shown[here]]]
            shown[following] = ""


@lru_cache(maxsize=1)
def _reshaper() -> Any:
    """One sign a letter, so that every sign knows its letter; the ligature of lam and alef is made here."""
    from arabic_reshaper import ArabicReshaper

    return ArabicReshaper({"delete_harakat": False, "support_ligatures": False, "delete_tatweel": False})


def runs_right(text: str) -> bool:
    """Whether a paragraph is written from right to left: its first letter decides."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def visual_order(letters: str, right: bool) -> list[tuple[int, bool]]:
    """The places of a line's letters from left to right on the screen, and whether each is read leftwards.

    `letters` has one character for each cluster, as `direction_of` gives it. Explicit embeddings, overrides and
    isolates are not among them: they are invisible, and could show an amount reversed.
    """
    from bidi import algorithm

    storage = algorithm.get_empty_storage()
    storage["base_level"], storage["base_dir"] = int(right), "LR"[right]
    algorithm.get_embedding_levels(letters, storage)
    for place, character in enumerate(storage["chars"]):
        character["place"] = place
    algorithm.explicit_embed_and_overrides(storage)
    algorithm.resolve_weak_types(storage)
    algorithm.resolve_neutral_types(storage, False)
    algorithm.resolve_implicit_levels(storage, False)
    algorithm.reorder_resolved_levels(storage, False)
    return [(character["place"], character["level"] % 2 == 1) for character in storage["chars"]]


def direction_of(character: str) -> str:
    """A character of the same direction that the algorithm keeps: it drops controls, and we show them as signs."""
    return "\u2400" if unicodedata.bidirectional(character) in _DROPPED else character


_DROPPED = frozenset(("", "B", "BN", "NSM", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))


def mirrored(sign: str) -> str:
    """A bracket as it is drawn where a line is read leftwards."""
    from bidi.mirror import MIRRORED

    return MIRRORED.get(sign, sign)
