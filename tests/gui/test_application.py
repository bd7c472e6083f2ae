"""The factory of windows: work of other threads, timers, errors in callbacks, the end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from desktop_client.windows.application import TkWindows
from tests.gui.conftest import Desk


def test_work_of_another_thread_runs_on_the_tk_thread_in_order(desk: Desk) -> None:
    ran: list[tuple[int, bool]] = []
    main = threading.get_ident()

    def hand_over() -> None:
        for number in range(500):
            desk.windows.call_soon(lambda n=number: ran.append((n, threading.get_ident() == main)))  # type: ignore[misc]

    thread = threading.Thread(target=hand_over)
    thread.start()
    desk.driver.wait_until(lambda: len(ran) == 500)
    thread.join()
    assert ran == [(number, True) for number in range(500)]


def test_a_timer_runs_and_a_cancelled_one_does_not(desk: Desk) -> None:
    ran: list[str] = []
    cancel = desk.windows.call_later(1, lambda: ran.append("cancelled"))
    desk.windows.call_later(20, lambda: ran.append("kept"))
    cancel()
    desk.driver.wait_until(lambda: ran)
    assert ran == ["kept"]


def test_an_error_in_a_callback_is_shown_and_the_program_goes_on(display: str) -> None:
    windows = TkWindows("light")
    try:
        roster = windows.roster()

        def fail() -> None:
            raise ValueError("the cat sat on it")

        windows.root.after(0, fail)
        windows.root.update()
        assert any("the cat sat on it" in text for text in roster.texts())
    finally:
        windows.quit()
        windows.root.destroy()


def test_a_conversation_opens_beside_the_roster(desk: Desk) -> None:
    roster = desk.windows.roster()
    desk.driver.settle()
    chat = desk.windows.conversation(10001, "member")
    desk.driver.settle()
    assert chat.top.winfo_rootx() >= roster.top.winfo_rootx() + roster.top.winfo_width()


def test_quit_closes_every_window(desk: Desk) -> None:
    desk.windows.roster()
    desk.windows.conversation(10001, "member")
    desk.windows.quit()
    desk.windows.quit()
    assert desk.windows.open_windows() == []


def test_without_a_display_one_sentence_offers_the_other_client(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    line = [sys.executable, "-m", "desktop_client", "--home", str(tmp_path), "--lang", "en"]
    told = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert "billbuddy-cli" in told.stderr and len(told.stderr.splitlines()) == 1
