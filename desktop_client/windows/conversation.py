"""A conversation: a biller's cards, or a chat with a member. One window class, two lower ends.

python -m desktop_client.windows.conversation [--chat]
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from desktop_client.i18n import _
from desktop_client.palette import ON_AVATAR
from desktop_client.presenters.views import ConversationHead, Entry, Tone
from desktop_client.theme import Ui
from desktop_client.widgets.block import Block, draw_text
from desktop_client.widgets.cards import Hooks
from desktop_client.widgets.composer import Composer
from desktop_client.widgets.contact import Face, avatar
from desktop_client.widgets.layout import for_tk
from desktop_client.widgets.pill import Pill
from desktop_client.widgets.selecting import Selecting
from desktop_client.widgets.stream import Stream
from desktop_client.widgets.text import Line, RuleLine
from desktop_client.windows.base import BaseWindow, nothing, while_open
from desktop_client.windows.link import LinkWindow
from desktop_client.windows.reader import ReaderWindow
from host.text import one_line
from im_protocol.limits import PAYMENT_ID

SIZE = (520, 630)
MINIMUM = (380, 420)
HEAD = 57
FOOT = 30
AVATAR = 36
TITLE_CHARS_MAX = 80
CONTROL_MASK, ALT_MASK = 0x4, 0x8  # of Tk's `event.state`
TEXT_LEFT = 62


class ConversationWindow(BaseWindow):
    """Implements ConversationView."""

    def __init__(self, ui: Ui, contact_id: int, kind: Literal["member", "biller"], own: Face) -> None:
        """`own` is the member who is signed in, for the avatar of own messages."""
        self.on_send_text: Callable[[str], None] = nothing
        self.on_card_action: Callable[[str, str], None] = nothing
        self.on_form: Callable[[str, dict[str, str]], None] = nothing
        self.on_check_bill: Callable[[], None] = nothing
        self.on_close: Callable[[], None] = nothing
        self.on_older: Callable[[], None] = nothing
        self.on_seen: Callable[[], None] = nothing
        self.on_draft: Callable[[str], None] = nothing
        self.contact_id = contact_id
        self.kind = kind
        self._own = own
        self._head = ConversationHead(contact_id, kind, "", "", "none")
        self._entries: list[Entry] = []
        self._banner: tuple[str, Tone] = ("", "muted")
        self._draft = ""
        self._opened: list[BaseWindow] = []  # windows that go with this one
        self._texts: list[Block] = []  # of the head; they hold the pictures of their emoji
        super().__init__(ui, _("BillBuddy"), SIZE, MINIMUM)
        self.open()
        self._first_focus()

    # -- ConversationView

    @while_open
    def show_head(self, head: ConversationHead) -> None:
        self._head = head
        is_biller = self.kind == "biller" and self.contact_id != PAYMENT_ID
        name = one_line(head.name, TITLE_CHARS_MAX)
        self.set_title(f"{name} — {_('bill-pay contact')}" if is_biller else name)
        stream = self.widgets.stream
        face = Face(head.contact_id, head.name, head.kind, head.icon)
        if stream.hooks.other != face:
            stream.hooks.other = face
            stream.redraw_all()
        self._draw_head()
        if self.kind == "biller":
            self.widgets.footer.configure(text=" " + for_tk(head.footer))

    @while_open
    def show_entries(self, entries: Sequence[Entry]) -> None:
        self.widgets.stream.show(entries)

    @while_open
    def append(self, entry: Entry) -> None:
        self.widgets.stream.append(entry)

    @while_open
    def insert(self, index: int, entries: Sequence[Entry]) -> None:
        self.widgets.stream.insert_entries(index, entries)

    @while_open
    def see(self, key: str) -> None:
        self.widgets.stream.see_key(key)

    @while_open
    def replace(self, key: str, entry: Entry) -> None:
        self.widgets.stream.replace(key, entry)

    @while_open
    def show_banner(self, text: str, tone: Tone) -> None:
        self._banner = (text, tone)
        ui, line = self.ui, self.widgets.banner
        if not text:
            line.pack_forget()
            return
        line.configure(text=text, background=ui.tone_soft(tone), foreground=ui.tone(tone))
        line.pack(side="top", fill="x", before=self.widgets.stream)

    @while_open
    def set_draft(self, text: str) -> None:
        if self.kind == "member":
            self.widgets.composer.set(text)

    def is_seen(self) -> bool:
        """Whether a person looks at this window and the newest entry is in sight."""
        return self.can_be_seen() and bool(self.widgets.stream.at_end())

    def seen(self) -> None:
        if self._unread and self.is_seen():
            self.on_seen()

    @while_open
    def raise_window(self) -> None:
        self.open()
        self._first_focus()

    # -- inside

    def build(self) -> None:
        ui, w, top = self.ui, self.widgets, self.top
        w.head = tkinter.Canvas(top, height=ui.px(HEAD), bd=0, highlightthickness=0, background=ui.c.window)
        w.head.pack(side="top", fill="x")
        w.head.bind("<Configure>", lambda _e: self._draw_head())
        w.head_selecting = Selecting(w.head, ui, lambda: [((0, n), block) for n, block in enumerate(self._texts)])
        w.check_bill = None
        if self.kind == "biller":
            w.check_bill = Pill(
                w.head,
                ui,
                _("Refresh") if self.contact_id == PAYMENT_ID else _("Check bill"),
                lambda: self.on_check_bill(),
                action="check_bill",
                style="outline",
                height=30,
                font="label",
            )
        RuleLine(top, ui).pack(side="top", fill="x")
        if self.kind == "biller":
            self._build_footer()
        else:
            w.composer = Composer(top, ui, lambda text: self.on_send_text(text), lambda text: self.on_draft(text))
            w.composer.pack(side="bottom", fill="x")
        RuleLine(top, ui).pack(side="bottom", fill="x")
        w.banner = Line(top, ui, "", font="label", wrap=True, width=SIZE[0] - 32)
        w.banner.configure(padx=ui.px(16), pady=ui.px(7))
        hooks = Hooks(
            Face(self.contact_id, self._head.name, self._head.kind, self._head.icon),
            self._own,
            lambda key, action: self.on_card_action(key, action),
            self._show_all,
        )
        w.stream = Stream(top, ui, hooks, lambda key, values: self.on_form(key, values))
        w.stream.on_moved = self.seen
        w.stream.selecting.on_link = self._ask_link
        w.stream.on_top = lambda: self.on_older()
        w.stream.pack(side="top", fill="both", expand=True)
        if self.kind == "member":
            w.composer.lift()  # Tab goes in the order of stacking: the stream before the composer
        if self.kind == "member":
            w.stream.canvas.bind("<Key>", self._type_on, add=True)
            w.stream.canvas.bind("<<Paste>>", lambda _e: self._paste_on())
        top.bind("<Escape>", lambda _e: self.on_delete())

    def _build_footer(self) -> None:
        ui, w = self.ui, self.widgets
        bar = tkinter.Frame(self.top, background=ui.c.window, height=ui.px(FOOT))
        bar.pack(side="bottom", fill="x")
        bar.pack_propagate(False)
        lock = ui.paint.icon("lock", ui.px(14), ui.c.warning)
        w.footer = tkinter.Label(
            bar,
            image=lock,
            compound="left",
            font=ui.font("label"),
            foreground=ui.c.muted,
            background=ui.c.window,
            bd=0,
            anchor="w",
        )
        w.footer.picture = lock
        w.footer.pack(side="left", padx=ui.px(16))

    def rebuild(self) -> None:
        self._entries = self.widgets.stream.entries()
        if self.kind == "member":
            self._draft = self.widgets.composer.get()
        super().rebuild()

    def refill(self) -> None:
        self.show_head(self._head)
        self.show_entries(self._entries)
        self.show_banner(*self._banner)
        self.set_draft(self._draft)

    def on_delete(self) -> None:
        self.close()
        self.on_close()

    def close(self) -> None:
        for window in self._opened:
            window.close()
        super().close()

    def _type_on(self, event: tkinter.Event[Any]) -> str | None:
        """A letter that is typed while the messages have the focus, after one was selected, is meant for the input."""
        with_control = int(event.state) & (CONTROL_MASK | ALT_MASK)
        if not event.char or not event.char.isprintable() or with_control:
            return None
        self.widgets.composer.insert(event.char)
        return "break"

    def _paste_on(self) -> str:
        self.widgets.composer.text.focus_set()
        self.widgets.composer.editing.paste()
        return "break"

    def _show_all(self, text: str) -> None:
        """A folded text whole, in a window of its own that scrolls; another one takes its place."""
        reader = ReaderWindow(self.ui, self._head.name, text, over=self.top)
        reader.widgets.view.selecting.on_link = self._ask_link
        self._keep_one(reader)

    def _ask_link(self, target: str) -> None:
        self._keep_one(LinkWindow(self.ui, target, over=self.top))

    def _keep_one(self, window: BaseWindow) -> None:
        """Close an earlier window of the kind."""
        for old in self._opened:
            if type(old) is type(window):
                old.close()
        self._opened = [*(old for old in self._opened if old.is_open()), window]

    def _first_focus(self) -> None:
        w = self.widgets
        (w.composer.text if self.kind == "member" else w.stream.canvas).focus_set()

    def _draw_head(self) -> None:
        ui, c, px, w = self.ui, self.ui.c, self.ui.px, self.widgets
        canvas, head = w.head, self._head
        width = canvas.winfo_width()
        canvas.delete("all")
        canvas.raw = {}
        if width < 8:
            return
        face = Face(head.contact_id, head.name, head.kind, head.icon, head.dot if self.kind == "member" else "none")
        self._avatar, letter = avatar(ui, face, px(AVATAR), c.window)
        canvas.create_image(px(16), px(11), image=self._avatar, anchor="nw")
        if letter:
            middle = px(11) + px(AVATAR) / 2
            x = px(5) + middle
            self._letter = draw_text(canvas, ui, x, middle, letter, "avatar", ON_AVATAR, anchor="center")
        right = width - px(16)
        if w.check_bill is not None:
            right -= w.check_bill.needed_width()
            canvas.create_window(right, px(14), window=w.check_bill, anchor="nw")
            right -= px(10)
        self._draw_name(canvas, head, right - px(TEXT_LEFT))

    def _draw_name(self, canvas: tkinter.Canvas, head: ConversationHead, room: int) -> None:
        ui, c, px = self.ui, self.ui.c, self.ui.px
        badge = f"✔ {head.badge}" if head.badge and not head.badge.startswith("✔") else head.badge
        badge_text = badge.removeprefix("✔").strip()
        badge_room = int(ui.font("small_bold").measure(badge_text)) + px(26) if badge else 0
        name = draw_text(
            canvas, ui, px(TEXT_LEFT), px(20), head.name, "body_bold", c.text,
            anchor="w", width=max(1, room - badge_room), lines_max=1,
        )  # fmt: skip
        if badge:
            end = px(TEXT_LEFT) + name.width + px(6)
            self._tick = ui.paint.icon("check", px(13), c.accent)
            canvas.create_image(end, px(21), image=self._tick, anchor="w")
            canvas.create_text(
                end + px(15), px(21), text=badge_text, font=ui.font("small_bold"), fill=c.accent, anchor="w"
            )
        detail = draw_text(
            canvas, ui, px(TEXT_LEFT), px(40), head.detail, "small", c.muted,
            anchor="w", width=max(1, room), lines_max=1,
        )  # fmt: skip
        self._texts = [name, detail]


def main(arguments: list[str]) -> None:
    """Open with sample data."""
    from desktop_client.windows.samples import run

    run("chat" if "--chat" in arguments else "bill")


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
