"""Rounded buttons: the native tk.Button (focus, Space, `invoke`) under pictures of each state."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.layout import for_tk

if TYPE_CHECKING:
    from desktop_client.theme import Ui

Command = Callable[[], Any]
# style: (fill, hover, pressed, text, outline), each an attribute of the palette or empty
STYLES = {
    "primary": ("accent", "accent_hover", "accent_pressed", "on_accent", ""),
    "outline": ("", "accent_soft", "accent_soft", "accent_text", "accent"),
    "link": ("", "accent_soft", "accent_soft", "accent_text", ""),
    "quiet": ("", "hover", "selected", "muted", ""),
    "danger": ("danger_fill", "danger_fill", "danger_fill", "on_fill", ""),
}


class Pill(tkinter.Button):
    """A rounded button. `action` is the name by which tests and drivers find it."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        text: str,
        command: Command,
        *,
        action: str = "",
        style: str = "primary",
        back: str = "",
        width: int = 0,
        height: int = 36,
        font: str = "body",
        icon: str = "",
        enabled: bool = True,
        pad: int = 14,
    ) -> None:
        """`width` and `height` in design pixels (width 0: as the text needs), `back` the colour around the corners."""
        self._ui = ui
        self.style = style
        self._back = back or ui.c.window
        self._height = ui.px(height)
        self._wish = ui.px(width)
        self._pad = ui.px(pad)
        self._icon = icon
        self._font_name = font
        self._command = command
        self.action = action
        # Not Tk's own state: Tk draws a disabled button with a picture through a stipple.
        self.enabled = enabled
        super().__init__(
            master,
            text=for_tk(text),
            command=self._run,
            font=ui.font(font),
            bd=0,
            padx=0,
            pady=0,
            highlightthickness=0,
            relief="flat",
            overrelief="flat",
            compound="center",
            takefocus=enabled,
            cursor="hand2" if enabled else "",
            background=self._back,
            activebackground=self._back,
        )
        self._inside = False
        for event in ("<Enter>", "<Leave>", "<FocusIn>", "<FocusOut>", "<ButtonPress-1>", "<ButtonRelease-1>"):
            self.bind(event, self._on_state, add=True)
        for event in ("<Return>", "<KP_Enter>", "<space>"):
            self.bind(event, self._on_key)
        self.draw()

    def set(self, *, text: str | None = None, enabled: bool | None = None, style: str | None = None) -> None:
        """Change the text, the state or the style."""
        if text is not None:
            self.configure(text=for_tk(text))
        if enabled is not None:
            self.enabled = enabled
            self.configure(takefocus=enabled, cursor="hand2" if enabled else "")
        if style is not None:
            self.style = style
        self.draw()

    def stretch(self, width: int) -> None:
        """Take this width in device pixels."""
        if width != self._wish:
            self._wish = width
            self.draw()

    def needed_width(self) -> int:
        """The width in device pixels that the text needs."""
        icon = self._height if self._icon and not self["text"] else 0
        return icon or int(self._ui.font(self._font_name).measure(self["text"])) + 2 * self._pad

    def draw(self, pressed: bool = False) -> None:
        """Take the picture of the present state."""
        ui, c = self._ui, self._ui.c
        fill, hover, down, text, outline = (getattr(c, name) if name else "" for name in STYLES[self.style])
        enabled = self.enabled
        if not enabled:
            text = c.on_disabled if fill else c.muted
            fill, outline = c.disabled if fill else "", c.line if outline else ""
        elif pressed:
            fill = down
        elif self._inside:
            fill = hover
        focused = enabled and has_focus(self)
        ring = ""
        if focused:
            ring = c.text if self.style in ("primary", "danger") else c.accent
        width = self._wish or self.needed_width()
        picture = ui.paint.box(
            width, self._height, ui.px(6), fill or self._back, outline=outline, line=max(1, ui.px(1)), ring=ring
        )
        self._picture = picture
        if self._icon:
            self._overlay(width, text)
        else:
            self.configure(image=picture)
        self.configure(foreground=text, activeforeground=text, disabledforeground=text)

    def _overlay(self, width: int, color: str) -> None:
        """An icon button shows the icon; hover and focus are its background."""
        side = min(width, self._height)
        c = self._ui.c
        back = (c.hover if self._inside else self._back, c.accent if has_focus(self) else "")
        self._icon_picture = self._ui.paint.icon_on(self._icon, side, round(side * 0.6), color, back)
        self.configure(image=self._icon_picture, text="")

    def set_icon(self, icon: str) -> None:
        self._icon = icon
        self.draw()

    def _on_state(self, event: tkinter.Event[Any]) -> None:
        if event.type == tkinter.EventType.Enter:
            self._inside = True
        elif event.type == tkinter.EventType.Leave:
            self._inside = False
        if event.type in (tkinter.EventType.FocusIn, tkinter.EventType.FocusOut):
            self.after_idle(self._redraw)
        self.draw(pressed=event.type == tkinter.EventType.ButtonPress)

    def _redraw(self) -> None:
        if self.winfo_exists():
            self.draw()

    def _run(self) -> None:
        if self.enabled:
            self._command()

    def _on_key(self, _event: tkinter.Event[Any]) -> str:
        self.invoke()
        return "break"
