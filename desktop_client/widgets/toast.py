"""A short notice that rises over the lower edge of a window and goes by itself; a click sends it away."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from desktop_client.theme import Ui

SHOWN_MS = 4_500  # long enough to read two lines
MARGIN = 14


class Toast(tkinter.Label):
    """One notice; a newer one takes its place."""

    def __init__(self, master: tkinter.Misc, ui: Ui, text: str, tone: str, bottom: int) -> None:
        """`bottom` is how far above the window's lower edge it floats, in design pixels."""
        c, px = ui.c, ui.px
        width = max(px(160), master.winfo_width() - 2 * px(MARGIN))
        back = c.tooltip if tone in ("plain", "muted", "accent") else ui.tone_fill(tone)
        color = c.on_tooltip if tone in ("plain", "muted", "accent") else c.on_fill
        super().__init__(
            master,
            text=text,
            wraplength=width - px(24),
            justify="left",
            font=ui.font("label"),
            foreground=color,
            background=back,
            padx=px(12),
            pady=px(9),
            bd=0,
        )
        self.place(relx=0.5, rely=1.0, y=-px(bottom), anchor="s")
        self.lift()
        self.bind("<Button-1>", lambda _e: self.destroy())
        self._timer = self.after(SHOWN_MS, self.destroy)

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
