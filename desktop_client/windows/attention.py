"""Asks the desktop to mark a window in its task bar until somebody looks at it.

X11: the urgency hint (ICCCM 4.1.2.4) and _NET_WM_STATE_DEMANDS_ATTENTION (EWMH 1.5), which Tk 8.6 has no words for.
Windows: FlashWindowEx. Elsewhere the window's title alone tells.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import tkinter
from typing import Any

log = logging.getLogger(__name__)
X11_LIBRARY = "libX11.so.6"  # Tk has loaded it already
URGENCY = 1 << 8  # Xutil.h: XUrgencyHint
CLIENT_MESSAGE = 33  # X.h
TO_ROOT = (1 << 19) | (1 << 20)  # X.h: SubstructureNotifyMask | SubstructureRedirectMask
FROM_APPLICATION = 1  # EWMH: source indication


class _Hints(ctypes.Structure):
    """XWMHints of Xutil.h."""

    _fields_ = (
        ("flags", ctypes.c_long),
        ("input", ctypes.c_int),
        ("initial_state", ctypes.c_int),
        ("icon_pixmap", ctypes.c_ulong),
        ("icon_window", ctypes.c_ulong),
        ("icon_x", ctypes.c_int),
        ("icon_y", ctypes.c_int),
        ("icon_mask", ctypes.c_ulong),
        ("window_group", ctypes.c_ulong),
    )


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib.h, padded to the size of XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 16),
    )


_ErrorHandler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@_ErrorHandler
def _ignore(_display: object, _error: object) -> int:
    """A window that goes meanwhile is no error; Xlib's own handler would end the program."""
    return 0


def ask(top: tkinter.Toplevel, wanted: bool) -> None:
    """Mark the window's place in the task bar, or take the mark away. Never fails."""
    try:
        if top.tk.call("tk", "windowingsystem") == "x11":
            _on_x11(top, wanted)
        elif sys.platform == "win32":
            _on_windows(top, wanted)
    except (OSError, AttributeError, tkinter.TclError) as error:
        log.debug("the desktop cannot be asked for attention: %s", error)


def wrapper_of(lib: Any, display: Any, window: int) -> int:
    """The window that the window manager knows: Tk puts one of its own around each toplevel."""
    root, parent = ctypes.c_ulong(), ctypes.c_ulong()
    children, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
    if not lib.XQueryTree(display, window, root, parent, children, count):
        return 0
    if children:
        lib.XFree(children)
    return int(parent.value or 0)


def is_urgent(lib: Any, display: Any, window: int) -> bool:
    """Whether a window has the urgency hint."""
    hints = lib.XGetWMHints(display, window)
    if not hints:
        return False
    urgent = bool(hints.contents.flags & URGENCY)
    lib.XFree(hints)
    return urgent


def x11_library() -> Any:
    """Xlib with the types of what is used here. Raises OSError where there is none."""
    lib = ctypes.CDLL(X11_LIBRARY)
    pointer, word = ctypes.c_void_p, ctypes.c_ulong
    lib.XOpenDisplay.restype = pointer
    lib.XOpenDisplay.argtypes = [ctypes.c_char_p]
    lib.XDefaultRootWindow.restype = word
    lib.XDefaultRootWindow.argtypes = [pointer]
    lib.XQueryTree.argtypes = [
        pointer, word, ctypes.POINTER(word), ctypes.POINTER(word),
        ctypes.POINTER(ctypes.POINTER(word)), ctypes.POINTER(ctypes.c_uint),
    ]  # fmt: skip
    lib.XGetWMHints.restype = ctypes.POINTER(_Hints)
    lib.XGetWMHints.argtypes = [pointer, word]
    lib.XSetWMHints.argtypes = [pointer, word, ctypes.POINTER(_Hints)]
    lib.XInternAtom.restype = word
    lib.XInternAtom.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
    lib.XSendEvent.argtypes = [pointer, word, ctypes.c_int, ctypes.c_long, pointer]
    lib.XSync.argtypes = [pointer, ctypes.c_int]
    lib.XFree.argtypes = [pointer]
    lib.XCloseDisplay.argtypes = [pointer]
    lib.XSetErrorHandler.restype = pointer
    lib.XSetErrorHandler.argtypes = [pointer]
    return lib


def _on_x11(top: tkinter.Toplevel, wanted: bool) -> None:
    lib = x11_library()
    display = lib.XOpenDisplay(top.winfo_screen().encode())
    if not display:
        return
    before = lib.XSetErrorHandler(ctypes.cast(_ignore, ctypes.c_void_p))
    try:
        window = wrapper_of(lib, display, top.winfo_id())
        if window:
            _set_urgency(lib, display, window, wanted)
            _set_state(lib, display, window, wanted)
        lib.XSync(display, 0)
    finally:
        lib.XSetErrorHandler(before)
        lib.XCloseDisplay(display)


def _set_urgency(lib: Any, display: Any, window: int, wanted: bool) -> None:
    found = lib.XGetWMHints(display, window)
    hints = _Hints.from_buffer_copy(found.contents) if found else _Hints()
    if found:
        lib.XFree(found)
    hints.flags = hints.flags | URGENCY if wanted else hints.flags & ~URGENCY
    lib.XSetWMHints(display, window, hints)


def _set_state(lib: Any, display: Any, window: int, wanted: bool) -> None:
    event = _ClientMessage(CLIENT_MESSAGE, 0, 1, display, window)
    event.message_type = lib.XInternAtom(display, b"_NET_WM_STATE", 0)
    event.format = 32
    demands = lib.XInternAtom(display, b"_NET_WM_STATE_DEMANDS_ATTENTION", 0)
    event.data[0], event.data[1], event.data[3] = int(wanted), demands, FROM_APPLICATION
    lib.XSendEvent(display, lib.XDefaultRootWindow(display), 0, TO_ROOT, ctypes.byref(event))


def _on_windows(top: tkinter.Toplevel, wanted: bool) -> None:
    class _Flash(ctypes.Structure):
        """FLASHWINFO of WinUser.h."""

        _fields_ = (
            ("size", ctypes.c_uint),
            ("window", ctypes.c_void_p),
            ("flags", ctypes.c_uint),
            ("count", ctypes.c_uint),
            ("timeout", ctypes.c_uint),
        )

    tray_until_focus = 2 | 12  # FLASHW_TRAY | FLASHW_TIMERNOFG
    window = int(top.wm_frame(), 16)
    flash = _Flash(ctypes.sizeof(_Flash), window, tray_until_focus if wanted else 0, 3 if wanted else 0, 0)
    ctypes.windll.user32.FlashWindowEx(ctypes.byref(flash))  # type: ignore[attr-defined]
