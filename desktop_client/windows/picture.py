"""A sentence as a picture: Pillow brings letters of its own, for a system that has no fonts at all."""

from __future__ import annotations

import textwrap
import tkinter

from PIL import Image, ImageDraw, ImageFont, ImageTk

from desktop_client.palette import LIGHT
from desktop_client.windows.base import CLASS_NAME, make_root

LINE_CHARS = 60
FONT_PIXELS = 18
EDGE = 24


def show_picture(text: str) -> bool:
    """Show an English sentence until the window is closed, clicked or gets a key; false where there is no display."""
    try:
        root = make_root()
    except tkinter.TclError:
        return False
    picture = ImageTk.PhotoImage(_draw(text), master=root)
    root.configure(background=LIGHT.window)
    canvas = tkinter.Canvas(
        root, width=picture.width(), height=picture.height(), highlightthickness=0, background=LIGHT.window
    )
    canvas.create_image(0, 0, image=picture, anchor="nw")
    canvas.pack()
    root.title(CLASS_NAME)
    for event in ("<Key>", "<Button>"):
        root.bind(event, lambda _e: root.quit())
    root.protocol("WM_DELETE_WINDOW", root.quit)
    root.deiconify()
    root.mainloop()
    root.destroy()
    return True


def _draw(text: str) -> Image.Image:
    font = ImageFont.load_default(FONT_PIXELS)
    broken = "\n".join(textwrap.wrap(text, LINE_CHARS))
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).multiline_textbbox((0, 0), broken, font=font)
    picture = Image.new("RGB", (round(right - left) + 2 * EDGE, round(bottom - top) + 2 * EDGE), LIGHT.window)
    ImageDraw.Draw(picture).multiline_text((EDGE - left, EDGE - top), broken, font=font, fill=LIGHT.text)
    return picture
