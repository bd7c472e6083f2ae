"""Breaks Chinese text into lines: Tk breaks it anywhere, so that a full stop could begin a line."""

from __future__ import annotations

import re
from tkinter.font import Font

CJK = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
# Ideographs one by one, each with the signs that may not end or begin a line; other words whole.
PIECE = re.compile(
    "[（《「『【“‘]*(?:[\u3400-\u9fff]|[^\\s\u3000-\u303f\u3400-\u9fff\uff00-\uffef]+)?[，。、；：？！）》」』】”’…]*|\\s"
)


def wrap(font: Font, text: str, width: int) -> str:
    """The text with line breaks for `width` device pixels; a text without Chinese is left to Tk."""
    if width <= 0 or not CJK.search(text):
        return text
    return "\n".join(_wrap_line(font, line, width) for line in text.split("\n"))


def _pieces(text: str) -> list[str]:
    pieces, place = [], 0
    while place < len(text):
        found = PIECE.match(text, place)
        piece = found.group() if found else ""
        piece = piece or text[place]  # a sign of no list stands alone
        pieces.append(piece)
        place += len(piece)
    return pieces


def _wrap_line(font: Font, text: str, width: int) -> str:
    lines, line = [], ""
    for piece in _pieces(text):
        if line and font.measure((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    lines.append(line)
    return "\n".join(lines)
