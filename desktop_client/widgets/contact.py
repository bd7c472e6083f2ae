"""How a contact is drawn: its picture or first character, its colour, its presence dot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from desktop_client import palette
from desktop_client.assets_path import asset
from desktop_client.widgets import emoji
from desktop_client.widgets.scripts import shown_characters

if TYPE_CHECKING:
    from desktop_client.theme import Ui
    from desktop_client.widgets.virtual import Pen

SIGNS = {
    "⚡": "electricity",
    "💧": "water",
    "📱": "mobile",
    "🏠": "property",
    "🔥": "gas",
    "🌐": "internet",
    "🧾": "bill",
    "👛": "wallet",
}
NO_PICTURE = "bill"
INITIAL_CHARS_MAX = 40  # no emoji is longer


@dataclass(frozen=True)
class Face:
    """What an avatar shows. `icon` (a picture's name or its emoji) is empty for a person."""

    contact_id: int
    name: str
    kind: str = "member"
    icon: str = ""
    dot: str = "none"
    dimmed: bool = False


@lru_cache(maxsize=64)
def picture_name(icon: str) -> str:
    """The bundled picture for what the operator called the icon; a bill for one that we don't have."""
    name = SIGNS.get(icon.replace("\ufe0f", ""), icon)
    return name if name in palette.BILLER_COLORS and asset("emoji", f"{name}.png").exists() else NO_PICTURE


def avatar(ui: Ui, face: Face, size: int, back: str) -> tuple[Any, str]:
    """The picture of an avatar and the character to write on it. `size` in device pixels."""
    dot = ui.dot(face.dot) if face.dot != "none" else ""
    if face.kind == "biller":
        name = picture_name(face.icon)
        fill = palette.BILLER_COLORS[name]
        return ui.paint.avatar(size, fill, picture=name, dot=dot, ring=back), ""
    fill = palette.AVATAR_AWAY if face.dimmed else palette.avatar_color(face.contact_id)
    return ui.paint.avatar(size, fill, dot=dot, ring=back), initial(face.name)


def draw_avatar(pen: Pen, x: int, y: int, face: Face, size: int, back: str, font: str) -> None:
    """Draw an avatar at a canvas place."""
    picture, letter = avatar(pen.ui, face, size, back)
    pen.picture(x, y, picture)
    if letter:
        pen.letter(x + size / 2, y + size / 2, letter, font, palette.ON_AVATAR)


def initial(name: str) -> str:
    """The character of an avatar: the first Chinese one where the name has one, else the first letter or emoji."""
    for character in name:
        if "\u4e00" <= character <= "\u9fff":
            return character
    name = name.strip()[:INITIAL_CHARS_MAX]
    found = emoji.find(name)
    if found and found[0].start == 0:
        return name[: found[0].end]
    shown = (sign for sign in shown_characters(name) if sign.strip())
    return next(shown, "?").upper()
