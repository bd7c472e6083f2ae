"""Measures contrast on the screen: every text and sign that a window shows, against the pixels that it stands on.

Nothing is listed by hand: texts are found by walking the widgets and the canvases' items, signs (line icons, discs) by
noting the colour with which each picture was drawn. WCAG 2.2: 1.4.3 for texts, 1.4.11 for signs.
"""

from __future__ import annotations

import tkinter
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image, ImageGrab

from desktop_client.widgets.choice import Choice
from desktop_client.widgets.field import Field
from desktop_client.widgets.paint import Painter
from desktop_client.windows.base import walk

Rgb = tuple[int, int, int]
Area = tuple[int, int, int, int]
TEXT_RATIO = 4.5
LARGE_RATIO = 3.0
SIGN_RATIO = 3.0
LARGE_PIXELS = 24  # 18 points, or 14 points bold
LARGE_BOLD_PIXELS = 18.66
GROUND_SHARE = 0.04  # a colour of a smaller share of the area is the rim of a letter, not its ground


@dataclass(frozen=True)
class Miss:
    """A text or sign that is too pale."""

    where: str
    what: str
    color: str
    ground: str
    ratio: float


def luminance(color: Rgb) -> float:
    """WCAG 2.2, relative luminance."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


class Colours:
    """Notes the colour of every icon and disc that is drawn while it is in place."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of_picture: dict[str, str] = {}
        self.dots: set[tuple[str, str]] = set()  # presence dots and the rings that they lie in
        for name, place in (("icon", 2), ("disc", 1), ("icon_on", 3)):
            self._note(monkeypatch, name, place)
        avatar = Painter.avatar

        def noted(painter: Painter, *args: Any, **named: Any) -> Any:
            if named.get("dot"):
                self.dots.add((named["dot"], named["ring"]))
            return avatar(painter, *args, **named)

        monkeypatch.setattr(Painter, "avatar", noted)

    def _note(self, monkeypatch: pytest.MonkeyPatch, name: str, place: int) -> None:
        drawn = getattr(Painter, name)

        def noted(painter: Painter, *args: Any) -> Any:
            picture = drawn(painter, *args)
            self.of_picture[str(picture)] = args[place]
            return picture

        monkeypatch.setattr(Painter, name, noted)


def misses(top: tkinter.Misc, colours: Colours, where: str) -> list[Miss]:
    """Everything in a window that does not reach its ratio."""
    shot = _shot(top)
    found = [m for widget in walk(top) for m in _of_widget(widget, shot, top, colours, where)]
    for dot, ring in colours.dots:
        found += _judge(where, f"presence dot {dot}", _rgb(top, dot), _rgb(top, ring), SIGN_RATIO)
    return found


def _shot(top: tkinter.Misc) -> Image.Image:
    left, upper = top.winfo_rootx(), top.winfo_rooty()
    area = (left, upper, left + top.winfo_width(), upper + top.winfo_height())
    return ImageGrab.grab(bbox=area, xdisplay=top.winfo_screen()).convert("RGB")


def _of_widget(
    widget: tkinter.Misc, shot: Image.Image, top: tkinter.Misc, colours: Colours, where: str
) -> Iterator[Miss]:
    x, y = widget.winfo_rootx() - top.winfo_rootx(), widget.winfo_rooty() - top.winfo_rooty()
    area = (x, y, x + widget.winfo_width(), y + widget.winfo_height())
    if isinstance(widget, tkinter.Canvas):
        yield from _of_canvas(widget, shot, (x, y), colours, where)
    elif isinstance(widget, (Field, Choice)):
        yield from _edge(widget, shot, area, where)
    elif isinstance(widget, (tkinter.Label, tkinter.Button, tkinter.Checkbutton)):
        if str(widget["text"]).strip():
            color, font = str(widget["foreground"]), str(widget["font"])
            yield from _text(widget, str(widget["text"]), color, font, shot, area, where)
        color = colours.of_picture.get(str(widget["image"]), "")
        if color and not str(widget["text"]).strip():
            yield from _sign(widget, color, shot, area, where)
    elif isinstance(widget, (tkinter.Entry, tkinter.Text)):
        chosen, ground = _rgb(widget, widget["selectforeground"]), _rgb(widget, widget["selectbackground"])
        yield from _judge(where, f"selection in {widget}", chosen, ground, TEXT_RATIO)
        content = widget.get() if isinstance(widget, tkinter.Entry) else widget.get("1.0", "end-1c")
        if content.strip() and not _has_selection(widget):
            off = isinstance(widget, tkinter.Entry) and str(widget["state"]) == "disabled"
            color = str(widget["disabledforeground" if off else "foreground"])
            yield from _text(widget, content, color, str(widget["font"]), shot, area, where)


