"""A scrolled list on a Canvas that only creates what is visible; heights may vary and are learned when drawn."""

from __future__ import annotations

import tkinter
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.block import Anchor, Block, Justify, draw_text
from desktop_client.widgets.scrollbar import ThinScrollbar

if TYPE_CHECKING:
    from desktop_client.theme import Ui

WHEEL_STEP = 56  # design pixels a notch
TOP_NEAR = 600  # design pixels before the first entry, where older ones are asked for
MARGIN = 80  # design pixels drawn above and below what is seen, so that a notch never shows a gap


class Paper(tkinter.Canvas):
    """A canvas that keeps the texts of its items as they were told, without line breaks and with their emoji."""

    raw: dict[int, str]


class Pen:
    """Draws one entry and remembers all it made, so that the entry can be wiped away."""

    def __init__(self, canvas: Paper, ui: Ui) -> None:
        self.canvas = canvas
        self.ui = ui
        self.ids: list[int] = []
        self.widgets: list[tkinter.Widget] = []
        self.texts: list[str] = []
        self.blocks: dict[str, Block] = {}
        self.selectable: list[Block] = []
        self._pictures: list[Any] = []

    def text(
        self,
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
        with_links: bool = False,
        copied: bool = True,
    ) -> str:
        """Draw a text; returns the tag of its items. `width`, `lines_max`, `with_links` as `draw_text` has them.

        `copied`: it can be selected; what only tells about an entry, as its time, is not.
        """
        block = draw_text(
            self.canvas, self.ui, x, y, text, font, color,
            anchor=anchor, width=width, lines_max=lines_max, justify=justify, with_links=with_links,
        )  # fmt: skip
        self.ids.extend(block.ids)
        self.texts.append(text)
        self.blocks[block.tag] = block
        if copied:
            self.selectable.append(block)
        return block.tag

    def letter(self, x: float, y: float, letter: str, font: str, color: str) -> None:
        """The letter of an avatar, in the middle of a place: a picture's part, not a text to read or to copy."""
        block = draw_text(self.canvas, self.ui, x, y, letter, font, color, anchor="center")
        self.ids.extend(block.ids)
        self._pictures.append(block)

    def picture(self, x: float, y: float, picture: Any, anchor: Anchor = "nw") -> int:
        item = self.canvas.create_image(x, y, image=picture, anchor=anchor)
        self.ids.append(item)
        self._pictures.append(picture)
        return item

    def box(self, left: float, top: float, right: float, bottom: float, color: str) -> int:
        item = self.canvas.create_rectangle(left, top, right, bottom, fill=color, width=0)
        self.ids.append(item)
        return item

    def window(self, x: float, y: float, widget: tkinter.Widget, width: int = 0, height: int = 0) -> int:
        item = self.canvas.create_window(x, y, window=widget, anchor="nw", width=width, height=height)
        self.ids.append(item)
        self.widgets.append(widget)
        return item

    def height_of(self, tag: str) -> int:
        """The height of a text just drawn, in device pixels."""
        return self.blocks[tag].height

    def is_cut(self, tag: str) -> bool:
        """Whether a text just drawn has more than is shown."""
        return self.blocks[tag].layout.cut

    def below(self, item: int) -> None:
        """Put an item under all others: entries do not overlap, so the lowest place of the canvas will do."""
        self.canvas.tag_lower(item)

    def wipe(self) -> None:
        if self.ids:
            self.canvas.delete(*self.ids)
            for item in self.ids:
                self.canvas.raw.pop(item, None)
        for widget in self.widgets:
            widget.destroy()
        self.ids, self.widgets, self._pictures, self.texts, self.blocks = [], [], [], [], {}
        self.selectable = []


