"""Draws the entries of a conversation: times, bubbles, cards with buttons, and forms. One function a kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from desktop_client.i18n import _
from desktop_client.presenters.views import Bubble, Card, CardButton, CardRow, TimeMark
from desktop_client.widgets.contact import Face, draw_avatar
from desktop_client.widgets.pill import Pill

if TYPE_CHECKING:
    from desktop_client.theme import Ui
    from desktop_client.widgets.virtual import Anchor, Pen

GAP = 12  # design pixels under each entry
SIDE = 16
AVATAR = 30
LEFT = SIDE + AVATAR + 8
CARD_WIDTH = 300
CARD_PAD = 14
BUBBLE_PAD_X = 12
BUBBLE_PAD_Y = 8
BUBBLE_WIDTH_MAX = 380
BUTTON_HEIGHT = 36
INCOMING = "ne sw se"  # the corner at the avatar is square
OUTGOING = "nw sw se"


@dataclass
class Hooks:
    """Who is talking, and whom to call when a card's button is pressed."""

    other: Face
    own: Face
    on_action: Callable[[str, str], None] = field(default=lambda _key, _action: None)


def draw_time(pen: Pen, entry: TimeMark, top: int, width: int) -> int:
    px = pen.ui.px
    item = pen.text(
        width / 2, top + px(4), entry.text, "small", pen.ui.c.muted, anchor="n", width=width - px(60), justify="center"
    )
    return pen.height_of(item) + px(4 + 7)


def draw_bubble(pen: Pen, entry: Bubble, top: int, width: int, hooks: Hooks) -> int:
    ui, px, c = pen.ui, pen.ui.px, pen.ui.c
    room = min(px(BUBBLE_WIDTH_MAX), width - 2 * px(LEFT) - 2 * px(BUBBLE_PAD_X))
    color = c.on_own_bubble if entry.own else c.text
    item = pen.text(0, 0, entry.text, "body", color, width=max(room, px(60)))
    left, upper, right, lower = pen.canvas.bbox(item)
    wide, high = right - left + 2 * px(BUBBLE_PAD_X), max(lower - upper + 2 * px(BUBBLE_PAD_Y), px(AVATAR + 4))
    x = width - px(LEFT) - wide if entry.own else px(LEFT)
    fill = c.own_bubble if entry.own else c.other_bubble
    picture = ui.paint.box(wide, high, px(10), fill, corners=OUTGOING if entry.own else INCOMING)
    pen.below(pen.picture(x, top, picture))
    pen.canvas.coords(item, x + px(BUBBLE_PAD_X), top + (high - (lower - upper)) / 2)
    face = hooks.own if entry.own else hooks.other
    if entry.author_name:
        face = Face(face.contact_id, entry.author_name, face.kind, face.icon)
    draw_avatar(
        pen, width - px(SIDE + AVATAR) if entry.own else px(SIDE), top, face, px(AVATAR), c.stream, "avatar_small"
    )
    height = high
    if entry.status:
        tone = c.danger if entry.failed else c.muted
        anchor: Anchor = "ne" if entry.own else "nw"
        at = width - px(LEFT) if entry.own else px(LEFT)
        height += px(3)
        status = pen.text(at, top + height, entry.status, "tiny", tone, anchor=anchor, width=width - 2 * px(LEFT))
        height += pen.height_of(status)
    if entry.own and entry.failed:
        height += _draw_resend(pen, entry.key, top + height, width, hooks)
    return height + px(GAP - 2)


def _draw_resend(pen: Pen, key: str, top: int, width: int, hooks: Hooks) -> int:
    """A message that was not sent can be sent again by its own button."""
    ui = pen.ui

    def resend() -> None:
        hooks.on_action(key, "resend")

    pill = Pill(
        pen.canvas,
        ui,
        _("Send again"),
        resend,
        action="resend",
        style="link",
        back=ui.c.stream,
        height=24,
        font="small",
        pad=6,
    )
    wide = pill.needed_width()
    pen.window(width - ui.px(LEFT) - wide, top, pill, wide, ui.px(24))
    return ui.px(24)


