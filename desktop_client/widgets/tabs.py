"""A row of tabs with an underline and unread badges. Click, or Left and Right with the focus on it."""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.focus import has_focus

if TYPE_CHECKING:
    from desktop_client.theme import Ui

HEIGHT = 38


class Tabs(tkinter.Canvas):
    """`tabs` are (key, text); `changed` is called with the key that was chosen."""

    def __init__(
        self, master: tkinter.Misc, ui: Ui, tabs: Sequence[tuple[str, str]], chosen: str, changed: Callable[[str], None]
    ) -> None:
        super().__init__(
            master,
            height=ui.px(HEIGHT),
            bd=0,
            highlightthickness=0,
            background=ui.c.window,
            takefocus=1,
            cursor="hand2",
        )
        self.action = "tabs"
        self._ui = ui
        self._tabs = tuple(tabs)
        self._changed = changed
        self._pictures: list[Any] = []
        self._badges: dict[str, int] = {}
        self.chosen = chosen
        for event in ("<Configure>", "<FocusIn>", "<FocusOut>"):
            self.bind(event, lambda _e: self.draw())
        self.bind("<Button-1>", self._on_click)
        self.bind("<Left>", lambda _e: self._step(-1))
        self.bind("<Right>", lambda _e: self._step(1))

    def set_badge(self, key: str, count: int) -> None:
        if self._badges.get(key, 0) != count:
            self._badges[key] = count
            self.draw()

    def choose(self, key: str) -> None:
        """Choose a tab, as a click does."""
        if key != self.chosen:
            self.chosen = key
            self.draw()
            self._changed(key)

    def center_of(self, key: str) -> tuple[int, int]:
        """Where to click for a tab."""
        index = [k for k, _text in self._tabs].index(key)
        share = self.winfo_width() / len(self._tabs)
        return round(share * (index + 0.5)), self.winfo_height() // 2

    def draw(self) -> None:
        ui, c, px = self._ui, self._ui.c, self._ui.px
        width, height = self.winfo_width(), px(HEIGHT)
        self.delete("all")
        self._pictures = []
        if width < 8:
            return
        line = max(1, px(1))
        self.create_rectangle(0, height - line, width, height, width=0, fill=c.line)
        share = width / len(self._tabs)
        for n, (key, text) in enumerate(self._tabs):
            here = key == self.chosen
            badge = self._badges.get(key, 0)
            middle = share * (n + 0.5) - (px(11) if badge else 0)
            item = self.create_text(
                middle, height / 2, text=text, font=ui.font("body"), fill=c.accent if here else c.muted
            )
            if here:
                self.create_rectangle(n * share, height - px(2), (n + 1) * share, height, width=0, fill=c.accent)
                if has_focus(self):
                    left, top, right, bottom = self.bbox(item)
                    self.create_rectangle(left - px(6), top - px(2), right + px(6), bottom + px(2), outline=c.accent)
            if badge:
                self._draw_badge(badge, self.bbox(item)[2] + px(4), height / 2)

    def _draw_badge(self, count: int, left: float, middle: float) -> None:
        ui = self._ui
        text = str(count) if count < 100 else "99+"
        height = ui.px(16)
        width = max(height, int(ui.font("tiny").measure(text)) + ui.px(8))
        picture = ui.paint.box(width, height, height // 2, ui.c.badge)
        self._pictures.append(picture)
        self.create_image(left, middle, image=picture, anchor="w")
        self.create_text(left + width / 2, middle, text=text, font=ui.font("tiny"), fill=ui.c.on_fill)

    def _on_click(self, event: tkinter.Event[Any]) -> None:
        self.focus_set()
        index = min(len(self._tabs) - 1, int(event.x / (self.winfo_width() / len(self._tabs))))
        self.choose(self._tabs[index][0])

    def _step(self, by: int) -> str:
        keys = [key for key, _text in self._tabs]
        self.choose(keys[max(0, min(len(keys) - 1, keys.index(self.chosen) + by))])
        return "break"
