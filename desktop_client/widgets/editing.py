"""Editing as in every other program of the desktop. Tk's own keys on X11 are those of Emacs: Ctrl+A goes to the line's
start, a paste does not replace the selection, Ctrl+K cuts a line. `Editing` gives an Entry or a Text the usual ones.
"""

from __future__ import annotations

import re
import tkinter
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.i18n import _
from desktop_client.widgets.menu import Menu

if TYPE_CHECKING:
    from desktop_client.theme import Ui

Input = tkinter.Entry | tkinter.Text
Clean = Callable[[str], str]

UNDO_STEPS_MAX = 200  # of one field: more than anybody goes back
EMACS_KEYS = "bdefhikopt"
"""Ctrl with these moves or deletes in Tk; people who know other programs lose text by them, so they do nothing."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BREAKS = re.compile(r"[\r\n\t]+")


def one_line(text: str) -> str:
    """For a field of one line: breaks at the ends go, those inside are blanks, control characters go."""
    return _CONTROL.sub("", _BREAKS.sub(" ", text.strip("\r\n\t")))


def lines(text: str) -> str:
    """For a field of many lines: one kind of break, no other control characters than the tabulator."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def half_width(text: str) -> str:
    """Full-width digits, letters and stops, as Chinese keyboards make them, become the ASCII ones; blanks go."""
    return "".join(unicodedata.normalize("NFKC", text).replace("。", ".").split())


def digits(text: str) -> str:
    """Only the digits, as numbers are printed in groups and copied with a line break. Other scripts' digits go."""
    return "".join(c for c in half_width(text) if c in "0123456789")


def amount(text: str) -> str:
    """An amount in ASCII without blanks and control characters; what is no amount stays, so that it can be said."""
    return _CONTROL.sub("", half_width(text))


