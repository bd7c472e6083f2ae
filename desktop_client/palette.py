"""Every colour of the interface: two palettes, the grounds of avatars, and which text stands on which ground.

Text reaches 4.5:1 on its ground and signs reach 3:1, light and dark (WCAG 2.2, 1.4.3 and 1.4.11); a test measures every
text and sign of every screen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """All colours of one mode, as #rrggbb."""

    dark: bool
    window: str
    stream: str
    card: str
    field: str
    line: str
    field_line: str  # the edge of what can be typed into or chosen from: it has to be seen
    text: str
    muted: str
    faint: str  # on the window's own ground only; elsewhere `muted`
    accent: str
    accent_hover: str
    accent_pressed: str
    accent_soft: str
    accent_text: str  # on tinted grounds, where `accent` is too light
    on_accent: str
    selected: str
    selected_strong: str
    hover: str
    soft: str
    disabled: str
    on_disabled: str
    good: str
    warning: str
    danger: str
    good_fill: str
    warning_fill: str
    danger_fill: str
    muted_fill: str
    on_fill: str
    good_soft: str
    warning_soft: str
    danger_soft: str
    badge: str
    highlight: str
    own_bubble: str
    own_pressed: str
    on_own_bubble: str
    other_bubble: str
    header_from: str
    header_to: str
    header_field: str
    header_text: str
    header_muted: str
    header_ring: str  # around the presence dot in the head
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
    field_line="#8b94a1",
    text="#1f2329",
    muted="#5f6875",
    faint="#6b7482",
    accent="#0a74cc",
    accent_hover="#0968b8",
    accent_pressed="#085a9f",
    accent_soft="#e8f4fd",
    accent_text="#0968b8",
    on_accent="#ffffff",
    selected="#e8f4fd",
    selected_strong="#e3f0fb",
    hover="#f5f7fa",
    soft="#f5f7fa",
    disabled="#d5dae2",
    on_disabled="#525b68",
    good="#067a42",
    warning="#9a5b00",
    danger="#c92a2a",
    good_fill="#07844a",
    warning_fill="#9a5b00",
    danger_fill="#d63a3a",
    muted_fill="#5f6875",
    on_fill="#ffffff",
    good_soft="#e6f7ee",
    warning_soft="#fef4e2",
    danger_soft="#fdecec",
    badge="#d63a3a",
    highlight="#ffe7a8",
    own_bubble="#0a74cc",
    own_pressed="#085a9f",
    on_own_bubble="#ffffff",
    other_bubble="#ffffff",
    header_from="#0a6fc4",
    header_to="#0c72c9",
    header_field="#0b5fa8",
    header_text="#ffffff",
    header_muted="#f0f8ff",
    header_ring="#ffffff",
    dot_online="#1a9a50",
    dot_away="#b77c00",
    dot_busy="#f04a35",
    dot_offline="#7f8895",
    scroll="#8b94a1",
    scroll_hover="#5f6875",
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
    field_line="#7b8593",
    text="#e8eaed",
    muted="#9aa3b0",
    faint="#9aa3b0",
    accent="#4db5ff",
    accent_hover="#6bc2ff",
    accent_pressed="#3ba3ee",
    accent_soft="#23384a",
    accent_text="#6bc2ff",
    on_accent="#0d1a26",
    selected="#23384a",
    selected_strong="#2a4358",
    hover="#272b32",
    soft="#272b32",
    disabled="#3b414b",
    on_disabled="#adb5c0",
    good="#3ddc8c",
    warning="#ffb84d",
    danger="#ff7b7b",
    good_fill="#07844a",
    warning_fill="#9a5b00",
    danger_fill="#d63a3a",
    muted_fill="#5f6875",
    on_fill="#ffffff",
    good_soft="#173528",
    warning_soft="#3a2f1b",
    danger_soft="#3d2427",
    badge="#d63a3a",
    highlight="#6b5314",
    own_bubble="#0a74cc",
    own_pressed="#085a9f",
    on_own_bubble="#ffffff",
    other_bubble="#2d323a",
    header_from="#15324a",
    header_to="#1d4766",
    header_field="#10283b",
    header_text="#ffffff",
    header_muted="#c7dbea",
    header_ring="#15324a",
    dot_online="#2ecc71",
    dot_away="#f7b500",
    dot_busy="#f04a35",
    dot_offline="#9aa3b0",
    scroll="#7b8593",
    scroll_hover="#9aa3b0",
    tooltip="#e8eaed",
    on_tooltip="#1f2227",
)

# White letters reach 4.5:1 on each of these.
AVATAR_COLORS = ("#b84a28", "#c93636", "#227a45", "#7a4fc0", "#0e7771", "#b03a78", "#8a5a00")
AVATAR_AWAY = "#616d7a"
ON_AVATAR = "#ffffff"
BILLER_COLORS = {
    "electricity": "#8a5a00",
    "water": "#0968b8",
    "mobile": "#0e7771",
    "property": "#7a4fc0",
    "gas": "#b84a28",
    "internet": "#227a45",
    "bill": "#616d7a",
    "wallet": "#b03a78",
}


def avatar_color(contact_id: int) -> str:
    """Each contact keeps one colour on every device."""
    return AVATAR_COLORS[contact_id % len(AVATAR_COLORS)]
