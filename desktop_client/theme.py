"""The one place for colours, fonts and sizes. Every widget gets a `Ui` and asks it; none has a literal of its own.

Sizes are written in design pixels (96 to the inch) and pass through `Ui.px`, so one number serves every density.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tkinter
from collections.abc import Callable
from dataclasses import dataclass
from tkinter import font as tkfont
from typing import Literal

from desktop_client.widgets.paint import Painter

Mode = Literal["light", "dark"]


@dataclass(frozen=True)
class Palette:
    """All colours of one mode, as #rrggbb."""

    dark: bool
    window: str
    stream: str
    card: str
    field: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    accent_pressed: str
    accent_soft: str
    on_accent: str
    selected: str
    hover: str
    soft: str
    disabled: str
    on_disabled: str
    good: str
    warning: str
    danger: str
    good_soft: str
    warning_soft: str
    danger_soft: str
    badge: str
    own_bubble: str
    on_own_bubble: str
    other_bubble: str
    header_from: str
    header_to: str
    header_field: str
    header_text: str
    header_muted: str
    dot_online: str
    dot_away: str
    dot_busy: str
    dot_offline: str
    scroll: str
    scroll_hover: str
    tooltip: str
    on_tooltip: str


LIGHT = Palette(
    dark=False,
    window="#ffffff",
    stream="#f2f4f7",
    card="#ffffff",
    field="#ffffff",
    line="#e6e9ef",
    text="#1f2329",
    muted="#818997",
    faint="#a7aeb9",
    accent="#12a5f4",
    accent_hover="#0f97e0",
    accent_pressed="#0c86c8",
    accent_soft="#e8f4fd",
    on_accent="#ffffff",
    selected="#e8f4fd",
    hover="#f5f7fa",
    soft="#f5f7fa",
    disabled="#d5dae2",
    on_disabled="#ffffff",
    good="#07b25d",
    warning="#f59a0c",
    danger="#ea4b4b",
    good_soft="#e6f7ee",
    warning_soft="#fef4e2",
    danger_soft="#fdecec",
    badge="#f04848",
    own_bubble="#12a5f4",
    on_own_bubble="#ffffff",
    other_bubble="#ffffff",
    header_from="#0b8fe0",
    header_to="#36c3ff",
    header_field="#4cbaf5",
    header_text="#ffffff",
    header_muted="#dff2fe",
    dot_online="#2ecc71",
    dot_away="#f7b500",
    dot_busy="#f04a35",
    dot_offline="#c2c8d0",
    scroll="#d3d8e0",
    scroll_hover="#b4bbc6",
    tooltip="#2d323a",
    on_tooltip="#ffffff",
)

DARK = Palette(
    dark=True,
    window="#1f2227",
    stream="#191c20",
    card="#2d323a",
    field="#262a31",
    line="#353a43",
    text="#e8eaed",
    muted="#8f98a6",
    faint="#69717e",
    accent="#12a5f4",
    accent_hover="#2fb2f8",
    accent_pressed="#0f93da",
    accent_soft="#23384a",
    on_accent="#ffffff",
    selected="#23384a",
    hover="#272b32",
    soft="#272b32",
    disabled="#3b414b",
    on_disabled="#828b98",
    good="#07b25d",
    warning="#f59a0c",
    danger="#ee5656",
    good_soft="#173528",
    warning_soft="#3a2f1b",
    danger_soft="#3d2427",
    badge="#f04848",
    own_bubble="#1290d8",
    on_own_bubble="#ffffff",
    other_bubble="#2d323a",
    header_from="#0b8fe0",
    header_to="#36c3ff",
    header_field="#4cbaf5",
    header_text="#ffffff",
    header_muted="#dff2fe",
    dot_online="#2ecc71",
    dot_away="#f7b500",
    dot_busy="#f04a35",
    dot_offline="#767f8b",
    scroll="#3b414b",
    scroll_hover="#525a66",
    tooltip="#e8eaed",
    on_tooltip="#1f2227",
)

AVATAR_COLORS = (
    "#26a69a",
    "#ef5350",
    "#66bb6a",
    "#ab47bc",
    "#ff8a65",
    "#42a5f5",
    "#ffa726",
    "#8d6e63",
    "#5c6bc0",
    "#ec6a9c",
)
ON_AVATAR = "#ffffff"
OFFLINE_AVATAR_SHARE = 0.5  # how much of the background is mixed into the avatar of somebody who is away
BILLER_COLORS = {
    "electricity": "#f5a623",
    "water": "#29b6f6",
    "mobile": "#26a69a",
    "property": "#7e57c2",
    "gas": "#ff7043",
    "internet": "#5c6bc0",
    "bill": "#78909c",
    "wallet": "#ec6a9c",
}

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
        """`mode` is light, dark or system; `scale` 0 takes the display's density."""
        self.root = root
        self.scale = scale or self._density(root)
        self.family = self._family(root)
        self._fonts = {
            name: tkfont.Font(root=root, family=self.family, size=-self.px(size), weight=weight)
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
        c = self.c
        return {"muted": c.muted, "good": c.good, "warning": c.warning, "danger": c.danger, "accent": c.accent}.get(
            tone, c.text
        )

    def tone_soft(self, tone: str) -> str:
        """The background that goes with a tone's text."""
        c = self.c
        return {"good": c.good_soft, "warning": c.warning_soft, "danger": c.danger_soft, "accent": c.accent_soft}.get(
            tone, c.soft
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

    @staticmethod
    def _density(root: tkinter.Tk) -> float:
        """96 dots an inch is 1; quarters only, so that thin lines stay even."""
        return max(1.0, round(root.winfo_fpixels("1i") / 96 * 4) / 4)

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


def avatar_color(contact_id: int) -> str:
    """Each contact keeps one colour on every device."""
    return AVATAR_COLORS[contact_id % len(AVATAR_COLORS)]
