"""The roster's list: group heads that fold, contacts with state, amounts due and unread badges."""

from __future__ import annotations

import sys
import tkinter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.presenters.views import RosterGroup, RosterRow
from desktop_client.widgets.contact import Face, draw_avatar
from desktop_client.widgets.focus import has_focus
from desktop_client.widgets.layout import for_tk
from desktop_client.widgets.menu import Menu
from desktop_client.widgets.virtual import Pen, VirtualList

if TYPE_CHECKING:
    from desktop_client.theme import Ui

ROW_HEIGHT = 52
HEAD_HEIGHT = 28
AVATAR = 36
BADGE_MAX = 99
TYPING_MS = 1_000  # a longer pause begins a new name
# Control and Alt in an event's state, and on X11 the modifiers that are Alt and Super: these are keys of commands.
MODIFIERS = 0x4 | 0x20000 | (0 if sys.platform == "win32" else 0x8 | 0x40)
MENU_CHARS_MAX = 40  # of a text that a menu repeats
TICKS = ("✓", "✔")

Item = RosterGroup | RosterRow


class RosterList(VirtualList):
    """Contacts in groups. Double click, Enter or Space opens; arrows and letters move; Left and Right fold a group."""

    def __init__(self, master: tkinter.Misc, ui: Ui, on_open: Callable[[int], None]) -> None:
        super().__init__(master, ui, ui.c.window)
        self._on_open = on_open
        self._groups: tuple[RosterGroup, ...] = ()
        self._items: list[Item] = []
        self.folded: set[str] = set()
        self.wanted = 0  # the contact to select as soon as it is shown
        self._unfold = False
        self._selected = -1
        self._hover = -1
        self._empty = ""
        canvas = self.canvas
        canvas.bind("<Motion>", lambda e: self._set_hover(self.index_at(e.y)))
        canvas.bind("<Leave>", lambda _e: self._set_hover(-1))
        canvas.bind("<Button-1>", self._on_click)
        canvas.bind("<Double-Button-1>", self._on_double)
        canvas.bind("<FocusIn>", lambda _e: self._on_focus())
        canvas.bind("<FocusOut>", lambda _e: self._redraw_one(self._selected))
        for key, step in (("Up", -1), ("Down", 1), ("Prior", -8), ("Next", 8)):
            canvas.bind(f"<{key}>", partial(self._on_arrow, step))
        canvas.bind("<ButtonPress-3>", self._on_menu)
        for key in ("<Menu>", "<Shift-F10>"):
            canvas.bind(key, lambda _e: self._menu_by_key())
        canvas.bind("<Home>", lambda _e: self._select(0))
        canvas.bind("<End>", lambda _e: self._select(len(self._items) - 1))
        canvas.bind("<Left>", lambda _e: self._fold(True))
        canvas.bind("<Right>", lambda _e: self._fold(False))
        for key in ("<Return>", "<KP_Enter>"):
            canvas.bind(key, lambda _e: self._open(self._selected))
        canvas.bind("<Key>", self._on_key)
        self._typed = ""
        self._typed_at = 0

    # -- verbs

    def show(self, groups: Sequence[RosterGroup], empty_text: str = "", *, unfold: bool = False) -> None:
        """Show these groups; only what differs is drawn again, and place and selection stay.

        `unfold` shows folded groups too, as results of a search.
        """
        self._unfold = unfold
        self._groups = tuple(groups)
        chosen = self.selected_id() or self.wanted
        self.wanted = 0
        old = self._items
        self._items = self._flatten()
        self._selected = self._index_of(chosen) if chosen else min(self._selected, len(self._items) - 1)
        self._show_empty(empty_text)
        if len(old) == len(self._items) and [self._key(i) for i in old] == [self._key(i) for i in self._items]:
            self.redraw([n for n, (a, b) in enumerate(zip(old, self._items, strict=True)) if a != b])
        else:
            self.reset(len(self._items))

    def items(self) -> list[Item]:
        """What the list holds, top to bottom, folded groups without their contacts."""
        return list(self._items)

    def index_of_name(self, name: str) -> int:
        """The row whose contact has this name, -1 for none."""
        for index, item in enumerate(self._items):
            if isinstance(item, RosterRow) and item.name == name:
                return index
        return -1

    def selected_id(self) -> int:
        if 0 <= self._selected < len(self._items):
            item = self._items[self._selected]
            return item.contact_id if isinstance(item, RosterRow) else 0
        return 0

    def select_first(self) -> None:
        """Choose the first contact, as the search field does on the Down key."""
        for index, item in enumerate(self._items):
            if isinstance(item, RosterRow):
                self._select(index)
                return

    def forget_typed(self) -> None:
        """What is typed next begins a new name."""
        self._typed = ""

    # -- drawing

    def estimate(self, index: int) -> int:
        return self.ui.px(HEAD_HEIGHT if isinstance(self._items[index], RosterGroup) else ROW_HEIGHT)

    def draw(self, pen: Pen, index: int, top: int, width: int) -> int:
        item = self._items[index]
        back = self._back_of(index)
        height = self.estimate(index)
        if back != self.back:
            pen.box(0, top, width, top + height, back)
        if index == self._selected and self._focused():
            self._ring(pen, top, width, height)
        if isinstance(item, RosterGroup):
            self._draw_head(pen, item, top, width, height)
        else:
            self._draw_row(pen, item, top, width, back)
        return height

    def _draw_head(self, pen: Pen, group: RosterGroup, top: int, width: int, height: int) -> None:
        px, c = self.ui.px, self.ui.c
        arrow = "right" if group.key in self.folded else "down"
        pen.picture(px(9), top + height / 2, self.ui.paint.icon(arrow, px(14), c.muted), anchor="w")
        title = f"{group.title}  {group.count}" if group.count else group.title
        self._line(pen, px(24), top + height // 2, title, "label", c.muted, width - px(32))

    def _draw_row(self, pen: Pen, row: RosterRow, top: int, width: int, back: str) -> None:
        px, c = self.ui.px, self.ui.c
        face = Face(row.contact_id, row.name, row.kind, row.icon, row.dot, row.dimmed)
        draw_avatar(pen, px(12), top + px(8), face, px(AVATAR), back, "avatar")
        right = width - px(14)
        if row.unread:
            right = self._draw_badge(pen, row.unread, right, top + px(ROW_HEIGHT) // 2)
        elif row.trailing:
            right = self._draw_trailing(pen, row, right, top + px(ROW_HEIGHT) // 2)
        room = right - px(58) - px(8)
        name_color, detail_color = (c.muted, c.muted) if row.dimmed else (c.text, c.muted)
        self._line(pen, px(58), top + px(18), row.name, "body", name_color, room)
        self._line(pen, px(58), top + px(38), row.detail, "small", detail_color, room)

    @staticmethod
    def _line(pen: Pen, x: int, y: int, text: str, font: str, color: str, room: int) -> None:
        """One line of a contact, cut where its room ends."""
        if room > 0:
            pen.text(x, y, text, font, color, anchor="w", width=room, lines_max=1)

    def _draw_badge(self, pen: Pen, unread: int, right: int, middle: int) -> int:
        ui, c = self.ui, self.ui.c
        text = str(unread) if unread <= BADGE_MAX else f"{BADGE_MAX}+"
        height = ui.px(18)
        width = max(height, int(ui.font("tiny").measure(text)) + ui.px(10))
        pen.picture(right, middle, ui.paint.box(width, height, height // 2, c.badge), anchor="e")
        pen.text(right - width / 2, middle, text, "tiny", c.on_fill, anchor="center")
        return right - width

    def _draw_trailing(self, pen: Pen, row: RosterRow, right: int, middle: int) -> int:
        ui = self.ui
        if row.trailing in TICKS:
            side = ui.px(18)
            pen.picture(right, middle, ui.paint.icon("check", side, ui.tone(row.trailing_tone)), anchor="e")
            return right - side
        room, color = max(1, right // 2), ui.tone(row.trailing_tone)
        tag = pen.text(right, middle, row.trailing, "small_bold", color, anchor="e", width=room, lines_max=1)
        return right - pen.blocks[tag].width

    def _ring(self, pen: Pen, top: int, width: int, height: int) -> None:
        wide = max(1, self.ui.px(1))
        color = self.ui.c.accent
        pen.box(0, top, width, top + wide, color)
        pen.box(0, top + height - wide, width, top + height, color)
        pen.box(0, top, wide * 2, top + height, color)
        pen.box(width - wide, top, width, top + height, color)

    def _back_of(self, index: int) -> str:
        if index == self._selected:
            return self.ui.c.selected
        return self.ui.c.hover if index == self._hover else self.back

    def _show_empty(self, text: str) -> None:
        self.canvas.delete("empty")
        if text and not self._items:
            self.canvas.create_text(
                max(self._width, self.ui.px(200)) / 2,
                self.ui.px(60),
                text=text,
                width=max(self._width, self.ui.px(200)) - self.ui.px(40),
                justify="center",
                font=self.ui.font("label"),
                fill=self.ui.c.muted,
                tags="empty",
            )

    # -- inside

    def _flatten(self) -> list[Item]:
        items: list[Item] = []
        for group in self._groups:
            items.append(group)
            if self._unfold or group.key not in self.folded:
                items.extend(group.rows)
        return items

    @staticmethod
    def _key(item: Item) -> tuple[str, int]:
        return (item.key, 0) if isinstance(item, RosterGroup) else ("", item.contact_id)

    def _index_of(self, contact_id: int) -> int:
        for index, item in enumerate(self._items):
            if isinstance(item, RosterRow) and item.contact_id == contact_id:
                return index
        return -1

    def _focused(self) -> bool:
        return has_focus(self.canvas)

    def _redraw_one(self, index: int) -> None:
        if 0 <= index < len(self._items):
            self.redraw([index])

    def _set_hover(self, index: int) -> None:
        if index != self._hover:
            old, self._hover = self._hover, index
            self._redraw_one(old)
            self._redraw_one(index)

    def _select(self, index: int) -> str:
        if 0 <= index < len(self._items):
            old, self._selected = self._selected, index
            self._redraw_one(old)
            self._redraw_one(index)
            self.see(index)
        return "break"

    def _on_key(self, event: tkinter.Event[Any]) -> str | None:
        """Letters go to the next contact with a word that begins so; Space opens unless a name is being typed."""
        if int(event.state) & MODIFIERS or not event.char.isprintable() or not event.char:
            return None
        if event.time - self._typed_at > TYPING_MS:
            self.forget_typed()
        self._typed_at = event.time
        if event.char == " " and not self._typed:
            return self._open(self._selected)
        self._typed += event.char.casefold()
        first = self._selected + (len(self._typed) == 1)
        for step in range(len(self._items)):
            index = (first + step) % len(self._items)
            item = self._items[index]
            if isinstance(item, RosterRow) and self._begins(item.name.casefold()):
                return self._select(index)
        return "break"

    def _begins(self, name: str) -> bool:
        places = [0, *(at + 1 for at, character in enumerate(name) if character == " ")]
        return any(name.startswith(self._typed, at) for at in places)

    def _on_arrow(self, by: int, _event: tkinter.Event[Any]) -> str:
        return self._move(by)

    def _move(self, by: int) -> str:
        start = self._selected if self._selected >= 0 else -1
        return self._select(max(0, min(len(self._items) - 1, start + by)))

    def _on_focus(self) -> None:
        if self._selected < 0:
            self.select_first()
        self._redraw_one(self._selected)

    def _on_click(self, event: tkinter.Event[Any]) -> None:
        self.canvas.focus_set()
        index = self.index_at(event.y)
        if index < 0:
            return
        self._select(index)
        if isinstance(self._items[index], RosterGroup):
            self._toggle(index)

    def _on_double(self, event: tkinter.Event[Any]) -> None:
        """Opens what the first of the two clicks chose: rows may have changed places meanwhile."""
        index = self._selected
        if self.index_at(event.y) < 0 or not 0 <= index < len(self._items):
            return
        if isinstance(self._items[index], RosterGroup):
            self._toggle(index)  # the second click of two quick ones folds again
        else:
            self._open(index)

    def _on_menu(self, event: tkinter.Event[Any]) -> str:
        self.canvas.focus_set()
        index = self.index_at(event.y)
        if index >= 0:
            self._select(index)
            self.menu(index).tk_popup(event.x_root, event.y_root)
        return "break"

    def _menu_by_key(self) -> str:
        if self._selected >= 0:
            _top, bottom = self.place_of(self._selected)
            x, y = self.canvas.winfo_rootx() + self.ui.px(58), self.canvas.winfo_rooty() + bottom
            self.menu(self._selected).tk_popup(x, y)
        return "break"

    def menu(self, index: int) -> Menu:
        """What can be done with a row: open or fold it, copy what it says."""
        item = self._items[index]
        menu = Menu(self.canvas, self.ui)
        if isinstance(item, RosterGroup):
            folded = item.key in self.folded
            menu.add_command(label=_("Unfold") if folded else _("Fold"), command=lambda: self._toggle(index))
            menu.add_command(label=_("Copy name"), command=lambda: self._copy(item.title))
            return menu
        menu.add_command(label=_("Open"), command=lambda: self._on_open(item.contact_id))
        menu.add_separator()
        menu.add_command(label=_("Copy name"), command=lambda: self._copy(item.name))
        menu.add_command(label=_("Copy number"), command=lambda: self._copy(str(item.contact_id)))
        for said in (item.detail, item.trailing):
            if said and said not in TICKS:
                label = _("Copy “{text}”").format(text=for_tk(said, MENU_CHARS_MAX))
                menu.add_command(label=label, command=lambda text=said: self._copy(text))  # type: ignore[misc]
        return menu

    def _copy(self, text: str) -> None:
        self.canvas.clipboard_clear()
        self.canvas.clipboard_append(text)

    def _open(self, index: int) -> str:
        if 0 <= index < len(self._items):
            item = self._items[index]
            if isinstance(item, RosterGroup):
                self._toggle(index)
            else:
                self._on_open(item.contact_id)
        return "break"

    def _fold(self, fold: bool) -> str:
        index = self._selected
        while index >= 0 and not isinstance(self._items[index], RosterGroup):
            index -= 1
        if index >= 0:
            group = self._items[index]
            assert isinstance(group, RosterGroup)
            if (group.key in self.folded) != fold:
                self._select(index)
                self._toggle(index)
        return "break"

    def _toggle(self, index: int) -> None:
        group = self._items[index]
        assert isinstance(group, RosterGroup)
        self.folded ^= {group.key}
        seen = self.canvas.canvasy(0)
        self._items = self._flatten()
        self._hover = -1
        self.reset(len(self._items))
        self._move_to(int(seen))
        self.render()
