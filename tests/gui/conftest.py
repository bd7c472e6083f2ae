"""A virtual display for all tests here, one Tk root, and errors in callbacks that fail the test."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tkinter
from collections.abc import Iterator
from typing import Any

import pytest

from desktop_client.i18n import set_language
from desktop_client.windows.application import TkWindows
from desktop_client.windows.base import BaseWindow
from desktop_client.windows.driver import Driver, Hand
from desktop_client.windows.samples import SCREENS

INSTALL_HINT = "Xvfb is missing. Install it: apt-get install -y xvfb (python3 build_scripts/test.py does it)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need a display."""
    for item in items:
        if "tests/gui/" in item.path.as_posix():
            item.add_marker(pytest.mark.gui)


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A display of our own, also where there is a real one: focus and clipboard are ours alone."""
    if shutil.which("Xvfb") is None:
        pytest.fail(INSTALL_HINT)
    read, write = os.pipe()
    line = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(line, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as told:
        number = told.readline().strip()
    assert number, "Xvfb did not start"
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = f":{number}"
    yield f":{number}"
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait()


@pytest.fixture(autouse=True, scope="module")
def nothing_left_to_other_threads() -> Iterator[None]:
    """Also what tests leave that open windows without a desk."""
    yield
    gc.collect()
    gc.freeze()


class Desk:
    """The windows of a test and the hands that use them."""

    def __init__(self, windows: TkWindows) -> None:
        self.windows = windows
        self.ui = windows.ui
        self.driver = Driver(windows)

    def open(self, screen: str) -> Hand:
        """A screen of the samples, drawn."""
        return self.hold(SCREENS[screen](self.ui))

    def hold(self, window: BaseWindow) -> Hand:
        self.windows._keep(window)
        hand = Hand(self.driver, window)
        hand.settle()
        return hand


@pytest.fixture
def desk(display: str) -> Iterator[Desk]:
    """A fresh application without presenters. An error in any Tk callback fails the test."""
    set_language("en")
    windows = TkWindows("light")
    errors: list[BaseException] = []

    def report(_kind: type[BaseException], error: BaseException, _trace: Any) -> None:
        errors.append(error)

    windows.root.report_callback_exception = report  # type: ignore[method-assign,assignment]
    yield Desk(windows)
    windows.quit()
    windows.root.update()
    windows.destroy()
    tkinter._default_root = None  # type: ignore[attr-defined]
    # Tk's objects must not be let go by a thread of a later test's server, or Tcl ends the process: what can go goes
    # here, and what somebody still holds (a failed test's traceback, a cache) is never looked at again.
    gc.collect()
    gc.freeze()
    set_language("en")
    if errors:
        raise errors[0]
