"""The lower end of a chat: a few emoji, the input, Send. Enter sends, Ctrl+Enter (or Shift+Enter) begins a line."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Line

if TYPE_CHECKING:
    from desktop_client.theme import Ui

TEXT_CHARS_MAX = 4_000  # im_protocol.limits.TEXT_CHARS_MAX: a longer text would be refused
EMOJI = (
    ("smile", "😊"),
    ("joy", "😄"),
    ("thumbs_up", "👍"),
    ("heart", "❤️"),
    ("party", "🎉"),
    ("thanks", "🙏"),
    ("cry", "😢"),
    ("coffee", "☕"),
)


class Composer(tkinter.Frame):
    """Calls `on_send` with a text that is not blank, then is empty."""

    def __init__(self, master: tkinter.Misc, ui: Ui, on_send: Callable[[str], None]) -> None:
        c, px = ui.c, ui.px
        super().__init__(master, background=c.window, bd=0, highlightthickness=0)
        self._ui = ui
        self._on_send = on_send
        self._build_tools()
        self.text = tkinter.Text(
            self,
            height=3,
            width=10,
            wrap="word",
            bd=0,
            highlightthickness=0,
            padx=0,
            pady=0,
            undo=True,
            font=ui.font("body"),
            background=c.window,
            foreground=c.text,
            insertbackground=c.text,
            selectbackground=c.accent,
            selectforeground=c.on_accent,
        )
        self.text.action = "message"  # type: ignore[attr-defined]
        self.text.pack(fill="x", padx=px(16), pady=(px(4), 0))
        row = tkinter.Frame(self, background=c.window)
        row.pack(fill="x", padx=px(16), pady=(px(4), px(12)))
        self.send_button = Pill(row, ui, _("Send"), self._send, action="send", height=31, font="label", pad=18)
        self.send_button.pack(side="right")
        hint = _("Enter sends · Ctrl+Enter new line")
        Line(row, ui, hint, font="small", color=c.muted).pack(side="right", padx=(0, px(8)))
        for key in ("<Return>", "<KP_Enter>"):
            self.text.bind(key, self._on_return)
        for key in ("<Control-Return>", "<Shift-Return>"):
            self.text.bind(key, self._on_new_line)
        self.text.bind("<Tab>", self._on_tab)
        self.text.bind("<<Modified>>", self._on_change)
        self._on_change(None)

    def get(self) -> str:
        return self.text.get("1.0", "end-1c")

    def set(self, text: str) -> None:
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text)
        self._on_change(None)

    def insert(self, text: str) -> None:
        """Put a text at the cursor."""
        self.text.insert("insert", text)
        self.text.focus_set()

    def _build_tools(self) -> None:
        ui, c, px = self._ui, self._ui.c, self._ui.px
        self._tools = tkinter.Frame(self, background=c.window)
        self._tools.pack(fill="x", padx=px(10), pady=(px(6), 0))
        self._smile = Pill(
            self._tools, ui, "", self._toggle_emoji, action="emoji", style="quiet", height=28, icon="smile"
        )
        self._smile.pack(side="left")
        self._strip: tkinter.Frame | None = None

    def _toggle_emoji(self) -> None:
        """Open the strip of emoji beside the button, or close it."""
        if self._strip is not None:
            self._strip.destroy()
            self._strip = None
            return
        ui, c, px = self._ui, self._ui.c, self._ui.px
        self._strip = tkinter.Frame(self._tools, background=c.window)
        self._strip.pack(side="left", padx=px(6))
        for name, sign in EMOJI:
            picture = ui.paint.emoji(name, px(20))
            button = tkinter.Button(
                self._strip,
                image=picture,
                command=lambda s=sign: self.insert(s),  # type: ignore[misc]
                bd=0,
                padx=px(3),
                pady=px(3),
                relief="flat",
                background=c.window,
                activebackground=c.hover,
                highlightthickness=max(1, px(1)),
                highlightbackground=c.window,
                highlightcolor=c.accent,
                cursor="hand2",
            )
            button.picture = picture  # type: ignore[attr-defined]
            button.action = f"emoji_{name}"  # type: ignore[attr-defined]
            button.bind("<Return>", lambda e: e.widget.invoke())
            button.pack(side="left")

    def _send(self) -> None:
        text = self.get().strip()
        if text and len(text) <= TEXT_CHARS_MAX:
            self.set("")
            self._on_send(text)
        self.text.focus_set()

    def _on_return(self, _event: tkinter.Event[Any]) -> str:
        self._send()
        return "break"

    def _on_new_line(self, _event: tkinter.Event[Any]) -> str:
        self.text.insert("insert", "\n")
        self.text.see("insert")
        return "break"

    def _on_tab(self, _event: tkinter.Event[Any]) -> str:
        self.send_button.focus_set()
        return "break"

    def _on_change(self, _event: tkinter.Event[Any] | None) -> None:
        text = self.get().strip()
        self.send_button.set(enabled=bool(text) and len(text) <= TEXT_CHARS_MAX)
        self.text.edit_modified(False)
