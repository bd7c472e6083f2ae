"""Draws the pack of colour emoji anew: every sequence of the set as a small picture, in one file with an index.

    npm pack @iconify-json/twemoji            # the vector drawings of Twemoji, CC BY 4.0; unpack it
    pip install resvg-py                      # draws SVG; only this script needs it
    python3 build_scripts/emoji.py --set FOLDER

Needed only when the set is renewed (a new Unicode); the result `assets/emoji/emoji.pack` is committed. Its form is told
by `desktop_client/widgets/emoji.py`, which reads it.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import sys
import unicodedata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIDE = 64  # pixels of a picture: an emoji of a text at double density, or alone in a bubble at single
COLORS_MAX = 255  # the drawings are flat, so nobody sees the difference, and a picture takes half the bytes


def svg_of(icons: dict[str, Any], name: str) -> str:
    """One drawing of the set as an SVG; an alias may turn its parent round."""
    alias = icons.get("aliases", {}).get(name, {})
    icon = icons["icons"][alias.get("parent", name)]
    wide = icon.get("width", icons.get("width", icons["height"]))
    high = icon.get("height", icons["height"])
    body = icon["body"]
    if alias.get("hFlip"):
        body = f'<g transform="translate({wide} 0) scale(-1 1)">{body}</g>'
    left, top = icon.get("left", 0), icon.get("top", 0)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {wide} {high}">{body}</svg>'


def picture_of(svg: str) -> bytes:
    """The drawing as the smaller of a palette's PNG and a lossless WebP."""
    import resvg_py
    from PIL import Image

    drawn = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))))
    flat = drawn.convert("RGBA").quantize(COLORS_MAX, method=Image.Quantize.FASTOCTREE)
    png, webp = io.BytesIO(), io.BytesIO()
    flat.save(png, "PNG", optimize=True)
    flat.convert("RGBA").save(webp, "WEBP", lossless=True, quality=100, method=6)
    return min(png.getvalue(), webp.getvalue(), key=len)


def write_pack(folder: Path, target: Path) -> tuple[int, int]:
    """Draw all sequences of the set; returns how many there are and how many bytes they take."""
    import msgspec

    from desktop_client.widgets.emoji import MAGIC, plain

    chars = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
    icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
    names = {plain("".join(chr(int(code, 16)) for code in codes.split("-"))): name for codes, name in chars.items()}
    standard = [s for s in sorted(names) if unicodedata.category(s[0]) != "Co"]  # a vendor's own sign is no emoji
    pictures = {sequence: picture_of(svg_of(icons, names[sequence])) for sequence in standard}
    index = msgspec.msgpack.encode([(sequence, len(data)) for sequence, data in pictures.items()])
    with target.open("wb") as file:
        file.write(MAGIC + struct.pack(">I", len(index)) + index)
        for data in pictures.values():
            file.write(data)
    return len(pictures), target.stat().st_size


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", type=Path, required=True, metavar="FOLDER", help="the unpacked @iconify-json/twemoji")
    folder = parser.parse_args().set
    count, size = write_pack(folder, ROOT / "assets" / "emoji" / "emoji.pack")
    print(f"{count} sequences, {size:,} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
