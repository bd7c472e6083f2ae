"""Selecting and copying of drawn texts, by mouse and keys, with a context menu. For every canvas that shows `Block`s.

    selecting = Selecting(canvas, ui, lambda: [((0, 0), block)])     # the texts that are drawn, in the order of reading
    selecting.on_link = ask                                          # called with the target of a link that was clicked
    selecting.more = lambda place: [("Send again", resend)]          # further entries of the menu, where a text is

Drag, double click (a word), triple click (a text), Shift and click, Ctrl+A, Ctrl+C, Escape, the right button, the menu
key and Shift+F10. What is selected is X11's PRIMARY too, for the middle button. One selection an application: a new
one ends the one before. A list whose entries come and go paints again by calling `paint` after it has drawn.
"""

from __future__ import annotations

import re
import tkinter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from desktop_client.i18n import _
from desktop_client.widgets.block import Block
from desktop_client.widgets.menu import Menu
from desktop_client.widgets.paint import mix

if TYPE_CHECKING:
    from desktop_client.theme import Ui

Place = tuple[int, int]  # which text: entry and number in it
Point = tuple[Place, int]  # a place between two characters
Extra = tuple[str, Callable[[], object]]
SELECTION_SHARE = 0.76  # of the ground in the colour behind selected letters
WORD = re.compile(r"\w+|[^\w\s]+|\s+")
DRAG_PIXELS = 4  # a press that moves less is a click


