"""A window with one long text, which was folded in a conversation."""

from __future__ import annotations

import tkinter

from desktop_client.theme import Ui
from desktop_client.widgets.text_view import TextView
from desktop_client.windows.base import BaseWindow
from host.text import one_line

SIZE = (560, 560)
MINIMUM = (320, 240)
TITLE_CHARS_MAX = 80


class ReaderWindow(BaseWindow):
    """Shows a text to its end. Escape closes."""

    def __init__(self, ui: Ui, title: str, text: str, *, over: tkinter.Misc | None = None) -> None:
        self._text = text
        super().__init__(ui, one_line(title, TITLE_CHARS_MAX), SIZE, MINIMUM)
        self.center(over)
        self.open()
        self.widgets.view.canvas.focus_set()

    def build(self) -> None:
        self.widgets.view = TextView(self.top, self.ui, self._text)
        self.widgets.view.pack(fill="both", expand=True)
        self.top.bind("<Escape>", lambda _e: self.close())
