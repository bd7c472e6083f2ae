"""Something that the person has to know before going on: one or more sentences and a button that closes them.

python -m desktop_client.windows.notice
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable

from desktop_client.i18n import _
from desktop_client.theme import Ui
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Line
from desktop_client.windows.base import BaseWindow, nothing, while_open

SIZE = (420, 220)
MINIMUM = (320, 210)
SIDE = 26


class NoticeWindow(BaseWindow):
    """Sentences that stay until they are closed; further ones are added below."""

    def __init__(self, ui: Ui, parent: tkinter.Misc | None = None) -> None:
        self.on_closed: Callable[[], None] = nothing
        self._parent = parent
        self._texts: list[str] = []
        super().__init__(ui, _("BillBuddy"), SIZE, MINIMUM)

    @while_open
    def add(self, text: str) -> None:
        """Say this too."""
        if text not in self._texts:
            self._texts.append(text)
        self.rebuild()
        self.go_over(self._parent)

    @while_open
    def go_over(self, parent: tkinter.Misc | None) -> None:
        """Come to the front, over another window than before."""
        self._parent = parent
        self.stay_over(self._parent)
        self.center(self._parent if self._parent is not None and self._parent.winfo_viewable() else None)
        self.open()
        self.widgets.close.focus_set()

    def build(self) -> None:
        ui, w = self.ui, self.widgets
        body = self._body = tkinter.Frame(self.top, background=ui.c.window)
        body.pack(fill="both", expand=True, padx=ui.px(SIDE), pady=ui.px(20))
        w.close = Pill(body, ui, _("Close"), self.on_delete, action="close", pad=22)
        w.close.pack(side="bottom", anchor="e", pady=(ui.px(14), 0))
        sign = ui.paint.icon("warning", ui.px(28), ui.c.warning)
        w.sign = tkinter.Label(body, image=sign, bd=0, background=ui.c.window)
        w.sign.pack(anchor="w", pady=(0, ui.px(8)))
        Line(body, ui, _("Please note"), font="heading").pack(fill="x", pady=(0, ui.px(8)))
        for text in self._texts:
            Line(body, ui, text, font="body", wrap=True, width=SIZE[0] - 2 * SIDE).pack(fill="x", pady=(0, ui.px(8)))
        self.top.bind("<Escape>", lambda _e: self.on_delete())
        self.top.update_idletasks()
        self.resize((self.ui.px(SIZE[0]), max(self.ui.px(SIZE[1]), body.winfo_reqheight() + ui.px(40))))

    def on_delete(self) -> None:
        self.close()
        self.on_closed()


def show_alone(text: str) -> bool:
    """Say one sentence in a window of its own and wait until it is closed; false where there is no display."""
    from desktop_client.windows.base import make_root

    try:
        root = make_root()
    except tkinter.TclError:
        return False
    window = NoticeWindow(Ui(root))
    window.on_closed = root.quit
    window.add(text)
    root.mainloop()
    root.destroy()
    return True


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("notice")
