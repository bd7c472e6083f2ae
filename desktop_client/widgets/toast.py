"""A short notice that rises over the lower edge of a window and goes by itself; a click sends it away."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.widgets.block import draw_text
from desktop_client.widgets.menu import Menu

if TYPE_CHECKING:
    from desktop_client.theme import Ui

SHOWN_MS = 4_500  # long enough to read two lines
MARGIN = 14
LINES_MAX = 4  # a notice is read at a glance


class Toast(tkinter.Canvas):
    """One notice; a newer one takes its place."""

    def __init__(self, master: tkinter.Misc, ui: Ui, text: str, tone: str, bottom: int) -> None:
        """`bottom` is how far above the window's lower edge it floats, in design pixels."""
        c, px = ui.c, ui.px
        width = max(px(160), master.winfo_width() - 2 * px(MARGIN))
        back = c.tooltip if tone in ("plain", "muted", "accent") else ui.tone_fill(tone)
        color = c.on_tooltip if tone in ("plain", "muted", "accent") else c.on_fill
        super().__init__(master, background=back, bd=0, highlightthickness=0, takefocus=0)
        self.raw: dict[int, str] = {}
        self._block = draw_text(
            self, ui, px(12), px(9), text, "label", color, width=width - 2 * px(12), lines_max=LINES_MAX
        )
        self.configure(width=self._block.width + 2 * px(12), height=self._block.height + 2 * px(9))
        self.place(relx=0.5, rely=1.0, y=-px(bottom), anchor="s")
        tkinter.Misc.lift(self)
        self.bind("<Button-1>", lambda _e: self.destroy())
        self.bind("<ButtonPress-3>", lambda e: self._menu(ui, text).tk_popup(e.x_root, e.y_root))
        self._timer = self.after(SHOWN_MS, self.destroy)

    def _menu(self, ui: Ui, text: str) -> Menu:
        """What it says can be copied, though it is gone soon."""
        menu = Menu(self.master, ui)
        menu.add_command(label=_("Copy"), command=lambda: self._copy(text))
        return menu

    def _copy(self, text: str) -> None:
        self.master.clipboard_clear()
        self.master.clipboard_append(text)

    def destroy(self) -> None:
        self.after_cancel(self._timer)
        super().destroy()


def show_toast(
    holder: dict[str, Any], master: tkinter.Misc, ui: Ui, text: str, tone: str, bottom: int = MARGIN
) -> None:
    """Show a notice on `master`; `holder` remembers the one that it replaces."""
    old = holder.get("toast")
    if old is not None and old.winfo_exists():
        old.destroy()
    holder["toast"] = Toast(master, ui, text, tone, bottom)
