"""Asks before a link is opened, and shows where it really leads: a name may look like another one."""

from __future__ import annotations

import logging
import tkinter
import webbrowser
from collections.abc import Callable

from desktop_client.i18n import _
from desktop_client.theme import Ui
from desktop_client.widgets.links import shown_host
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Line
from desktop_client.windows.base import BaseWindow

SIZE = (420, 230)
MINIMUM = (320, 200)
SIDE = 20
log = logging.getLogger(__name__)


def open_in_browser(target: str) -> None:
    """Hand an address to the system's browser."""
    try:
        if not webbrowser.open(target):
            log.info("no browser took the address")
    except (OSError, webbrowser.Error) as error:
        log.info("the address could not be opened: %s", error)


class LinkWindow(BaseWindow):
    """Shows host and address of a link; only its button opens it, Escape closes."""

    def __init__(
        self, ui: Ui, target: str, *, over: tkinter.Misc | None = None, opener: Callable[[str], None] = open_in_browser
    ) -> None:
        self._target = target
        self._opener = opener
        super().__init__(ui, _("Open link"), SIZE, MINIMUM)
        self.center(over)
        self.open()
        self.widgets.cancel.focus_set()

    def build(self) -> None:
        ui, w, c = self.ui, self.widgets, self.ui.c
        body = tkinter.Frame(self.top, background=c.window)
        body.pack(fill="both", expand=True, padx=ui.px(SIDE), pady=ui.px(SIDE - 4))
        row = tkinter.Frame(body, background=c.window)
        row.pack(side="bottom", fill="x")
        w.cancel = Pill(row, ui, _("Cancel"), self.close, action="cancel", style="outline", pad=18)
        w.open = Pill(row, ui, _("Open"), self._open_link, action="open_link", pad=18)
        w.copy = Pill(row, ui, _("Copy link"), self._copy, action="copy_link", style="link", pad=8)
        w.copy.pack(side="left")
        w.open.pack(side="right")
        w.cancel.pack(side="right", padx=(0, ui.px(10)))
        w.cancel.lower()
        width = SIZE[0] - 2 * SIDE
        says = _("This opens in your browser:")
        Line(body, ui, says, font="label", color=c.muted, wrap=True, width=width).pack(fill="x")
        Line(body, ui, shown_host(self._target), font="title", wrap=True, width=width).pack(
            fill="x", pady=(ui.px(8), ui.px(4))
        )
        Line(body, ui, self._target, font="label", color=c.muted, wrap=True, width=width, lines_max=4).pack(fill="x")
        self.top.bind("<Escape>", lambda _e: self.close())

    def _copy(self) -> None:
        self.top.clipboard_clear()
        self.top.clipboard_append(self._target)
        self.close()

    def _open_link(self) -> None:
        self.close()
        self._opener(self._target)
