"""A text on a canvas: lines of letters and pictures of emoji, and where each of its characters stands.

`draw_text` is the one way by which texts of people reach a canvas. Everything that the wire allows is safe here: long
texts are cut, emoji are pictures, controls are signs, right-to-left letters stand in their order.
"""

from __future__ import annotations

import re
import sys
import tkinter
from itertools import count, pairwise
from tkinter.font import Font
from typing import TYPE_CHECKING, Any, Literal

from desktop_client.widgets import links
from desktop_client.widgets.layout import Layout, Run, TextLine, lay_out

if TYPE_CHECKING:
    from desktop_client.theme import Ui
    from desktop_client.widgets.links import Link

Anchor = Literal["nw", "n", "ne", "w", "center", "e", "sw", "s", "se"]
Justify = Literal["left", "center", "right"]
EMOJI_SHARE = 0.86  # of the line's height
TEXT_CHARS_MAX = 20_000  # five times what a message may have: nothing longer is looked at
LINE_CHARS_MAX = 400  # more than the widest window shows of a line
LINES_MAX = 400  # of one text, where the caller names no smaller number; a canvas of these is still quick
WORD_CHARS_MAX = 24
WORDS_KEPT_MAX = 2_048  # of a font, 200 KB at most
OURS_TO_ORDER = sys.platform not in ("win32", "darwin")  # there Tk's own drawing joins and orders the letters
_BREAKS = re.compile("\\s*[\t\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\\s*")
_numbers = count(1)


class Metrics:
    """What laying out asks of a font. Words that were measured are kept: most come again."""

    def __init__(self, font: Font) -> None:
        self.line = int(font.metrics("linespace"))
        self.side = max(8, round(self.line * EMOJI_SHARE))
        self._font = font
        self._kept: dict[str, int] = {}

    def measure(self, text: str) -> int:
        """The width of a text without emoji, in device pixels."""
        width = self._kept.get(text)
        if width is None:
            width = int(self._font.measure(text))
            if len(text) <= WORD_CHARS_MAX:
                if len(self._kept) >= WORDS_KEPT_MAX:
                    self._kept.clear()
                self._kept[text] = width
        return width


def metrics(font: Font) -> Metrics:
    """One for each font, kept with it."""
    kept: Metrics | None = getattr(font, "kept_metrics", None)
    if kept is None:
        kept = Metrics(font)
        font.kept_metrics = kept  # type: ignore[attr-defined]
    return kept


def forget_metrics(font: Font) -> None:
    """A font has another size now."""
    vars(font).pop("kept_metrics", None)


def text_layout(font: Font, text: str, width: int = 0, lines_max: int = 0) -> Layout:
    """How a text would be drawn."""
    m = metrics(font)
    lines = lines_max or LINES_MAX
    return lay_out(text[:TEXT_CHARS_MAX], m.measure, width, lines_max=lines, side=m.side, join=OURS_TO_ORDER)


def text_width(font: Font, text: str) -> int:
    """How wide a text would be on one line, in device pixels; of a very long one, its beginning."""
    return text_layout(font, one_line(text)[:LINE_CHARS_MAX], 0, 1).width


def one_line(text: str) -> str:
    """A name, a signature or another text for one line: tabs and line ends are spaces."""
    return _BREAKS.sub(" ", text[:TEXT_CHARS_MAX].strip())


