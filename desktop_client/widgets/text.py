"""Texts that wrap with their width, and a check box drawn in the theme."""

from __future__ import annotations

import tkinter
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.block import Block, draw_text, text_layout
from desktop_client.widgets.layout import for_tk
from desktop_client.widgets.selecting import Selecting

if TYPE_CHECKING:
    from desktop_client.theme import Ui

LINES_MAX = 8  # of one text beside the conversations: a longer one is cut, and the window keeps its other parts
WIDTH_MAX = 900  # design pixels of a text that does not wrap
KEPT = ("text", "foreground", "padx", "pady")  # options of ours, beside the canvas's own


class Line(tkinter.Canvas):
    """A text in the theme's font and colour; with `wrap` it takes as many lines as its width asks for.

    It takes a label's options `text`, `foreground`, `padx` and `pady`; emoji and every script are drawn as in bubbles.
    """

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
        lines_max: int = LINES_MAX,
    ) -> None:
        """`width` is a first wrapping width in design pixels, before the window tells its own."""
        self._ui = ui
        self._font = font
        self._wraps = wrap
        self._justify = justify
        self._lines_max = lines_max
        self._room = ui.px(width)
        self._kept: dict[str, Any] = {"text": text, "foreground": color or ui.c.text, "padx": 0, "pady": 0}
        self._block: Block | None = None
        self.raw: dict[int, str] = {}
        super().__init__(
            master, width=1, height=1, background=back or ui.c.window, bd=0, highlightthickness=0, takefocus=0
        )
        self._ask_for_room()
        self.bind("<Configure>", self._on_size)
        self.selecting = Selecting(self, ui, lambda: [((0, 0), self._block)] if self._block else [])

    def configure(self, cnf: Any = None, **options: Any) -> Any:
        """As a label's."""
        ours = {name: options.pop(name) for name in KEPT if name in options}
        if not ours or not hasattr(self, "_kept"):
            return super().configure(cnf, **options)
        self._kept.update(ours)
        if options:
            super().configure(**options)
        self._ask_for_room()
        self._draw()
        return None

    config = configure

    def cget(self, key: str) -> Any:
        """As a label's."""
        return self._kept[key] if key in KEPT else super().cget(key)

    __getitem__ = cget

    def _ask_for_room(self) -> None:
        """Request the size that the text needs at the width that is known so far."""
        font = self._ui.font(self._font)
        room = self._room if self._wraps and self._room else self._ui.px(WIDTH_MAX)
        layout = text_layout(font, self._kept["text"], room, self._lines_max)
        lines = max(1, len(layout.lines))
        wide = layout.width + 2 * self._kept["padx"]
        super().configure(width=max(1, wide), height=lines * font.metrics("linespace") + 2 * self._kept["pady"])

    def _on_size(self, event: tkinter.Event[Any]) -> None:
        room = event.width - 2 * self._kept["padx"]
        if self._wraps and room > 1 and abs(self._room - room) > 1:
            self._room = room
            self._ask_for_room()
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        self.raw.clear()
        kept, pad = self._kept, self._kept["padx"]
        wide = self.winfo_width() - 2 * pad
        if wide < 2:  # not shown yet
            wide = self._room or int(super().cget("width")) - 2 * pad
        middle = self._justify == "center"
        self._block = draw_text(
            self, self._ui, pad + wide / 2 if middle else pad, kept["pady"], kept["text"], self._font,
            kept["foreground"], anchor="n" if middle else "nw", width=max(1, wide) if wide > 1 else 0,
            lines_max=self._lines_max, justify="center" if middle else "left",
        )  # fmt: skip
        self.selecting.paint()


class Check(tkinter.Checkbutton):
    """A check box with the native keys and `invoke`."""

    def __init__(self, master: tkinter.Misc, ui: Ui, text: str, variable: tkinter.BooleanVar, action: str) -> None:
        c, side = ui.c, ui.px(15)
        self.action = action
        self._off = ui.paint.check(side, False, c.accent, c.muted, c.on_accent)
        self._on = ui.paint.check(side, True, c.accent, c.muted, c.on_accent)
        super().__init__(
            master,
            text=" " + for_tk(text),
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
