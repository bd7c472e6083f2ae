"""First connection: six words to compare with the operator's notice. And the hard stop for a changed key.

python -m desktop_client.windows.trust
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence

from desktop_client.i18n import _
from desktop_client.theme import Ui
from desktop_client.widgets.block import Block, draw_text
from desktop_client.widgets.layout import for_tk
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.selecting import Selecting
from desktop_client.widgets.text import Line
from desktop_client.widgets.wrap import CJK
from desktop_client.windows.base import BaseWindow, nothing, while_open

SIZE = (400, 330)
STOP_SIZE = (420, 400)
MINIMUM = (340, 300)
SIDE = 26
PARAGRAPH_CHARS_MAX = 500
COLUMNS = 3


class TrustWindow(BaseWindow):
    """Implements TrustView. A window closed without an answer is a no."""

    def __init__(self, ui: Ui, parent: tkinter.Misc | None = None) -> None:
        self.on_closed: Callable[[], None] = nothing
        self._answer: Callable[[bool], None] = nothing
        self._page: Callable[[], None] = nothing
        self._parent = parent
        super().__init__(ui, _("First connection"), SIZE, MINIMUM)

    # -- TrustView

    @while_open
    def ask(self, server_name: str, address: str, words: Sequence[str], answer: Callable[[bool], None]) -> None:
        self._answer = answer
        self._page = lambda: self._question(server_name, address, tuple(words))
        self._open(_("First connection"), SIZE)
        self.widgets.cancel.focus_set()

    @while_open
    def show_key_changed(self, server_name: str, address: str, old: Sequence[str], new: Sequence[str]) -> None:
        self._answer = nothing
        self._page = lambda: self._stop(server_name, address, tuple(old), tuple(new))
        self._open(_("The server's key changed"), STOP_SIZE)
        self.widgets.close.focus_set()

    # -- inside

    def build(self) -> None:
        edge = self.ui.c.line  # sheets lie over windows of the same colour
        self.top.configure(highlightthickness=1, highlightbackground=edge, highlightcolor=edge)
        self._body = tkinter.Frame(self.top, background=self.ui.c.window)
        self._body.pack(fill="both", expand=True, padx=self.ui.px(SIDE), pady=(self.ui.px(24), self.ui.px(18)))
        self.top.bind("<Escape>", lambda _e: self.on_delete())

    def refill(self) -> None:
        self._page()

    def on_delete(self) -> None:
        self._say(False)

    def _open(self, title: str, size: tuple[int, int]) -> None:
        self.set_title(title)
        self.resize((self.ui.px(size[0]), self.ui.px(size[1])))
        self.rebuild()
        self._fit_height()
        self.stay_over(self._parent)
        self.center(self._parent if self._parent is not None and self._parent.winfo_viewable() else None)
        self.open()

    def _fit_height(self) -> None:
        """The window is as high as the wrapped texts ask for."""
        self.top.deiconify()
        self.top.update_idletasks()
        for _round in range(3):  # wrapping changes heights, heights change nothing else
            self.top.update_idletasks()
        needed = self._body.winfo_reqheight() + self.ui.px(42)
        self.resize((self._size[0], max(self._size[1], needed)))

    def _say(self, matches: bool) -> None:
        answer, self._answer = self._answer, nothing
        self.close()
        answer(matches)
        self.on_closed()

    def _question(self, server_name: str, address: str, words: tuple[str, ...]) -> None:
        ui, w, body = self.ui, self.widgets, self._body
        self._heading(_("Is this the right server?"))
        text = _(
            "You are connecting to {server} ({address}) for the first time. "
            "Compare these words with the notice from your operator."
        )
        self._paragraph(text.format(server=server_name, address=address), bold=server_name)
        self._words(body, words).pack(fill="x", pady=(ui.px(12), ui.px(12)))
        row = tkinter.Frame(body, background=ui.c.window)
        row.pack(fill="x")
        w.match = Pill(row, ui, _("They match"), lambda: self._say(True), action="match", pad=18)
        w.cancel = Pill(row, ui, _("Cancel"), lambda: self._say(False), action="cancel", style="outline", pad=18)
        w.match.pack(side="right")
        w.cancel.pack(side="right", padx=(0, ui.px(10)))
        w.cancel.lower()  # Tab goes from Cancel to They match, as the eye does
        note = _("With an invite link this step is skipped: the link carries the key.")
        Line(body, ui, note, font="small", color=ui.c.muted, wrap=True, width=SIZE[0] - 2 * SIDE).pack(
            fill="x", pady=(ui.px(14), 0)
        )

    def _stop(self, server_name: str, address: str, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        ui, c, w, body = self.ui, self.ui.c, self.widgets, self._body
        self._icon = ui.paint.icon("shield_off", ui.px(40), c.danger)
        tkinter.Label(body, image=self._icon, bd=0, background=c.window).pack(anchor="w", pady=(0, ui.px(8)))
        self._heading(_("This is not the server you know"))
        text = _(
            "{server} ({address}) shows another key than before. Somebody may be in between. "
            "BillBuddy does not connect and has sent nothing."
        )
        self._paragraph(text.format(server=server_name, address=address), bold=server_name)
        grid = tkinter.Frame(body, background=c.window)
        grid.pack(fill="x", pady=(ui.px(10), ui.px(10)))
        for title, words, color in ((_("Known until now"), old, c.text), (_("Shown now"), new, c.danger)):
            if words:
                Line(grid, ui, title, font="small", color=c.muted).pack(fill="x", pady=(ui.px(4), ui.px(3)))
                self._words(grid, words, color, compact=True).pack(fill="x")
        advice = _(
            "Ask your operator. If the server was replaced, they give you a new invite link; paste it when you sign in."
        )
        row = tkinter.Frame(body, background=c.window)
        row.pack(side="bottom", fill="x")
        w.close = Pill(row, ui, _("Close"), lambda: self._say(False), action="close", pad=22)
        w.close.pack(side="right")
        Line(body, ui, advice, font="label", color=c.muted, wrap=True, width=STOP_SIZE[0] - 2 * SIDE).pack(fill="x")

    def _heading(self, text: str) -> None:
        width = self._size[0] / self.ui.scale - 2 * SIDE
        Line(self._body, self.ui, text, font="heading", wrap=True, width=int(width)).pack(fill="x")

    def _paragraph(self, text: str, bold: str) -> None:
        """A wrapped paragraph in which the server's name is bold; a Text widget, as labels have one font."""
        ui, c = self.ui, self.ui.c
        paragraph = tkinter.Text(
            self._body,
            height=3,
            width=10,
            wrap="char" if CJK.search(text) else "word",
            bd=0,
            highlightthickness=0,
            padx=0,
            pady=0,
            font=ui.font("body"),
            background=c.window,
            foreground=c.muted,
            cursor="",
            takefocus=0,
        )
        text, bold = for_tk(text, PARAGRAPH_CHARS_MAX), for_tk(bold)
        before, name, after = text.partition(bold) if bold else (text, "", "")
        paragraph.tag_configure("name", font=ui.font("body_bold"), foreground=c.text)
        paragraph.insert("end", before)
        paragraph.insert("end", name, "name")
        paragraph.insert("end", after)
        paragraph.configure(state="disabled")
        paragraph.pack(fill="x", pady=(ui.px(10), 0))

        def fit_height(_event: object) -> None:
            lines = paragraph.count("1.0", "end", "update", "displaylines")
            wanted = lines if isinstance(lines, int) else (lines or (3,))[0]
            if wanted != int(str(paragraph["height"])):
                paragraph.configure(height=wanted)

        paragraph.bind("<Configure>", fit_height)

    def _words(
        self, master: tkinter.Misc, words: tuple[str, ...], color: str = "", compact: bool = False
    ) -> tkinter.Canvas:
        """The words in a grid of three columns on a soft rounded ground."""
        ui, c = self.ui, self.ui.c
        rows = -(-len(words) // COLUMNS)
        line = ui.px(24 if compact else 28)
        height = rows * line + ui.px(12 if compact else 20)
        canvas = tkinter.Canvas(master, height=height, bd=0, highlightthickness=0, background=c.window)
        font = "label_bold" if compact else "title"
        drawn: list[Block] = []
        Selecting(canvas, ui, lambda: [((0, n), block) for n, block in enumerate(drawn)])

        def draw(_event: object) -> None:
            width = canvas.winfo_width()
            canvas.delete("all")
            picture = ui.paint.box(width, height, ui.px(8), c.soft)
            canvas.picture = picture  # type: ignore[attr-defined]
            canvas.create_image(0, 0, image=picture, anchor="nw")
            drawn.clear()
            for n, word in enumerate(words):
                column, row = n % COLUMNS, n // COLUMNS
                x = width * (2 * column + 1) / (2 * COLUMNS)
                y = ui.px(6 if compact else 10) + row * line + line / 2
                room = max(1, width // COLUMNS)
                drawn.append(
                    draw_text(
                        canvas, ui, x, y, word, font, color or c.text, anchor="center", width=room, lines_max=1
                    )
                )

        canvas.bind("<Configure>", draw)
        return canvas


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("trust")
