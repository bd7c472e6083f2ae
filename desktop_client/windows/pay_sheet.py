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
from desktop_client.widgets import editing
from desktop_client.widgets.choice import Choice
from desktop_client.widgets.field import Field
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.pin_boxes import PinBoxes
from desktop_client.widgets.text import Line
from desktop_client.windows.base import BaseWindow, nothing, while_open

SIZE = (340, 430)
MINIMUM = (330, 380)
SIDE = 26
TEXT_WIDTH = SIZE[0] - 2 * SIDE
AMOUNT_CHARS_MAX = 40  # payment.contract.money takes no longer ones


class PaySheetWindow(BaseWindow):
    """Implements PaySheetView. The payment password lives only in the six boxes and in the form handed over.

    Every change of an input, however it came about, is told through `on_change`; what the presenter then shows is all
    that the sheet says. Rows only ever grow, so that nothing moves under the pointer while one presses.
    """

    def __init__(self, ui: Ui, parent: tkinter.Misc | None = None) -> None:
        self.on_change: Callable[[PaySheetForm], None] = nothing
        self.on_pay: Callable[[PaySheetForm], None] = nothing
        self.on_cancel: Callable[[], None] = nothing
        self._parent = parent
        self._model: PaySheetModel | None = None
        self._busy = (False, "")
        self._error = ("", "")
        self._choice = "full"
        self._showing = self._changed_meanwhile = False
        self._pressed_text = ""
        self._heights: dict[int, int] = {}
        self._other = tkinter.StringVar(ui.root)
        self._account = tkinter.StringVar(ui.root)
        for variable in (self._other, self._account):
            variable.trace_add("write", lambda *_: self._changed())
        super().__init__(ui, _("Pay"), SIZE, MINIMUM)
        if parent is not None:
            self.top.transient(parent)  # type: ignore[call-overload]

    # -- PaySheetView

    @while_open
    def show(self, model: PaySheetModel) -> None:
        first = self._model is None
        same = self._model is not None and self._model.choices == model.choices
        self._showing = True
        try:
            self._model = model
            if model.choices and self._choice not in {choice.key for choice in model.choices}:
                self._choice = model.choices[0].key
                self._changed_meanwhile = True
            self._fill(model)
            if not same:
                self._show_choices(model.choices)
            self._show_pay()
            self._fit_height()
        finally:
            self._showing = False
        if self._changed_meanwhile:  # an account or a choice that is gone gave way to another one
            self._changed_meanwhile = False
            self._changed()
        if first:
            self.center(self._parent)
            self.open()
            self.widgets.pin.focus_set()

    @while_open
    def set_busy(self, busy: bool, text: str = "") -> None:
        self._busy = (busy, text)
        w = self.widgets
        w.pin.set_enabled(not busy)
        w.other.set_enabled(not busy)
        w.account.set_enabled(not busy)
        w.cancel.set(enabled=not busy)
        self._show_pay()

    @while_open
    def show_error(self, message: str, field_name: str = "") -> None:
        self._error = (message, field_name)
        w = self.widgets
        w.error.configure(text=message)
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
        w = self.widgets
        return PaySheetForm(self._choice, w.other.get(), self._account.get(), w.pin.get())

    def build(self) -> None:
        edge = self.ui.c.line  # sheets lie over windows of the same colour
        self.top.configure(highlightthickness=1, highlightbackground=edge, highlightcolor=edge)
        ui, c, w, top = self.ui, self.ui.c, self.widgets, self.top
        body = self._body = tkinter.Frame(top, background=c.window)
        body.pack(fill="both", expand=True, padx=ui.px(SIDE), pady=(ui.px(20), ui.px(14)))
        body.columnconfigure(0, weight=1)
        self._heights = {}
        w.headline = self._line(body, "label", c.muted)
        w.amount = Line(body, ui, "", font="sum", justify="center")
        w.choices = tkinter.Frame(body, background=c.window)
        w.other = Field(
            body,
            ui,
            name="other_amount",
            placeholder=_("Amount"),
            height=36,
            clean=editing.amount,
            chars_max=AMOUNT_CHARS_MAX,
            variable=self._other,
        )
        w.account = Choice(body, ui, (), self._account, name="account", label=_("Pay from"))
        w.pin_label = Line(body, ui, _("Payment password"), font="label", color=c.muted, justify="center")
        w.pin = PinBoxes(body, ui, self._on_pin, self._pay)
        w.error = self._line(body, "small", c.danger)
        w.after = self._line(body, "small", c.muted)
        w.pay_button = Pill(body, ui, _("Pay"), self._pay, action="pay", height=41, enabled=False)
        w.cancel = Pill(body, ui, _("Cancel"), self._cancel, action="cancel", style="link", font="label", height=28)
        w.footer = self._footer(body)
        rows = (
            (w.headline, "ew", 0),
            (w.amount, "ew", 4),
            (w.choices, "", 8),
            (w.other, "ew", 8),
            (w.account, "ew", 10),
            (w.pin_label, "ew", 12),
            (w.pin, "", 8),
            (w.after, "ew", 10),
            (w.error, "ew", 3),
            (w.pay_button, "ew", 8),
            (w.cancel, "", 4),
            (w.footer, "", 6),
        )
        for row, (widget, sticky, gap) in enumerate(rows):
            widget.grid(row=row, column=0, sticky=sticky, pady=(ui.px(gap), 0))
        w.other.grid_remove()
        body.bind("<Configure>", lambda e: w.pay_button.stretch(e.width))
        w.other.entry.bind("<Return>", self._on_amount_entered)
        w.other.entry.bind("<KP_Enter>", self._on_amount_entered)
        w.pay_button.bind("<ButtonPress-1>", self._on_press, add=True)
        w.pay_button.bind("<ButtonRelease-1>", lambda _e: top.after_idle(self._on_released), add=True)
        top.bind("<Escape>", lambda _e: self._cancel())

    def _line(self, body: tkinter.Frame, font: str, color: str) -> Line:
        return Line(body, self.ui, "", font=font, color=color, wrap=True, justify="center", width=TEXT_WIDTH)

    def _footer(self, body: tkinter.Frame) -> tkinter.Label:
        ui, c = self.ui, self.ui.c
        lock = ui.paint.icon("lock", ui.px(13), c.warning)
        footer = tkinter.Label(
            body, image=lock, compound="left", font=ui.font("small"), foreground=c.muted, background=c.window, bd=0
        )
        footer.picture = lock  # type: ignore[attr-defined]
        return footer

    def refill(self) -> None:
        """Also after a change of language: the presenter is asked for all texts anew."""
        model, self._model = self._model, None
        if model is not None:
            self.show(model)
        self.set_busy(*self._busy)
        self.show_error(*self._error)
        self._changed()

    def on_delete(self) -> None:
        self._cancel()

    def _fill(self, model: PaySheetModel) -> None:
        w = self.widgets
        self.set_title(model.title)
        w.headline.configure(text=model.headline)
        w.amount.configure(text=model.amount)
        w.after.configure(text=model.after_text, foreground=self.ui.tone(model.after_tone))
        w.footer.configure(text=" " + model.footer)
        w.other.set_hint(model.amount_hint or _("Amount"))
        w.account.set_choices(model.accounts)

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
        if self._busy[0]:
            return
        self._choice = key
        self._mark_choice()
        if key == "other":
            self.widgets.other.entry.focus_set()
        else:
            self.widgets.pin.focus_set()
        self._changed()

    def _changed(self) -> None:
        """An input changed: what was said about the last offer is over, and the presenter makes a new one."""
        if self._showing:
            self._changed_meanwhile = True
            return
        if self._model is None or not self.is_open():
            return
        if self._error[1] not in ("", "pin"):
            self.show_error("", "")
        self.on_change(self.form())

    def _on_amount_entered(self, _event: tkinter.Event[Any]) -> str:
        self.widgets.pin.focus_set()
        return "break"

    def _on_pin(self, _count: int) -> None:
        if self._error[1] == "pin":
            self.show_error("", "")
        self._show_pay()

    def _show_pay(self) -> None:
        busy, text = self._busy
        pay_text = self._model.pay_text if self._model else _("Pay")
        ready = self._model is not None and self._model.can_pay and self.widgets.pin.complete()
        self.widgets.pay_button.set(text=text if busy and text else pay_text, enabled=not busy and ready)

    def _on_press(self, _event: tkinter.Event[Any]) -> None:
        self._pressed_text = str(self.widgets.pay_button["text"])

    def _on_released(self) -> None:
        self._pressed_text = ""

    def _pay(self) -> None:
        """Hands over what stood on the button when it was pressed (or stands there now, after a key)."""
        button = self.widgets.pay_button
        pressed, self._pressed_text = self._pressed_text or str(button["text"]), ""
        if button.enabled:
            form = self.form()
            self.on_pay(PaySheetForm(form.choice, form.other_amount, form.account, form.pin, pressed))

    def _cancel(self) -> None:
        if not self._busy[0]:
            self.close()
            self.on_cancel()

    def _fit_height(self) -> None:
        """The sheet is as high as its contents ask for and never shrinks; the person may make it larger."""
        self.top.update_idletasks()
        self._keep_heights()
        needed = self._body.winfo_reqheight() + self.ui.px(34)
        widest = max(self.widgets.choices.winfo_reqwidth(), self.widgets.pin.winfo_reqwidth())
        width = max(self.ui.px(SIZE[0]), widest + 2 * self.ui.px(SIDE))
        if self.top.winfo_viewable():
            width, needed = max(width, self.top.winfo_width()), max(needed, self.top.winfo_height())
        if (width, needed) != self._size:
            self.resize((width, needed))

    def _keep_heights(self) -> None:
        """A row that was higher once keeps its height: Cancel never comes to lie where Pay was."""
        columns, rows = self._body.grid_size()
        for row in range(rows):
            high = self._body.grid_bbox(columns - 1, row)[3]  # type: ignore[index]
            if high > self._heights.get(row, 0):
                self._heights[row] = high
                self._body.rowconfigure(row, minsize=high)
        self._body.update_idletasks()


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("pay_sheet")
