"""The lower end of a chat: a few emoji, the input, Send. Enter sends, Ctrl+Enter (or Shift+Enter) begins a line."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _, ngettext
from desktop_client.widgets import editing, emoji
from desktop_client.widgets.emoji_text import EmojiText
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Line
from desktop_client.widgets.toast import show_toast

if TYPE_CHECKING:
    from desktop_client.theme import Ui

TEXT_CHARS_MAX = 4_000  # im_protocol.limits.TEXT_CHARS_MAX: a longer text would be refused
DRAFT_CHARS_MAX = 10_000  # so much may stand here to be shortened; Tk needs seconds a key for a line of a million
TELL_LEFT_CHARS = 200  # how much room is left is said from here on
EMOJI = {
    "smile": "😊",
    "joy": "😄",
    "thumbs_up": "👍",
    "heart": "❤️",
    "party": "🎉",
    "thanks": "🙏",
    "cry": "😢",
    "coffee": "☕",
}


class Composer(tkinter.Frame):
    """Calls `on_send` with a text that is not blank, then is empty; and `on_draft` with every state on the way."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        on_send: Callable[[str], None],
        on_draft: Callable[[str], None] = lambda _text: None,
    ) -> None:
        c, px = ui.c, ui.px
        super().__init__(master, background=c.window, bd=0, highlightthickness=0)
        self._ui = ui
        self._on_send = on_send
        self._on_draft = on_draft
        self._told = ""
        self._toasts: dict[str, Any] = {}
        self._build_tools()
        self.text = EmojiText(
            self,
            ui,
            height=3,
            width=10,
            wrap="word",
            bd=0,
            highlightthickness=0,
            padx=0,
            pady=0,
            background=c.window,
            foreground=c.text,
            insertbackground=c.text,
            selectbackground=c.accent,
            selectforeground=c.on_accent,
        )
        self.text.action = "message"
        self.text.pack(fill="x", padx=px(16), pady=(px(4), 0))
        row = tkinter.Frame(self, background=c.window)
        row.pack(fill="x", padx=px(16), pady=(px(4), px(12)))
        self.send_button = Pill(row, ui, _("Send"), self._send, action="send", height=31, font="label", pad=18)
        self.send_button.pack(side="right")
        self.hint = Line(row, ui, "", font="small", color=c.muted)
        self.hint.pack(side="right", padx=(0, px(8)))
        self.editing = editing.Editing(
            self.text, ui, chars_max=DRAFT_CHARS_MAX, clean=editing.lines, refused=self._tell_too_long
        )
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
        """Another text; what was there before cannot be brought back by undoing."""
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text[:DRAFT_CHARS_MAX])
        self.text.dress()
        self.editing.forget()
        self._on_change(None)

    def insert(self, text: str) -> None:
        """Put a text at the cursor, in the place of the selection."""
        self.editing.insert(text)
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
        for name, sign in EMOJI.items():
            picture = ui.paint.sign(emoji.plain(sign), px(20))
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
        self.text.dress()
        text = self.get()
        chars = len(text.strip())
        self.send_button.set(enabled=0 < chars <= TEXT_CHARS_MAX)
        self._show_hint(chars)
        self.text.edit_modified(False)
        if text != self._told:
            self._told = text
            self._on_draft(text)

    def _show_hint(self, chars: int) -> None:
        """How to send; or how much room is left; or how much is too much."""
        left = TEXT_CHARS_MAX - chars
        words, color = _("Enter sends · Ctrl+Enter new line"), self._ui.c.muted
        if left < 0:
            words = ngettext("{n} character too many", "{n} characters too many", -left).format(n=f"{-left:,}")
            color = self._ui.c.danger
        elif left <= TELL_LEFT_CHARS:
            words = ngettext("{n} character left", "{n} characters left", left).format(n=left)
        if (words, color) != (self.hint.cget("text"), str(self.hint.cget("foreground"))):
            self.hint.configure(text=words, foreground=color)

    def _tell_too_long(self, chars: int) -> None:
        words = _("That would be {n} characters; a message has at most {most}. It was not put in.")
        text = words.format(n=f"{chars:,}", most=f"{TEXT_CHARS_MAX:,}")
        above = round(self.winfo_height() / self._ui.scale) + 8
        show_toast(self._toasts, self.winfo_toplevel(), self._ui, text, "warning", above)
