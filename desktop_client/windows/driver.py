"""Drives the real windows as a person would: every click and key is a Tk event on the widget it is meant for.

    hands = Driver(windows)                      # a TkWindows
    login = hands.window(LoginWindow)            # waits until it is open
    login.type_into("password", "secret")
    login.click("sign_in")
    roster = hands.window(RosterWindow)
    roster.wait_for("¥ 86.40")
    roster.double_click_contact("Electricity 电费")
    bill = hands.window(ConversationWindow)
    bill.click_card_button("pay")
    hands.window(PaySheetWindow).type_pin("123456")

Waiting runs the event loop. A wish that does not come true in time raises `NotShown` with what the window shows.
"""

from __future__ import annotations

import time
import tkinter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from desktop_client.widgets.focus import focus_path
from desktop_client.windows.application import TkWindows
from desktop_client.windows.base import BaseWindow
from desktop_client.windows.conversation import ConversationWindow
from desktop_client.windows.roster import RosterWindow

WAIT_SECONDS = 15.0
KEYSYMS = {
    " ": "space", ".": "period", ",": "comma", "?": "question", "!": "exclam", ":": "colon", "/": "slash",
    "-": "minus", "_": "underscore", "+": "plus", "#": "numbersign", "@": "at", "'": "apostrophe", "=": "equal",
    "(": "parenleft", ")": "parenright", "&": "ampersand", "%": "percent", "\n": "Control-Return",
}  # fmt: skip


class NotShown(AssertionError):
    """What a person would have waited for did not appear in time."""


