"""The sign-in window: member id, password, server; the line below tells which server and whether its key is pinned.

python -m desktop_client.windows.login
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from typing import Any

from desktop_client.i18n import _
from desktop_client.presenters.views import LoginForm, Tone
from desktop_client.theme import Ui
from desktop_client.widgets.field import Field
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.text import Check, Line, RuleLine
from desktop_client.windows.base import BaseWindow, nothing, while_open

SIZE = (360, 500)
MINIMUM = (330, 350)
HEADER = 150
LOGO = 88
SIDE = 40
ERROR_ROOM = 40  # for the sentence under the button, so that nothing moves when it comes


class LoginWindow(BaseWindow):
    """Implements LoginView."""

    def __init__(self, ui: Ui) -> None:
        self.on_sign_in: Callable[[LoginForm], None] = nothing
        self.on_paste_invite: Callable[[str], None] = nothing
        self.on_closed: Callable[[], None] = nothing
        self._server_line: tuple[str, bool, Tone] = ("", False, "muted")
        self._error = ("", "")
        self._busy = False
        master = ui.root
        self._member, self._password, self._server = (tkinter.StringVar(master) for _n in range(3))
        self._remember = tkinter.BooleanVar(master, True)
        super().__init__(ui, _("BillBuddy"), SIZE, MINIMUM)
        self.center()
        self.open()
        self._first_focus()

    # -- LoginView

    @while_open
    def prefill(self, member_id: str, server_line: str, server: str, remember: bool) -> None:
        self._member.set(member_id)
        self._server.set(server)
        self._remember.set(remember)
        if server_line:
            self.show_server(server_line, self._server_line[1], self._server_line[2])
        self._first_focus()

    @while_open
    def show_server(self, line: str, pinned: bool, tone: Tone) -> None:
        self._server_line = (line, pinned, tone)
        ui, c, w = self.ui, self.ui.c, self.widgets
        color = {"good": c.good, "warning": c.warning, "danger": c.danger, "accent": c.accent}.get(tone, c.dot_offline)
        w.dot.configure(image=ui.paint.disc(ui.px(10), color) if line else "")
        w.server_line.configure(text=line)
        w.pinned.pack_forget()
        if pinned:
            w.pinned.pack(side="right", padx=(0, ui.px(14)), before=w.server_line)

    @while_open
    def set_busy(self, busy: bool) -> None:
        self._busy = busy
        w = self.widgets
        w.sign_in.set(text=_("Signing in…") if busy else _("Sign in"), enabled=not busy)
        w.paste_invite.set(enabled=not busy)
        for field in (w.member_id, w.password, w.server):
            field.set_enabled(not busy)
        if busy:
            self._show_error("", "")

    @while_open
    def show_error(self, message: str, field_name: str = "") -> None:
        self._show_error(message, field_name)
        field = {
            "member_id": self.widgets.member_id,
            "password": self.widgets.password,
            "server": self.widgets.server,
        }.get(field_name)
        if field is not None and message:
            field.set_error(True)
            field.entry.focus_set()
            field.entry.selection_range(0, "end")

    def close(self) -> None:
        self._password.set("")
        super().close()

    # -- inside

    def build(self) -> None:
        ui, w, top = self.ui, self.widgets, self.top
        w.header = tkinter.Canvas(top, height=ui.px(HEADER), bd=0, highlightthickness=0, background=ui.c.header_from)
        w.header.pack(fill="x")
        w.header.bind("<Configure>", self._draw_header)
        self._build_footer()
        body = self._body = tkinter.Frame(top, background=ui.c.window)
        body.pack(fill="both", expand=True, padx=ui.px(SIDE), pady=(ui.px(22), ui.px(10)))
        top.bind("<Configure>", self._make_room, add=True)
        w.member_id = Field(
            body, ui, name="member_id", placeholder=_("Member number"), digits_only=True, variable=self._member
        )
        w.password = Field(body, ui, name="password", placeholder=_("Password"), secret=True, variable=self._password)
        w.server = Field(body, ui, name="server", placeholder=_("Server address or invite link"), variable=self._server)
        for field in (w.member_id, w.password, w.server):
            field.pack(fill="x", pady=(0, ui.px(10)))
            field.entry.bind("<Return>", lambda _e: self.submit())
            field.entry.bind("<KP_Enter>", lambda _e: self.submit())
        row = tkinter.Frame(body, background=ui.c.window)
        row.pack(fill="x", pady=(0, ui.px(8)))
        w.remember = Check(row, ui, _("Remember me"), self._remember, "remember")
        w.remember.pack(side="left")
        w.paste_invite = Pill(
            row,
            ui,
            _("Paste invite link"),
            self._paste,
            action="paste_invite",
            style="link",
            font="label",
            height=26,
            pad=4,
        )
        w.paste_invite.pack(side="right")
        w.sign_in = Pill(body, ui, _("Sign in"), self.submit, action="sign_in", height=41)
        w.sign_in.pack(fill="x")
        body.bind("<Configure>", lambda e: w.sign_in.stretch(e.width))
        w.error = Line(body, ui, "", font="small", color=ui.c.danger, wrap=True, width=SIZE[0] - 2 * SIDE)
        w.error.pack(fill="x", pady=(ui.px(8), 0))
        top.bind("<Escape>", lambda _e: self.on_delete())

    def _build_footer(self) -> None:
        ui, w, top = self.ui, self.widgets, self.top
        footer = tkinter.Frame(top, background=ui.c.window, height=ui.px(34))
        footer.pack(side="bottom", fill="x")
        footer.pack_propagate(False)
        RuleLine(top, ui).pack(side="bottom", fill="x")
        w.dot = tkinter.Label(footer, bd=0, background=ui.c.window)
        w.dot.pack(side="left", padx=(ui.px(14), ui.px(4)))
        lock = ui.paint.icon("lock", ui.px(13), ui.c.warning)
        w.pinned = tkinter.Label(
            footer,
            text=" " + _("pinned"),
            image=lock,
            compound="left",
            font=ui.font("small"),
            foreground=ui.c.muted,
            background=ui.c.window,
            bd=0,
        )
        w.pinned.picture = lock
        w.server_line = Line(footer, ui, "", font="small", color=ui.c.muted)
        w.server_line.pack(side="left", fill="x", expand=True)

    def refill(self) -> None:
        self.show_server(*self._server_line)
        self.set_busy(self._busy)
        self.show_error(*self._error)

    def on_delete(self) -> None:
        self.close()
        self.on_closed()

    def submit(self) -> None:
        """Hand the form over, as the button does."""
        if self._busy:
            return
        self._show_error("", "")
        self.on_sign_in(
            LoginForm(
                self._member.get().strip(), self._password.get(), self._server.get().strip(), self._remember.get()
            )
        )

    def _paste(self) -> None:
        try:
            text = self.top.clipboard_get().strip()
        except tkinter.TclError:
            text = ""
        if text.startswith("billbuddy:"):
            self._server.set(text)
            self.on_paste_invite(text)
        else:
            self.show_error(_("There is no invite link on the clipboard. Copy it first, or type it above."), "server")

    def _show_error(self, message: str, field_name: str) -> None:
        self._error = (message, field_name)
        self.widgets.error.configure(text=message)

    def _first_focus(self) -> None:
        target = self.widgets.password if self._member.get() else self.widgets.member_id
        target.entry.focus_set()

    def _make_room(self, event: tkinter.Event[Any]) -> None:
        """On a low screen the picture above gives way, so that the form and its button are always in sight."""
        if event.widget is not self.top:
            return
        px = self.ui.px
        form = self._body.winfo_reqheight() + px(22 + 10 + 34 + 1 + ERROR_ROOM)
        height = max(1, min(px(HEADER), event.height - form))
        if height != int(str(self.widgets.header["height"])):
            self.widgets.header.configure(height=height)

    def _draw_header(self, event: tkinter.Event[Any]) -> None:
        ui, header = self.ui, self.widgets.header
        header.delete("all")
        if event.height < ui.px(LOGO):
            return
        self._picture = ui.paint.gradient(event.width, event.height, ui.c.header_from, ui.c.header_to)
        self._logo = ui.paint.logo(ui.px(LOGO))
        header.create_image(0, 0, image=self._picture, anchor="nw")
        header.create_image(event.width / 2, event.height / 2, image=self._logo)


if __name__ == "__main__":
    from desktop_client.windows.samples import run

    run("login")
