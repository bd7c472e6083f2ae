"""The roster's coloured head: own avatar, name with the presence menu, id and signature, balance."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.presenters.views import Me
from desktop_client.widgets.block import Block, draw_text
from desktop_client.widgets.contact import Face, avatar
from desktop_client.widgets.field import Field
from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.menu import Menu
from desktop_client.widgets.selecting import Selecting

if TYPE_CHECKING:
    from desktop_client.theme import Ui

HEIGHT = 123
AVATAR = 52
SIDE = 14
PRESENCES = ("online", "away", "busy", "offline")


def presence_text(presence: str) -> str:
    """The word for a presence."""
    return {"online": _("Online"), "away": _("Away"), "busy": _("Busy"), "offline": _("Invisible")}[presence]


class RosterHeader(tkinter.Canvas):
    """Drawn on one canvas over a gradient; the name opens the presence menu by click, Enter, Space or Down."""

    def __init__(
        self,
        master: tkinter.Misc,
        ui: Ui,
        on_presence: Callable[[str], None],
        on_balance: Callable[[], None],
        search: tkinter.StringVar,
    ) -> None:
        super().__init__(
            master, height=ui.px(HEIGHT), bd=0, highlightthickness=0, background=ui.c.header_from, takefocus=1
        )
        self.action = "presence"
        self._ui = ui
        self._on_presence = on_presence
        self._me: Me | None = None
        self._texts: list[Block] = []  # they hold the pictures of their emoji
        self.raw: dict[int, str] = {}
        self.selecting = Selecting(self, ui, lambda: [((0, n), block) for n, block in enumerate(self._texts[2:])])
        self.search = Field(
            self,
            ui,
            name="search",
            placeholder=_("Search contacts and bills"),
            height=27,
            back=ui.c.header_field,
            fill=ui.c.header_field,
            text_color=ui.c.header_text,
            hint_color=ui.c.header_text,
            icon="search",
            border=False,
            font="label",
            variable=search,
        )
        self.bind("<Configure>", lambda _e: self.draw())
        self.bind("<FocusIn>", lambda _e: self.draw())
        self.bind("<FocusOut>", lambda _e: self.draw())
        self.tag_bind("name", "<Button-1>", self._open)
        self.tag_bind("balance", "<Button-1>", lambda _e: on_balance())
        for tag in ("name", "balance"):
            self.tag_bind(tag, "<Enter>", lambda _e: self.configure(cursor="hand2"))
            self.tag_bind(tag, "<Leave>", lambda _e: self.configure(cursor=""))
        for key in ("<space>", "<Return>", "<Down>"):
            self.bind(key, self._open)
        for event in ("<FocusIn>", "<FocusOut>"):
            self.search.entry.bind(event, lambda _e: self.draw(), add=True)
        self.menu = Menu(self, ui)
        for presence in PRESENCES:
            self.menu.add_command(label=presence_text(presence), command=lambda p=presence: self._on_presence(p))  # type: ignore[misc]

    def show(self, me: Me) -> None:
        self._me = me
        self.draw()

    def draw(self) -> None:
        ui, c, px = self._ui, self._ui.c, self._ui.px
        width = self.winfo_width()
        self.delete("all")
        self.raw.clear()
        if width < 8:
            return
        self._ground = ui.paint.gradient(width, px(HEIGHT), c.header_from, c.header_to)
        self.create_image(0, 0, image=self._ground, anchor="nw")
        wide = width - 2 * px(SIDE)
        self._search_ground = ui.paint.box(wide, px(31), px(6), c.header_field, outline=self._search_edge(), line=px(1))
        self.create_image(px(SIDE), px(78), image=self._search_ground, anchor="nw")
        self.create_window(px(SIDE + 5), px(80), window=self.search, anchor="nw", width=wide - px(10), height=px(27))
        if self._me is not None:
            self._draw_me(self._me, width)

    def _search_edge(self) -> str:
        return self._ui.c.header_text if has_focus(self.search.entry) else ""

    def _draw_me(self, me: Me, width: int) -> None:
        ui, c, px = self._ui, self._ui.c, self._ui.px
        self._avatar, letter = avatar(ui, Face(me.member_id, me.name, dot=me.presence), px(AVATAR), c.header_ring)
        self.create_image(px(SIDE), px(14), image=self._avatar, anchor="nw", tags="name")
        middle = px(SIDE) + px(AVATAR) / 2
        self._texts = [
            draw_text(
                self, ui, middle, px(14 + AVATAR / 2), letter, "avatar_large", c.header_text,
                anchor="center", tags="name",
            )
        ]  # fmt: skip
        right = width - px(SIDE)
        room = right - px(78)
        if me.balance:
            self.create_text(
                right, px(31), text=_("Balance"), font=ui.font("small"), fill=c.header_muted, anchor="e", tags="balance"
            )
            self.create_text(
                right, px(50), text=me.balance, font=ui.font("title"), fill=c.header_text, anchor="e", tags="balance"
            )
            room -= max(int(ui.font("title").measure(me.balance)), int(ui.font("small").measure(_("Balance")))) + px(10)
        name = draw_text(
            self, ui, px(78), px(31), me.name, "title", c.header_text,
            anchor="w", width=max(1, room - px(18)), lines_max=1, tags="name",
        )  # fmt: skip
        end = px(78) + name.width
        self._arrow = ui.paint.icon("down", px(14), c.header_text)
        self.create_image(end + px(3), px(32), image=self._arrow, anchor="w", tags="name")
        said = me.signature or presence_text("online" if me.presence == "none" else me.presence)
        line = f"{me.member_id} · {said}"
        said_line = draw_text(
            self, ui, px(78), px(53), line, "small", c.header_muted, anchor="w", width=max(1, room), lines_max=1
        )
        self._texts += [name, said_line]
        if has_focus(self):
            self.create_rectangle(px(73), px(19), end + px(20), px(43), outline=c.header_text, width=max(1, px(1)))

    def _open(self, _event: tkinter.Event[Any]) -> str:
        self.focus_set()
        self.menu.tk_popup(self.winfo_rootx() + self._ui.px(78), self.winfo_rooty() + self._ui.px(44))
        return "break"