class Driver:
    """Hands for all windows of one application."""

    def __init__(self, windows: TkWindows) -> None:
        self.windows = windows
        self.root = windows.root

    def pump(self) -> None:
        """Let Tk do what is due now."""
        self.root.update()

    def wait_until(self, true: Callable[[], Any], what: str = "", seconds: float = WAIT_SECONDS) -> Any:
        """Run the event loop until `true()` is; returns its value. Raises NotShown after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            self.pump()
            value = true()
            if value:
                return value
            if time.monotonic() > end:
                raise NotShown(
                    f"{what or 'what was waited for'} did not come in {seconds:g} s; shown: {self._all_texts()}"
                )
            self._rest()

    def window(self, kind: type[BaseWindow], seconds: float = WAIT_SECONDS, *, contact_id: int = 0) -> Hand:
        """The newest open window of a class (of one contact, where given), as soon as there is one."""

        def newest() -> Hand | None:
            for window in reversed(self.windows.open_windows()):
                if isinstance(window, kind) and contact_id in (0, getattr(window, "contact_id", 0)):
                    return Hand(self, window)
            return None

        found: Hand = self.wait_until(newest, f"a {kind.__name__}", seconds)
        found.settle()
        return found

    def screenshot(self, path: Path) -> Path:
        """The whole display as a PNG file."""
        from PIL import ImageGrab

        self.settle()
        ImageGrab.grab(xdisplay=self.root.winfo_screen() if self.root.winfo_screen().startswith(":") else None).save(
            path
        )
        return path

    def settle(self) -> None:
        """Let all drawing that is due happen."""
        for _turn in range(3):
            self.root.update_idletasks()
            self.root.update()

    def _rest(self) -> None:
        """Wait for the next event or 10 ms, without turning round and round."""
        done = tkinter.BooleanVar(self.root, False)
        self.root.after(10, lambda: done.set(True))
        self.root.wait_variable(done)

    def _all_texts(self) -> list[list[str]]:
        return [window.texts() for window in self.windows.open_windows()]


class Hand:
    """One window in a person's hands."""

    def __init__(self, driver: Driver, window: BaseWindow) -> None:
        self.driver = driver
        self.window: Any = window

    # -- reading

    def texts(self) -> list[str]:
        """Everything that the window shows, secrets as dots."""
        self.settle()
        return list(self.window.texts())

    def shows(self, text: str) -> bool:
        return any(text in shown for shown in self.texts())

    def wait_for(self, text: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until a text is shown somewhere in the window."""
        self.driver.wait_until(lambda: self.is_open() and self.shows(text), f"“{text}”", seconds)

    def wait_for_button(self, action: str, seconds: float = WAIT_SECONDS) -> None:
        """Wait until there is an enabled button of this action."""
        self.driver.wait_until(lambda: self.is_open() and self._enabled(action), f"button {action}", seconds)

    def wait_closed(self, seconds: float = WAIT_SECONDS) -> None:
        self.driver.wait_until(lambda: not self.is_open(), "the window's end", seconds)

    def is_open(self) -> bool:
        return bool(self.window.is_open())

    def actions(self) -> list[str]:
        """The names of all buttons, cards' buttons too."""
        self.settle()
        return sorted(self.window.buttons())

    def screenshot(self, path: Path) -> Path:
        """This window alone as a PNG file."""
        from PIL import ImageGrab

        self.window.top.lift()
        self.settle()
        top = self.window.top
        left, upper = top.winfo_rootx(), top.winfo_rooty()
        area = (left, upper, left + top.winfo_width(), upper + top.winfo_height())
        screen = top.winfo_screen()
        ImageGrab.grab(bbox=area, xdisplay=screen if screen.startswith(":") else None).save(path)
        return path

    # -- doing

    def settle(self) -> None:
        self.driver.settle()

    def click(self, action: str) -> None:
        """Click the button or field of this name."""
        self.wait_for_button(action)
        self._click(self.window.find(action))
        self.settle()

    def click_card_button(self, action: str, seconds: float = WAIT_SECONDS) -> None:
        """Click the newest button of this name on a card of a conversation, scrolling to it when it is out of sight."""
        assert isinstance(self.window, ConversationWindow)
        self.wait_for_button(action, seconds)
        stream = self.window.widgets.stream
        for index in sorted(stream.drawn(), reverse=True):
            for widget in stream.drawn()[index].widgets:
                if getattr(widget, "action", "") == action and getattr(widget, "enabled", True):
                    stream.see(index)
                    self.settle()
                    again = [w for w in stream.drawn()[index].widgets if getattr(w, "action", "") == action]
                    self._click(again[0])
                    self.settle()
                    return
        raise NotShown(f"no card has a button {action}: {self.texts()}")

    def double_click_contact(self, name: str) -> None:
        """Double-click the roster's row of this name, scrolling to it when it is out of sight."""
        assert isinstance(self.window, RosterWindow)
        rows = self.window.widgets.list
        index = self.driver.wait_until(lambda: rows.index_of_name(name) + 1, f"contact {name}") - 1
        rows.see(index)
        self.settle()
        top, bottom = rows.place_of(index)
        x, y = rows.canvas.winfo_width() // 2, (top + bottom) // 2
        for _click in range(2):  # Tk takes two quick presses at one place for a double click
            rows.canvas.event_generate("<ButtonPress-1>", x=x, y=y)
            rows.canvas.event_generate("<ButtonRelease-1>", x=x, y=y)
        self.settle()

    def choose_tab(self, key: str) -> None:
        """Click a tab of the roster."""
        tabs = self.window.widgets.tabs
        x, y = tabs.center_of(key)
        tabs.event_generate("<ButtonPress-1>", x=x, y=y)
        tabs.event_generate("<ButtonRelease-1>", x=x, y=y)
        self.settle()

    def type_into(self, action: str, text: str, *, clear: bool = True) -> None:
        """Type a text into the field of this name."""
        self.settle()
        field = self.window.find(action)
        widget = getattr(field, "entry", field)
        widget.focus_force()
        self.settle()
        if clear:
            widget.event_generate("<<SelectAll>>")
            widget.event_generate("<Key>", keysym="BackSpace")
        self.type_text(text)

    def type_pin(self, pin: str) -> None:
        """Type the payment password into the six boxes of a pay sheet."""
        self.window.find("pin").focus_force()
        self.settle()
        self.type_text(pin)

    def type_text(self, text: str) -> None:
        """Type where the focus is. What the keyboard does not have is pasted, as an input method would."""
        for character in text:
            if character in KEYSYMS or (character.isascii() and character.isalnum()):
                self.press(KEYSYMS.get(character, character))
            else:
                self._paste(character)
        self.settle()

    def press(self, keysym: str) -> None:
        """Press one key where the focus is, for example "Return", "Escape", "Tab", "Control-Return"."""
        widget = self._focused()
        *modifiers, key = keysym.split("-") if len(keysym) > 1 else [keysym]
        event = "<" + "-".join([*modifiers, "Key"]) + ">"
        widget.event_generate(event, keysym=key)
        self.driver.pump()

    # -- inside

    def _enabled(self, action: str) -> bool:
        try:
            widget = self.window.find(action)
        except KeyError:
            return False
        return bool(getattr(widget, "enabled", True))

    def _click(self, widget: Any) -> None:
        x, y = widget.winfo_width() // 2, widget.winfo_height() // 2
        widget.event_generate("<Enter>", x=x, y=y)
        widget.event_generate("<Motion>", x=x, y=y)
        widget.event_generate("<ButtonPress-1>", x=x, y=y)
        widget.event_generate("<ButtonRelease-1>", x=x, y=y)
        if widget.winfo_exists():
            widget.event_generate("<Leave>")

    def _focused(self) -> Any:
        path = focus_path(self.window.top)
        if not path.startswith(str(self.window.top)):
            self.window.top.focus_force()
            self.settle()
            path = focus_path(self.window.top)
        return self.window.top.nametowidget(path) if path else self.window.top

    def _paste(self, text: str) -> None:
        widget = self._focused()
        widget.clipboard_clear()
        widget.clipboard_append(text)
        widget.event_generate("<<Paste>>")
        self.driver.pump()