class VirtualList(tkinter.Frame):
    """Base of the roster's list and of the message stream. Subclasses give `estimate` and `draw`."""

    def __init__(self, master: tkinter.Misc, ui: Ui, back: str) -> None:
        super().__init__(master, background=back, bd=0, highlightthickness=0)
        self.ui = ui
        self.back = back
        self.canvas = Paper(
            self, background=back, bd=0, highlightthickness=0, takefocus=1, yscrollincrement=1, width=10, height=10
        )
        self.canvas.raw = {}
        self._bar = ThinScrollbar(self, ui, self._on_bar, back)
        self.canvas.pack(side="left", fill="both", expand=True)
        self._bar.place(relx=1.0, rely=0, relheight=1.0, anchor="ne")
        self.canvas.configure(yscrollcommand=self._on_scroll)
        self._heights: list[int] = []
        self._tops: list[int] = [0]
        self._drawn: dict[int, Pen] = {}
        self._width = 0
        self._busy = False
        self._at_end = False
        self.on_moved: Callable[[], None] = lambda: None
        self.canvas.bind("<Configure>", self._on_size)
        bind_wheel(self.canvas, self)

    # -- for subclasses

    def estimate(self, index: int) -> int:
        """The height of an entry before it was drawn, in device pixels."""
        raise NotImplementedError

    def draw(self, pen: Pen, index: int, top: int, width: int) -> int:
        """Draw one entry at `top`; returns its true height."""
        raise NotImplementedError

    # -- the public verbs

    def selectable(self) -> list[tuple[tuple[int, int], Block]]:
        """The texts that are drawn now and can be selected, in the order of reading."""
        pens = sorted(self._drawn.items())
        return [((index, n), block) for index, pen in pens for n, block in enumerate(pen.selectable)]

    def drawn_again(self) -> None:
        """Entries came into sight or changed; for what a subclass draws over them."""

    def drawn(self) -> dict[int, Pen]:
        """What exists at this moment: index to its pen."""
        return self._drawn

    def reset(self, count: int, *, to_end: bool = False) -> None:
        """Everything changed: forget all heights and draw again."""
        self._wipe()
        self._heights = [self.estimate(index) for index in range(count)]
        self._measure()
        self._at_end = to_end
        self.render()

    def grow(self, count: int) -> None:
        """Entries were added at the end."""
        self._heights.extend(self.estimate(index) for index in range(len(self._heights), count))
        self._measure()
        self.render()

    def insert(self, index: int, count: int) -> None:
        """Entries were put in before `index`; those after it move down with all they drew, and what is seen stays."""
        old = self._tops
        seen = int(self.canvas.canvasy(0))
        above = old[index] <= seen and not self._at_end
        self._heights[index:index] = [self.estimate(at) for at in range(index, index + count)]
        self._measure()
        moved: dict[int, Pen] = {}
        for at, pen in self._drawn.items():
            to = at + count if at >= index else at
            moved[to] = pen
            for item in pen.ids:
                self.canvas.move(item, 0, self._tops[to] - old[at])
        self._drawn = moved
        if above:
            self._move_to(seen + self._tops[index + count] - old[index])
        self.render()

    def redraw(self, indexes: Sequence[int]) -> None:
        """These entries look different now; those not drawn are left until they are seen."""
        for index in indexes:
            pen = self._drawn.pop(index, None)
            if pen:
                pen.wipe()
            else:
                self._heights[index] = self.estimate(index)
        self._measure()
        self.render()

    def redraw_all(self) -> None:
        self._wipe()
        self.render()

    def is_near_top(self) -> bool:
        """Whether what is seen is about to come to the first entry."""
        return self.canvas.canvasy(0) < self.ui.px(TOP_NEAR)

    def scroll_to_end(self) -> None:
        self._at_end = True
        self.render()

    def at_end(self) -> bool:
        """Whether the last entry is in sight."""
        return self._tops[-1] - self.canvas.canvasy(self.canvas.winfo_height()) < self.ui.px(40)

    def see(self, index: int) -> None:
        """Scroll just so far that an entry is in sight."""
        top, bottom = self._tops[index], self._tops[index + 1]
        self._at_end = False
        seen = self.canvas.canvasy(0)
        height = self.canvas.winfo_height()
        if top < seen:
            self._move_to(top)
        elif bottom > seen + height:
            self._move_to(bottom - height)
        self.render()

    def scroll(self, pixels: int) -> None:
        self._at_end = False
        self.canvas.yview_scroll(pixels, "units")

    def _on_bar(self, *command: str) -> None:
        self._at_end = False
        self.canvas.yview(*command)

    def index_at(self, y: int) -> int:
        """The entry under a window coordinate, or -1."""
        place = int(self.canvas.canvasy(y))
        if place < 0 or place >= self._tops[-1]:
            return -1
        return bisect_right(self._tops, place) - 1

    def place_of(self, index: int) -> tuple[int, int]:
        """Top and bottom of an entry in window coordinates."""
        seen = int(self.canvas.canvasy(0))
        return self._tops[index] - seen, self._tops[index + 1] - seen

    # -- inside

    def render(self) -> None:
        """Create what came into sight, delete what left it, and learn true heights."""
        if self._busy or self._width < 8:
            return
        self._busy = True
        try:
            for _round in range(6):  # each round may learn heights that bring others into sight
                if self._at_end:
                    self._move_to(self._tops[-1])
                if not self._pass():
                    break
        finally:
            self._busy = False
        self._order_focus()
        self.drawn_again()

    def _pass(self) -> bool:
        """One round of drawing; true where a height differed from what was thought."""
        seen = int(self.canvas.canvasy(0))
        margin = self.ui.px(MARGIN)
        first = max(0, bisect_right(self._tops, seen - margin) - 1)
        last = min(len(self._heights), bisect_right(self._tops, seen + self.canvas.winfo_height() + margin))
        for index in [i for i in self._drawn if not first <= i < last]:
            self._drawn.pop(index).wipe()
        anchor = max(first, min(bisect_right(self._tops, seen) - 1, len(self._heights) - 1))
        shift = seen - self._tops[anchor] if self._heights else 0
        learned = False
        for index in range(first, last):
            if index in self._drawn:
                continue
            pen = self._drawn[index] = Pen(self.canvas, self.ui)
            height = self.draw(pen, index, self._tops[index], self._width)
            if height != self._heights[index]:
                self._heights[index] = height
                learned = True
        if learned:
            self._wipe_after_learning(anchor, shift)
        return learned

    def _wipe_after_learning(self, anchor: int, shift: int) -> None:
        """Heights changed: draw at the right places, keeping the entry at the upper edge where it is."""
        old = self._tops
        self._measure()
        for index in list(self._drawn):
            if old[index] != self._tops[index]:
                pen = self._drawn[index]
                for item in pen.ids:
                    self.canvas.move(item, 0, self._tops[index] - old[index])
        if not self._at_end:
            self._move_to(self._tops[anchor] + shift)

    def _measure(self) -> None:
        self._tops = [0, *accumulate(self._heights)]
        total = max(self._tops[-1], 1)
        self.canvas.configure(scrollregion=(0, 0, self._width, max(total, self.canvas.winfo_height())))

    def _move_to(self, top: int) -> None:
        total = max(self._tops[-1], self.canvas.winfo_height(), 1)
        self.canvas.yview_moveto(max(0, top) / total)

    def _wipe(self) -> None:
        for pen in self._drawn.values():
            pen.wipe()
        self._drawn.clear()

    def _on_scroll(self, first: float, last: float) -> None:
        self._bar.set(first, last)
        if not self._busy:
            self.render()
            self.on_moved()

    def _on_size(self, event: tkinter.Event[Any]) -> None:
        if event.width != self._width:
            stay = self._at_end or (self._width > 8 and self.at_end())
            self._width = event.width
            self._wipe()
            self._heights = [self.estimate(index) for index in range(len(self._heights))]
            self._at_end = stay
        self._measure()
        self.render()

    def _order_focus(self) -> None:
        """Tab goes in the order of stacking, so the embedded widgets are stacked from top to bottom."""
        for index in sorted(self._drawn):
            for widget in self._drawn[index].widgets:
                widget.lift()


def bind_wheel(widget: tkinter.Misc, target: VirtualList) -> None:
    """The wheel over `widget` scrolls `target`, on X11 (buttons 4 and 5) and elsewhere."""
    step = target.ui.px(WHEEL_STEP)
    widget.bind("<Button-4>", lambda _e: target.scroll(-step), add=True)
    widget.bind("<Button-5>", lambda _e: target.scroll(step), add=True)
    widget.bind("<MouseWheel>", lambda e: target.scroll(-step if e.delta > 0 else step), add=True)