class Selecting:
    """The selection of one canvas."""

    _holder: Selecting | None = None  # who has the application's one selection

    def __init__(self, canvas: tkinter.Canvas, ui: Ui, blocks: Callable[[], Sequence[tuple[Place, Block]]]) -> None:
        self.canvas = canvas
        self._ui = ui
        self._blocks = blocks
        self._anchor: Point | None = None
        self._head: Point | None = None
        self._unit = "letter"
        self._shape = ""
        self._pressed = (0, 0)
        self.on_link: Callable[[str], object] = lambda _target: None
        self.on_edge: Callable[[int], object] = lambda _direction: None  # dragged over the upper (-1) or lower (1) edge
        self.more: Callable[[Place | None], Sequence[Extra]] = lambda _place: ()
        self.text_of: Callable[[int], str] = lambda _entry: ""  # an entry that is selected but not drawn now
        self._bind()

    def _bind(self) -> None:
        canvas = self.canvas
        handlers: dict[str, Callable[[tkinter.Event[Any]], str | None]] = {
            "<ButtonPress-1>": self._on_press,
            "<B1-Motion>": self._on_drag,
            "<ButtonRelease-1>": self._on_release,
            "<Shift-ButtonPress-1>": self._on_extend,
            "<Double-ButtonPress-1>": self._on_double,
            "<Triple-ButtonPress-1>": self._on_triple,
            "<Motion>": self._on_motion,
            "<ButtonPress-3>": self._on_menu,
            "<Escape>": self._on_escape,
        }
        for event, handle in handlers.items():
            canvas.bind(event, handle, add=True)
        for event in ("<Control-c>", "<Control-C>", "<Control-Insert>", "<<Copy>>"):
            canvas.bind(event, lambda _e: self._copied())
        for event in ("<Control-a>", "<Control-A>"):
            canvas.bind(event, lambda _e: self._all_of_entry())
        for event in ("<Menu>", "<Shift-F10>", "<App>"):
            self._bind_if_known(event)

    # -- verbs

    def text(self) -> str:
        """What is selected."""
        if self._anchor is None or self._head is None:
            return ""
        (first, start), (last, end) = self._ends()
        drawn = dict(self._blocks())
        parts: list[str] = []
        between = {place for place in drawn if first <= place <= last}
        for place in sorted({first, last} | between | self._gaps(first, last)):
            block = drawn.get(place)
            if block is None:
                parts.append(self.text_of(place[0]))
                continue
            a = start if place == first else 0
            b = end if place == last else len(block.text)
            parts.append(block.text[a:b])
        return "\n".join(part for part in parts if part)

    def select(self, start: Point, end: Point) -> None:
        """Select from one point to another, and take X11's PRIMARY."""
        if Selecting._holder is not self:
            if Selecting._holder is not None:
                Selecting._holder.clear()
            Selecting._holder = self
        self._anchor, self._head = start, end
        self.paint()

    def clear(self) -> None:
        """Nothing is selected."""
        self._anchor = self._head = None
        if Selecting._holder is self:
            Selecting._holder = None
        self._wipe()

    def copy(self, text: str = "") -> bool:
        """Put the selection, or this text, into the clipboard; false when there is nothing."""
        text = text or self.text()
        if not text:
            return False
        self.canvas.clipboard_clear()
        self.canvas.clipboard_append(text)
        return True

    def moved(self, index: int, count: int) -> None:
        """So many entries were put in before the one at `index`."""
        if self._anchor is not None and self._head is not None:
            (first, n), a = self._anchor
            (last, m), b = self._head
            first, last = (entry + count if entry >= index else entry for entry in (first, last))
            self._anchor, self._head = ((first, n), a), ((last, m), b)

    def paint(self) -> None:
        """Draw the grounds of what is selected."""
        self._wipe()
        if self._anchor is None or self._head is None:
            return
        (first, start), (last, end) = self._ends()
        for place, block in self._blocks():
            if not first <= place <= last:
                continue
            a = start if place == first else 0
            b = end if place == last else len(block.text)
            color = self._color(block)
            for box in block.boxes(a, b):
                item = self.canvas.create_rectangle(*box, fill=color, width=0, tags="selection")
                self.canvas.tag_lower(item, block.ids[0])

    def _wipe(self) -> None:
        try:
            self.canvas.delete("selection")
        except tkinter.TclError:
            return  # the window is gone, and its selection with it

    def _color(self, block: Block) -> str:
        c = self._ui.c
        light = (c.on_own_bubble, c.header_text, c.header_muted)
        return c.own_pressed if block.color in light else mix(c.accent, c.card, SELECTION_SHARE)

    # -- where things are

    def _ends(self) -> tuple[Point, Point]:
        assert self._anchor is not None and self._head is not None
        return (self._anchor, self._head) if self._anchor <= self._head else (self._head, self._anchor)

    def _gaps(self, first: Place, last: Place) -> set[Place]:
        """Entries between the ends that are not drawn now."""
        drawn = {entry for (entry, _n), _block in self._blocks()}
        return {(entry, 0) for entry in range(first[0], last[0] + 1) if entry not in drawn} - {first, last}

    def _spot(self, event: tkinter.Event[Any]) -> tuple[float, float]:
        return self.canvas.canvasx(event.x), self.canvas.canvasy(event.y)

    def hit(self, x: float, y: float) -> tuple[Place, Block] | None:
        """The text under a place of the canvas."""
        for place, block in self._blocks():
            if block.holds(x, y):
                return place, block
        return None

    def _nearest(self, x: float, y: float) -> Point | None:
        """The point that is nearest: in the text under the place, else in the one that is closest by height."""
        best: tuple[float, float, Place, Block] | None = None
        for place, block in self._blocks():
            left, top = block.origin()
            down = max(top - y, y - top - block.height, 0)
            aside = max(left - x, x - left - block.width, 0)
            if best is None or (down, aside) < best[:2]:
                best = (down, aside, place, block)
        return (best[2], best[3].offset_at(x, y)) if best else None

    def link_at(self, x: float, y: float) -> str:
        """The target of the link under a place of the canvas, empty where there is none."""
        found = self.hit(x, y)
        return found[1].link_at(x, y) if found else ""

    # -- the mouse

    def _on_press(self, event: tkinter.Event[Any]) -> None:
        self._pressed = (event.x, event.y)
        self._unit = "letter"
        found = self.hit(*self._spot(event))
        self.clear()
        if found is None:
            self._anchor = None
            return
        point = (found[0], found[1].offset_at(*self._spot(event)))
        self.select(point, point)

    def _on_extend(self, event: tkinter.Event[Any]) -> str:
        self._pressed = (event.x - DRAG_PIXELS, event.y)
        point = self._nearest(*self._spot(event))
        if self._anchor is not None and point is not None:
            self.select(self._anchor, point)
        return "break"

    def _on_drag(self, event: tkinter.Event[Any]) -> None:
        if self._anchor is None or self._unit != "letter":
            return
        if event.y < 0 or event.y > self.canvas.winfo_height():
            self.on_edge(-1 if event.y < 0 else 1)
        point = self._nearest(*self._spot(event))
        if point is not None:
            self.select(self._anchor, point)

    def _on_release(self, event: tkinter.Event[Any]) -> None:
        moved = abs(event.x - self._pressed[0]) + abs(event.y - self._pressed[1])
        target = self.link_at(*self._spot(event))
        if target and moved < DRAG_PIXELS and self._unit == "letter":
            self.clear()
            self.on_link(target)
        elif self._anchor == self._head:
            self.clear()
        elif self._anchor is not None:
            self.canvas.focus_set()
            self._own_primary()

    def _on_double(self, event: tkinter.Event[Any]) -> str:
        self._unit = "word"
        found = self.hit(*self._spot(event))
        if found:
            place, block = found
            start, end = _word_at(block, *self._spot(event))
            self.select((place, start), (place, end))
        return "break"

    def _on_triple(self, event: tkinter.Event[Any]) -> str:
        self._unit = "text"
        found = self.hit(*self._spot(event))
        if found:
            self.select((found[0], 0), (found[0], len(found[1].text)))
        return "break"

    def _on_motion(self, event: tkinter.Event[Any]) -> None:
        """The pointer's shape tells what a press would do."""
        x, y = self._spot(event)
        found = self.hit(x, y)
        shape = "" if found is None else "hand2" if found[1].link_at(x, y) else "xterm"
        if self._shape != shape:  # and else leave it to others who are over this canvas
            self._shape = shape
            self.canvas.configure(cursor=shape)

    # -- keys

    def _bind_if_known(self, event: str) -> None:
        try:
            self.canvas.bind(event, lambda _e: self._menu_by_key())
        except tkinter.TclError:
            return  # this keyboard has no such key

    def _copied(self) -> str:
        self.copy()
        return "break"

    def _all_of_entry(self) -> str:
        """The whole entry of the selection; without one, all that is drawn."""
        places = list(self._blocks())
        if self._head is not None:
            places = [(place, block) for place, block in places if place[0] == self._head[0][0]] or places
        if places:
            self.select((places[0][0], 0), (places[-1][0], len(places[-1][1].text)))
            self._own_primary()
        return "break"

    def _on_escape(self, _event: tkinter.Event[Any]) -> str | None:
        if self.text():
            self.clear()
            return "break"
        return None

    # -- the menu

    def _on_menu(self, event: tkinter.Event[Any]) -> str:
        self.canvas.focus_set()
        x, y = self._spot(event)
        self.menu(x, y).tk_popup(event.x_root, event.y_root)
        return "break"

    def _menu_by_key(self) -> str:
        """At the selection, or at the last text that is seen."""
        places = [(place, block) for place, block in self._blocks() if self._is_seen(block)]
        if self._head is not None:
            places = [(place, block) for place, block in places if place == self._head[0]] or places
        left, top = places[-1][1].origin() if places else (0.0, self.canvas.canvasy(0))
        menu = self.menu(left + 1, top + 1)
        x, y = left - self.canvas.canvasx(0), top - self.canvas.canvasy(0)
        menu.tk_popup(self.canvas.winfo_rootx() + int(x) + 8, self.canvas.winfo_rooty() + int(y) + 8)
        return "break"

    def _is_seen(self, block: Block) -> bool:
        seen = self.canvas.canvasy(0)
        return seen <= block.origin()[1] < seen + self.canvas.winfo_height()

    def menu(self, x: float, y: float) -> Menu:
        """What can be done with the text at a place of the canvas."""
        found = self.hit(x, y)
        if found is None:
            found = self._beside(y)
        place, block = found if found else (None, None)
        menu = Menu(self.canvas, self._ui)
        target = block.link_at(x, y) if block else ""
        if target:
            menu.add_command(label=_("Open link…"), command=lambda: self.on_link(target))
            menu.add_command(label=_("Copy link"), command=lambda: self.copy(target))
            menu.add_separator()
        text = self.text()
        can_copy: Literal["normal", "disabled"] = "normal" if text else "disabled"
        menu.add_command(label=_("Copy"), command=self.copy, accelerator="Ctrl+C", state=can_copy)
        if place is not None:
            whole = self._whole(place[0])
            menu.add_command(label=_("Copy all"), command=lambda: self.copy(whole))
        menu.add_command(label=_("Select all"), command=lambda: self._select_entry(place), accelerator="Ctrl+A")
        extras = self.more(place)
        if extras:
            menu.add_separator()
        for label, command in extras:
            menu.add_command(label=label, command=command)
        return menu

    def _beside(self, y: float) -> tuple[Place, Block] | None:
        """The text at this height, for a click beside it."""
        for place, block in self._blocks():
            top = block.origin()[1]
            if top <= y < top + block.height:
                return place, block
        return None

    def _whole(self, entry: int) -> str:
        """All texts of an entry."""
        return self.text_of(entry) or "\n".join(b.text for (index, _n), b in self._blocks() if index == entry)

    def _select_entry(self, place: Place | None) -> None:
        if place is not None and self._head is None:
            self._head = self._anchor = (place, 0)
        self._all_of_entry()

    # -- PRIMARY

    def _own_primary(self) -> None:
        """Offer the selection to the middle button of other windows, where the system has such a thing."""
        if self.canvas.tk.call("tk", "windowingsystem") != "x11":
            return
        self.canvas.selection_handle(self._give_primary, selection="PRIMARY")
        self.canvas.selection_own(selection="PRIMARY")

    def _give_primary(self, offset: str, length: str) -> str:
        """A piece of the selection; Tk counts in units of UTF-16."""
        units = self.text().encode("utf-16-le")
        start, stop = 2 * int(offset), 2 * (int(offset) + int(length))
        piece = units[start:stop]
        if len(piece) > 2 and stop < len(units) and 0xD8 <= piece[-1] <= 0xDB:
            piece = piece[:-2]  # half of a pair: the next piece begins with it
        return piece.decode("utf-16-le", "ignore")


def _word_at(block: Block, x: float, y: float) -> tuple[int, int]:
    """The word of a text under a place of the canvas."""
    for word in WORD.finditer(block.text):
        if any(a <= x < c and b <= y < d for a, b, c, d in block.boxes(word.start(), word.end())):
            return word.start(), word.end()
    at = block.offset_at(x, y)
    return at, at
