"""Which widget has the focus. Tk's own menus are no Python widgets, so tkinter's focus_get() fails at an open one."""

from __future__ import annotations

import tkinter


def focus_path(widget: tkinter.Misc) -> str:
    """The Tk path of the widget with the focus, empty when another program has it."""
    return str(widget.tk.call("focus"))


def has_focus(widget: tkinter.Misc) -> bool:
    return focus_path(widget) == str(widget)


def has_focus_inside(widget: tkinter.Misc) -> bool:
    """Whether the widget or one below it has the focus; another toplevel below it is not it."""
    path = focus_path(widget)
    if not path.startswith(str(widget)):
        return False
    return str(widget.tk.call("winfo", "toplevel", path)) == str(widget.winfo_toplevel())
