"""Opens the windows for the presenters' coordinator and is its clock: `TkWindows` implements `Windows`."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import tkinter
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from desktop_client import garbage
from desktop_client.i18n import set_language
from desktop_client.presenters.views import ConversationView
from desktop_client.theme import Ui
from desktop_client.widgets.contact import Face
from desktop_client.windows.base import BaseWindow, make_root, nothing

if TYPE_CHECKING:
    from desktop_client.windows.conversation import ConversationWindow
    from desktop_client.windows.login import LoginWindow
    from desktop_client.windows.notice import NoticeWindow
    from desktop_client.windows.pay_sheet import PaySheetWindow
    from desktop_client.windows.roster import RosterWindow
    from desktop_client.windows.trust import TrustWindow

Window = TypeVar("Window", bound=BaseWindow)
log = logging.getLogger(__name__)
GAP = 12  # design pixels between the roster and a conversation
CONVERSATION_WIDTH = 520  # design pixels, as `windows.conversation` begins
STEP = 24  # design pixels from one conversation to the next
POLL_MS = 15  # how often work of other threads is looked for where Tk cannot watch a pipe
COLLECT_MS = 30_000


class TkWindows:
    """The factory of windows, one an application. Everything but `call_soon` is called on the Tk thread."""

    def __init__(self, mode: str = "light", root: tkinter.Tk | None = None, scale: float = 0.0) -> None:
        """`mode` is light, dark or system; `scale` 0 takes what the display asks for.

        Without `root` a new hidden one is made.
        """
        self.root = root or make_root(self._tell_error)
        self.ui = Ui(self.root, mode, scale)
        self.on_quit: Callable[[], None] = self.quit
        self.on_theme: Callable[[str], None] = nothing
        self.on_language: Callable[[str], None] = nothing
        self.on_scale: Callable[[float], None] = nothing
        self._open: list[BaseWindow] = []
        self._roster: RosterWindow | None = None
        self._notice: NoticeWindow | None = None
        self._work: deque[Callable[[], None]] = deque()
        self._ended = False
        self._pipe_lock = threading.Lock()  # guards _pipe, which other threads write to
        self.root.protocol("WM_DELETE_WINDOW", lambda: self.on_quit())
        self._watch_work()

    # -- Windows

    def login(self) -> LoginWindow:
        from desktop_client.windows.login import LoginWindow

        window = self._keep(LoginWindow(self.ui))
        window.on_closed = lambda: self.on_quit()
        return window

    def trust(self) -> TrustWindow:
        from desktop_client.windows.trust import TrustWindow

        return self._keep(TrustWindow(self.ui, self._topmost()))

    def roster(self) -> RosterWindow:
        from desktop_client.windows.roster import RosterWindow

        window = self._roster = self._keep(RosterWindow(self.ui))
        self._place_roster(window)
        if self._notice is not None and self._notice.is_open():
            self._notice.go_over(window.top)
        window.on_quit = lambda: self.on_quit()
        window.on_theme = self._use_theme
        window.on_scale = self._use_scale
        window.on_language = self._use_language
        return window

    def conversation(self, contact_id: int, kind: Literal["member", "biller"]) -> ConversationWindow:
        from desktop_client.windows.conversation import ConversationWindow

        window = self._keep(ConversationWindow(self.ui, contact_id, kind, self._own_face()))
        roster = self._roster
        if roster is not None and roster.is_open():
            step = self.ui.px(STEP) * (sum(isinstance(w, ConversationWindow) for w in self.open_windows()) - 1)
            window.place_beside(roster, self.ui.px(GAP), step)
        return window

    def pay_sheet(self, parent: ConversationView) -> PaySheetWindow:
        from desktop_client.windows.pay_sheet import PaySheetWindow

        over = parent.top if isinstance(parent, BaseWindow) and parent.is_open() else None
        return self._keep(PaySheetWindow(self.ui, over))

    def notice(self, text: str) -> None:
        """Something that the person has to know; several are one window."""
        from desktop_client.windows.notice import NoticeWindow

        if self._notice is None or not self._notice.is_open():
            self._notice = self._keep(NoticeWindow(self.ui, self._topmost()))
        self._notice.add(text)

    def come_forward(self) -> None:
        """Somebody started the program a second time: show the main window that there is."""
        windows = self.open_windows()
        if windows:
            (self._roster if self._roster in windows else windows[0]).open()
            windows[-1].top.lift()

    def call_soon(self, work: Callable[[], None]) -> None:
        """Run `work` on the Tk thread. May be called from any thread."""
        self._work.append(work)
        self._wake()

    def call_later(self, milliseconds: int, work: Callable[[], None]) -> Callable[[], None]:
        """Run `work` after a while; the result cancels it."""
        timer = self.root.after(milliseconds, work)
        return lambda: None if self._ended else self.root.after_cancel(timer)

    def quit(self) -> None:
        """Close all windows and end `run`."""
        if self._ended:
            return
        self._ended = True
        for window in self.open_windows():
            window.close()
        self._stop_watching()
        self.root.quit()

    # -- for the program and for drivers

    def run(self) -> None:
        """The event loop, until `quit`; then comes `destroy`."""
        garbage.only_when_asked()
        self._collect_at_times()
        self.root.mainloop()

    def _collect_at_times(self) -> None:
        """What scrolling and typing leave is collected too when nothing comes from the network."""
        garbage.collect_if_due()
        self.root.after(COLLECT_MS, self._collect_at_times)

    def destroy(self) -> None:
        """After `quit`: nothing that was put off may run on windows that are gone."""
        for timer in self.root.tk.splitlist(self.root.tk.call("after", "info")):
            self.root.tk.call("after", "cancel", timer)
        self.root.destroy()

    def open_windows(self) -> list[BaseWindow]:
        """All windows that are open, oldest first."""
        self._open = [window for window in self._open if window.is_open()]
        return list(self._open)

    # -- inside

    def _keep(self, window: Window) -> Window:
        self._open = [*self.open_windows(), window]
        return window

    def _place_roster(self, roster: RosterWindow) -> None:
        """Where a conversation has room beside it: both together in the middle of the screen."""
        area, px = self.ui.screen.area, self.ui.px
        wide, high = roster.size()
        pair = wide + px(GAP) + px(CONVERSATION_WIDTH)
        roster.place(area.left + max(0, area.width - pair) // 2, area.top + (area.height - high) // 3)

    def _topmost(self) -> tkinter.Misc | None:
        windows = self.open_windows()
        return windows[-1].top if windows else None

    def _own_face(self) -> Face:
        me = self._roster.me() if self._roster is not None else None
        return Face(me.member_id, me.name) if me is not None else Face(0, "")

    def _use_theme(self, mode: str) -> None:
        self.ui.use(mode)
        self.on_theme(mode)

    def _use_scale(self, wish: float) -> None:
        self.ui.use_scale(wish)
        self.on_scale(wish)

    def _use_language(self, lang: str) -> None:
        set_language(lang)
        self.on_language(lang)
        self.ui.tell()

    def _tell_error(self, message: str) -> None:
        """An error in a callback: logged already; the person learns that something went wrong."""
        from desktop_client.i18n import _

        windows = self.open_windows()
        if windows:
            windows[-1].toast(_("Something went wrong here: {error}").format(error=message[:200]), "danger")

    def _watch_work(self) -> None:
        """A pipe wakes Tk at once where it can watch one; elsewhere it looks every few milliseconds."""
        self._pipe: tuple[int, int] | None = None
        if hasattr(self.root, "createfilehandler"):
            self._pipe = os.pipe()
            for end in self._pipe:
                os.set_blocking(end, False)
            self.root.createfilehandler(self._pipe[0], tkinter.READABLE, lambda *_a: self._on_wake())
        else:
            self.root.after(POLL_MS, self._poll)

    def _wake(self) -> None:
        with self._pipe_lock:
            if self._pipe is not None:
                try:
                    os.write(self._pipe[1], b"!")
                except BlockingIOError:
                    log.debug("the wake-up pipe is full, so Tk is about to look anyway")

    def _on_wake(self) -> None:
        if self._pipe is not None:
            os.read(self._pipe[0], 4096)
        self._do_work()

    def _poll(self) -> None:
        self._do_work()
        if not self._ended:
            self.root.after(POLL_MS, self._poll)

    def _do_work(self) -> None:
        for _turn in range(len(self._work)):  # what is added meanwhile waits for the next turn
            try:
                self._work.popleft()()
            except Exception:  # noqa: BLE001  one piece of work must not keep the others from running; Tk reports it
                self.root.report_callback_exception(*sys.exc_info())
        if not gc.isenabled():
            garbage.collect_if_due()
        if self._work:
            self._wake()

    def _stop_watching(self) -> None:
        if self._pipe is not None:
            self.root.deletefilehandler(self._pipe[0])
            with self._pipe_lock:
                pipe, self._pipe = self._pipe, None
            for end in pipe:
                os.close(end)
