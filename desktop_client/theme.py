"""The one place for fonts, sizes and the choice of a palette. Every widget gets a `Ui` and asks it, and has no literal.

Sizes are written in design pixels (96 to the inch) and pass through `Ui.px`, so one number serves every density.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tkinter
from collections.abc import Callable
from tkinter import font as tkfont
from typing import Literal

from desktop_client import screen
from desktop_client.palette import DARK, LIGHT, Palette
from desktop_client.widgets.block import forget_metrics
from desktop_client.widgets.paint import Painter

Mode = Literal["light", "dark"]


# The first family that the system has is used for everything, so that Latin and Chinese share a baseline.
FAMILIES = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Noto Sans SC",
    "Microsoft YaHei UI",
    "PingFang SC",
    "WenQuanYi Micro Hei",
    "Segoe UI",
    "Helvetica Neue",
    "DejaVu Sans",
)
FONTS: dict[str, tuple[int, Literal["normal", "bold"]]] = {  # name: (design pixels, weight)
    "tiny": (11, "normal"),
    "small": (12, "normal"),
    "small_bold": (12, "bold"),
    "label": (13, "normal"),
    "label_bold": (13, "bold"),
    "body": (14, "normal"),
    "body_bold": (14, "bold"),
    "title": (16, "bold"),
    "heading": (18, "bold"),
    "avatar": (16, "bold"),
    "avatar_small": (13, "bold"),
    "avatar_large": (24, "bold"),
    "amount": (28, "bold"),
    "sum": (34, "bold"),
}


class Ui:
    """The look of one running application: palette, fonts, density and the cache of drawn pictures."""

    def __init__(self, root: tkinter.Tk, mode: str = "light", scale: float = 0.0) -> None:
        """`mode` is light, dark or system; `scale` 0 takes what the display asks for."""
        self.root = root
        self.screen = screen.look(root)
        self.wish = scale
        self.scale = self._scale()
        self.family = self._family(root)
        self._fonts = {
            name: tkfont.Font(root=root, family=self.family, size=self._font_size(size), weight=weight)
            for name, (size, weight) in FONTS.items()
        }
        self._watchers: list[Callable[[], None]] = []
        self.choice = mode
        self.c = palette_for(mode)
        self.paint = Painter(root, self.scale)
        self._dress()

    def px(self, design_pixels: float) -> int:
        return round(design_pixels * self.scale)

    def font(self, name: str) -> tkfont.Font:
        return self._fonts[name]

    def tone(self, tone: str) -> str:
        """The text colour of a view model's tone."""
        if tone == "accent":
            return self.c.accent_text
        return str(getattr(self.c, tone)) if tone in ("muted", "good", "warning", "danger") else self.c.text

    def tone_soft(self, tone: str) -> str:
        """The background that goes with a tone's text."""
        c = self.c
        return {"good": c.good_soft, "warning": c.warning_soft, "danger": c.danger_soft, "accent": c.accent_soft}.get(
            tone, c.soft
        )

    def tone_fill(self, tone: str) -> str:
        """The full colour of a tone, as a ground for `on_fill` text."""
        c = self.c
        return {"good": c.good_fill, "warning": c.warning_fill, "danger": c.danger_fill, "accent": c.own_bubble}.get(
            tone, c.muted_fill
        )

    def dot(self, dot: str) -> str:
        """The colour of a presence dot, empty for none."""
        return str(getattr(self.c, f"dot_{dot}", ""))

    def use(self, mode: str) -> None:
        """Change to light, dark or system and let every window draw itself again."""
        self.choice = mode
        self.c = palette_for(mode)
        self.paint.forget()
        self._dress()
        self.tell()

    def tell(self) -> None:
        """Everything that is on the screen is drawn anew (after a change of theme or language)."""
        for watcher in list(self._watchers):
            watcher()

    def watch(self, watcher: Callable[[], None]) -> Callable[[], None]:
        """Call `watcher` after each change of look; the result ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def _dress(self) -> None:
        """Defaults for the plain Tk widgets that we do not draw: menus and the selection of text."""
        c, add = self.c, self.root.option_add
        self.root.configure(background=c.window)
        for pattern, value in (
            ("*Menu.background", c.card),
            ("*Menu.foreground", c.text),
            ("*Menu.activeBackground", c.selected),
            ("*Menu.activeForeground", c.text),
            ("*Menu.disabledForeground", c.faint),
            ("*Menu.selectColor", c.accent),
            ("*Menu.font", self.font("label")),
            ("*Menu.relief", "flat"),
            ("*Menu.borderWidth", 1),
            ("*Menu.activeBorderWidth", 0),
        ):
            add(pattern, value, "interactive")

    def use_scale(self, wish: float) -> None:
        """Change the size of everything, 0 for what the display asks for, and let every window draw itself again."""
        self.wish = wish
        self.scale = self._scale()
        for name, (size, _weight) in FONTS.items():
            self._fonts[name].configure(size=self._font_size(size))
            forget_metrics(self._fonts[name])
        self.paint = Painter(self.root, self.scale)
        self._dress()
        self.tell()

    def _font_size(self, design_pixels: int) -> int:
        """What Tk is to be asked for, so that a font has this many pixels (negative: pixels, as Tk has it).

        Tk makes points of pixels by the display's density, and Xft makes pixels of points by the desktop's.
        """
        wanted = self.px(design_pixels)
        if self.screen.dots:
            wanted = round(wanted * self.root.winfo_fpixels("1i") / self.screen.dots)
        return -max(1, wanted)

    def _scale(self) -> float:
        return screen.scale_for(self.screen, self.root.winfo_fpixels("1i"), self.wish)

    @staticmethod
    def _family(root: tkinter.Tk) -> str:
        for family in FAMILIES:
            found = str(root.tk.call("font", "actual", (family, 12), "-family"))
            if found.lower() == family.lower():
                return family
        return "TkDefaultFont"


def palette_for(mode: str) -> Palette:
    """The palette of light, dark or system."""
    if mode == "system":
        mode = system_mode()
    return DARK if mode == "dark" else LIGHT


def system_mode() -> Mode:
    """What the desktop prefers, as far as it tells without a library; light when it does not."""
    if "dark" in os.environ.get("GTK_THEME", "").lower():
        return "dark"
    question = {
        "linux": ["gsettings", "get", "org.gnome.desktop.interface", "color-scheme"],
        "darwin": ["defaults", "read", "-g", "AppleInterfaceStyle"],
    }.get(sys.platform)
    if question is None:
        return "light"
    try:
        told = subprocess.run(question, capture_output=True, text=True, timeout=0.3, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return "light"
    return "dark" if "dark" in told.lower() else "light"
