"""What a window leaves is collected on the thread that may touch it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from desktop_client.windows.application import TkWindows
from tests.gui.conftest import Desk

OBJECTS = 300_000  # many times what starts a collection


class Leftover:
    """Refers to itself, as windows do, and notes which thread let it go."""

    def __init__(self, gone_on: list[int]) -> None:
        self.itself = self
        self.gone_on = gone_on

    def __del__(self) -> None:
        self.gone_on.append(threading.get_ident())


@pytest.fixture
def collecting_as_before() -> Iterator[None]:
    yield
    gc.enable()


def test_garbage_of_windows_is_never_collected_by_another_thread(desk: Desk, collecting_as_before: None) -> None:
    windows: TkWindows = desk.windows
    gone_on: list[int] = []

    def leave_garbage() -> None:
        gc.collect()  # so that the next collection is not due before the other thread begins
        for _ in range(50):
            Leftover(gone_on)
        threading.Thread(target=work_elsewhere).start()

    def work_elsewhere() -> None:
        held = [[] for _ in range(OBJECTS)]
        windows.call_soon(lambda: finish(held))

    def finish(held: list[list[object]]) -> None:
        windows.root.after(0, windows.root.quit)

    windows.call_soon(leave_garbage)
    windows.run()
    assert len(gone_on) == 50
    assert set(gone_on) == {threading.get_ident()}