class Block:
    """One text that was drawn. Its items carry `tag`; they may be moved, and places are asked for afterwards."""

    def __init__(self, canvas: tkinter.Canvas, ui: Ui, layout: Layout, font: Font, color: str) -> None:
        self.canvas = canvas
        self.layout = layout
        self.tag = f"text{next(_numbers)}"
        self.ids: list[int] = []
        self.pictures: list[Any] = []
        self.line = metrics(font).line
        self.width = layout.width
        self.height = max(1, len(layout.lines)) * self.line
        self.color = color
        self.links: tuple[Link, ...] = ()
        self._ui, self._font = ui, font
        self._indents = [0] * len(layout.lines)
        self._origin = (0.0, 0.0)
        self._first = (0.0, 0.0)

    @property
    def text(self) -> str:
        return self.layout.text

    def draw(self, x: float, y: float, justify: Justify) -> None:
        """Create the items with the upper left corner at a place."""
        self._origin = (x, y)
        for n, line in enumerate(self.layout.lines):
            free = self.width - line.width
            right = justify == "right" or (justify == "left" and line.right)
            self._indents[n] = free if right else free // 2 if justify == "center" else 0
        if self.layout.simple and justify == "left" and not self.links:
            shown = "\n".join(line.runs[0].shown if line.runs else "" for line in self.layout.lines)
            self._letters(x, y, shown)
            return
        for n, line in enumerate(self.layout.lines):
            for run in line.runs:
                self._run(run, x + self._indents[n] + run.x, y + n * self.line)
        if not self.ids:
            self._letters(x, y, "")

    def _run(self, run: Run, x: float, y: float) -> None:
        if run.kind == "text":
            self._letters_and_links(run, x, y)
            return
        picture = self._ui.paint.sign(run.shown, run.width - max(1, run.width // 9), run.grey, self.color)
        self.pictures.append(picture)
        x, y = x + run.width / 2, y + self.line / 2
        self.ids.append(self.canvas.create_image(x, y, image=picture, anchor="center", tags=self.tag))

    def _letters(self, x: float, y: float, shown: str, color: str = "") -> None:
        color = color or self.color
        self.ids.append(
            self.canvas.create_text(x, y, text=shown, font=self._font, fill=color, anchor="nw", tags=self.tag)
        )

    def _letters_and_links(self, run: Run, x: float, y: float) -> None:
        """The letters of a run; those of a link have its colour and a line under them."""
        inside = [link for link in self.links if link.start < run.end and link.end > run.start]
        if not inside:
            self._letters(x, y, run.shown)
            return
        color = self.color if self.color == self._ui.c.on_own_bubble else self._ui.c.accent_text
        if run.cells:
            self._letters(x, y, run.shown)
        else:
            edges = sorted({run.start, run.end, *(min(max(e, run.start), run.end) for k in inside for e in k[:2])})
            for a, b in pairwise(edges):
                before = self._measure(run.shown[: a - run.start])
                linked = any(link.start <= a < link.end for link in inside)
                self._letters(x + before, y, run.shown[a - run.start : b - run.start], color if linked else "")
        for link in inside:
            for left, right in self._spans(run, link.start, link.end):
                at, low = x - run.x, y + self.line - max(1, self.line // 10)
                self.ids.append(self.canvas.create_line(at + left, low, at + right, low, fill=color, tags=self.tag))

    def _measure(self, shown: str) -> int:
        return metrics(self._font).measure(shown) if shown else 0

    # -- places

    def origin(self) -> tuple[float, float]:
        """The upper left corner as it is now, after the items were moved."""
        x, y = self.canvas.coords(self.ids[0])
        return self._origin[0] + x - self._first[0], self._origin[1] + y - self._first[1]

    def remember(self) -> None:
        """Keep where the first item stands, to learn of moves."""
        x, y = self.canvas.coords(self.ids[0])
        self._first = (x, y)

    def holds(self, x: float, y: float) -> bool:
        """Whether a place of the canvas is on this text."""
        left, top = self.origin()
        return left <= x <= left + self.width and top <= y < top + self.height

    def offset_at(self, x: float, y: float) -> int:
        """The place between two characters that is nearest to a place of the canvas."""
        left, top = self.origin()
        if not self.layout.lines or y < top:
            return 0
        n = min(len(self.layout.lines) - 1, int((y - top) // self.line))
        if y >= top + self.height:
            return self.layout.lines[-1].end
        line = self.layout.lines[n]
        return self._offset_in(line, x - left - self._indents[n])

    def _offset_in(self, line: TextLine, x: float) -> int:
        if x <= 0 and not line.right:
            return line.start
        best = line.start if line.right else line.end
        for run in line.runs:
            if run.x <= x < run.x + run.width:
                return self._offset_in_run(run, x, line.right)
        if line.right and x <= 0:
            best = line.end
        return best

    def _offset_in_run(self, run: Run, x: float, leftwards: bool) -> int:
        if run.kind == "emoji":
            return run.end if (x > run.x + run.width / 2) != leftwards else run.start
        for start, end, left, width in run.cells:
            if left <= x < left + width:
                return end if (x > left + width / 2) != leftwards else start
        if run.cells:
            return run.end
        low, high = 0, len(run.shown)
        measure = metrics(self._font).measure
        while low < high:
            middle = (low + high + 1) // 2
            before = measure(run.shown[:middle]) - measure(run.shown[middle - 1]) / 2
            if run.x + before <= x:
                low = middle
            else:
                high = middle - 1
        return run.start + min(low, run.end - run.start)

    def link_at(self, x: float, y: float) -> str:
        """The target of the link under a place of the canvas; empty where there is none."""
        for link in self.links:
            if any(a <= x < c and b <= y < d for a, b, c, d in self.boxes(link.start, link.end)):
                return link.target
        return ""

    def boxes(self, start: int, end: int) -> list[tuple[float, float, float, float]]:
        """The rectangles that a part of the text covers, in canvas coordinates."""
        left, top = self.origin()
        boxes: list[tuple[float, float, float, float]] = []
        for n, line in enumerate(self.layout.lines):
            if line.start >= end or line.end < start:
                continue
            spans = [span for run in line.runs for span in self._spans(run, start, end)]
            for a, b in _merged(spans):
                x, y = left + self._indents[n], top + n * self.line
                boxes.append((x + a, y, x + b, y + self.line))
        return boxes

    def _spans(self, run: Run, start: int, end: int) -> list[tuple[int, int]]:
        if run.end <= start or run.start >= end:
            return []
        if run.start >= start and run.end <= end:
            return [(run.x, run.x + run.width)]
        if run.kind == "emoji":
            return []
        if run.cells:
            return [(x, x + width) for a, b, x, width in run.cells if a >= start and b <= end]
        measure = metrics(self._font).measure
        first, last = max(0, start - run.start), min(len(run.shown), end - run.start)
        before = measure(run.shown[:first]) if first else 0
        return [(run.x + before, run.x + measure(run.shown[:last]))]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for a, b in sorted(spans):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


def draw_text(
    canvas: tkinter.Canvas,
    ui: Ui,
    x: float,
    y: float,
    text: str,
    font: str,
    color: str,
    *,
    anchor: Anchor = "nw",
    width: int = 0,
    lines_max: int = 0,
    justify: Justify = "left",
    tags: str = "",
    with_links: bool = False,
) -> Block:
    """Draw a text. `width` in device pixels is where its lines break (0: nowhere); with `lines_max` 1 it is one line
    that ends in three dots where it does not fit. The canvas remembers the text in `raw`, if it has one.
    """
    if lines_max == 1:
        text = one_line(text[:LINE_CHARS_MAX])
    chosen = ui.font(font)
    block = Block(canvas, ui, text_layout(chosen, text, max(width, 0), lines_max), chosen, color)
    if with_links:
        block.links = links.find(block.text)
    left, top = x, y
    if anchor in ("n", "center", "s"):
        left -= block.width / 2
    elif anchor in ("ne", "e", "se"):
        left -= block.width
    if anchor in ("w", "center", "e"):
        top -= block.height / 2
    elif anchor in ("sw", "s", "se"):
        top -= block.height
    block.draw(left, top, justify)
    block.remember()
    if tags:
        canvas.addtag_withtag(tags, block.tag)
    raw = getattr(canvas, "raw", None)
    if raw is not None:
        raw.update(dict.fromkeys(block.ids, ""))
        raw[block.ids[0]] = told(block.layout)
    return block


def told(layout: Layout) -> str:
    """The text as far as it is shown."""
    return layout.text[: layout.lines[-1].end] + "…" if layout.cut else layout.text
