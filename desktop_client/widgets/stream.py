"""The message stream: entries of any height, keyed, replaced in place, only the visible ones drawn."""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from desktop_client.presenters.views import Bubble, Card, Entry, FormCard, TimeMark
from desktop_client.widgets import bubble, cards, form
from desktop_client.widgets.focus import focus_path
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.selecting import Selecting
from desktop_client.widgets.virtual import Pen, VirtualList, bind_wheel

if TYPE_CHECKING:
    from desktop_client.theme import Ui

Submit = Callable[[str, dict[str, str]], None]
EDGE_STEP = 24  # design pixels that the stream moves on while a selection is dragged over its edge
LINE_CHARS = 34  # of a bubble, only to guess a height before it is drawn


class Stream(VirtualList):
    """The conversation's entries, newest at the bottom."""

    def __init__(self, master: tkinter.Misc, ui: Ui, hooks: cards.Hooks, on_form: Submit) -> None:
        super().__init__(master, ui, ui.c.stream)
        self.hooks = hooks
        self._on_form = on_form
        self._entries: list[Entry] = []
        self._forms: dict[str, form.FormState] = {}
        self._wants_focus = ""  # the key of a form
        self.on_top: Callable[[], None] = lambda: None
        self._may_ask = True  # until there was nothing older
        self.selecting = Selecting(self.canvas, ui, self.selectable)
        self.selecting.text_of = lambda index: text_of(self._entries[index])
        self.selecting.on_edge = lambda direction: self.scroll(direction * ui.px(EDGE_STEP))
        self.selecting.more = self._more
        for key, step in (("Up", -56), ("Down", 56), ("Prior", -300), ("Next", 300)):
            self.canvas.bind(f"<{key}>", partial(self._on_arrow, ui.px(step)))
        self.canvas.bind("<FocusIn>", lambda _e: self._give_focus(), add=True)
        self.canvas.bind("<End>", lambda _e: self.scroll_to_end())

    def _on_arrow(self, pixels: int, _event: tkinter.Event[Any]) -> str:
        self.scroll(pixels)
        return "break"

    def drawn_again(self) -> None:
        self.selecting.paint()
        if self._may_ask and self._entries and self.is_near_top():
            self._may_ask = False
            self.after_idle(self._ask_for_older)

    def _ask_for_older(self) -> None:
        """The reader comes to the first entry: whoever has older ones puts them in."""
        count = len(self._entries)
        self.on_top()
        if len(self._entries) > count:
            self._may_ask = True
            self.drawn_again()

    def _more(self, place: tuple[int, int] | None) -> list[tuple[str, Callable[[], object]]]:
        """What else can be done with an entry: the buttons that stand at it."""
        pen = self._drawn.get(place[0]) if place else None
        pills = [w for w in pen.widgets if isinstance(w, Pill) and w.enabled] if pen else []
        return [(str(pill["text"]), pill.invoke) for pill in pills]

    def entries(self) -> list[Entry]:
        return list(self._entries)

    def show(self, entries: Sequence[Entry]) -> None:
        """Show other entries: at the end, or where one was reading; the focus stays in the form where it was."""
        held, focus = self._held(), self._focused_field()
        self._entries = list(entries)
        self.selecting.clear()
        self._may_ask = True
        alive = {key_of(entry) for entry in entries}
        self._forms = {key: state for key, state in self._forms.items() if key in alive}
        at = self._index(held[0]) if held is not None else -1
        self.reset(len(self._entries), to_end=at < 0)
        if held is not None and at >= 0:
            self._move_to(self._tops[at] + held[1])
            self.render()
        if focus is not None:
            self._focus_field(*focus)

    def _held(self) -> tuple[str, int] | None:
        """The entry at the upper edge and how far it is cut off there; None at the end."""
        at = -1 if self.at_end() or not self._entries else self.index_at(0)
        while 0 <= at < len(self._entries):
            key = key_of(self._entries[at])
            if key:
                return key, -self.place_of(at)[0]
            at += 1
        return None

    def _focused_field(self) -> tuple[str, str, int] | None:
        """Key of the entry, action of the widget in it that has the focus, and where its cursor is."""
        focus = focus_path(self)
        for at, pen in self._drawn.items():
            for widget in pen.widgets:
                if focus and focus.startswith(str(widget)):
                    entry = getattr(widget, "entry", None)
                    cursor = int(entry.index("insert")) if entry is not None else 0
                    return key_of(self._entries[at]), str(getattr(widget, "action", "")), cursor
        return None

    def _focus_field(self, key: str, action: str, cursor: int) -> None:
        pen = self._drawn.get(self._index(key))
        for widget in pen.widgets if pen else ():
            if getattr(widget, "action", "") == action:
                entry = getattr(widget, "entry", None)
                if entry is not None:
                    entry.icursor(cursor)
                (entry or widget).focus_set()

    def _index(self, key: str) -> int:
        """The place of the newest entry of this key, or -1."""
        return next((at for at in range(len(self._entries) - 1, -1, -1) if key_of(self._entries[at]) == key), -1)

    def append(self, entry: Entry) -> None:
        """Add an entry; the stream follows when its end was in sight, or when the entry is one's own."""
        follow = self.at_end() or (isinstance(entry, Bubble) and entry.own)
        self._entries.append(entry)
        self._at_end = self._at_end or follow
        self.grow(len(self._entries))

    def insert_entries(self, index: int, entries: Sequence[Entry]) -> None:
        """Put entries before the one at `index`; at the end it follows as `append` does."""
        if index == len(self._entries):
            self._at_end = self._at_end or self.at_end()
        self._entries[index:index] = entries
        self.selecting.moved(index, len(entries))
        self.insert(index, len(entries))

    def see_key(self, key: str) -> None:
        """Bring the entry of a key into view. A form then takes the focus, unless another widget has it."""
        index = self._index(key)
        if index < 0:
            return
        if index == len(self._entries) - 1:
            self.scroll_to_end()
        for _turn in range(2):  # the first one learns how high the entries on the way are
            self.see(index)
        self._at_end = self._at_end or index == len(self._entries) - 1
        if isinstance(self._entries[index], FormCard):
            self._wants_focus = key
            self._give_focus()

    def render(self) -> None:
        super().render()
        self._give_focus()

    def _give_focus(self) -> None:
        """The form that came into view gets the focus as soon as it is drawn and the window has it."""
        index = self._index(self._wants_focus) if self._wants_focus else -1
        focus, top = focus_path(self), str(self.winfo_toplevel())
        if index not in self._drawn or (focus and not focus.startswith(top)):
            return
        self._wants_focus = ""
        if focus in ("", top, str(self.canvas)):
            self.focus_entry(index)

    def replace(self, key: str, entry: Entry) -> bool:
        """Put another entry in the place of one; false when no entry has this key."""
        for index in range(len(self._entries) - 1, -1, -1):
            if key_of(self._entries[index]) == key:
                break
        else:
            return False
        if self._entries[index] == entry:
            return True
        had_focus = self._focus_inside(index)
        follow = self.at_end()
        if not isinstance(entry, FormCard) or entry != self._entries[index]:
            self._keep_values(key, entry)
        self._entries[index] = entry
        self._at_end = self._at_end or follow
        self.redraw([index])
        if had_focus:
            self.focus_entry(index)
        return True

    def focus_entry(self, index: int) -> None:
        """Give the focus to the first widget of an entry that takes it, else to the stream."""
        pen = self._drawn.get(index)
        for widget in pen.widgets if pen else ():
            target = getattr(widget, "entry", widget)
            if getattr(target, "enabled", True):
                target.focus_set()
                return
        self.canvas.focus_set()

    def estimate(self, index: int) -> int:
        entry = self._entries[index]
        px = self.ui.px
        if isinstance(entry, TimeMark):
            return px(30)
        if isinstance(entry, Bubble):
            lines = sum(1 + len(line) // LINE_CHARS for line in entry.text.split("\n", bubble.FOLD_LINES))
            lines = min(lines, bubble.FOLD_LINES)
            return px(24 + 20 * lines + (16 if entry.status else 0))
        return px(220)

    def draw(self, pen: Pen, index: int, top: int, width: int) -> int:
        first = self.ui.px(8) if index == 0 else 0
        height = first + self._draw_entry(pen, index, top + first, width)
        for widget in pen.widgets:
            bind_wheel(widget, self)
        return height

    def _draw_entry(self, pen: Pen, index: int, top: int, width: int) -> int:
        entry = self._entries[index]
        if isinstance(entry, TimeMark):
            return bubble.draw_time(pen, entry, top, width)
        if isinstance(entry, Bubble):
            return bubble.draw_bubble(pen, entry, top, width, self.hooks)
        if isinstance(entry, Card):
            return cards.draw_card(pen, entry, top, width, self.hooks)
        state = self._state_of(entry)
        return form.draw_form(pen, entry, state, top, width, self.hooks, lambda: self._submit(entry))

    def _state_of(self, entry: FormCard) -> form.FormState:
        state = self._forms.get(entry.key)
        if state is None:
            state = self._forms[entry.key] = form.FormState(self, entry)
        return state

    def _keep_values(self, key: str, entry: Entry) -> None:
        """A form that comes back with an error keeps what was typed, secrets excepted."""
        old = self._forms.pop(key, None)
        if old and isinstance(entry, FormCard):
            state = self._state_of(entry)
            for item in entry.fields:
                if not item.value and item.kind != "pin" and item.name in old.values:
                    state.values[item.name].set(old.values[item.name].get())

    def _submit(self, entry: FormCard) -> None:
        state = self._state_of(entry)
        index = next(i for i, e in enumerate(self._entries) if key_of(e) == entry.key)
        if state.check(entry):
            values = state.take()
            state.forget_secrets(entry)
            self._on_form(entry.key, values)
            return
        self.redraw([index])
        pen = self._drawn.get(index)
        for widget in pen.widgets if pen else ():
            if getattr(widget, "action", "") in state.errors:
                getattr(widget, "entry", widget).focus_set()
                return

    def _focus_inside(self, index: int) -> bool:
        pen = self._drawn.get(index)
        focus = focus_path(self)
        return bool(pen and focus and any(focus.startswith(str(widget)) for widget in pen.widgets))


def text_of(entry: Entry) -> str:
    """All that an entry says, for the clipboard."""
    if isinstance(entry, Card):
        return cards.card_text(entry)
    if isinstance(entry, FormCard):
        return "\n".join(part for part in (entry.title, entry.text, entry.error) if part)
    return entry.text


def key_of(entry: Entry) -> str:
    """The key of an entry; a time mark has none."""
    return getattr(entry, "key", "")
