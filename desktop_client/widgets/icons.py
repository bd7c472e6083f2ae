"""Line icons on a grid of 24, drawn with Pillow, so that they take the theme's colours and any size."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

GRID = 24
SUPER = 4
STROKE = 1.8  # grid units


class Pencil:
    """Draws in grid units on a picture four times larger."""

    def __init__(self, size: int, color: str) -> None:
        self._side = size * SUPER
        self._color = color
        self._step = self._side / GRID
        self.mask = Image.new("L", (self._side, self._side), 0)
        self._draw = ImageDraw.Draw(self.mask)

    def line(self, *points: tuple[float, float], wide: float = STROKE, fill: int = 255) -> None:
        spots = [(x * self._step, y * self._step) for x, y in points]
        self._draw.line(spots, fill=fill, width=max(1, round(wide * self._step)), joint="curve")
        half = wide * self._step / 2
        for x, y in (spots[0], spots[-1]):
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def circle(self, x: float, y: float, radius: float, wide: float = STROKE) -> None:
        """A ring, or a disc where `wide` is 0."""
        area = tuple(v * self._step for v in (x - radius, y - radius, x + radius, y + radius))
        if wide:
            self._draw.ellipse(area, outline=255, width=max(1, round(wide * self._step)))
        else:
            self._draw.ellipse(area, fill=255)

    def arc(self, area: tuple[float, float, float, float], start: float, end: float, wide: float = STROKE) -> None:
        self._draw.arc(
            tuple(v * self._step for v in area), start, end, fill=255, width=max(1, round(wide * self._step))
        )

    def box(self, area: tuple[float, float, float, float], radius: float, fill: int = 255, wide: float = 0) -> None:
        spots = tuple(v * self._step for v in area)
        if wide:
            self._draw.rounded_rectangle(spots, radius * self._step, outline=255, width=round(wide * self._step))
        else:
            self._draw.rounded_rectangle(spots, radius * self._step, fill=fill)

    def shape(self, *points: tuple[float, float], fill: int = 255) -> None:
        self._draw.polygon([(x * self._step, y * self._step) for x, y in points], fill=fill)

    def hole(self, x: float, y: float, radius: float) -> None:
        self._draw.ellipse(tuple(v * self._step for v in (x - radius, y - radius, x + radius, y + radius)), fill=0)

    def picture(self, size: int) -> Image.Image:
        picture = Image.new("RGBA", (size, size), self._color)
        picture.putalpha(self.mask.resize((size, size), Image.Resampling.BOX))
        return picture


def draw(name: str, size: int, color: str) -> Image.Image:
    """The icon `name` in `color`, `size` device pixels square."""
    pencil = Pencil(size, color)
    DRAWINGS[name](pencil)
    return pencil.picture(size)


def _search(p: Pencil) -> None:
    p.circle(10.5, 10.5, 6.3)
    p.line((15.2, 15.2), (20, 20), wide=2.2)


def _lock(p: Pencil) -> None:
    p.box((4.5, 10.5, 19.5, 21), 2.4)
    p.arc((7.5, 3, 16.5, 15), 180, 360, 2.2)
    p.line((8.6, 9), (8.6, 11), wide=2.2)
    p.line((15.4, 9), (15.4, 11), wide=2.2)
    p.hole(12, 15.6, 1.7)


def _eye(p: Pencil) -> None:
    p.arc((1.5, 5.5, 22.5, 26.5), 218, 322)
    p.arc((1.5, -2.5, 22.5, 18.5), 38, 142)
    p.circle(12, 12, 3.4, 0)


def _eye_off(p: Pencil) -> None:
    _eye(p)
    p.line((4, 20), (20, 4))


def _menu(p: Pencil) -> None:
    for y in (6.5, 12, 17.5):
        p.line((4.5, y), (19.5, y))


def _sun(p: Pencil) -> None:
    p.circle(12, 12, 4.2)
    for x1, y1, x2, y2 in (
        (12, 2.5, 12, 4.6),
        (12, 19.4, 12, 21.5),
        (2.5, 12, 4.6, 12),
        (19.4, 12, 21.5, 12),
        (5.3, 5.3, 6.8, 6.8),
        (17.2, 17.2, 18.7, 18.7),
        (5.3, 18.7, 6.8, 17.2),
        (17.2, 6.8, 18.7, 5.3),
    ):
        p.line((x1, y1), (x2, y2))


def _moon(p: Pencil) -> None:
    p.circle(11.5, 12.5, 8.5, 0)
    p.hole(15.5, 9, 7.6)


def _down(p: Pencil) -> None:
    p.shape((6.5, 9), (17.5, 9), (12, 15.5))


def _right(p: Pencil) -> None:
    p.shape((9, 6.5), (9, 17.5), (15.5, 12))


def _check(p: Pencil) -> None:
    p.line((5.5, 12.5), (10.2, 17), (18.5, 7.2), wide=2.6)


def _cross(p: Pencil) -> None:
    p.line((6.5, 6.5), (17.5, 17.5), wide=2.2)
    p.line((17.5, 6.5), (6.5, 17.5), wide=2.2)


def _smile(p: Pencil) -> None:
    p.circle(12, 12, 9)
    p.circle(8.8, 9.8, 1.25, 0)
    p.circle(15.2, 9.8, 1.25, 0)
    p.arc((7, 7, 17, 17.3), 25, 155)


def _clock(p: Pencil) -> None:
    p.circle(12, 12, 9)
    p.line((12, 6.8), (12, 12), (15.6, 14))


def _warning(p: Pencil) -> None:
    p.shape((12, 2.5), (22.5, 21), (1.5, 21))
    p.box((10.9, 8.6, 13.1, 15.2), 1, fill=0)
    p.hole(12, 17.9, 1.3)


def _shield_off(p: Pencil) -> None:
    p.shape((12, 1.8), (21, 5), (21, 11), (19.5, 16), (16.5, 19.6), (12, 22.2), (7.5, 19.6), (4.5, 16), (3, 11), (3, 5))
    p.line((8.6, 8.6), (15.4, 15.4), wide=2.2, fill=0)
    p.line((15.4, 8.6), (8.6, 15.4), wide=2.2, fill=0)


def _bolt(p: Pencil) -> None:
    p.shape((14.2, 2.5), (5.5, 13.6), (11, 13.6), (9.6, 21.5), (18.5, 10.2), (12.9, 10.2))


def _wallet(p: Pencil) -> None:
    p.box((3, 6, 21, 20), 2.6, wide=STROKE)
    p.line((5, 6.2), (16.5, 3.4), (17.6, 6.4))
    p.box((14, 10.6, 21.6, 15.4), 2)
    p.hole(17.2, 13, 1.1)


def _link(p: Pencil) -> None:
    p.arc((2.5, 7.5, 12, 16.5), 90, 270)
    p.arc((12, 7.5, 21.5, 16.5), 270, 90)
    p.line((7.2, 8.3), (9.5, 8.3))
    p.line((7.2, 15.7), (9.5, 15.7))
    p.line((14.5, 8.3), (16.8, 8.3))
    p.line((14.5, 15.7), (16.8, 15.7))
    p.line((8.2, 12), (15.8, 12))


DRAWINGS: dict[str, Callable[[Pencil], None]] = {
    "search": _search,
    "lock": _lock,
    "eye": _eye,
    "eye_off": _eye_off,
    "menu": _menu,
    "sun": _sun,
    "moon": _moon,
    "down": _down,
    "right": _right,
    "check": _check,
    "cross": _cross,
    "smile": _smile,
    "clock": _clock,
    "warning": _warning,
    "shield_off": _shield_off,
    "bolt": _bolt,
    "link": _link,
    "wallet": _wallet,
}
