"""The main window: own head, search, contacts in groups or the recent conversations, state of the connection.

python -m desktop_client.windows.roster
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence
from typing import Any

from desktop_client.i18n import _
from desktop_client.presenters.views import Me, RosterGroup, RosterRow, Tone
from desktop_client.theme import Ui
from desktop_client.widgets.header import RosterHeader
from desktop_client.widgets.menu import Menu
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.roster_list import RosterList
from desktop_client.widgets.tabs import Tabs
from desktop_client.widgets.text import Line, RuleLine
from desktop_client.windows.base import BaseWindow, nothing, while_open
from im_protocol.limits import PAYMENT_ID

SIZE = (300, 670)
MINIMUM = (260, 360)
BAR = 44
RECENT_MAX = 50
SCALES = (0.0, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)  # 0: as the screen asks


class RosterWindow(BaseWindow):
    """Implements RosterView."""

    def __init__(self, ui: Ui) -> None:
        self.on_open_contact: Callable[[int], None] = nothing
        self.on_set_presence: Callable[[str], None] = nothing
        self.on_search: Callable[[str], None] = nothing
        self.on_sign_out: Callable[[], None] = nothing
        self.on_quit: Callable[[], None] = nothing
        self.on_theme: Callable[[str], None] = self._use_theme
        self.on_scale: Callable[[float], None] = lambda wish: self.ui.use_scale(wish)
        self.on_language: Callable[[str], None] = nothing
        self._me: Me | None = None
        self._groups: tuple[RosterGroup, ...] = ()
        self._connection: tuple[str, Tone] = ("", "muted")
        self._tab = "contacts"
        self._opened: list[int] = []
        self._folded: set[str] = set()
        self._chosen = 0
        self._search = tkinter.StringVar(ui.root)
        self._search.trace_add("write", lambda *_a: self._on_search())
        super().__init__(ui, _("BillBuddy"), SIZE, MINIMUM)
        self.open()
        self.widgets.list.canvas.focus_set()

    # -- RosterView

    @while_open
    def show_me(self, me: Me) -> None:
        self._me = me
        self.widgets.header.show(me)

    @while_open
    def show_groups(self, groups: Sequence[RosterGroup]) -> None:
        self._groups = tuple(groups)
        unread = sum(row.unread for group in groups for row in group.rows)
        self.widgets.tabs.set_badge("recent", unread)
        self.show_unread(unread)
        self._show_list()

    @while_open
    def show_connection(self, text: str, tone: Tone) -> None:
        self._connection = (text, tone)
        ui, c, w = self.ui, self.ui.c, self.widgets
        color = c.good if tone == "good" else ui.tone(tone)
        w.connection.configure(text=text, foreground=color)
        w.connection_dot.configure(image=ui.paint.disc(ui.px(10), color) if text else "")

    @while_open
    def show_toast(self, text: str, tone: Tone) -> None:
        self.toast(text, tone, BAR + 10)

    def me(self) -> Me | None:
        """The member who is signed in, as last told."""
        return self._me

    # -- inside

    def build(self) -> None:
        ui, w, top = self.ui, self.widgets, self.top
        w.header = RosterHeader(
            top, ui, lambda presence: self.on_set_presence(presence), self._open_wallet, self._search
        )
        w.header.pack(fill="x")
        w.search = w.header.search
        w.search.entry.bind("<Escape>", self._clear_search)
        w.search.entry.bind("<Down>", self._into_list)
        w.search.entry.bind("<Return>", self._open_first)
        w.tabs = Tabs(top, ui, (("contacts", _("Contacts")), ("recent", _("Recent"))), self._tab, self._on_tab)
        w.tabs.pack(fill="x")
        w.list = RosterList(top, ui, self._open_contact)
        self._build_bar()  # made after the list, as Tab goes; packed before it, as it keeps its height
        w.list.folded = self._folded
        w.list.wanted = self._chosen
        w.list.pack(fill="both", expand=True)
        top.bind("<Control-f>", lambda _e: w.search.entry.focus_set())

    def _build_bar(self) -> None:
        ui, w, top = self.ui, self.widgets, self.top
        bar = tkinter.Frame(top, background=ui.c.window, height=ui.px(BAR))
        bar.pack(side="bottom", fill="x")
        bar.pack_propagate(False)
        RuleLine(top, ui).pack(side="bottom", fill="x")
        w.menu_button = Pill(bar, ui, "", self._open_menu, action="menu", style="quiet", height=32, icon="menu")
        w.menu_button.pack(side="left", padx=(ui.px(8), ui.px(4)))
        w.wallet_button = Pill(bar, ui, "", self._open_wallet, action="wallet", style="quiet", height=32, icon="wallet")
        w.wallet_button.pack(side="left", padx=(0, ui.px(4)))
        icon = "sun" if ui.c.dark else "moon"
        w.theme_button = Pill(bar, ui, "", self._toggle_theme, action="theme", style="quiet", height=32, icon=icon)
        w.theme_button.pack(side="left")
        w.connection = Line(bar, ui, "", font="small")
        w.connection.pack(side="right", padx=(ui.px(4), ui.px(14)))
        w.connection_dot = tkinter.Label(bar, bd=0, background=ui.c.window)
        w.connection_dot.pack(side="right")

    def rebuild(self) -> None:
        self._chosen = self.widgets.list.selected_id()
        super().rebuild()

    def refill(self) -> None:
        if self._me:
            self.show_me(self._me)
        self.show_groups(self._groups)
        self.show_connection(*self._connection)

    def on_delete(self) -> None:
        self.on_quit()
        if self.on_quit is nothing:
            self.close()

    def menu(self) -> tkinter.Menu:
        """The menu behind the three lines: appearance, language, sign out, quit."""
        menu = Menu(self.top, self.ui)
        look = Menu(menu, self.ui)
        self._look = tkinter.StringVar(self.top, self.ui.choice)
        for mode, text in (("light", _("Light")), ("dark", _("Dark")), ("system", _("As the system"))):
            look.add_radiobutton(label=text, value=mode, variable=self._look, command=lambda m=mode: self.on_theme(m))  # type: ignore[misc]
        menu.add_cascade(label=_("Appearance"), menu=look)
        size = Menu(menu, self.ui)
        self._size_choice = tkinter.DoubleVar(self.top, self.ui.wish)
        for wish in SCALES:
            text = f"{wish:.0%}" if wish else _("As the screen")
            size.add_radiobutton(
                label=text,
                value=wish,
                variable=self._size_choice,
                command=lambda w=wish: self.on_scale(w),  # type: ignore[misc]
            )
        menu.add_cascade(label=_("Size"), menu=size)
        if self.on_language is not nothing:
            speech = Menu(menu, self.ui)
            for lang, text in (("en", "English"), ("zh_CN", "简体中文")):
                speech.add_command(label=text, command=lambda which=lang: self.on_language(which))  # type: ignore[misc]
            menu.add_cascade(label=_("Language"), menu=speech)
        menu.add_command(label=_("Wallet and payment password"), command=lambda: self.on_open_contact(PAYMENT_ID))
        menu.add_separator()
        menu.add_command(label=_("Sign out"), command=lambda: self.on_sign_out())
        if self.on_quit is not nothing:
            menu.add_command(label=_("Quit"), command=lambda: self.on_quit())
        return menu

    def _open_menu(self) -> None:
        button = self.widgets.menu_button
        menu = self.menu()
        menu.update_idletasks()
        menu.tk_popup(button.winfo_rootx(), button.winfo_rooty() - menu.winfo_reqheight())

    def _open_wallet(self) -> None:
        self.on_open_contact(PAYMENT_ID)

    def _toggle_theme(self) -> None:
        self.on_theme("light" if self.ui.c.dark else "dark")

    def _use_theme(self, mode: str) -> None:
        self.ui.use(mode)

    def _on_tab(self, key: str) -> None:
        self._tab = key
        self.widgets.list.reset(0)
        self._show_list()

    def _show_list(self) -> None:
        if self._tab == "recent":
            self.widgets.list.show(
                self._recent(), _("Conversations that you open and unread messages are listed here.")
            )
        else:
            empty = _("Nobody found.") if self._search.get() else _("No contacts yet.")
            self.widgets.list.show(self._groups, empty, unfold=bool(self._search.get()))

    def _recent(self) -> list[RosterGroup]:
        """Those with unread messages first, then what was opened since the sign-in, the latest first."""
        rows = {row.contact_id: row for group in self._groups for row in group.rows}
        unread = [row.contact_id for row in rows.values() if row.unread]
        order = unread + [i for i in self._opened if i in rows and i not in unread]
        chosen: list[RosterRow] = [rows[i] for i in order[:RECENT_MAX]]
        return [RosterGroup("recent", _("Recent"), str(len(chosen)), tuple(chosen))] if chosen else []

    def _open_contact(self, contact_id: int) -> None:
        if contact_id in self._opened:
            self._opened.remove(contact_id)
        self._opened.insert(0, contact_id)
        self.on_open_contact(contact_id)
        if self._tab == "recent" and self.is_open():
            self._show_list()

    def _on_search(self) -> None:
        if self._tab != "contacts" and self._search.get():
            self._tab = "contacts"
            self.widgets.tabs.choose("contacts")
        self.on_search(self._search.get().strip())

    def _clear_search(self, _event: tkinter.Event[Any]) -> str:
        self._search.set("")
        self.widgets.list.canvas.focus_set()
        return "break"

    def _into_list(self, _event: tkinter.Event[Any]) -> str:
        self.widgets.list.canvas.focus_set()
        self.widgets.list.select_first()
        return "break"

    def _open_first(self, _event: tkinter.Event[Any]) -> str:
        self.widgets.list.select_first()
        chosen = self.widgets.list.selected_id()
        if chosen and self._search.get():
            self._open_contact(chosen)
        return "break"


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("roster")
