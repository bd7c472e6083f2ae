"""Menus with an edge that can be seen: Tk's own are flat, and white on white in most themes."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from desktop_client.theme import Ui


class Menu(tkinter.Menu):
    """A popup menu. Tk paints a flat menu's border in the menu's own colour, so the entries have another one."""

    def __init__(self, master: tkinter.Misc, ui: Ui) -> None:
        self._ground = ui.c.card
        super().__init__(
            master,
            tearoff=False,
            background=ui.c.field_line,
            borderwidth=max(1, ui.px(1)),
            activeborderwidth=0,
            relief="flat",
        )

    def add(self, itemType: str, cnf: Any = None, **kw: Any) -> None:  # noqa: N803  tkinter's own name
        """Every kind of entry comes through here."""
        super().add(itemType, cnf or {}, **{"background": self._ground, **kw})