def _has_selection(widget: tkinter.Entry | tkinter.Text) -> bool:
    """A selection covers the ground; its own colours are judged by themselves."""
    return widget.selection_present() if isinstance(widget, tkinter.Entry) else bool(widget.tag_ranges("sel"))


def _of_canvas(
    canvas: tkinter.Canvas, shot: Image.Image, at: tuple[int, int], colours: Colours, where: str
) -> Iterator[Miss]:
    seen = (canvas.canvasx(0), canvas.canvasy(0))
    for item in canvas.find_all():
        box = canvas.bbox(item)
        if box is None or canvas.itemcget(item, "state") == "hidden":
            continue
        area = tuple(round(v - seen[n % 2] + at[n % 2]) for n, v in enumerate(box))
        limits = (*at, at[0] + canvas.winfo_width(), at[1] + canvas.winfo_height())
        if area[0] < limits[0] or area[1] < limits[1] or area[2] > limits[2] or area[3] > limits[3]:
            continue  # scrolled out of sight
        if canvas.type(item) == "text" and canvas.itemcget(item, "text").strip():
            text, color, font = (canvas.itemcget(item, o) for o in ("text", "fill", "font"))
            yield from _text(canvas, text, color, font, shot, area, where)
        elif canvas.type(item) == "image":
            color = colours.of_picture.get(canvas.itemcget(item, "image"), "")
            if color:
                yield from _sign(canvas, color, shot, area, where)


def _text(
    widget: tkinter.Misc, text: str, color: str, font: str, shot: Image.Image, area: Any, where: str
) -> Iterator[Miss]:
    pixels = abs(int(widget.tk.call("font", "actual", font, "-size")))
    bold = str(widget.tk.call("font", "actual", font, "-weight")) == "bold"
    large = pixels >= LARGE_PIXELS or (bold and pixels >= LARGE_BOLD_PIXELS)
    ink = _rgb(widget, color)
    for ground in _grounds(shot, area, ink):
        yield from _judge(where, repr(text[:40]), ink, ground, LARGE_RATIO if large else TEXT_RATIO)


def _sign(widget: tkinter.Misc, color: str, shot: Image.Image, area: Any, where: str) -> Iterator[Miss]:
    ink = _rgb(widget, color)
    left, top, right, bottom = area  # a disc fills its picture, so what it stands on is around it
    for ground in _rim(shot.crop((left - 2, top - 2, right + 2, bottom + 2))):
        yield from _judge(where, f"sign at {area}", ink, ground, SIGN_RATIO)


def _edge(widget: Any, shot: Image.Image, area: Area, where: str) -> Iterator[Miss]:
    """The edge of a field against what lies on both sides of it."""
    if not getattr(widget, "_border", True):
        return
    left, middle = area[0], (area[1] + area[3]) // 2
    outside, edge, inside = (shot.getpixel((left + step, middle)) for step in (-3, 0, 5))
    for ground in (outside, inside):
        yield from _judge(where, f"edge of {widget.action}", edge, ground, SIGN_RATIO)  # type: ignore[arg-type]


def _grounds(shot: Image.Image, area: Area, ink: Rgb) -> list[Rgb]:
    """The commonest colour of the area that is not the ink; on a gradient all that stand at the area's rim."""
    crop = shot.crop(area)
    counted: Counter[Any] = Counter(crop.get_flattened_data())
    total = sum(counted.values())
    counted.pop(ink, None)
    if not counted:
        return [ink]  # nothing but ink: it cannot be read
    common, share = counted.most_common(1)[0]
    if share / total >= 0.25:
        return [common]
    return _rim(crop)


def _rim(crop: Image.Image) -> list[Rgb]:
    """The colours at the upper and lower edge of an area."""
    width, height = crop.size
    rim = [crop.getpixel((x, y)) for x in range(width) for y in (0, height - 1)]
    return [color for color, times in Counter(rim).items() if times / len(rim) >= GROUND_SHARE]  # type: ignore[misc]


def _judge(where: str, what: str, ink: Rgb, ground: Rgb, ratio: float) -> Iterator[Miss]:
    reached = contrast(ink, ground)
    if reached < ratio:
        yield Miss(where, what, bytes(ink).hex(), bytes(ground).hex(), round(reached, 2))


def _rgb(widget: tkinter.Misc, color: Any) -> Rgb:
    red, green, blue = (level >> 8 for level in widget.winfo_rgb(str(color)))
    return red, green, blue
