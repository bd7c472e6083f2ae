"""A rounded text field with placeholder and an optional icon button; it is edited as in every other program."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _, ngettext
from desktop_client.widgets import editing
from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.toast import show_toast

if TYPE_CHECKING:
    from desktop_client.theme import Ui

MASK = "●"
CHARS_MAX = 1_000  # of one line: an invite link has 300, and Tk draws a thousand without a pause


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
        clean: editing.Clean = editing.one_line,
        chars_max: int = CHARS_MAX,
        variable: tkinter.StringVar | None = None,
    ) -> None:
        """`back` is the colour around the corners, `fill` inside; `icon` a line icon before the text.

        `clean` gives what is typed, pasted or set the form in which it is taken; `digits_only` keeps the digits.
        """
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
        self._clean = editing.digits if digits_only else clean
        self._toasts: dict[str, Any] = {}
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
        self.editing = editing.Editing(
            self.entry, ui, chars_max=chars_max, clean=self._clean, secret=secret, refused=self._tell_too_long
        )
        self._chars_max = chars_max
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
            self.eye.configure(takefocus=False)  # Tab goes to the next field; the menu's key shows the text as well
            self.editing.more_commands = self._secret_commands
            self.eye.place(relx=1.0, x=-ui.px(6), rely=0.5, anchor="e")
            self._right = ui.px(40)
        self.bind("<Configure>", self._on_size)
        self.entry.bind("<FocusIn>", lambda _e: self.draw())
        self.entry.bind("<FocusOut>", lambda _e: self.draw())
        self._hint.bind("<Button-1>", lambda _e: self.entry.focus_set())
        self._trace = self.variable.trace_add("write", lambda *_: self._on_text())
        self._on_text()

    def get(self) -> str:
        return self._clean(self.variable.get())

    def set(self, text: str) -> None:
        self.variable.set(text[: self._chars_max])

    def set_hint(self, text: str) -> None:
        """Another placeholder."""
        self._hint.configure(text=text)

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
        text = self.variable.get()
        clean = self._clean(text)
        if clean != text:
            self.variable.set(clean)
        self.editing.note()
        if self._error:
            self.set_error(False)
        if self.variable.get():
            self._hint.place_forget()
        else:
            self._hint.place(x=self._left + 1, rely=0.5, anchor="w", relwidth=1.0, width=-self._left - self._right)

    def _secret_commands(self) -> list[tuple[str, Callable[[], None]]]:
        return [(_("Show what was typed") if self.entry["show"] else _("Hide what was typed"), self._toggle)]

    def _toggle(self) -> None:
        hidden = bool(self.entry["show"])
        self.entry.configure(show="" if hidden else MASK)
        if self.eye:
            self.eye.set_icon("eye_off" if hidden else "eye")

    def _tell_too_long(self, count: int) -> None:
        """A paste was refused whole: a cut number or link would be another one."""
        words = ngettext(
            "That is {count} character; this field takes at most {most}. Nothing was pasted.",
            "That are {count} characters; this field takes at most {most}. Nothing was pasted.",
            count,
        )
        text = words.format(count=f"{count:,}", most=f"{self._chars_max:,}")
        show_toast(self._toasts, self.winfo_toplevel(), self._ui, text, "warning")
