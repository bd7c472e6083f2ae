"""Draws a prompt of the payment subsystem as a form in the conversation, checks its rules, hands the values back."""

from __future__ import annotations

import re
import tkinter
from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop_client.presenters.views import FormCard, FormField
from desktop_client.widgets.cards import CardPen, Hooks
from desktop_client.widgets.choice import Choice
from desktop_client.widgets.field import Field
from desktop_client.widgets.pill import Pill

if TYPE_CHECKING:
    from desktop_client.theme import Ui
    from desktop_client.widgets.virtual import Pen


class FormState:
    """What was typed into one form so far; it outlives the widgets, which exist only while they are seen."""

    def __init__(self, master: tkinter.Misc, form: FormCard) -> None:
        self.values = {
            f.name: tkinter.StringVar(master, f.value or (f.choices[0][0] if f.choices else "")) for f in form.fields
        }
        self.errors: dict[str, str] = {f.name: f.error for f in form.fields if f.error and not f.rule}

    def check(self, form: FormCard) -> bool:
        """Hold each value against its field's rule; the misses are in `errors`."""
        self.errors = {
            f.name: f.error or f.hint for f in form.fields if not obeys(f, self.values[f.name].get().strip())
        }
        return not self.errors

    def take(self) -> dict[str, str]:
        return {name: variable.get().strip() for name, variable in self.values.items()}

    def forget_secrets(self, form: FormCard) -> None:
        for item in form.fields:
            if item.kind == "pin":
                self.values[item.name].set("")


def obeys(item: FormField, value: str) -> bool:
    """Whether the whole value matches the rule; a rule that is no regular expression binds nothing here."""
    if not item.rule:
        return True
    try:
        return re.fullmatch(item.rule, value) is not None
    except re.error:
        return True


def draw_form(
    pen: Pen, form: FormCard, state: FormState, top: int, width: int, hooks: Hooks, submit: Callable[[], None]
) -> int:
    """Draw the form; Enter in a field and the button call `submit`."""
    card = CardPen(pen, top, width, hooks)
    ui, c = card.ui, card.ui.c
    card.space(13)
    card.paragraph(form.title, "body_bold", c.text, 4)
    if form.text:
        card.paragraph(form.text, "label", c.muted, 6)
    for item in form.fields:
        _draw_field(card, item, state, submit)
    if form.error:
        card.paragraph(form.error, "small", c.danger, 4)
    card.space(4)
    pill = Pill(pen.canvas, ui, form.submit_text, submit, action="submit", back=c.card)
    pill.stretch(card.inner)
    pen.window(card.left + card.pad, card.y, pill, card.inner, ui.px(36))
    card.space(36 + 14)
    return card.finish()


def _draw_field(card: CardPen, item: FormField, state: FormState, submit: Callable[[], None]) -> None:
    ui, pen = card.ui, card.pen
    error = state.errors.get(item.name, "")
    card.paragraph(item.label, "small", ui.c.muted, 3)
    widget = _widget(pen.canvas, ui, item, state.values[item.name])
    if isinstance(widget, Field):
        widget.entry.bind("<Return>", lambda _e: submit())
        widget.entry.bind("<KP_Enter>", lambda _e: submit())
        widget.set_error(bool(error))
    pen.window(card.left + card.pad, card.y, widget, card.inner, ui.px(36))
    card.space(36 + 4)
    if error:
        card.paragraph(error, "small", ui.c.danger, 4)
    card.space(4)


def _widget(master: tkinter.Misc, ui: Ui, item: FormField, variable: tkinter.StringVar) -> Field | Choice:
    if item.kind == "choice":
        return Choice(master, ui, item.choices, variable, name=item.name, back=ui.c.card)
    return Field(
        master,
        ui,
        name=item.name,
        placeholder=item.hint,
        secret=item.kind == "pin",
        digits_only=item.kind in ("digits", "pin"),
        height=36,
        back=ui.c.card,
        variable=variable,
    )
