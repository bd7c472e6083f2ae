"""Breaks a text into lines of a width, and each line into runs: letters for Tk, pictures of emoji.

No tkinter here but a font's `measure`. The work is bounded by the lines that are wanted, not by the text: a text of
4,000 letters in one word costs no more than what fits into the lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from desktop_client.widgets import emoji, scripts
from desktop_client.widgets.wrap import PIECE

Measure = Callable[[str], int]
ELLIPSIS = "…"
SLICE_CHARS = 300  # of a word that is measured at once; no line holds more
_NEUTRAL = "\u2603"  # stands for a picture where the order of a line is found
NARROW_PX = 3  # of a paragraph no more is looked at than fits into its lines in letters as narrow as this
SPACES = re.compile(r"[ \u3000\xa0\t\u2000-\u200a]+")


class Run(NamedTuple):
    """A part of a line. `x` and `width` in device pixels from the line's left; `start` and `end` in the text.

    `cells` gives each character cluster's (start, end, x, width) where they cannot be found by measuring the text.
    """

    kind: Literal["text", "emoji"]
    shown: str
    x: int
    width: int
    start: int
    end: int
    cells: tuple[tuple[int, int, int, int], ...] = ()
    grey: bool = False


@dataclass(frozen=True)
class TextLine:
    runs: tuple[Run, ...]
    width: int
    start: int
    end: int
    right: bool = False  # a paragraph that is read from right to left


@dataclass(frozen=True)
class Layout:
    """A whole text in lines. `cut`: there is more than `lines` show."""

    text: str
    lines: tuple[TextLine, ...]
    width: int
    cut: bool

    @property
    def simple(self) -> bool:
        """Whether one canvas item with line breaks shows it all."""
        return all(
            not line.right and len(line.runs) < 2 and (not line.runs or line.runs[0].kind == "text")
            for line in self.lines
        )


class _Cell(NamedTuple):
    """A cluster of a line that may need another order: where it stands in the text and what is drawn for it."""

    start: int
    end: int
    shown: str
    kind: Literal["text", "emoji"]
    grey: bool = False


class _Token(NamedTuple):
    """A piece of a paragraph that is not broken unless it is wider than a line."""

    start: int
    end: int
    width: int
    space: bool = False


class _Paragraph:
    """One paragraph with what is shown for each of its characters."""

    def __init__(self, text: str, offset: int, measure: Measure, side: int, join: bool) -> None:
        self.text = text
        self.offset = offset
        self.measure = measure
        self.side = side
        self.emoji = {found.start: found for found in emoji.find(text)}
        self.special = bool(scripts.SPECIAL.search(text))
        self.shown = scripts.shown_characters(text, join=join) if self.special else list(text)
        self.right = join and bool(scripts.RIGHT.search(text))
        self.leftwards = self.right and scripts.runs_right(text)

    def width(self, start: int, end: int) -> int:
        """The width of a part that holds no emoji."""
        return self.measure("".join(self.shown[start:end]) if self.special else self.text[start:end])

    def tokens(self) -> Iterator[_Token]:
        place = 0
        for found in (*self.emoji.values(), None):
            stop = found.start if found else len(self.text)
            yield from self._words(place, stop)
            if found:
                yield _Token(found.start, found.end, self.side)
                place = found.end

    def _words(self, place: int, stop: int) -> Iterator[_Token]:
        while place < stop:
            space = SPACES.match(self.text, place, stop)
            match = space or PIECE.match(self.text, place, stop)
            end = match.end() if match and match.end() > place else place + 1
            while end < stop and scripts.is_mark(self.text[end]):
                end += 1
            if end - place > SLICE_CHARS:
                end = place + SLICE_CHARS
            yield _Token(place, end, self.width(place, end), bool(space))
            place = end

    def cells(self, start: int, end: int) -> list[_Cell]:
        """The clusters of a line in the order of the text."""
        cells: list[_Cell] = []
        place = start
        while place < end:
            found = self.emoji.get(place)
            if found:
                cells.append(_Cell(place, found.end, found.key, "emoji", found.grey))
                place = found.end
                continue
            stop = place + 1
            while stop < end and stop not in self.emoji and (not self.shown[stop] or scripts.is_mark(self.text[stop])):
                stop += 1
            cells.append(_Cell(place, stop, "".join(self.shown[place:stop]), "text"))
            place = stop
        return cells


def lay_out(
    text: str, measure: Measure, width: int = 0, *, lines_max: int = 0, side: int = 0, join: bool = True
) -> Layout:
    """The text in lines of at most `width` device pixels (0: as wide as it is), at most `lines_max` of them (0: all).

    `side` is the width of an emoji. `join`: put right-to-left text in order here, since the platform does not.
    """
    lines: list[TextLine] = []
    cut = False
    chars_max = lines_max * (width // NARROW_PX + NARROW_PX) if lines_max and width else len(text)
    for start, end in _paragraphs(text):
        seen = min(end, start + chars_max)
        paragraph = _Paragraph(text[start:seen], start, measure, side, join)
        for line in _broken(paragraph, width):
            if lines_max and len(lines) == lines_max:
                cut = True
                break
            lines.append(_line(paragraph, *line))
        cut = cut or seen < end
        if cut:
            lines[-1] = _with_ellipsis(text, lines[-1], measure, width, side, join)
            break
    return Layout(text, tuple(lines), max((line.width for line in lines), default=0), cut)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    place = 0
    for match in scripts.LINE_END.finditer(text):
        yield place, match.start()
        place = match.end()
    yield place, len(text)


def _broken(paragraph: _Paragraph, width: int) -> Iterator[tuple[int, int]]:
    """The lines of a paragraph as (start, end) without the spaces at which they were broken."""
    start = end = room = 0  # the line so far, and its width with spaces
    for token in paragraph.tokens():
        if width and not token.space and room + token.width > width:
            if end > start:
                yield start, end
            start, end, room = token.start, token.start, 0
        if width and not token.space and token.width > width and token.start not in paragraph.emoji:
            pieces = _torn(paragraph, token, width)
            yield from pieces[:-1]
            start, end = pieces[-1]
            room = paragraph.width(start, end)
            continue
        room += token.width
        if not token.space or not width:
            end = token.end
    if end == start and not paragraph.text.strip():
        end = len(paragraph.text) if not width else start
    yield start, end


def _torn(paragraph: _Paragraph, token: _Token, width: int) -> list[tuple[int, int]]:
    """A word that is wider than a line in pieces; the last is not a whole line yet."""
    pieces: list[tuple[int, int]] = []
    place = token.start
    while True:
        low, high = place + 1, min(token.end, place + SLICE_CHARS)
        while low < high:
            middle = (low + high + 1) // 2
            if paragraph.width(place, middle) <= width:
                low = middle
            else:
                high = middle - 1
        while low < token.end and (not paragraph.shown[low] or scripts.is_mark(paragraph.text[low])):
            low += 1
        if low >= token.end:
            return [*pieces, (place, token.end)]
        pieces.append((place, low))
        place = low


def _line(paragraph: _Paragraph, start: int, end: int) -> TextLine:
    offset = paragraph.offset
    if not paragraph.right and not paragraph.special and not any(start <= at < end for at in paragraph.emoji):
        wide = paragraph.width(start, end)
        run = Run("text", paragraph.text[start:end], 0, wide, start + offset, end + offset)
        return TextLine((run,) if end > start else (), wide, start + offset, end + offset)
    cells = paragraph.cells(start, end)
    order = [(place, False) for place in range(len(cells))]
    if paragraph.right:
        letters = (_NEUTRAL if c.kind == "emoji" else scripts.direction_of(paragraph.text[c.start]) for c in cells)
        order = scripts.visual_order("".join(letters), paragraph.leftwards)
    runs, wide = _runs(paragraph, cells, order)
    return TextLine(tuple(runs), wide, start + offset, end + offset, paragraph.leftwards)


def _runs(paragraph: _Paragraph, cells: list[_Cell], order: list[tuple[int, bool]]) -> tuple[list[Run], int]:
    """The clusters in their order on the screen, letters in one run as far as no emoji stands between."""
    offset, x = paragraph.offset, 0
    runs: list[Run] = []
    waiting: list[tuple[_Cell, str]] = []

    def flush() -> None:
        nonlocal x
        if not waiting:
            return
        left, places = x, []
        for cell, sign in waiting:  # letters do not change their width for their neighbours (Xft knows no kerning)
            width = paragraph.measure(sign) if sign else 0
            places.append((cell.start + offset, cell.end + offset, x, width))
            x += width
        shown = "".join(sign for _cell, sign in waiting)
        first, last = min(p[0] for p in places), max(p[1] for p in places)
        runs.append(Run("text", shown, left, x - left, first, last, tuple(places)))
        waiting.clear()

    for place, leftwards in order:
        cell = cells[place]
        if cell.kind == "emoji":
            flush()
            runs.append(
                Run("emoji", cell.shown, x, paragraph.side, cell.start + offset, cell.end + offset, (), cell.grey)
            )
            x += paragraph.side
        else:
            waiting.append((cell, scripts.mirrored(cell.shown) if leftwards else cell.shown))
    flush()
    return runs, x


def _with_ellipsis(text: str, line: TextLine, measure: Measure, width: int, side: int, join: bool) -> TextLine:
    """The last line that is shown of a longer text: as much as fits before three dots."""
    room = max(0, width - measure(ELLIPSIS)) if width else 0
    start, end = line.start, line.end
    if width:
        paragraph = _Paragraph(text[start:end], start, measure, side, join)
        cells = paragraph.cells(0, end - start)
        taken = 0
        end = start
        for cell in cells:
            taken += paragraph.side if cell.kind == "emoji" else measure(cell.shown)
            if taken > room:
                break
            end = start + cell.end
        line = _line(paragraph, 0, end - start)
    dots = Run("text", ELLIPSIS, line.width, measure(ELLIPSIS), end, end, ((end, end, line.width, 0),))
    runs = line.runs
    if runs and runs[-1].kind == "text" and not line.right:
        last = runs[-1]
        dots = last._replace(shown=last.shown.rstrip() + ELLIPSIS, width=measure(last.shown.rstrip() + ELLIPSIS))
        runs = runs[:-1]
    return TextLine((*runs, dots), dots.x + dots.width, line.start, end, line.right)


def for_tk(text: str, chars_max: int = 80) -> str:
    """A text for Tk's own widgets (buttons, menus), which draw one line of letters: no emoji, controls as signs."""
    text = text[: 4 * chars_max]
    for found in reversed(emoji.find(text)):
        text = text[: found.start] + text[found.end :]
    shown = "".join(scripts.shown_characters(text.replace("\n", " "))).strip()
    return shown if len(shown) <= chars_max else shown[: chars_max - 1] + ELLIPSIS
