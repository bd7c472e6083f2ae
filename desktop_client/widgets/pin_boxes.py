"""The six boxes of the payment password."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.widgets.editing import digits, half_width
from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.menu import Menu

if TYPE_CHECKING:
    from desktop_client.theme import Ui

PIN_DIGITS = 6
PASTE_CHARS_MAX = 64  # six digits with whatever stands between them; anything longer is no password
CONTROL = 0x4  # the bit of the Control key in an event's state


class PinBoxes(tkinter.Frame):
    """Six boxes with dots. Takes digits, paste, BackSpace; `changed` is called with the number of digits."""

    def __init__(
        self, master: tkinter.Misc, ui: Ui, changed: Callable[[int], None], submit: Callable[[], None]
    ) -> None:
        super().__init__(master, background=ui.c.window, takefocus=1, highlightthickness=0, bd=0)
        self._ui = ui
        self._changed = changed
        self._submit = submit
        self._digits: list[str] = []
        self._error = False
        self._enabled = True
        self.action = "pin"
        self._boxes = []
        for position in range(PIN_DIGITS):
            box = tkinter.Label(
                self,
                bd=0,
                compound="center",
                background=ui.c.window,
                foreground=ui.c.text,
                font=ui.font("body"),
            )
            box.grid(row=0, column=position, padx=(0 if position == 0 else ui.px(8), 0))
            box.bind("<Button-1>", lambda _e: self.focus_set())
            self._boxes.append(box)
        self.bind("<Key>", self._on_key)
        for event in ("<<Paste>>", "<Control-v>", "<Shift-Insert>"):
            self.bind(event, lambda _e: self.paste())
        self.bind("<Button-3>", self._on_right)
        for box in self._boxes:
            box.bind("<Button-3>", self._on_right)
        self.bind("<FocusIn>", lambda _e: self.draw())
        self.bind("<FocusOut>", lambda _e: self.draw())
        self.draw()

    def get(self) -> str:
        return "".join(self._digits)

    def clear(self) -> None:
        self._digits.clear()
        self._tell()

    def complete(self) -> bool:
        return len(self._digits) == PIN_DIGITS

    def set_error(self, error: bool) -> None:
        self._error = error
        self.draw()

    def set_enabled(self, enabled: bool) -> None:
        self._enabled = enabled
        self.draw()

    def draw(self) -> None:
        ui, c = self._ui, self._ui.c
        focused = has_focus(self)
        width, height = ui.px(38), ui.px(44)
        for position, box in enumerate(self._boxes):
            filled = position < len(self._digits)
            here = focused and position == min(len(self._digits), PIN_DIGITS - 1)
            color = c.danger if self._error else c.accent if (filled or here) and self._enabled else c.field_line
            line = ui.px(2) if here else max(1, ui.px(1))
            picture = ui.paint.pin_box(
                width, height, ui.px(6), c.field, color, line, c.text if filled else "", c.muted if here else ""
            )
            box.configure(image=picture)
            box.picture = picture  # type: ignore[attr-defined]

    def _on_key(self, event: tkinter.Event[Any]) -> str | None:
        if event.keysym in ("Return", "KP_Enter"):
            self._submit()
            return "break"
        if event.keysym in ("Tab", "ISO_Left_Tab", "Escape") or not self._enabled:
            return None
        if event.keysym in ("BackSpace", "Delete"):
            if event.keysym == "Delete" or int(event.state) & CONTROL:
                self._digits.clear()
            elif self._digits:
                self._digits.pop()
            self._tell()
            return "break"
        typed = digits(event.char) if event.char and not int(event.state) & CONTROL else ""
        if typed:
            self._add(typed)
            return "break"
        return None

    def paste(self) -> str:
        """Six digits from the clipboard, also full-width or in groups; anything else is left where it is."""
        try:
            pasted = str(self.clipboard_get())
        except tkinter.TclError:
            return "break"
        text = "".join(half_width(pasted).split()) if len(pasted) <= PASTE_CHARS_MAX else ""
        if self._enabled and text.isascii() and text.isdigit():
            self._digits.clear()
            self._add(text[:PIN_DIGITS])
        return "break"

    def menu(self) -> tkinter.Menu:
        """The context menu: what was typed is never copied out of the boxes."""
        menu = Menu(self, self._ui)
        menu.add_command(label=_("Paste"), command=self.paste, state="normal" if self._enabled else "disabled")
        return menu

    def _on_right(self, event: tkinter.Event[Any]) -> str:
        self.focus_set()
        self.menu().tk_popup(event.x_root, event.y_root)
        return "break"

    def _add(self, digits: str) -> None:
        self._digits.extend(digits[: PIN_DIGITS - len(self._digits)])
        self._tell()

    def _tell(self) -> None:
        self._error = False
        self.draw()
        self._changed(len(self._digits))
