"""A rounded box that shows one of several choices and opens a menu of them."""

from __future__ import annotations

import tkinter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from desktop_client.widgets.block import Anchor, Block, draw_text
from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.layout import for_tk
from desktop_client.widgets.menu import Menu

if TYPE_CHECKING:
    from desktop_client.theme import Ui


class Choice(tkinter.Canvas):
    """`variable` holds the key of the choice. Click, Space, Enter or Down opens the menu."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        choices: Sequence[tuple[str, str]],
        variable: tkinter.StringVar,
        *,
        name: str = "",
        label: str = "",
        back: str = "",
        height: int = 36,
    ) -> None:
        """`choices` are (key, text); `label` stands at the left, the chosen text then at the right."""
        back = back or ui.c.window
        super().__init__(
            master, height=ui.px(height), background=back, bd=0, highlightthickness=0, takefocus=1, cursor="hand2"
        )
        self._ui = ui
        self.raw: dict[int, str] = {}
        self._texts: list[Block] = []
        self.action = name
        self._label = label
        self._choices = tuple(choices)
        self.variable = variable
        self._enabled = True
        self._trace = variable.trace_add("write", lambda *_: self.draw())
        for event in ("<Configure>", "<FocusIn>", "<FocusOut>"):
            self.bind(event, lambda _e: self.draw())
        for event in ("<Button-1>", "<space>", "<Return>", "<Down>"):
            self.bind(event, self._open)

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        self._choices = tuple(choices)
        if self.variable.get() not in dict(choices) and choices:
            self.variable.set(choices[0][0])
        self.draw()

    def set_enabled(self, enabled: bool) -> None:
        self._enabled = enabled

    def choose(self, key: str) -> None:
        """As if the menu's entry was pressed."""
        self.variable.set(key)

    def destroy(self) -> None:
        self.variable.trace_remove("write", self._trace)
        super().destroy()

    def draw(self) -> None:
        ui, c, px = self._ui, self._ui.c, self._ui.px
        width, height = self.winfo_width(), self.winfo_height()
        self.delete("all")
        if width < 8:
            return
        outline = c.accent if has_focus(self) else c.field_line
        self._picture = ui.paint.box(width, height, px(6), c.field, outline=outline, line=max(1, px(1)))
        self.create_image(0, 0, image=self._picture, anchor="nw")
        right = width - px(12)
        if len(self._choices) > 1:
            self._arrow = ui.paint.icon("down", px(12), c.text)
            self.create_image(right, height / 2, image=self._arrow, anchor="e")
            right -= px(16)
        text = dict(self._choices).get(self.variable.get(), "")
        room = right - px(13)
        self.raw.clear()
        self._texts = []
        if self._label:
            label = draw_text(
                self, ui, px(13), height / 2, self._label, "label", c.text,
                anchor="w", width=max(1, room // 2), lines_max=1,
            )  # fmt: skip
            room -= label.width + px(12)
            self._texts.append(label)
        anchor: Anchor = "e" if self._label else "w"
        at = right if self._label else px(13)
        self._texts.append(
            draw_text(self, ui, at, height / 2, text, "label", c.text, anchor=anchor, width=max(1, room), lines_max=1)
        )

    def _open(self, _event: tkinter.Event[Any]) -> str:
        self.focus_set()
        if len(self._choices) > 1 and self._enabled:
            menu = Menu(self, self._ui)
            for key, text in self._choices:
                menu.add_radiobutton(label=for_tk(text), value=key, variable=self.variable)
            menu.tk_popup(self.winfo_rootx(), self.winfo_rooty() + self.winfo_height())
        return "break"
