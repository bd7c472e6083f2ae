"""A text that is written: Tk's Text in which every emoji is a picture, and which gives back what was written.

Each emoji's characters stay in the text but are hidden, and its picture stands before them; so `get` needs no
translation, and Tk never draws them. The two move, are selected and deleted as one. Undo is kept here, as whole texts:
Tk's own counts pictures as characters, and does not bring them back.
"""

from __future__ import annotations

import tkinter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desktop_client.widgets import emoji
from desktop_client.widgets.block import metrics

if TYPE_CHECKING:
    from desktop_client.theme import Ui

UNDO_STEPS_MAX = 200  # of texts of some thousand characters: a few megabytes at most, usually a few kilobytes
HIDDEN = "emoji"
PICTURES_MAX = 150  # of one draft: Tk's time grows with their square; all that follow stand behind one frame


class EmojiText(tkinter.Text):
    """A Text with undo, redo, reset and separators as Tk's (`edit_…`); call `dress` after each change."""

    def __init__(self, master: tkinter.Misc, ui: Ui, *, font: str = "body", **options: Any) -> None:
        self.action = ""  # the name by which tests and drivers find it
        self._ui = ui
        self._font = font
        self._shown: list[emoji.Emoji] = []
        self._pictures: list[Any] = []
        self._past: list[tuple[str, int]] = []
        self._future: list[tuple[str, int]] = []
        self._now = ("", 0)
        self._joins = False  # the next letter belongs to the step that is open
        super().__init__(master, undo=False, font=ui.font(font), **options)
        self.tag_configure(HIDDEN, elide=True)
        for key, handle in (("<Left>", self._on_left), ("<Right>", self._on_right)):
            self.bind(key, handle)
        self.bind("<BackSpace>", lambda _e: self._delete_one("end"))
        self.bind("<Delete>", lambda _e: self._delete_one("start"))
        self.bind("<Key>", lambda _e: self._leave_emoji(), add=True)
        self.bind("<ButtonRelease-1>", lambda _e: self._leave_emoji(), add=True)
        self.bind("<<Selection>>", lambda _e: self._widen_selection(), add=True)

    def get(self, index1: Any, index2: Any = None) -> str:
        """As Tk's; never half of a character, which could not be sent."""
        text = super().get(index1, index2)
        return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")

    def offset(self) -> int:
        """The cursor's place in characters."""
        return len(self.get("1.0", "insert"))

    # -- undo

    def edit_undo(self) -> None:
        self._go(self._past, self._future)

    def edit_redo(self) -> None:
        self._go(self._future, self._past)

    def edit_reset(self) -> None:
        self._past.clear()
        self._future.clear()
        self._now = (self.get("1.0", "end-1c"), self.offset())
        self._joins = False

    def edit_separator(self) -> None:
        self.dress()
        self._joins = False

    def _go(self, come_from: list[tuple[str, int]], go_to: list[tuple[str, int]]) -> None:
        if not come_from:
            raise tkinter.TclError("nothing to undo")
        self.dress()
        go_to.append(self._now)
        text, at = self._now = come_from.pop()
        self._joins = False
        self.delete("1.0", "end")
        self.insert("1.0", text)
        self._rebuild(text, at)

    def _note(self, text: str) -> None:
        """One more step that can be taken back; letters typed in a row are one."""
        before = self._now[0]
        if text == before:
            self._now = (text, self.offset())
            return
        typed = len(text) == len(before) + 1 and not text[self.offset() - 1 : self.offset()].isspace()
        if not (typed and self._joins):
            self._past = [*self._past[-UNDO_STEPS_MAX + 1 :], self._now]
        self._joins = typed
        self._future.clear()
        self._now = (text, self.offset())

    # -- pictures

    def dress(self) -> None:
        """Put a picture before every emoji that has none, and take away those whose emoji is gone."""
        text = self.get("1.0", "end-1c")
        self._note(text)
        found = _bounded(emoji.find(text))
        if found or self._shown:
            sequences = [text[e.start : e.end] for e in found]
            if self._dressed() != sequences:
                self._rebuild(text, self.offset())
        self._shown = found

    def _dressed(self) -> list[str]:
        """The sequences that stand hidden behind their pictures now."""
        places = [str(place) for place in self.tk.splitlist(self.tk.call(str(self), "tag", "ranges", HIDDEN))]
        hidden = [self.get(start, end) for start, end in zip(places[::2], places[1::2], strict=True)]
        return hidden if len(self.image_names()) == len(hidden) else ["?"]

    def _rebuild(self, text: str, at: int) -> None:
        for name in self.image_names():
            self.delete(name)
        self.tag_remove(HIDDEN, "1.0", "end")
        self._pictures = []
        side = metrics(self._ui.font(self._font)).side
        found = _bounded(emoji.find(text))
        for one in reversed(found):
            picture = self._ui.paint.sign(one.key, side, one.grey, self._ui.c.text)
            self._pictures.append(picture)
            start = f"1.0+{one.start}i"
            self.image_create(start, image=picture, padx=1)
            end = f"{start}+{1 + one.end - one.start}i"
            self.tag_add(HIDDEN, f"{start}+1i", end)
        before = sum(one.start < at for one in found)
        self.mark_set("insert", f"1.0+{at + before}i")
        self._shown = list(found)

    # -- one emoji is one sign

    def _edges(self, index: str, edge: str) -> tuple[str, str] | None:
        """Start and end of the emoji that starts or ends at an index, or that holds it ("inside")."""
        here = self.index(index)
        if edge == "start":
            found: tuple[str, ...] = tuple(self.tag_nextrange(HIDDEN, here, f"{here}+2i"))
            ours = bool(found) and self.compare(found[0], "==", f"{here}+1i")
        else:
            found = tuple(self.tag_prevrange(HIDDEN, f"{here}+1i" if edge == "inside" else here))
            at_end = bool(found) and self.compare(found[1], "==", here)
            ours = bool(found) and (at_end if edge == "end" else self.compare(found[1], ">", here))
        return (self.index(f"{found[0]}-1i"), self.index(found[1])) if ours else None

    def _on_left(self, _event: tkinter.Event[Any]) -> str | None:
        return self._jump("end", 0)

    def _on_right(self, _event: tkinter.Event[Any]) -> str | None:
        return self._jump("start", 1)

    def _jump(self, edge: str, to: int) -> str | None:
        self._leave_emoji()
        edges = None if self.tag_ranges("sel") else self._edges("insert", edge)
        if edges is None:
            return None
        self.mark_set("insert", edges[to])
        self.see("insert")
        return "break"

    def _delete_one(self, edge: str) -> str | None:
        self._leave_emoji()
        edges = None if self.tag_ranges("sel") else self._edges("insert", edge)
        if edges is None:
            return None
        self.delete(*edges)
        return "break"

    def _leave_emoji(self) -> None:
        """The cursor never stands between a picture and its characters."""
        edges = self._edges("insert", "inside")
        if edges is not None:
            self.mark_set("insert", edges[1])

    def _widen_selection(self) -> None:
        """A selection holds emoji whole."""
        if not self.tag_ranges("sel"):
            return
        for index in ("sel.first", "sel.last"):
            edges = self._edges(index, "inside")
            if edges is not None:
                self.tag_add("sel", edges[0], edges[1])


def _bounded(found: Sequence[emoji.Emoji]) -> list[emoji.Emoji]:
    """At most so many emoji as a draft shows; the last stands for all that follow."""
    if len(found) <= PICTURES_MAX:
        return list(found)
    rest = emoji.Emoji(found[PICTURES_MAX - 1].start, found[-1].end, "")
    return [*found[: PICTURES_MAX - 1], rest]
