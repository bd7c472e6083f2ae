"""Asks the desktop to mark a window in its task bar until somebody looks at it.

X11: the urgency hint (ICCCM 4.1.2.4) and _NET_WM_STATE_DEMANDS_ATTENTION (EWMH 1.5), which Tk 8.6 has no words for.
Windows: FlashWindowEx. Elsewhere the window's title alone tells.
"""

from __future__ import annotations

import logging
import sys
import tkinter

log = logging.getLogger(__name__)
DEMANDS = "_NET_WM_STATE_DEMANDS_ATTENTION"
FROM_APPLICATION = 1  # EWMH: source indication


def ask(top: tkinter.Toplevel, wanted: bool) -> None:
    """Mark the window's place in the task bar, or take the mark away. Never fails."""
    try:
        if top.tk.call("tk", "windowingsystem") == "x11":
            _on_x11(top, wanted)
        elif sys.platform == "win32":
            _on_windows(top, wanted)
    except (OSError, AttributeError, tkinter.TclError) as error:
        log.debug("the desktop cannot be asked for attention: %s", error)


def _on_x11(top: tkinter.Toplevel, wanted: bool) -> None:
    from desktop_client import x11

    with x11.connection(top.winfo_screen()) as display:
        window = display.wrapper_of(top.winfo_id())
        if window:
            display.set_urgent(window, wanted)
            display.tell_manager(window, "_NET_WM_STATE", int(wanted), display.atom(DEMANDS), 0, FROM_APPLICATION)


def _on_windows(top: tkinter.Toplevel, wanted: bool) -> None:
    import ctypes

    class Flash(ctypes.Structure):
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
    flash = Flash(ctypes.sizeof(Flash), window, tray_until_focus if wanted else 0, 3 if wanted else 0, 0)
    ctypes.windll.user32.FlashWindowEx(ctypes.byref(flash))  # type: ignore[attr-defined]
