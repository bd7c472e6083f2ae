"""While nothing happens the program sleeps; at its end it ends without a word."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop_client.peer import LIN, PASSWORD, WANG, Peer
from tests.gui.conftest import Desk
from tests.gui.whole import Whole, whole

IDLE_MS = 1_000


@pytest.fixture
def home(desk: Desk, tmp_path: Path) -> Iterator[Whole]:
    with Peer() as peer, whole(desk.windows, peer, tmp_path) as made:
        yield made


def idle(home: Whole) -> tuple[int, int]:
    """Lets the program be for a while: the client's turns meanwhile, and how often the thread was woken."""
    home.driver.settle()
    turns = home.app._pulse.turns
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    home.windows.root.after(IDLE_MS, home.windows.root.quit)
    home.windows.root.mainloop()
    return home.app._pulse.turns - turns, resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before


def test_nothing_runs_while_nothing_happens(home: Whole) -> None:
    roster = home.sign_in()
    home.open_chat(WANG)
    home.driver.wait_until(lambda: home.app.client.session.seconds_to_next() is None, "all is answered")
    roster.window.widgets.list.canvas.focus_force()  # where no cursor blinks
    idle(home)  # whatever the windows still had to draw
    turns, woken = idle(home)
    assert turns == 0
    assert woken <= 4, "once for the end of the test; the others are what the system needs"


def test_an_idle_login_window_sleeps_too(home: Whole) -> None:
    idle(home)
    turns, _woken = idle(home)
    assert turns == 0


def test_what_comes_is_handled_at_once_and_what_is_due_in_time(home: Whole) -> None:
    home.sign_in()
    done: list[str] = []
    home.app.client.session.call_after(0.05, lambda: done.append("due"))
    home.peer.deliver(WANG, LIN, "hello")
    home.driver.wait_until(lambda: done and home.unread(WANG) == 1)


def test_the_program_ends_without_a_word(display: str, tmp_path: Path) -> None:
    code = """
import sys
from desktop_client import __main__ as program
from desktop_client.windows import application
keep = application.TkWindows.roster
def roster(windows):
    window = keep(windows)
    windows.root.after(300, window.on_delete)
    return window
application.TkWindows.roster = roster
sys.exit(program.main(sys.argv[1:]))
"""
    with Peer() as peer:
        known = peer.known()
        link = f"127.0.0.1:{peer.port}"
        from desktop_client.profile import Profile

        Profile(tmp_path).trust(known)
        line = [sys.executable, "-c", code, "--home", str(tmp_path), "--server", link, "--as", str(LIN)]
        environment = {**os.environ, "BILLBUDDY_PASSWORD": PASSWORD, "DISPLAY": display}
        told = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
