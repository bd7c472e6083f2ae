"""The bundled colour emoji: finds their sequences in a text and reads their pictures from one file.

Tk on X11 draws emoji in one colour or as boxes, takes families and flags apart, and some versions of libXft end the
program at a glyph in colour. So no emoji is ever handed to Tk: each is a picture from `assets/emoji/emoji.pack`.

The file: MAGIC, the length of the index (4 bytes, big endian), the index (MessagePack: a list of sequence and length
in bytes), then the pictures in the index's order, 64 pixels square, PNG or WebP. A sequence stands there without its
variation selectors (U+FE0F), as `plain` makes it.
"""

from __future__ import annotations

import io
import re
import struct
import unicodedata
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import msgspec
from PIL import Image

from desktop_client.assets_path import asset

MAGIC = b"BBEMOJI1"
ELEMENTS_MAX = 10  # joined in one emoji; the longest of the set has 4, with skin tones
PICTURES_KEPT_MAX = 64  # of 16 KB each as pixels; what is on the screen is kept by the painter in its own size
TEXTS_KEPT_MAX = 32  # of at most 20,000 characters; a text is looked through several times while it is drawn
TEXT_STYLE, COLOR_STYLE = "\ufe0e", "\ufe0f"
JOINER = "\u200d"

# What may be a part of an emoji: a text without any of these needs no look at the pack.
MAYBE = re.compile(
    "[\u00a9\u00ae\u200d\u203c\u2049\u20e3\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf"
    "\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\ufe0e\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]"
)
# Signs that a text uses as letters: a picture only where the writer asked for one.
SIGNS = frozenset("0123456789#*©®™‼⁉ℹ↔↕↖↗↘↙↩↪▪▫▶◀◻◼Ⓜ〰〽㊗㊙✔✖♾")
# Drawn in near black, as ink; on a dark ground they take the colour of the letters beside them. A black heart does not.
INK = frozenset("✔✖➕➖➗🟰➰➿〰♾🎵🎶💱💲🔙🔚🔛🔜🔝©®™‼⁉")

# One emoji with all that belongs to it, by UTS #51 (ED-13 to ED-17): flags, keycaps, skin tones, tags, joined.
_BASE = "[#*0-9\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]"
_ELEMENT = f"{_BASE}(?:[\U0001f3fb-\U0001f3ff]|\ufe0f?\u20e3|\ufe0f|\ufe0e)?(?:[\U000e0020-\U000e007e]+\U000e007f)?"
SEQUENCE = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|{_ELEMENT}(?:\u200d{_ELEMENT})*|[\U0001f1e6-\U0001f1ff]|[\U0001f3fb-\U0001f3ff]"
)


def plain(sequence: str) -> str:
    """A sequence as the index has it."""
    return sequence.replace(COLOR_STYLE, "").replace(TEXT_STYLE, "")


@dataclass(frozen=True)
class Emoji:
    """One emoji of a text: where it stands, and the key of its picture, empty where the pack has none."""

    start: int
    end: int
    key: str
    grey: bool = False


class Pack:
    """The file of pictures, opened when the first emoji is looked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError(f"{path} is not a pack of emoji")
            length = struct.unpack(">I", file.read(4))[0]
            index = msgspec.msgpack.decode(file.read(length), type=list[tuple[str, int]])
            place = file.tell()
        self._numbers = {sequence: number for number, (sequence, _size) in enumerate(index)}
        self._places = array("I", accumulate((size for _sequence, size in index), initial=place))

    def __contains__(self, key: str) -> bool:
        return key in self._numbers

    def keys(self) -> list[str]:
        """Every sequence, in the order of their code points."""
        return list(self._numbers)

    def picture(self, key: str) -> Image.Image:
        """The picture of a sequence, 64 pixels square with an alpha channel."""
        from PIL import PngImagePlugin, WebPImagePlugin  # these two alone, or Pillow loads all its sixty formats

        assert PngImagePlugin and WebPImagePlugin
        number = self._numbers[key]
        with self._path.open("rb") as file:
            file.seek(self._places[number])
            data = file.read(self._places[number + 1] - self._places[number])
        with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as picture:
            return picture.convert("RGBA")


@lru_cache(maxsize=1)
def pack() -> Pack:
    """The bundled pack."""
    return Pack(asset("emoji", "emoji.pack"))


@lru_cache(maxsize=PICTURES_KEPT_MAX)
def picture(key: str) -> Image.Image:
    """The picture of a sequence in its full size."""
    return pack().picture(key)


def find(text: str) -> tuple[Emoji, ...]:
    """Every emoji of a text in order; what belongs together is one, and what the set lacks is taken apart."""
    return _found(text) if MAYBE.search(text) else ()


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def _found(text: str) -> tuple[Emoji, ...]:
    found: list[Emoji] = []
    for match in SEQUENCE.finditer(text):
        sequence = match.group()
        if len(sequence) == 1 and (sequence in SIGNS or not _drawn(sequence)):
            continue
        found.extend(_parts(sequence, match.start()))
    return tuple(found)


def _parts(sequence: str, start: int) -> Iterator[Emoji]:
    """The whole sequence where the set has it; else its longest known beginnings, one after the other."""
    elements = sequence.split(JOINER)
    while elements:
        count = min(len(elements), ELEMENTS_MAX)
        while count > 1 and plain(JOINER.join(elements[:count])) not in pack():
            count -= 1
        part = JOINER.join(elements[:count])
        del elements[:count]
        found = _one(part, start)
        if found:
            yield found
        start += len(part) + len(JOINER)


def _one(part: str, start: int) -> Emoji | None:
    """One emoji; without a modifier that the set does not know for it."""
    key, end = plain(part), start + len(part)
    if key not in pack():
        key = part[:1] if part[:1] in pack() else ""
    if (len(key) == 1 and key in SIGNS and COLOR_STYLE not in part) or not part or not (key or _drawn(part[0])):
        return None
    return Emoji(start, end, key, grey=TEXT_STYLE in part)


def _drawn(character: str) -> bool:
    """Whether a character is ours to draw: it is in the set, or stands where Unicode will put emoji one day."""
    if character in pack():
        return True
    if not "\U0001f300" <= character <= "\U0001faff" or "\U0001f700" <= character <= "\U0001f77f":
        return False
    return unicodedata.category(character) == "Cn"
