"""The pay sheet: how much, from which account, the six-digit payment password.

python -m desktop_client.windows.pay_sheet
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from functools import partial
from typing import Any

from desktop_client.i18n import _
from desktop_client.presenters.views import AmountChoice, PaySheetForm, PaySheetModel
from desktop_client.theme import Ui
from desktop_client.widgets.choice import Choice
from desktop_client.widgets.field import Field, PinBoxes
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Line
from desktop_client.windows.base import BaseWindow, nothing, while_open

SIZE = (340, 410)
MINIMUM = (330, 380)
SIDE = 26
TEXT_WIDTH = SIZE[0] - 2 * SIDE


class PaySheetWindow(BaseWindow):
    """Implements PaySheetView. The payment password lives only in the six boxes and in the form handed over."""

    def __init__(self, ui: Ui, parent: tkinter.Misc | None = None) -> None:
        self.on_change: Callable[[PaySheetForm], None] = nothing
        self.on_pay: Callable[[PaySheetForm], None] = nothing
        self.on_cancel: Callable[[], None] = nothing
        self._parent = parent
        self._model: PaySheetModel | None = None
        self._busy = (False, "")
        self._error = ("", "")
        self._choice = "full"
        self._other = tkinter.StringVar(ui.root)
        self._account = tkinter.StringVar(ui.root)
        super().__init__(ui, _("Pay"), SIZE, MINIMUM)
        if parent is not None:
            self.top.transient(parent)  # type: ignore[call-overload]

    # -- PaySheetView

    @while_open
    def show(self, model: PaySheetModel) -> None:
        first = self._model is None
        same = not first and self._model is not None and self._model.choices == model.choices
        self._model = model
        self.top.title(model.title)
        if model.choices and self._choice not in {choice.key for choice in model.choices}:
            self._choice = model.choices[0].key
        w = self.widgets
        w.headline.configure(text=model.headline)
        w.amount.configure(text=model.amount)
        w.after.configure(text=model.after_text)
        w.footer.configure(text=" " + model.footer)
        w.account.set_choices(model.accounts)
        if not same:
            self._show_choices(model.choices)
        self._show_pay()
        self._fit_height()
        if first:
            self.center(self._parent)
            self.open()
            w.pin.focus_set()

    @while_open
    def set_busy(self, busy: bool, text: str = "") -> None:
        self._busy = (busy, text)
        self.widgets.pin.set_enabled(not busy)
        self.widgets.cancel.set(enabled=not busy)
        self._show_pay()

    @while_open
    def show_error(self, message: str, field_name: str = "") -> None:
        self._error = (message, field_name)
        w = self.widgets
        w.error.configure(text=message)
        if message:
            w.error.grid()
        else:
            w.error.grid_remove()
        w.pin.set_error(bool(message) and field_name == "pin")
        if field_name in ("amount", "other_amount") and w.other.winfo_manager():
            w.other.set_error(bool(message))
            w.other.entry.focus_set()
        elif field_name == "pin":
            w.pin.focus_set()
        self._fit_height()

    @while_open
    def clear_pin(self) -> None:
        self.widgets.pin.clear()

    def close(self) -> None:
        if self.is_open():
            self.widgets.pin.clear()
        super().close()

    # -- inside

    def form(self) -> PaySheetForm:
        """What is chosen and typed at this moment."""
        return PaySheetForm(self._choice, self._other.get().strip(), self._account.get(), self.widgets.pin.get())

    def build(self) -> None:
        edge = self.ui.c.line  # sheets lie over windows of the same colour
        self.top.configure(highlightthickness=1, highlightbackground=edge, highlightcolor=edge)
        ui, c, w, top = self.ui, self.ui.c, self.widgets, self.top
        body = self._body = tkinter.Frame(top, background=c.window)
        body.pack(fill="both", expand=True, padx=ui.px(SIDE), pady=(ui.px(20), ui.px(14)))
        body.columnconfigure(0, weight=1)
        w.headline = Line(body, ui, "", font="label", color=c.muted, wrap=True, justify="center", width=TEXT_WIDTH)
        w.amount = Line(body, ui, "", font="sum", justify="center")
        w.choices = tkinter.Frame(body, background=c.window)
        w.other = Field(body, ui, name="other_amount", placeholder=_("Amount"), height=36, variable=self._other)
        w.account = Choice(body, ui, (), self._account, name="account", label=_("Pay from"), changed=self._changed)
        w.pin_label = Line(body, ui, _("Payment password"), font="label", color=c.muted, justify="center")
        w.pin = PinBoxes(body, ui, self._on_pin, self._pay)
        w.error = Line(body, ui, "", font="small", color=c.danger, wrap=True, justify="center", width=TEXT_WIDTH)
        w.after = Line(body, ui, "", font="small", color=c.muted, wrap=True, justify="center", width=TEXT_WIDTH)
        w.pay_button = Pill(body, ui, _("Pay"), self._pay, action="pay", height=41, enabled=False)
        w.cancel = Pill(body, ui, _("Cancel"), self._cancel, action="cancel", style="link", font="label", height=28)
        lock = ui.paint.icon("lock", ui.px(13), c.warning)
        w.footer = tkinter.Label(
            body, image=lock, compound="left", font=ui.font("small"), foreground=c.muted, background=c.window, bd=0
        )
        w.footer.picture = lock
        rows = (
            (w.headline, "ew", 0),
            (w.amount, "ew", 4),
            (w.choices, "", 8),
            (w.other, "ew", 8),
            (w.account, "ew", 10),
            (w.pin_label, "ew", 12),
            (w.pin, "", 8),
            (w.error, "ew", 8),
            (w.after, "ew", 10),
            (w.pay_button, "ew", 10),
            (w.cancel, "", 4),
            (w.footer, "", 6),
        )
        for row, (widget, sticky, gap) in enumerate(rows):
            widget.grid(row=row, column=0, sticky=sticky, pady=(ui.px(gap), 0))
        w.other.grid_remove()
        w.error.grid_remove()
        body.bind("<Configure>", lambda e: w.pay_button.stretch(e.width))
        w.other.entry.bind("<FocusOut>", lambda _e: self._changed(), add=True)
        w.other.entry.bind("<Return>", self._on_amount_entered)
        top.bind("<Escape>", lambda _e: self._cancel())

    def refill(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            self.show(model)
        self.set_busy(*self._busy)
        self.show_error(*self._error)

    def on_delete(self) -> None:
        self._cancel()

    def _show_choices(self, choices: tuple[AmountChoice, ...]) -> None:
        ui, w = self.ui, self.widgets
        for child in w.choices.winfo_children():
            child.destroy()
        w.choice_buttons = {}
        if len(choices) < 2:
            w.choices.grid_remove()
            w.other.grid_remove()
            return
        w.choices.grid()
        for choice in choices:
            pill = Pill(
                w.choices,
                ui,
                choice.text,
                partial(self._choose, choice.key),
                action=f"choice_{choice.key}",
                height=29,
                font="label",
                pad=10,
            )
            pill.pack(side="left", padx=ui.px(3))
            w.choice_buttons[choice.key] = pill
        self._mark_choice()

    def _mark_choice(self) -> None:
        w = self.widgets
        for key, pill in w.choice_buttons.items():
            pill.set(style="primary" if key == self._choice else "outline")
        if self._choice == "other":
            w.other.grid()
        else:
            w.other.grid_remove()
        self._fit_height()

    def _choose(self, key: str) -> None:
        self._choice = key
        self._mark_choice()
        if key == "other":
            self.widgets.other.entry.focus_set()
        else:
            self.widgets.pin.focus_set()
        self._changed()

    def _changed(self) -> None:
        if not self._busy[0] and self.is_open():
            self.on_change(self.form())

    def _on_amount_entered(self, _event: tkinter.Event[Any]) -> None:
        self._changed()
        self.widgets.pin.focus_set()

    def _on_pin(self, _count: int) -> None:
        if self._error[1] == "pin":
            self.show_error("", "")
        self._show_pay()

    def _show_pay(self) -> None:
        busy, text = self._busy
        pay_text = self._model.pay_text if self._model else _("Pay")
        self.widgets.pay_button.set(
            text=text if busy and text else pay_text, enabled=not busy and self.widgets.pin.complete()
        )

    def _pay(self) -> None:
        if self.widgets.pin.complete() and not self._busy[0]:
            self.on_pay(self.form())

    def _cancel(self) -> None:
        if not self._busy[0]:
            self.close()
            self.on_cancel()

    def _fit_height(self) -> None:
        """The sheet is as high as its contents ask for; the person may make it larger."""
        self.top.update_idletasks()
        needed = self._body.winfo_reqheight() + self.ui.px(34)
        widest = max(self.widgets.choices.winfo_reqwidth(), self.widgets.pin.winfo_reqwidth())
        width = max(self.ui.px(SIZE[0]), widest + 2 * self.ui.px(SIDE))
        self._size = (width, needed)
        self.top.geometry(f"{width}x{needed}")


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("pay_sheet")
