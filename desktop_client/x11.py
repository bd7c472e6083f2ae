"""What Tk 8.6 does not tell of an X11 display, through the Xlib that Tk has loaded already."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LIBRARY = "libX11.so.6"
URGENCY = 1 << 8  # Xutil.h: XUrgencyHint
CLIENT_MESSAGE = 33  # X.h
TO_ROOT = (1 << 19) | (1 << 20)  # X.h: SubstructureNotifyMask | SubstructureRedirectMask
WORDS_MAX = 64  # of a property: a work area is four for each desktop

Word, Pointer = ctypes.c_ulong, ctypes.c_void_p
_ErrorHandler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Hints(ctypes.Structure):
    """XWMHints of Xutil.h."""

    _fields_ = (
        ("flags", ctypes.c_long),
        ("input", ctypes.c_int),
        ("initial_state", ctypes.c_int),
        ("icon_pixmap", Word),
        ("icon_window", Word),
        ("icon_x", ctypes.c_int),
        ("icon_y", ctypes.c_int),
        ("icon_mask", Word),
        ("window_group", Word),
    )


class ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, padded to the size of XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", Word),
        ("send_event", ctypes.c_int),
        ("display", Pointer),
        ("window", Word),
        ("message_type", Word),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 16),
    )


@_ErrorHandler
def _ignore(_display: object, _error: object) -> int:
    """A window that goes meanwhile is no error; Xlib's own handler would end the program."""
    return 0


class Display:
    """One connection of our own, beside Tk's. Raises OSError where there is no Xlib or no display."""

    def __init__(self, name: str) -> None:
        self.lib: Any = _library()
        self.display: Any = self.lib.XOpenDisplay(name.encode())
        if not self.display:
            raise OSError(f"the display {name} cannot be opened")
        self._before = self.lib.XSetErrorHandler(ctypes.cast(_ignore, Pointer))

    def close(self) -> None:
        self.lib.XSync(self.display, 0)
        self.lib.XSetErrorHandler(self._before)
        self.lib.XCloseDisplay(self.display)

    def root(self) -> int:
        return int(self.lib.XDefaultRootWindow(self.display))

    def atom(self, name: str) -> int:
        return int(self.lib.XInternAtom(self.display, name.encode(), 0))

    def default(self, program: str, option: str) -> str:
        """A resource as of xrdb, empty where it is not set."""
        found = self.lib.XGetDefault(self.display, program.encode(), option.encode())
        return found.decode("ascii", "replace") if found else ""

    def words(self, window: int, name: str) -> list[int]:
        """A property of 32-bit values, empty where there is none."""
        kind, size, count, left = Word(), ctypes.c_int(), Word(), Word()
        found = ctypes.POINTER(Word)()
        told = [ctypes.byref(part) for part in (kind, size, count, left, found)]
        self.lib.XGetWindowProperty(self.display, window, self.atom(name), 0, WORDS_MAX, 0, 0, *told)
        if not found:
            return []
        words = [int(found[n]) for n in range(count.value)] if size.value == 32 else []
        self.lib.XFree(found)
        return words

    def atom_name(self, atom: int) -> str:
        return str(self.lib.XGetAtomName(self.display, atom).decode("ascii", "replace"))

    def wrapper_of(self, window: int) -> int:
        """The window that the window manager knows: Tk puts one of its own around each toplevel. 0 for none."""
        root, parent, children, count = Word(), Word(), ctypes.POINTER(Word)(), ctypes.c_uint()
        if not self.lib.XQueryTree(self.display, window, *map(ctypes.byref, (root, parent, children, count))):
            return 0
        if children:
            self.lib.XFree(children)
        return int(parent.value or 0)

    def is_urgent(self, window: int) -> bool:
        """Whether a window has the urgency hint."""
        return bool(self._hints(window).flags & URGENCY)

    def set_urgent(self, window: int, wanted: bool) -> None:
        hints = self._hints(window)
        hints.flags = hints.flags | URGENCY if wanted else hints.flags & ~URGENCY
        self.lib.XSetWMHints(self.display, window, hints)

    def tell_manager(self, window: int, name: str, *data: int) -> None:
        """A client message about a window to whoever manages it (EWMH, root window messages)."""
        event = ClientMessage(CLIENT_MESSAGE, 0, 1, self.display, window)
        event.message_type, event.format = self.atom(name), 32
        for place, value in enumerate(data):
            event.data[place] = value
        self.lib.XSendEvent(self.display, self.root(), 0, TO_ROOT, ctypes.byref(event))

    def _hints(self, window: int) -> Hints:
        found = self.lib.XGetWMHints(self.display, window)
        if not found:
            return Hints()
        hints = Hints.from_buffer_copy(found.contents)
        self.lib.XFree(found)
        return hints


@contextmanager
def connection(name: str) -> Iterator[Display]:
    """A Display for a moment. Raises OSError as `Display` does."""
    display = Display(name)
    try:
        yield display
    finally:
        display.close()


def _library() -> Any:
    lib = ctypes.CDLL(LIBRARY)
    for name, result, arguments in (
        ("XOpenDisplay", Pointer, [ctypes.c_char_p]),
        ("XCloseDisplay", ctypes.c_int, [Pointer]),
        ("XSync", ctypes.c_int, [Pointer, ctypes.c_int]),
        ("XSetErrorHandler", Pointer, [Pointer]),
        ("XDefaultRootWindow", Word, [Pointer]),
        ("XInternAtom", Word, [Pointer, ctypes.c_char_p, ctypes.c_int]),
        ("XGetAtomName", ctypes.c_char_p, [Pointer, Word]),
        ("XGetDefault", ctypes.c_char_p, [Pointer, ctypes.c_char_p, ctypes.c_char_p]),
        ("XQueryTree", ctypes.c_int, [Pointer, Word, *([Pointer] * 4)]),
        ("XGetWMHints", ctypes.POINTER(Hints), [Pointer, Word]),
        ("XSetWMHints", ctypes.c_int, [Pointer, Word, ctypes.POINTER(Hints)]),
        ("XSendEvent", ctypes.c_int, [Pointer, Word, ctypes.c_int, ctypes.c_long, Pointer]),
        ("XFree", ctypes.c_int, [Pointer]),
        (
            "XGetWindowProperty",
            ctypes.c_int,
            [Pointer, Word, Word, ctypes.c_long, ctypes.c_long, ctypes.c_int, Word, *([Pointer] * 5)],
        ),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib
