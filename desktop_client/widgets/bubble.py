"""Draws time marks and the bubbles of chat messages; a long message is folded and can be shown whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desktop_client.i18n import _
from desktop_client.presenters.views import Bubble, TimeMark
from desktop_client.widgets.contact import Face, draw_avatar
from desktop_client.widgets.pill import Pill

if TYPE_CHECKING:
    from collections.abc import Callable

    from desktop_client.widgets.block import Anchor
    from desktop_client.widgets.cards import Hooks
    from desktop_client.widgets.virtual import Pen

GAP = 12  # design pixels under each entry
SIDE = 16
AVATAR = 30
LEFT = SIDE + AVATAR + 8
BUBBLE_PAD_X = 12
BUBBLE_PAD_Y = 8
BUBBLE_WIDTH_MAX = 380
FOLD_LINES = 20  # a longer message would fill the window; all of it is one click away
STATUS_LINES_MAX = 3
TIME_LINES_MAX = 3
INCOMING = "ne sw se"  # the corner at the avatar is square
OUTGOING = "nw sw se"


def draw_time(pen: Pen, entry: TimeMark, top: int, width: int) -> int:
    px = pen.ui.px
    tag = pen.text(
        width / 2, top + px(4), entry.text, "small", pen.ui.c.muted,
        anchor="n", width=width - px(60), lines_max=TIME_LINES_MAX, justify="center",
    )  # fmt: skip
    return pen.height_of(tag) + px(4 + 7)


def draw_bubble(pen: Pen, entry: Bubble, top: int, width: int, hooks: Hooks) -> int:
    ui, px, c = pen.ui, pen.ui.px, pen.ui.c
    room = max(min(px(BUBBLE_WIDTH_MAX), width - 2 * px(LEFT) - 2 * px(BUBBLE_PAD_X)), px(60))
    color = c.on_own_bubble if entry.own else c.text
    tag = pen.text(0, 0, entry.text, "body", color, width=room, lines_max=FOLD_LINES, with_links=True)
    block = pen.blocks[tag]
    wide = max(block.width, px(8)) + 2 * px(BUBBLE_PAD_X)
    high = max(block.height + 2 * px(BUBBLE_PAD_Y), px(AVATAR + 4))
    x = width - px(LEFT) - wide if entry.own else px(LEFT)
    fill = c.own_bubble if entry.own else c.other_bubble
    picture = ui.paint.box(wide, high, px(10), fill, corners=OUTGOING if entry.own else INCOMING)
    pen.below(pen.picture(x, top, picture))
    pen.canvas.move(tag, x + px(BUBBLE_PAD_X), top + (high - block.height) / 2)
    face = hooks.own if entry.own else hooks.other
    if entry.author_name:
        face = Face(face.contact_id, entry.author_name, face.kind, face.icon)
    draw_avatar(
        pen, width - px(SIDE + AVATAR) if entry.own else px(SIDE), top, face, px(AVATAR), c.stream, "avatar_small"
    )
    height = high
    if block.layout.cut:
        height += _draw_link(pen, entry.own, _show_all(entry.text), "show_all", top + height, width,
                             lambda: hooks.on_show_all(entry.text))  # fmt: skip
    height += _draw_status(pen, entry, top + height, width)
    if entry.own and entry.failed:
        height += _draw_link(pen, True, _("Send again"), "resend", top + height, width,
                             lambda: hooks.on_action(entry.key, "resend"))  # fmt: skip
    return height + px(GAP - 2)


def _show_all(text: str) -> str:
    return _("Show all ({n} characters)").format(n=f"{len(text):,}")


def _draw_status(pen: Pen, entry: Bubble, top: int, width: int) -> int:
    """The small line under a bubble; returns the height that it takes."""
    if not entry.status:
        return 0
    ui, px = pen.ui, pen.ui.px
    tone = ui.c.danger if entry.failed else ui.c.muted
    anchor: Anchor = "ne" if entry.own else "nw"
    at = width - px(LEFT) if entry.own else px(LEFT)
    status = pen.text(
        at, top + px(3), entry.status, "tiny", tone,
        anchor=anchor, width=width - 2 * px(LEFT), lines_max=STATUS_LINES_MAX, copied=False,
    )  # fmt: skip
    return px(3) + pen.height_of(status)


def _draw_link(pen: Pen, own: bool, text: str, action: str, top: int, width: int, command: Callable[[], None]) -> int:
    """A button without a frame under a bubble; returns its height."""
    ui = pen.ui
    pill = Pill(
        pen.canvas, ui, text, command,
        action=action, style="link", back=ui.c.stream, height=24, font="small", pad=6,
    )  # fmt: skip
    wide = pill.needed_width()
    pen.window(width - ui.px(LEFT) - wide if own else ui.px(LEFT), top, pill, wide, ui.px(24))
    return ui.px(24)