class Editing:
    """Keys, clipboard, undo and context menu of one input."""

    def __init__(
        self,
        widget: Input,
        ui: Ui,
        *,
        chars_max: int,
        clean: Clean = one_line,
        secret: bool = False,
        refused: Callable[[int], None] | None = None,
    ) -> None:
        """`refused` is told how many characters there would have been, when a paste would pass `chars_max`.

        What is too long is refused whole and at once: Tk needs a minute to lay out a line of a million characters.
        """
        self.widget = widget
        self._ui = ui
        self._chars_max = chars_max
        self._clean = clean
        self._secret = secret
        self._refused = refused or (lambda _count: None)
        self.more_commands: Callable[[], list[tuple[str, Callable[[], None]]]] = list
        self._past: list[tuple[str, int]] = []
        self._future: list[tuple[str, int]] = []
        self._last = ("", 0)
        self._bind()

    # -- what a person does

    def insert(self, text: str) -> bool:
        """Puts a text in the place of the selection, or at the cursor. False when it is too long."""
        widget = self.widget
        if str(widget["state"]) == "disabled":
            return False
        text = self._clean(text) if len(text) <= 4 * self._chars_max else text
        chars = self._length() - self._selected_length() + len(text)
        if text and chars > self._chars_max:
            self._refused(chars)
            return False
        self._as_one_step(lambda: self._replace(text))
        widget.see("insert") if isinstance(widget, tkinter.Text) else widget.xview(widget.index("insert"))
        return True

    def select_all(self) -> None:
        widget = self.widget
        if isinstance(widget, tkinter.Entry):
            widget.select_range(0, "end")
            widget.icursor("end")
        else:
            widget.tag_add("sel", "1.0", "end-1c")
            widget.mark_set("insert", "end-1c")

    def paste(self, selection: str = "CLIPBOARD") -> None:
        """Pastes the clipboard, or X11's PRIMARY selection."""
        try:
            text = str(self.widget.selection_get(selection=selection))
        except tkinter.TclError:  # nobody owns it, or it is no text
            return
        self.insert(text)

    def cut(self) -> None:
        if not self._secret and self._selected_length():
            self.widget.event_generate("<<Copy>>")
            self._as_one_step(lambda: self._replace(""))

    def undo(self) -> None:
        self._step(self._past, self._future, "edit_undo")

    def redo(self) -> None:
        self._step(self._future, self._past, "edit_redo")

    def note(self) -> None:
        """The text of an Entry changed: one more step that can be taken back. Secrets leave no trace."""
        if isinstance(self.widget, tkinter.Entry) and not self._secret:
            text = self.widget.get()
            if text != self._last[0]:
                self._past = [*self._past[-UNDO_STEPS_MAX:], self._last]
                self._future.clear()
            self._last = (text, self.widget.index("insert"))

    def forget(self) -> None:
        """What was done so far cannot be taken back: the text was sent."""
        self._past.clear()
        self._future.clear()
        if isinstance(self.widget, tkinter.Text):
            self.widget.edit_reset()

    def menu(self) -> tkinter.Menu:
        """The context menu, for the state of this moment."""
        menu = Menu(self.widget, self._ui)
        able = str(self.widget["state"]) != "disabled"
        marked = bool(self._selected_length()) and not self._secret
        for label, command, on in (
            (_("Cut"), self.cut, able and marked),
            (_("Copy"), lambda: self.widget.event_generate("<<Copy>>"), marked),
            (_("Paste"), self.paste, able),
            (_("Select all"), self.select_all, bool(self._length())),
        ):
            menu.add_command(label=label, command=command, state="normal" if on else "disabled")
        for label, command in self.more_commands():
            menu.add_command(label=label, command=command)
        return menu

    # -- inside

    def _bind(self) -> None:
        does = self._does
        for keys, work in (
            (("<Control-a>", "<Control-A>", "<<SelectAll>>"), self.select_all),
            (("<<Paste>>", "<Shift-Insert>"), self.paste),
            (("<<Cut>>", "<Shift-Delete>"), self.cut),
            (("<<Undo>>", "<Control-z>"), self.undo),
            (("<<Redo>>", "<Control-y>", "<Control-Z>", "<Control-Shift-Z>", "<Control-Shift-z>"), self.redo),
            (("<Control-BackSpace>",), lambda: self._delete_word(back=True)),
            (("<Control-Delete>",), lambda: self._delete_word(back=False)),
            (("<Insert>", *(f"<Control-{key}>" for key in EMACS_KEYS)), lambda: None),
            (("<Control-Insert>",), lambda: self.widget.event_generate("<<Copy>>")),
            (("<Menu>", "<Shift-F10>"), self._open_menu),
        ):
            for key in keys:
                self.widget.bind(key, does(work))
        self.widget.bind("<<PasteSelection>>", self._on_middle)
        self.widget.bind("<Button-3>", self._on_right)
        self.widget.bind("<Key>", self._on_key, add=True)
        if self._secret:
            self.widget.bind("<<Copy>>", does(lambda: None))

    @staticmethod
    def _does(work: Callable[[], object]) -> Callable[[tkinter.Event[Any]], str]:
        def handle(_event: tkinter.Event[Any]) -> str:
            work()
            return "break"

        return handle

    def _on_key(self, event: tkinter.Event[Any]) -> str | None:
        """A typed character that the field takes in another form, or not at all (full-width digits, letters)."""
        char = event.char
        if not char or not char.isprintable() or (int(event.state) & 0x4 and char.isascii()):
            return None
        clean = self._clean(char)
        if clean == char:
            chars = self._length() - self._selected_length() + len(char)
            if chars > self._chars_max:
                self._refused(chars)
                return "break"
            return None
        if clean:
            self.insert(clean)
        return "break"

    def _on_middle(self, event: tkinter.Event[Any]) -> str:
        """X11's other paste: at the pointer, and the selection stays."""
        widget = self.widget
        widget.focus_set()
        try:
            text = str(widget.selection_get(selection="PRIMARY"))
        except tkinter.TclError:
            return "break"
        if isinstance(widget, tkinter.Entry):
            widget.icursor(f"@{event.x}")
            widget.select_clear()
        else:
            widget.mark_set("insert", f"@{event.x},{event.y}")
            widget.tag_remove("sel", "1.0", "end")
        self.insert(text)
        return "break"

    def _on_right(self, event: tkinter.Event[Any]) -> str:
        self.widget.focus_set()
        self.menu().tk_popup(event.x_root, event.y_root)
        return "break"

    def _open_menu(self) -> None:
        self.menu().tk_popup(self.widget.winfo_rootx() + 8, self.widget.winfo_rooty() + self.widget.winfo_height())

    def _length(self) -> int:
        widget = self.widget
        if isinstance(widget, tkinter.Entry):
            return len(widget.get())
        return len(widget.get("1.0", "end-1c"))

    def _selected_length(self) -> int:
        widget = self.widget
        if isinstance(widget, tkinter.Entry):
            return int(widget.index("sel.last")) - int(widget.index("sel.first")) if widget.selection_present() else 0
        return len(widget.get("sel.first", "sel.last")) if widget.tag_ranges("sel") else 0

    def _replace(self, text: str) -> None:
        if self._selected_length():
            self.widget.delete("sel.first", "sel.last")
        self.widget.insert("insert", text)

    def _as_one_step(self, work: Callable[[], None]) -> None:
        """A paste over a selection is taken back whole."""
        widget = self.widget
        if isinstance(widget, tkinter.Entry):
            work()
            return
        widget.configure(autoseparators=False)
        widget.edit_separator()
        work()
        widget.edit_separator()
        widget.configure(autoseparators=True)

    def _delete_word(self, *, back: bool) -> None:
        widget = self.widget
        if str(widget["state"]) == "disabled":
            return
        if self._selected_length():
            self._as_one_step(lambda: self._replace(""))
        elif isinstance(widget, tkinter.Entry):
            text, at = widget.get(), int(widget.index("insert"))
            if self._secret:
                first, last = (0, at) if back else (at, len(text))
            else:
                first, last = (word_start(text, at), at) if back else (at, word_end(text, at))
            widget.delete(first, last)
        else:
            text = widget.get("1.0", "insert") if back else widget.get("insert", "end-1c")
            count = len(text) - word_start(text, len(text)) if back else word_end(text, 0)
            where = (f"insert-{count}c", "insert") if back else ("insert", f"insert+{count}c")
            self._as_one_step(lambda: widget.delete(*where))

    def _step(self, come_from: list[tuple[str, int]], go_to: list[tuple[str, int]], verb: str) -> None:
        widget = self.widget
        if str(widget["state"]) == "disabled":
            return
        if isinstance(widget, tkinter.Text):
            try:
                getattr(widget, verb)()
            except tkinter.TclError:  # nothing to take back
                return
            widget.see("insert")
        elif come_from:
            text, at = come_from.pop()
            go_to.append((widget.get(), int(widget.index("insert"))))
            self._last = (text, at)  # so that `note` takes it for no new step
            widget.delete(0, "end")
            widget.insert(0, text)
            widget.icursor(at)


def word_start(text: str, at: int) -> int:
    """Where the word before `at` begins: blanks and then one run of letters, or of other signs."""
    while at > 0 and text[at - 1].isspace():
        at -= 1
    if at == 0:
        return 0
    letters = text[at - 1].isalnum()
    while at > 0 and not text[at - 1].isspace() and text[at - 1].isalnum() == letters:
        at -= 1
    return at


def word_end(text: str, at: int) -> int:
    """Where the word after `at` ends, with the blanks before it."""
    count = len(text)
    while at < count and text[at].isspace():
        at += 1
    if at == count:
        return count
    letters = text[at].isalnum()
    while at < count and not text[at].isspace() and text[at].isalnum() == letters:
        at += 1
    return at
