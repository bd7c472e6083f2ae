"""What `pictures.py` draws: the application's icon (svg, png, ico) and the colour emoji of bill-pay contacts."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from build_scripts import common
from desktop_client.widgets import icons

ASSETS = common.ROOT / "assets"
EMOJI = {"water": "💧", "mobile": "📱", "property": "🏠", "gas": "🔥", "internet": "🌐", "bill": "🧾", "wallet": "👛"}
BITMAP_SIZE = 109  # the one size that the font's bitmaps have
SIDE = 72  # pixels, enough for the largest avatar at double density

SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#3cc4ff"/><stop offset="1" stop-color="#0a84d8"/>
    </linearGradient>
  </defs>
  <rect x="8" y="8" width="240" height="240" rx="56" fill="url(#sky)"/>
  <path d="M128 52c-48 0-86 31-86 70 0 22 12 41 31 54l-7 30 34-17c9 2 18 3 28 3 48 0 86-31 86-70s-38-70-86-70z"
        fill="#fff"/>
  <path d="M92 122l26 26 48-52" fill="none" stroke="#07b25d" stroke-width="20"
        stroke-linecap="round" stroke-linejoin="round"/>
</svg>
"""


def bezier(points: list[tuple[float, float]], steps: int = 24) -> list[tuple[float, float]]:
    """Points on the cubic curve of four control points."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    spots = []
    for step in range(steps + 1):
        t = step / steps
        u = 1 - t
        spots.append(
            (
                u**3 * x0 + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t**3 * x3,
                u**3 * y0 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t**3 * y3,
            )
        )
    return spots


def logo(size: int) -> Image.Image:
    """The drawing of SVG above, as pixels."""
    big = size * 4
    k = big / 256
    ramp = Image.linear_gradient("L").resize((big, big))
    sky = Image.composite(Image.new("RGB", ramp.size, "#0a84d8"), Image.new("RGB", ramp.size, "#3cc4ff"), ramp)
    mask = Image.new("L", (big, big), 0)
    ImageDraw.Draw(mask).rounded_rectangle((8 * k, 8 * k, 248 * k, 248 * k), 56 * k, fill=255)
    picture = Image.new("RGBA", (big, big))
    picture.paste(sky, (0, 0), mask)
    draw = ImageDraw.Draw(picture)
    bubble = [
        *bezier([(128, 52), (80, 52), (42, 83), (42, 122)]),
        *bezier([(42, 122), (42, 144), (54, 163), (73, 176)]),
        (66, 206),
        (100, 189),
        *bezier([(100, 189), (109, 191), (118, 192), (128, 192)]),
        *bezier([(128, 192), (176, 192), (214, 161), (214, 122)]),
        *bezier([(214, 122), (214, 83), (176, 52), (128, 52)]),
    ]
    draw.polygon([(x * k, y * k) for x, y in bubble], fill="#ffffff")
    tick = [(92 * k, 122 * k), (118 * k, 148 * k), (166 * k, 96 * k)]
    draw.line(tick, fill="#07b25d", width=round(20 * k), joint="curve")
    for x, y in (tick[0], tick[-1]):
        draw.ellipse((x - 10 * k, y - 10 * k, x + 10 * k, y + 10 * k), fill="#07b25d")
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def write_icon() -> None:
    folder = ASSETS / "icon"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "billbuddy.svg").write_text(SVG, encoding="utf-8")
    for size in (16, 32, 48, 64, 128, 256):
        logo(size).save(folder / f"billbuddy-{size}.png", optimize=True)
    logo(256).save(folder / "billbuddy.ico", sizes=[(16, 16), (32, 32), (48, 48), (64, 64), (128, 128), (256, 256)])


def write_emoji(font_file: str) -> None:
    folder = ASSETS / "emoji"
    folder.mkdir(parents=True, exist_ok=True)
    icons.draw("bolt", SIDE, "#ffffff").save(folder / "electricity.png", optimize=True)
    if not font_file:
        return
    font = ImageFont.truetype(font_file, BITMAP_SIZE)
    for name, sign in EMOJI.items():
        canvas = Image.new("RGBA", (160, 160))
        ImageDraw.Draw(canvas).text((0, 0), sign, font=font, embedded_color=True)
        cut = canvas.crop(canvas.getbbox())
        side = max(cut.size)
        square = Image.new("RGBA", (side, side))
        square.alpha_composite(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
        square.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(folder / f"{name}.png", optimize=True)
