"""A rounded text field with placeholder, an optional icon button, and the six boxes of the payment password."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.pill import Pill

if TYPE_CHECKING:
    from desktop_client.theme import Ui

PIN_DIGITS = 6
MASK = "●"
CONTROL = 0x4  # the bit of the Control key in an event's state


class Field(tkinter.Frame):
    """A one-line input. The border tells focus and error; `variable` holds the text."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        *,
        name: str = "",
        placeholder: str = "",
        secret: bool = False,
        height: int = 39,
        back: str = "",
        fill: str = "",
        text_color: str = "",
        hint_color: str = "",
        icon: str = "",
        border: bool = True,
        font: str = "body",
        digits_only: bool = False,
        variable: tkinter.StringVar | None = None,
    ) -> None:
        """`back` is the colour around the corners, `fill` inside; `icon` a line icon before the text."""
        self._ui = ui
        self._back = back or ui.c.window
        self._fill = fill or ui.c.field
        super().__init__(master, background=self._back, height=ui.px(height), bd=0, highlightthickness=0)
        self.action = name
        self._border = border
        self._error = False
        self._box = tkinter.Label(self, bd=0, background=self._back)
        self._box.place(x=0, y=0)
        self.variable = variable or tkinter.StringVar(self)
        allow = (self.register(_digits), "%P") if digits_only else ""
        self.entry = tkinter.Entry(
            self,
            textvariable=self.variable,
            show=MASK if secret else "",
            bd=0,
            highlightthickness=0,
            relief="flat",
            font=ui.font(font),
            background=self._fill,
            foreground=text_color or ui.c.text,
            insertbackground=text_color or ui.c.text,
            selectbackground=ui.c.accent,
            selectforeground=ui.c.on_accent,
            disabledbackground=self._fill,
            disabledforeground=ui.c.muted,
            validate="key" if digits_only else "none",
            validatecommand=allow,
        )
        self._hint = tkinter.Label(
            self,
            text=placeholder,
            bd=0,
            padx=0,
            pady=0,
            font=ui.font(font),
            background=self._fill,
            foreground=hint_color or ui.c.muted,
            anchor="w",
            cursor="xterm",
        )
        self._left = ui.px(13 if border else 5)
        self._right = self._left
        if icon:
            self._icon = ui.paint.icon(icon, ui.px(16), hint_color or ui.c.muted)
            mark = tkinter.Label(self, image=self._icon, bd=0, background=self._fill)
            mark.place(x=self._left, rely=0.5, anchor="w")
            self._left += ui.px(22)
        self.eye: Pill | None = None
        if secret:
            self.eye = Pill(
                self,
                ui,
                "",
                self._toggle,
                action="show_password",
                style="quiet",
                back=self._fill,
                height=28,
                icon="eye",
            )
            self.eye.place(relx=1.0, x=-ui.px(6), rely=0.5, anchor="e")
            self._right = ui.px(40)
        self.bind("<Configure>", self._on_size)
        self.entry.bind("<FocusIn>", lambda _e: self.draw())
        self.entry.bind("<FocusOut>", lambda _e: self.draw())
        self._hint.bind("<Button-1>", lambda _e: self.entry.focus_set())
        self._trace = self.variable.trace_add("write", lambda *_: self._on_text())
        self._on_text()

    def get(self) -> str:
        return self.variable.get()

    def set(self, text: str) -> None:
        self.variable.set(text)

    def set_error(self, error: bool) -> None:
        """A red border until the text changes."""
        self._error = error
        self.draw()

    def set_enabled(self, enabled: bool) -> None:
        self.entry.configure(state="normal" if enabled else "disabled")

    def draw(self) -> None:
        width, height = self.winfo_width(), self.winfo_height()
        if width < 8 or height < 8:
            return
        ui, c = self._ui, self._ui.c
        focused = has_focus(self.entry)
        outline = ""
        if self._border:
            outline = c.danger if self._error else c.accent if focused else c.field_line
        line = max(1, ui.px(1))
        self._picture = ui.paint.box(width, height, ui.px(6), self._fill, outline=outline, line=line)
        self._box.configure(image=self._picture)

    def destroy(self) -> None:
        self.variable.trace_remove("write", self._trace)
        super().destroy()

    def _on_size(self, _event: tkinter.Event[Any]) -> None:
        self.draw()
        self.entry.place(x=self._left, rely=0.5, anchor="w", relwidth=1.0, width=-self._left - self._right)
        self._on_text()

    def _on_text(self) -> None:
        if self._error:
            self.set_error(False)
        if self.variable.get():
            self._hint.place_forget()
        else:
            self._hint.place(x=self._left + 1, rely=0.5, anchor="w", relwidth=1.0, width=-self._left - self._right)

    def _toggle(self) -> None:
        hidden = bool(self.entry["show"])
        self.entry.configure(show="" if hidden else MASK)
        if self.eye:
            self.eye.set_icon("eye_off" if hidden else "eye")


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
        self.bind("<<Paste>>", self._on_paste)
        self.bind("<Control-v>", self._on_paste)
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
        if event.keysym == "BackSpace":
            if self._digits:
                self._digits.pop()
            self._tell()
            return "break"
        if event.char in tuple("0123456789") and not int(event.state) & CONTROL:
            self._add(event.char)
            return "break"
        return None

    def _on_paste(self, _event: tkinter.Event[Any]) -> str:
        try:
            pasted = self.clipboard_get()
        except tkinter.TclError:
            return "break"
        text = "".join(pasted.split())
        if self._enabled and text.isascii() and text.isdigit():
            self._digits.clear()
            self._add(text[:PIN_DIGITS])
        return "break"

    def _add(self, digits: str) -> None:
        self._digits.extend(digits[: PIN_DIGITS - len(self._digits)])
        self._tell()

    def _tell(self) -> None:
        self._error = False
        self.draw()
        self._changed(len(self._digits))


def _digits(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit())
