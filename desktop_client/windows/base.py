"""What all windows share: a Toplevel that can be built anew in another theme or language, and ways to look into it."""

from __future__ import annotations

import logging
import sys
import tkinter
import traceback
from collections.abc import Callable, Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any, TypeVar

from desktop_client import screen
from desktop_client.assets_path import asset
from desktop_client.theme import Ui
from desktop_client.widgets.focus import has_focus_inside
from desktop_client.widgets.toast import show_toast
from desktop_client.windows import attention
from host.text import one_line

log = logging.getLogger(__name__)
CLASS_NAME = "BillBuddy"
ATTENTION_MS = 150  # a window that is just opening gets the focus meanwhile, and need not ask for attention
COVERED = "VisibilityFullyObscured"


def nothing(*_args: Any) -> None:
    """The callback of a window that nobody listens to yet."""


class BaseWindow:
    """One window. Subclasses build their widgets in `build` and show what they were told in `refill`."""

    def __init__(self, ui: Ui, title: str, size: tuple[int, int], minimum: tuple[int, int]) -> None:
        """Sizes in design pixels."""
        self.ui = ui
        self.widgets = SimpleNamespace()
        self.top = tkinter.Toplevel(ui.root, class_=CLASS_NAME, background=ui.c.window)
        self.top.withdraw()
        self._title = one_line(title)
        self._unread = 0
        self._asked = False
        self._over: tkinter.Misc | None = None
        self._covered = False
        self.top.title(self._title)
        self._minimum = minimum
        self._scale = ui.scale
        self.resize((ui.px(size[0]), ui.px(size[1])))
        self.top.protocol("WM_DELETE_WINDOW", self.on_delete)
        for event in ("<FocusIn>", "<Map>", "<Visibility>"):
            self.top.bind(event, self._on_shown, add=True)
        self._toasts: dict[str, Any] = {}
        self._stop_watching = ui.watch(self.rebuild)
        set_icon(ui)
        self.build()

    # -- for subclasses

    def build(self) -> None:
        """Make the widgets under `self.top`; also called after a change of theme or language."""
        raise NotImplementedError

    def refill(self) -> None:
        """Show again what presenters told so far."""

    def on_delete(self) -> None:
        """The person closed the window."""
        self.close()

    def seen(self) -> None:
        """The person can see this window now; called again whenever that may have become true."""

    # -- verbs

    def set_title(self, title: str) -> None:
        """The title, to which the number of unread messages is added. A text of others in it stays one line."""
        self._title = title = one_line(title)
        self.top.title(f"({self._unread}) {title}" if self._unread else title)

    def show_unread(self, count: int) -> None:
        """So many messages in this window were not seen: its title says it, and the task bar where there are more."""
        if not self.is_open():
            return
        more, self._unread = count > self._unread, count
        self.set_title(self._title)
        if more:
            self.ui.root.after(ATTENTION_MS, self._ask_for_attention)
        elif not count:
            self._ask_for_attention()

    def can_be_seen(self) -> bool:
        """Whether the window is on the screen, not wholly covered, and has the focus: then a person looks at it."""
        top = self.top
        return self.is_open() and bool(top.winfo_viewable()) and not self._covered and has_focus_inside(top)

    def place(self, x: int, y: int) -> None:
        """Put the window at a place of the screen, in device pixels, as far as it fits."""
        x, y = screen.clamp(x, y, self._size, self.ui.screen.area)
        self.top.geometry(f"+{x}+{y}")

    def size(self) -> tuple[int, int]:
        """Width and height that the window was given, in device pixels."""
        return self._size

    def resize(self, size: tuple[int, int]) -> None:
        """Take this size in device pixels, as far as the screen has room; never smaller than the window's least."""
        area = self.ui.screen.area
        least = screen.fit((self.ui.px(self._minimum[0]), self.ui.px(self._minimum[1])), area)
        wide, high = screen.fit(size, area)
        self._size = max(wide, least[0]), max(high, least[1])
        self.top.minsize(*least)
        self.top.geometry(f"{self._size[0]}x{self._size[1]}")

    def place_beside(self, other: BaseWindow, gap: int, step: int) -> None:
        """Put the window beside another, not over it, as far as the screen has room. Device pixels."""
        it = other.top
        edge = it.winfo_rootx() - it.winfo_x()  # what a window manager put at each side
        taken = screen.Area(it.winfo_x(), it.winfo_y(), it.winfo_width() + 2 * edge, it.winfo_height())
        narrowest = self.ui.px(self._minimum[0])
        x, y, wide, high = screen.beside(taken, self._size, narrowest, self.ui.screen.area, gap, step)
        self.resize((wide, high))
        self.top.geometry(f"+{x}+{y}")

    def center(self, over: tkinter.Misc | None = None) -> None:
        """Put the window in the middle of the screen or of another window."""
        if over is None:
            left, top, wide, high = self.ui.screen.area
        else:
            left, top, wide, high = over.winfo_rootx(), over.winfo_rooty(), over.winfo_width(), over.winfo_height()
        self.place(left + (wide - self._size[0]) // 2, top + (high - self._size[1]) // 2)

    def stay_over(self, parent: tkinter.Misc | None) -> None:
        """Keep this window over another, also where no window manager does it."""
        if parent is None or parent is self._over or not parent.winfo_viewable():
            return
        self._over = parent
        self.top.transient(parent)  # type: ignore[call-overload]
        for event in ("<FocusIn>", "<ButtonPress>"):
            parent.bind(event, lambda _e: self.top.lift() if self.is_open() else None, add=True)

    def open(self) -> None:
        """Show the window and give it the focus."""
        self.top.deiconify()
        self.top.lift()
        self.top.focus_force()

    def is_open(self) -> bool:
        try:
            return bool(self.top.winfo_exists())
        except tkinter.TclError:  # the whole application is gone
            return False

    def close(self) -> None:
        self._stop_watching()
        if self.is_open():
            self.top.destroy()

    def rebuild(self) -> None:
        """The theme, the language or the scale changed: the same window with new widgets."""
        if not self.is_open():
            return
        for child in self.top.winfo_children():
            child.destroy()
        if self._scale != self.ui.scale:
            grown, self._scale = self.ui.scale / self._scale, self.ui.scale
            self.resize((round(self.top.winfo_width() * grown), round(self.top.winfo_height() * grown)))
        self.top.configure(background=self.ui.c.window)
        self.build()
        self.refill()

    def toast(self, text: str, tone: str = "plain", bottom: int = 14) -> None:
        show_toast(self._toasts, self.top, self.ui, one_line(text), tone, bottom)

    def _on_shown(self, event: tkinter.Event[Any]) -> None:
        if event.widget is self.top and event.type is tkinter.EventType.Visibility:
            self._covered = event.state == COVERED
        if event.widget is self.top or event.type is tkinter.EventType.FocusIn:
            self.ui.root.after_idle(self._tell_if_seen)

    def _tell_if_seen(self) -> None:
        if self.can_be_seen():
            self.seen()

    def _ask_for_attention(self) -> None:
        wanted = self._unread > 0 and not self.can_be_seen()
        if self.is_open() and wanted != self._asked:
            self._asked = wanted
            attention.ask(self.top, wanted)

    # -- looking in, for tests and drivers

    def find(self, action: str) -> Any:
        """The first visible widget of this action name; KeyError when there is none."""
        for widget in walk(self.top):
            if getattr(widget, "action", None) == action:
                return widget
        raise KeyError(action)

    def buttons(self) -> dict[str, Any]:
        """All buttons by action name."""
        named = ((str(getattr(w, "action", "")), w) for w in walk(self.top) if isinstance(w, tkinter.Button))
        return {action: button for action, button in named if action}

    def texts(self) -> list[str]:
        """Every text that the window shows at this moment, top to bottom by widget; secrets as dots."""
        found: list[str] = []
        for widget in walk(self.top):
            found.extend(text for text in _texts_of(widget) if text.strip())
        return found


Verb = TypeVar("Verb", bound=Callable[..., None])


def while_open(verb: Verb) -> Verb:
    """A verb that does nothing once its window is gone: an answer may come after the person closed it."""

    @wraps(verb)
    def guarded(window: BaseWindow, *arguments: Any, **named: Any) -> None:
        if window.is_open():
            verb(window, *arguments, **named)

    return guarded  # type: ignore[return-value]


def walk(widget: tkinter.Misc) -> Iterator[tkinter.Misc]:
    """A widget and all below it that are shown (menus are not)."""
    yield widget
    for child in widget.winfo_children():
        if not isinstance(child, (tkinter.Menu, tkinter.Toplevel)) and child.winfo_manager():
            yield from walk(child)


def _texts_of(widget: tkinter.Misc) -> list[str]:
    if isinstance(widget, tkinter.Canvas):
        raw = getattr(widget, "raw", {})
        items = [i for i in widget.find_all() if i in raw or widget.type(i) == "text"]
        items.sort(key=lambda i: _reading_place(widget, i))
        return [raw[i] if i in raw else widget.itemcget(i, "text") for i in items]
    if isinstance(widget, tkinter.Entry):
        return [str(widget["show"]) * len(widget.get()) if widget["show"] else widget.get()]
    if isinstance(widget, tkinter.Text):
        return [widget.get("1.0", "end-1c")]
    if isinstance(widget, (tkinter.Label, tkinter.Button, tkinter.Checkbutton)):
        return [str(getattr(widget, "raw", "") or widget["text"])]
    return []


def _reading_place(canvas: tkinter.Canvas, item: int) -> tuple[float, float]:
    """Where an item comes when a canvas is read: by the middle of its height, then from the left."""
    left, top, _right, bottom = canvas.bbox(item) or (0, 0, 0, 0)
    return (top + bottom) / 2, left


def set_icon(ui: Ui) -> None:
    """Give all windows of the application its icon, once."""
    if getattr(ui.root, "_billbuddy_icon", None) is None:
        # Read here: Tk itself cannot open a path that the locale has no characters for.
        contents = [asset("icon", f"billbuddy-{size}.png").read_bytes() for size in (48, 16)]
        pictures = [tkinter.PhotoImage(master=ui.root, data=content) for content in contents]
        ui.root._billbuddy_icon = pictures  # type: ignore[attr-defined]
        ui.root.iconphoto(True, *pictures)


def make_root(tell: Callable[[str], None] | None = None) -> tkinter.Tk:
    """The hidden root. Errors of callbacks are logged and told, never lost and never fatal."""
    root = tkinter.Tk(className=CLASS_NAME)
    root.withdraw()
    root.title(CLASS_NAME)

    def report(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        log.error("error in a window's callback\n%s", "".join(traceback.format_exception(kind, error, trace)))
        if tell is not None:
            tell(str(error) or kind.__name__)

    root.report_callback_exception = report
    if sys.platform == "win32":
        _sharp_on_windows()
    return root


def _sharp_on_windows() -> None:
    """Ask Windows not to stretch our pixels."""
    import ctypes

    ctypes.windll.shcore.SetProcessDpiAwareness(1)  # type: ignore[attr-defined]
