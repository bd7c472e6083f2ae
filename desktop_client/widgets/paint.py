"""Pictures drawn with Pillow and kept: rounded boxes, gradients, avatars, emoji. Corners are drawn four times larger.

All sizes here are device pixels; callers come with `Ui.px`.
"""

from __future__ import annotations

import tkinter
from collections import OrderedDict
from collections.abc import Callable, Hashable

from PIL import Image, ImageColor, ImageDraw, ImageTk

from desktop_client.assets_path import asset
from desktop_client.widgets import emoji, icons

# X11 counts pixels in 16 bits with a sign (32,767), and refuses a pixmap that the server's memory does not hold: both
# end the program. No picture comes near: texts are folded long before, and what asks for more gets this much.
WIDTH_PX_MAX = 8_192
HEIGHT_PX_MAX = 4_096
PICTURES_MAX = 400  # of a screen's few dozen; more are the sizes of bubbles that went by
SUPER = 4  # corners are drawn this much larger and averaged down
ALL_CORNERS = "nw ne sw se"


class Painter:
    """Draws and keeps pictures; the oldest are forgotten first. One a Tk root."""

    def __init__(self, root: tkinter.Tk, scale: float) -> None:
        self._root = root
        self._scale = scale
        self._kept: OrderedDict[Hashable, ImageTk.PhotoImage] = OrderedDict()
        self._files: dict[str, Image.Image] = {}

    def forget(self) -> None:
        """Drop all pictures (a change of palette). Those still shown live on with their widgets."""
        self._kept.clear()

    def box(
        self,
        width: int,
        height: int,
        radius: int,
        fill: str,
        *,
        outline: str = "",
        line: int = 1,
        corners: str = ALL_CORNERS,
        ring: str = "",
        shadow: bool = False,
    ) -> ImageTk.PhotoImage:
        """A rounded box. `corners` names the round ones; `ring` is a focus ring just inside the edge."""
        width, height = bounded(width, height)
        key = ("box", width, height, radius, fill, outline, line, corners, ring, shadow)
        return self._keep(key, lambda: _box(width, height, radius, fill, outline, line, corners, ring, shadow))

    def gradient(self, width: int, height: int, start: str, end: str) -> ImageTk.PhotoImage:
        """A slanting gradient from the upper left to the lower right corner."""
        width, height = bounded(width, height)
        return self._keep(("gradient", width, height, start, end), lambda: _gradient(width, height, start, end))

    def avatar(
        self,
        size: int,
        fill: str,
        *,
        picture: str = "",
        dot: str = "",
        ring: str = "",
        dim: str = "",
        share: float = 0.5,
    ) -> ImageTk.PhotoImage:
        """A coloured rounded square; `picture` names an emoji file, `dot` a presence colour in a ring of colour `ring`.

        The picture is as large as the square and the part of the dot that stands out. `dim` mixes that colour in.
        """
        key = ("avatar", size, fill, picture, dot, ring, dim)
        return self._keep(key, lambda: self._avatar(size, fill, picture, dot, ring, dim, share))

    def sign(self, key: str, size: int, grey: bool = False, color: str = "") -> ImageTk.PhotoImage:
        """An emoji of the bundled pack; an empty key is one that the pack does not have yet.

        `color` is that of the letters beside it: where they are light, what is drawn as ink has it too.
        """
        ink = color if key in emoji.INK and _is_light(color) else ""

        def draw() -> Image.Image:
            if not key:
                return _unknown(size)
            drawn = emoji.picture(key).resize((size, size), Image.Resampling.LANCZOS)
            if ink:
                flat = Image.new("RGBA", drawn.size, ink)
                flat.putalpha(drawn.getchannel("A"))
                return flat
            return drawn.convert("LA").convert("RGBA") if grey else drawn

        return self._keep(("sign", key, size, grey, ink), draw)

    def logo(self, size: int) -> ImageTk.PhotoImage:
        """The application's icon."""
        return self._keep(
            ("logo", size), lambda: self._file("icon", "billbuddy-256").resize((size, size), Image.Resampling.LANCZOS)
        )

    def icon(self, name: str, size: int, color: str) -> ImageTk.PhotoImage:
        """A line icon of `icons`."""
        return self._keep(("icon", name, size, color), lambda: icons.draw(name, size, color))

    def icon_on(self, name: str, side: int, size: int, color: str, back: tuple[str, str]) -> ImageTk.PhotoImage:
        """A line icon in the middle of a rounded square; `back` is its colour and that of its focus ring."""

        def draw() -> Image.Image:
            square = _box(side, side, side // 5, back[0], "", 0, ALL_CORNERS, back[1], False)
            square.alpha_composite(icons.draw(name, size, color), ((side - size) // 2, (side - size) // 2))
            return square

        return self._keep(("icon_on", name, side, size, color, back), draw)

    def pin_box(
        self, width: int, height: int, radius: int, fill: str, outline: str, line: int, dot: str, caret: str
    ) -> ImageTk.PhotoImage:
        """One box of the payment password, with a dot where a digit is and a caret where the next comes."""

        def draw() -> Image.Image:
            box = _box(width, height, radius, fill, outline, line, ALL_CORNERS, "", False)
            if dot:
                side = max(8, width // 3)
                box.alpha_composite(_disc(side, dot), ((width - side) // 2, (height - side) // 2))
            elif caret:
                wide = max(1, width // 30)
                bar = Image.new("RGBA", (wide, height // 3), caret)
                box.alpha_composite(bar, ((width - wide) // 2, height // 3))
            return box

        return self._keep(("pin", width, height, fill, outline, line, dot, caret), draw)

    def check(self, size: int, on: bool, fill: str, line: str, tick: str) -> ImageTk.PhotoImage:
        """A check box."""

        def draw() -> Image.Image:
            box = _box(size, size, max(2, size // 4), fill if on else "", "" if on else line, 1, ALL_CORNERS, "", False)
            if on:
                box.alpha_composite(icons.draw("check", size, tick))
            return box

        return self._keep(("check", size, on, fill, line, tick), draw)

    def disc(self, size: int, color: str) -> ImageTk.PhotoImage:
        return self._keep(("disc", size, color), lambda: _disc(size, color))

    def _keep(self, key: Hashable, draw: Callable[[], Image.Image]) -> ImageTk.PhotoImage:
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = ImageTk.PhotoImage(draw(), master=self._root)
            if len(self._kept) > PICTURES_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        return kept

    def _file(self, folder: str, name: str) -> Image.Image:
        if name not in self._files:
            with Image.open(asset(folder, f"{name}.png")) as picture:
                self._files[name] = picture.convert("RGBA")
        return self._files[name]

    def _avatar(self, size: int, fill: str, picture: str, dot: str, ring: str, dim: str, share: float) -> Image.Image:
        square = _box(size, size, round(size * 0.22), fill, "", 0, ALL_CORNERS, "", False)
        if picture:
            side = round(size * 0.56)
            drawing = self._file("emoji", picture).resize((side, side), Image.Resampling.LANCZOS)
            square.alpha_composite(drawing, ((size - side) // 2, (size - side) // 2))
        if dim:
            veil = Image.new("RGBA", square.size, dim)
            mixed = Image.blend(square, veil, share)
            mixed.putalpha(square.getchannel("A"))
            square = mixed
        if not dot:
            return square
        out = dot_overhang(size)
        whole = Image.new("RGBA", (size + out, size + out))
        whole.alpha_composite(square, (0, 0))
        side = dot_size(size)
        whole.paste(_disc(side, ring), (size + out - side, size + out - side), _disc(side, ring))
        inner = side - 2 * max(2, round(side * 0.16))
        place = size + out - side + (side - inner) // 2
        whole.alpha_composite(_disc(inner, dot), (place, place))
        return whole


def bounded(width: int, height: int) -> tuple[int, int]:
    """A size that the display can always take."""
    return max(1, min(width, WIDTH_PX_MAX)), max(1, min(height, HEIGHT_PX_MAX))


def dot_size(avatar: int) -> int:
    """The presence dot with its ring, in pixels."""
    return max(10, round(avatar * 0.33) if avatar < 48 else round(avatar * 0.25))


def dot_overhang(avatar: int) -> int:
    """How far the dot stands out of the square."""
    return max(2, dot_size(avatar) // 4)


def mix(color: str, other: str, share: float) -> str:
    """`share` of `other` in `color`, as #rrggbb."""
    a, b = ImageColor.getrgb(color), ImageColor.getrgb(other)
    red, green, blue = (round(x * (1 - share) + y * share) for x, y in zip(a[:3], b[:3], strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _is_light(color: str) -> bool:
    """Whether letters of this colour stand on a dark ground."""
    return bool(color) and ImageColor.getrgb(color)[1] > 128


def _unknown(size: int) -> Image.Image:
    """A grey frame in the place of an emoji that is newer than the pack; seen on every ground."""
    picture = Image.new("RGBA", (size, size))
    edge = max(1, size // 8)
    ImageDraw.Draw(picture).rounded_rectangle(
        (edge, edge, size - 1 - edge, size - 1 - edge),
        size // 5,
        outline=(128, 128, 128, 255),
        width=max(1, size // 12),
    )
    return picture


def _corner(radius: int) -> Image.Image:
    big = Image.new("L", (radius * SUPER, radius * SUPER), 0)
    ImageDraw.Draw(big).ellipse((0, 0, 2 * radius * SUPER - 1, 2 * radius * SUPER - 1), fill=255)
    return big.resize((radius, radius), Image.Resampling.BOX)


def _mask(width: int, height: int, radius: int, corners: str) -> Image.Image:
    mask = Image.new("L", (width, height), 255)
    radius = min(radius, width // 2, height // 2)
    if radius < 1:
        return mask
    corner = _corner(radius)
    flip, turn = Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM
    right, bottom = width - radius, height - radius
    if "nw" in corners:
        mask.paste(corner, (0, 0))
    if "ne" in corners:
        mask.paste(corner.transpose(flip), (right, 0))
    if "sw" in corners:
        mask.paste(corner.transpose(turn), (0, bottom))
    if "se" in corners:
        mask.paste(corner.transpose(flip).transpose(turn), (right, bottom))
    return mask


def _box(
    width: int, height: int, radius: int, fill: str, outline: str, line: int, corners: str, ring: str, shadow: bool
) -> Image.Image:
    width, height = max(1, width), max(1, height)
    picture = Image.new("RGBA", (width, height))
    if shadow:
        _paste(picture, (0, 1, width, height), radius, (0, 0, 0, 18), corners)
        height -= 1
    inset = 0
    for color, wide in ((ring, 2 * max(1, line)), (outline, line)):
        if color:
            _paste(picture, (inset, inset, width - inset, height - inset), radius - inset, _rgba(color), corners)
            inset += wide
    if fill:
        _paste(picture, (inset, inset, width - inset, height - inset), max(0, radius - inset), _rgba(fill), corners)
    elif inset:
        _cut(picture, (inset, inset, width - inset, height - inset), max(0, radius - inset), corners)
    return picture


def _paste(
    picture: Image.Image, area: tuple[int, int, int, int], radius: int, color: tuple[int, int, int, int], corners: str
) -> None:
    left, top, right, bottom = area
    if right <= left or bottom <= top:
        return
    layer = Image.new("RGBA", (right - left, bottom - top), color)
    mask = _mask(right - left, bottom - top, max(0, radius), corners)
    if color[3] < 255:
        mask = mask.point(lambda level: level * color[3] // 255)
    layer.putalpha(mask)
    picture.alpha_composite(layer, (left, top))


def _cut(picture: Image.Image, area: tuple[int, int, int, int], radius: int, corners: str) -> None:
    """Make the inside clear: an outline alone."""
    left, top, right, bottom = area
    alpha = picture.getchannel("A")
    mask = _mask(right - left, bottom - top, radius, corners)
    alpha.paste(0, (left, top), mask)
    picture.putalpha(alpha)


def _rgba(color: str) -> tuple[int, int, int, int]:
    red, green, blue = ImageColor.getrgb(color)[:3]
    return red, green, blue, 255


def _disc(size: int, color: str) -> Image.Image:
    big = Image.new("L", (size * SUPER, size * SUPER), 0)
    ImageDraw.Draw(big).ellipse((0, 0, size * SUPER - 1, size * SUPER - 1), fill=255)
    disc = Image.new("RGBA", (size, size), color)
    disc.putalpha(big.resize((size, size), Image.Resampling.BOX))
    return disc


def _gradient(width: int, height: int, start: str, end: str) -> Image.Image:
    """Built from two small ramps, which costs the same for any size."""
    side = 64
    across = Image.linear_gradient("L").rotate(90).resize((side, side))
    down = Image.linear_gradient("L").resize((side, side))
    ramp = Image.blend(across, down, 0.45).resize((max(1, width), max(1, height)), Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", ramp.size, end), Image.new("RGB", ramp.size, start), ramp)
