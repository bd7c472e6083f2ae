"""A long text that scrolls: only the lines that are seen exist, so its length costs nothing."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING

from desktop_client.widgets.block import text_layout
from desktop_client.widgets.selecting import Selecting
from desktop_client.widgets.virtual import Pen, VirtualList

if TYPE_CHECKING:
    from desktop_client.theme import Ui

SIDE = 20  # design pixels left and right of the text
EDGE_STEP = 24  # design pixels that a text moves on while a selection is dragged over its edge
CHUNK_LINES = 16  # drawn together
LINES_MAX = 20_000  # each character of the longest text on a line of its own


class TextView(VirtualList):
    """Shows one text, wrapped to its width."""

    def __init__(self, master: tkinter.Misc, ui: Ui, text: str) -> None:
        super().__init__(master, ui, ui.c.card)
        self.text = text
        self._chunks: list[str] = []
        self.selecting = Selecting(self.canvas, ui, self.selectable)
        self.selecting.text_of = lambda entry: self._chunks[entry]
        self.selecting.on_edge = lambda direction: self.scroll(direction * ui.px(EDGE_STEP))
        self._laid_out = 0  # the width for which the chunks were made
        self.canvas.bind("<Configure>", lambda e: self._break(e.width), add=True)
        for key, step in (("Up", -56), ("Down", 56), ("Prior", -300), ("Next", 300)):
            self.canvas.bind(f"<{key}>", lambda _e, by=ui.px(step): self.scroll(by))  # type: ignore[misc]

    def _break(self, width: int) -> None:
        if width == self._laid_out:
            return
        self._laid_out = width
        lines = text_layout(self.ui.font("body"), self.text, self._room(width), LINES_MAX).lines
        groups = [lines[n : n + CHUNK_LINES] for n in range(0, len(lines), CHUNK_LINES)]
        self._chunks = [self.text[group[0].start : group[-1].end] for group in groups]
        self.reset(len(self._chunks))

    def _room(self, width: int) -> int:
        return max(self.ui.px(60), width - 2 * self.ui.px(SIDE))

    def drawn_again(self) -> None:
        self.selecting.paint()

    def estimate(self, index: int) -> int:
        return self.ui.px(20) * CHUNK_LINES

    def draw(self, pen: Pen, index: int, top: int, width: int) -> int:
        first = self.ui.px(SIDE) if index == 0 else 0
        last = self.ui.px(SIDE) if index == len(self._chunks) - 1 else 0
        tag = pen.text(
            self.ui.px(SIDE),
            top + first,
            self._chunks[index],
            "body",
            self.ui.c.text,
            width=self._room(width),
            with_links=True,
        )
        return first + pen.height_of(tag) + last
