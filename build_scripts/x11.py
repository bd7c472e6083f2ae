"""Look at a display as its user would: which windows are there, and what they show. Xlib through ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_scripts import common

CLIENT_MESSAGE = 33  # X.h
_ErrorHandler = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@_ErrorHandler
def _ignore(_connection: object, _error: object) -> int:
    """A window that closes while we look is no error; Xlib's own handler would end the process."""
    return 0


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


def _xlib() -> ctypes.CDLL:
    name = ctypes.util.find_library("X11") or "libX11.so.6"
    lib = ctypes.CDLL(name)
    pointer, word = ctypes.c_void_p, ctypes.c_ulong
    lib.XOpenDisplay.restype = pointer
    lib.XOpenDisplay.argtypes = [ctypes.c_char_p]
    lib.XCloseDisplay.argtypes = [pointer]
    lib.XDefaultRootWindow.restype = word
    lib.XDefaultRootWindow.argtypes = [pointer]
    lib.XQueryTree.argtypes = [
        pointer, word, ctypes.POINTER(word), ctypes.POINTER(word),
        ctypes.POINTER(ctypes.POINTER(word)), ctypes.POINTER(ctypes.c_uint),
    ]  # fmt: skip
    lib.XFetchName.argtypes = [pointer, word, ctypes.POINTER(ctypes.c_char_p)]
    lib.XFree.argtypes = [pointer]
    lib.XFlush.argtypes = [pointer]
    lib.XInternAtom.restype = word
    lib.XInternAtom.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
    lib.XSendEvent.argtypes = [pointer, word, ctypes.c_int, ctypes.c_long, pointer]
    lib.XSetErrorHandler(_ignore)
    return lib


@contextmanager
def _connection(lib: ctypes.CDLL, display: str) -> Iterator[int]:
    connection = lib.XOpenDisplay(display.encode())
    if not connection:
        raise common.SetupError(f"The display {display} cannot be opened.")
    try:
        yield connection
    finally:
        lib.XCloseDisplay(connection)


def _children(lib: ctypes.CDLL, connection: int, window: int) -> list[int]:
    root, parent = ctypes.c_ulong(), ctypes.c_ulong()
    found, count = ctypes.POINTER(ctypes.c_ulong)(), ctypes.c_uint()
    if not lib.XQueryTree(connection, window, root, parent, found, count):
        return []
    children = [found[index] for index in range(count.value)]
    if found:
        lib.XFree(found)
    return children


def _name(lib: ctypes.CDLL, connection: int, window: int) -> str:
    name = ctypes.c_char_p()
    if not lib.XFetchName(connection, window, name) or name.value is None:
        return ""
    text = name.value.decode("utf-8", "replace")
    lib.XFree(name)
    return text


def _titled(lib: ctypes.CDLL, connection: int) -> list[tuple[int, str]]:
    """Windows that have a title, two levels deep (a window manager puts frames around them)."""
    first = _children(lib, connection, lib.XDefaultRootWindow(connection))
    windows = [*first, *(below for window in first for below in _children(lib, connection, window))]
    return [(window, title) for window in windows if (title := _name(lib, connection, window))]


def window_titles(display: str) -> list[str]:
    """Titles of the windows on a display."""
    lib = _xlib()
    with _connection(lib, display) as connection:
        return [title for _window, title in _titled(lib, connection)]


def close_window(display: str, title: str) -> bool:
    """Ask the window of this title to close, as the close button of a window manager does (ICCCM WM_DELETE_WINDOW)."""
    lib = _xlib()
    with _connection(lib, display) as connection:
        for window, found in _titled(lib, connection):
            if found == title:
                event = _ClientMessage(CLIENT_MESSAGE, 0, 1, connection, window)
                event.message_type = lib.XInternAtom(connection, b"WM_PROTOCOLS", 0)
                event.format = 32
                event.data[0] = lib.XInternAtom(connection, b"WM_DELETE_WINDOW", 0)
                lib.XSendEvent(connection, window, 0, 0, ctypes.byref(event))
                lib.XFlush(connection)
                return True
    return False


def save_picture(display: str, path: Path) -> None:
    """The whole display as a PNG file."""
    from PIL import ImageGrab

    path.parent.mkdir(parents=True, exist_ok=True)
    ImageGrab.grab(xdisplay=display).save(path)
