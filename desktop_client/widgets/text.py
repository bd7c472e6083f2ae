"""Labels that wrap with their width, and a check box drawn in the theme."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.wrap import wrap as wrap_text

if TYPE_CHECKING:
    from desktop_client.theme import Ui


class Line(tkinter.Label):
    """A text in the theme's font and colour; with `wrap` it takes as many lines as its width asks for."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        text: str = "",
        *,
        font: str = "body",
        color: str = "",
        back: str = "",
        wrap: bool = False,
        justify: str = "left",
        width: int = 0,
    ) -> None:
        """`width` is a first wrapping width in design pixels, before the window tells its own."""
        super().__init__(
            master,
            text=text,
            font=ui.font(font),
            foreground=color or ui.c.text,
            background=back or ui.c.window,
            bd=0,
            padx=0,
            pady=0,
            justify=justify,  # type: ignore[arg-type]
            anchor="w" if justify == "left" else "center",
            wraplength=ui.px(width) if width else 0,
        )
        self._font = ui.font(font)
        self._room = ui.px(width)
        self._wraps = wrap
        self.raw = text
        if wrap:
            self._wrap()
            self.bind("<Configure>", self._on_size)

    def configure(self, cnf: Any = None, **options: Any) -> Any:
        """As Label's; a text is also kept as it was told, before its lines were broken."""
        if "text" in options and getattr(self, "_wraps", False):
            self.raw = options.pop("text")
            self._wrap()
        return super().configure(cnf, **options) if cnf is not None or options else None

    config = configure

    def _wrap(self) -> None:
        super().configure(text=wrap_text(self._font, self.raw, self._room))

    def _on_size(self, event: tkinter.Event[Any]) -> None:
        room = event.width - 2 * int(str(self["padx"]))
        if room > 1 and abs(int(str(self["wraplength"])) - room) > 1:
            self._room = room
            super().configure(wraplength=room)
            self._wrap()


class Check(tkinter.Checkbutton):
    """A check box with the native keys and `invoke`."""

    def __init__(self, master: tkinter.Misc, ui: Ui, text: str, variable: tkinter.BooleanVar, action: str) -> None:
        c, side = ui.c, ui.px(15)
        self.action = action
        self._off = ui.paint.check(side, False, c.accent, c.muted, c.on_accent)
        self._on = ui.paint.check(side, True, c.accent, c.muted, c.on_accent)
        super().__init__(
            master,
            text=" " + text,
            variable=variable,
            image=self._off,
            selectimage=self._on,
            indicatoron=False,
            compound="left",
            font=ui.font("label"),
            foreground=c.muted,
            activeforeground=c.text,
            background=c.window,
            activebackground=c.window,
            selectcolor=c.window,
            bd=0,
            offrelief="flat",
            overrelief="flat",
            relief="flat",
            padx=ui.px(2),
            pady=ui.px(2),
            highlightthickness=max(1, ui.px(1)),
            highlightbackground=c.window,
            highlightcolor=c.accent,
            takefocus=1,
            cursor="hand2",
        )


class RuleLine(tkinter.Frame):
    """A thin line across."""

    def __init__(self, master: tkinter.Misc, ui: Ui) -> None:
        super().__init__(master, height=max(1, ui.px(1)), background=ui.c.line, bd=0, highlightthickness=0)
