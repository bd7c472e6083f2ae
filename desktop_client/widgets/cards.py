"""Draws the cards of a conversation: a banner, texts, rows of label and value, buttons. `form` draws on it too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from desktop_client.i18n import _
from desktop_client.presenters.views import Card, CardButton, CardRow
from desktop_client.widgets.block import text_width
from desktop_client.widgets.bubble import AVATAR, GAP, INCOMING, LEFT, SIDE
from desktop_client.widgets.contact import Face, draw_avatar
from desktop_client.widgets.pill import Pill

if TYPE_CHECKING:
    from desktop_client.theme import Ui
    from desktop_client.widgets.virtual import Pen

CARD_WIDTH = 300
CARD_PAD = 14
BUTTON_HEIGHT = 36
# What a card shows before it is folded; "Show all" opens the rest. A biller may send far more than a screen holds.
PARAGRAPH_LINES_MAX = 10
ROW_LINES_MAX = 5
BANNER_LINES_MAX = 3
ROWS_HEIGHT_MAX = 1_000  # design pixels of a card after which no further row is begun; 40 short ones


@dataclass
class Hooks:
    """Who is talking, and whom to call when a card's button is pressed."""

    other: Face
    own: Face
    on_action: Callable[[str, str], None] = field(default=lambda _key, _action: None)
    on_show_all: Callable[[str], None] = field(default=lambda _text: None)


class CardPen:
    """Draws a card from top to bottom, then puts its background under it."""

    def __init__(self, pen: Pen, top: int, width: int, hooks: Hooks) -> None:
        self.pen = pen
        self.ui: Ui = pen.ui
        self.hooks = hooks
        self.top = top
        self.y = top
        self.cut = False  # something is not shown whole
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
        item = self._text(self.left + self.pad, text, font, color, self.inner, PARAGRAPH_LINES_MAX)
        self.y += self.pen.height_of(item) + self.ui.px(gap)

    def _text(self, x: float, text: str, font: str, color: str, width: int, lines_max: int, right: bool = False) -> str:
        """A text at the height where the card has come to; a long one is cut, and remembered as such."""
        item = self.pen.text(
            x, self.y, text, font, color,
            anchor="ne" if right else "nw", width=width, lines_max=lines_max, with_links=True,
            justify="right" if right else "left",
        )  # fmt: skip
        self.cut = self.cut or self.pen.is_cut(item)
        return item

    def rule(self) -> None:
        self.pen.box(self.left, self.y, self.right, self.y + max(1, self.ui.px(1)), self.ui.c.line)
        self.y += max(1, self.ui.px(1))

    def banner(self, text: str, tone: str) -> None:
        ui = self.ui
        top = self.y
        self.y += ui.px(9)
        item = self._text(self.left + self.pad, text, "body_bold", ui.c.on_fill, self.inner, BANNER_LINES_MAX)
        height = self.pen.height_of(item) + ui.px(17)
        picture = ui.paint.box(self.width, height, ui.px(10), ui.tone_fill(tone), corners="ne")
        self.pen.below(self.pen.picture(self.left, top, picture))
        self.y = top + height

    def rows(self, rows: tuple[CardRow, ...]) -> None:
        """Row after row, as long as the card is not too high."""
        self.space(10)
        for row in rows:
            if self.y - self.top > self.ui.px(ROWS_HEIGHT_MAX):
                self.cut = True
                break
            self.row(row)
        self.space(4)

    def row(self, row: CardRow) -> None:
        """A label at the left, its value at the right; a long value wraps under itself."""
        ui, pen = self.ui, self.pen
        font = "title" if row.strong else "label"
        label_width = min(text_width(ui.font("label"), row.label), self.inner * 55 // 100)
        label = self._text(self.left + self.pad, row.label, "label", ui.c.muted, label_width + 2, ROW_LINES_MAX)
        room = self.inner - label_width - ui.px(12)
        value = self._text(self.right - self.pad, row.value, font, ui.tone(row.tone), room, ROW_LINES_MAX, right=True)
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

    def show_all(self, text: str) -> None:
        """The way to what does not fit on a card."""
        pill = Pill(
            self.pen.canvas, self.ui, _("Show all"), lambda: self.hooks.on_show_all(text),
            action="show_all", style="link", back=self.ui.c.card, height=30, font="label",
        )  # fmt: skip
        self._place([(pill, self.left + self.pad, self.inner)])

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
        self.pen.below(self.pen.picture(self.left, self.top, picture))
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
        card.rows(entry.rows)
    if card.cut:
        card.show_all(card_text(entry))
    if entry.buttons:
        card.rule()
        card.buttons(entry.key, entry.buttons)
    return card.finish()


def card_text(entry: Card) -> str:
    """All that a card says, as a text of lines."""
    lines = [entry.banner, entry.headline, entry.amount, entry.note, entry.text]
    return "\n".join([line for line in lines if line] + [f"{row.label}: {row.value}" for row in entry.rows])
