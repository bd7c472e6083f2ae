"""A thin scroll bar that shows only when there is something to scroll."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from desktop_client.theme import Ui

THUMB_MIN = 28  # design pixels, so that it can still be caught


class ThinScrollbar(tkinter.Canvas):
    """Speaks the scroll bar protocol: `set(first, last)` and a yview command."""

    def __init__(self, master: tkinter.Misc, ui: Ui, command: Callable[..., Any], back: str) -> None:
        super().__init__(master, width=ui.px(8), bd=0, highlightthickness=0, background=back, takefocus=0)
        self._ui = ui
        self._command = command
        self._range = (0.0, 1.0)
        self._grabbed: float | None = None
        self._thumb = self.create_rectangle(0, 0, 0, 0, width=0, fill=ui.c.scroll)
        self.bind("<Configure>", lambda _e: self._draw())
        self.bind("<ButtonPress-1>", self._on_press)
        self.bind("<B1-Motion>", self._on_drag)
        self.bind("<ButtonRelease-1>", self._on_release)
        self.bind("<Enter>", lambda _e: self.itemconfigure(self._thumb, fill=ui.c.scroll_hover))
        self.bind("<Leave>", lambda _e: self.itemconfigure(self._thumb, fill=ui.c.scroll))

    def set(self, first: str | float, last: str | float) -> None:
        self._range = (float(first), float(last))
        if self._range[1] - self._range[0] >= 0.9999:
            self.place_forget()
        elif not self.winfo_manager():
            self.place(relx=1.0, rely=0, relheight=1.0, anchor="ne")
        self._draw()

    def _thumb_span(self) -> tuple[float, float]:
        height = max(1, self.winfo_height())
        first, last = self._range
        size = max((last - first) * height, min(self._ui.px(THUMB_MIN), height))
        top = first / max(1e-9, 1 - (last - first)) * (height - size) if last - first < 1 else 0
        return top, top + size

    def _draw(self) -> None:
        top, bottom = self._thumb_span()
        edge = self._ui.px(2)
        self.coords(self._thumb, edge, top + edge, self.winfo_width() - edge, bottom - edge)

    def _on_press(self, event: tkinter.Event[Any]) -> None:
        top, bottom = self._thumb_span()
        if top <= event.y <= bottom:
            self._grabbed = event.y - top
        else:
            self._command("scroll", -1 if event.y < top else 1, "pages")

    def _on_drag(self, event: tkinter.Event[Any]) -> None:
        if self._grabbed is None:
            return
        top, bottom = self._thumb_span()
        room = max(1.0, self.winfo_height() - (bottom - top))
        share = (event.y - self._grabbed) / room
        self._command("moveto", share * (1 - (self._range[1] - self._range[0])))

    def _on_release(self, _event: tkinter.Event[Any]) -> None:
        self._grabbed = None