class CardPen:
    """Draws a card from top to bottom, then puts its background under it."""

    def __init__(self, pen: Pen, top: int, width: int, hooks: Hooks) -> None:
        self.pen = pen
        self.ui: Ui = pen.ui
        self.hooks = hooks
        self.top = top
        self.y = top
        px = self.ui.px
        self.left = px(LEFT)
        self.width = max(px(220), min(px(CARD_WIDTH), width - px(LEFT) - px(SIDE)))
        self.right = self.left + self.width
        self.pad = px(CARD_PAD)
        self.inner = self.width - 2 * self.pad
        draw_avatar(pen, px(SIDE), top, hooks.other, px(AVATAR), self.ui.c.stream, "avatar_small")

    def space(self, design_pixels: int) -> None:
        self.y += self.ui.px(design_pixels)

    def paragraph(self, text: str, font: str, color: str, gap: int = 0) -> None:
        """A wrapped text over the whole width, with a gap under it."""
        item = self.pen.text(self.left + self.pad, self.y, text, font, color, width=self.inner)
        self.y += self.pen.height_of(item) + self.ui.px(gap)

    def rule(self) -> None:
        self.pen.box(self.left, self.y, self.right, self.y + max(1, self.ui.px(1)), self.ui.c.line)
        self.y += max(1, self.ui.px(1))

    def banner(self, text: str, tone: str) -> None:
        ui = self.ui
        item = self.pen.text(
            self.left + self.pad, self.y + ui.px(9), text, "body_bold", ui.c.on_fill, width=self.inner
        )
        height = self.pen.height_of(item) + ui.px(17)
        color = ui.tone_fill(tone)
        self.pen.below(
            self.pen.picture(self.left, self.y, ui.paint.box(self.width, height, ui.px(10), color, corners="ne"))
        )
        self.y += height

    def row(self, row: CardRow) -> None:
        """A label at the left, its value at the right; a long value wraps under itself."""
        ui, pen = self.ui, self.pen
        font = "title" if row.strong else "label"
        label_width = min(int(ui.font("label").measure(row.label)), self.inner * 55 // 100)
        label = pen.text(self.left + self.pad, self.y, row.label, "label", ui.c.muted, width=label_width + 2)
        room = self.inner - label_width - ui.px(12)
        value = pen.text(
            self.right - self.pad, self.y, row.value, font, ui.tone(row.tone), anchor="ne", width=room, justify="right"
        )
        high = pen.height_of(value)
        if row.strong:
            pen.canvas.move(label, 0, (high - min(high, pen.height_of(label))) / 2)
        self.y += max(high, pen.height_of(label)) + ui.px(4)

    def buttons(self, key: str, buttons: tuple[CardButton, ...]) -> None:
        """Links share the width evenly; of others the first takes what the rest leaves, or a line of its own."""
        pills = [self._pill(key, button) for button in buttons]
        if all(button.style == "link" for button in buttons):
            self.space(3)
            share = self.width // len(pills)
            self._place(
                [(pill, self.left + n * share + self.ui.px(4), share - self.ui.px(8)) for n, pill in enumerate(pills)]
            )
            self.space(3)
            return
        self.space(10)
        gap = self.ui.px(8)
        rest = sum(p.needed_width() + gap for p in pills[1:])
        first = self.inner - rest
        if pills[1:] and first < pills[0].needed_width():
            self._place([(pills[0], self.left + self.pad, self.inner)])
            self.y += gap
            pills, first = pills[1:], 0
            share = (self.inner - gap * (len(pills) - 1)) // len(pills)
            self._place([(p, self.left + self.pad + n * (share + gap), share) for n, p in enumerate(pills)])
        else:
            x = self.left + self.pad
            places = []
            for n, pill in enumerate(pills):
                wide = first if n == 0 else pill.needed_width()
                places.append((pill, x, wide))
                x += wide + gap
            self._place(places)
        self.space(10)

    def _place(self, places: list[tuple[Pill, int, int]]) -> None:
        height = self.ui.px(BUTTON_HEIGHT if places[0][0].style != "link" else 30)
        for pill, x, width in places:
            pill.stretch(width)
            self.pen.window(x, self.y, pill, width, height)
        self.y += height

    def _pill(self, key: str, button: CardButton) -> Pill:
        def pressed() -> None:
            self.hooks.on_action(key, button.action)

        link = button.style == "link"
        return Pill(
            self.pen.canvas,
            self.ui,
            button.text,
            pressed,
            action=button.action,
            style=button.style,
            back=self.ui.c.card,
            height=30 if link else BUTTON_HEIGHT,
            font="label" if link else "body",
            enabled=button.enabled,
        )

    def finish(self) -> int:
        """Put the background under all; returns the entry's height."""
        ui = self.ui
        height = self.y - self.top
        picture = ui.paint.box(self.width, height, ui.px(10), ui.c.card, corners=INCOMING, shadow=not ui.c.dark)
        item = self.pen.picture(self.left, self.top, picture)
        self.pen.below(item)
        if self.pen.ids[0] != item:
            self.pen.canvas.tag_lower(item, self.pen.ids[0])
            for other in self.pen.ids:
                if other != item and self.pen.canvas.type(other) == "image":
                    self.pen.canvas.tag_lower(item, other)
        return height + ui.px(GAP)


def draw_card(pen: Pen, entry: Card, top: int, width: int, hooks: Hooks) -> int:
    card = CardPen(pen, top, width, hooks)
    c = card.ui.c
    if entry.banner:
        card.banner(entry.banner, entry.banner_tone)
    parts = (
        (entry.headline, "label", c.muted),
        (entry.amount, "amount", c.text),
        (entry.note, "label", card.ui.tone(entry.note_tone)),
        (entry.text, "label", c.text),
    )
    if any(text for text, _font, _color in parts):
        card.space(12)
        for text, font, color in parts:
            if text:
                card.paragraph(text, font, color, 2)
        card.space(8)
        if entry.rows:
            card.rule()
    if entry.rows:
        card.space(10)
        for row in entry.rows:
            card.row(row)
        card.space(4)
    if entry.buttons:
        card.rule()
        card.buttons(entry.key, entry.buttons)
    return card.finish()
