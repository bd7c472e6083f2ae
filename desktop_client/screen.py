"""How large and how dense the screen is, and where windows go on it. Device pixels, unless a name says `design`."""

from __future__ import annotations

import logging
import tkinter
from typing import NamedTuple

log = logging.getLogger(__name__)

INCH = 96  # design pixels
STEP = 4  # a scale is a whole number of quarters, so that thin lines stay even
SCALE_MAX = 4.0
FIT_WIDTH = 692  # design pixels: the roster beside the narrowest conversation
FIT_HEIGHT = 500  # design pixels: the highest sheet with an error in it
FRAME = 40  # device pixels that a window manager may take for a title


class Area(NamedTuple):
    """A rectangle of the screen."""

    left: int
    top: int
    width: int
    height: int


class Screen(NamedTuple):
    """What windows may cover, and the dots an inch that the desktop asks for (0 where it asks for none)."""

    area: Area
    dots: float


def look(root: tkinter.Misc) -> Screen:
    """Ask the display: its size, and on X11 the desktop's work area and Xft.dpi."""
    whole = Area(0, 0, root.winfo_screenwidth(), root.winfo_screenheight())
    if root.tk.call("tk", "windowingsystem") != "x11":
        return Screen(whole, 0.0)
    from desktop_client import x11

    try:
        with x11.connection(root.winfo_screen()) as display:
            work = display.words(display.root(), "_NET_WORKAREA")[:4]
            return Screen(_inside(whole, work), _number(display.default("Xft", "dpi")))
    except (OSError, AttributeError) as error:
        log.debug("the display does not say more than its size: %s", error)
        return Screen(whole, 0.0)


def scale_for(screen: Screen, display_dots: float, wanted: float = 0.0) -> float:
    """Device pixels a design pixel: as wanted, else as the desktop asks, else as dense as the display says it is.

    Never so large that a sheet would be higher than the screen, and never under 1.
    """
    scale = wanted or (screen.dots or display_dots) / INCH
    fits = min(screen.area.width / FIT_WIDTH, (screen.area.height - FRAME) / FIT_HEIGHT)
    return max(1.0, min(round(scale * STEP), int(fits * STEP), SCALE_MAX * STEP) / STEP)


def fit(size: tuple[int, int], area: Area) -> tuple[int, int]:
    """The size, made small enough for the screen and a window's frame."""
    return min(size[0], area.width), min(size[1], area.height - FRAME)


def clamp(x: int, y: int, size: tuple[int, int], area: Area) -> tuple[int, int]:
    """The place nearest to x, y at which the whole window is on the screen."""
    right, bottom = area.left + area.width - size[0], area.top + area.height - FRAME - size[1]
    return max(area.left, min(x, right)), max(area.top, min(y, bottom))


def beside(
    other: Area, size: tuple[int, int], narrowest: int, area: Area, gap: int, step: int
) -> tuple[int, int, int, int]:
    """Where a window goes beside another: x, y, width, height. Windows after the first go `step` further.

    To the right where there is room, else to the left; narrower where neither side has room for all of it. Only where
    no side has room for the narrowest form does it cover a part of the other.
    """
    right_room = area.left + area.width - (other.left + other.width + gap)
    left_room = other.left - gap - area.left
    right = right_room >= min(size[0], max(narrowest, left_room)) or right_room >= left_room
    room = right_room if right else left_room
    width = max(min(size[0], room), min(narrowest, area.width))
    step_x = min(step, max(0, room - width))
    x = other.left + other.width + gap + step_x if right else other.left - gap - width - step_x
    x, y = clamp(x, other.top + step, (width, size[1]), area)
    return x, y, width, size[1]


def _inside(whole: Area, work: list[int]) -> Area:
    if len(work) < 4:
        return whole
    left, top = min(work[0], whole.width), min(work[1], whole.height)
    width, height = min(work[2], whole.width - left), min(work[3], whole.height - top)
    return Area(left, top, width, height) if width > 200 and height > 200 else whole  # else it is nonsense


def _number(text: str) -> float:
    try:
        dots = float(text)
    except ValueError:
        return 0.0
    return dots if INCH / 2 <= dots <= INCH * SCALE_MAX else 0.0
