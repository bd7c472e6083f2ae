"""The one queue that crosses from the network thread to the user interface's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from desktop_client.config import DRAIN_ITEMS_MAX, INBOX_ITEMS_MAX


class Inbox:
    """A bounded queue. A full one stops the network thread's reading until the interface has caught up."""

    def __init__(self, items_max: int = INBOX_ITEMS_MAX) -> None:
        self.items_max = items_max
        self.on_room: Callable[[], None] = lambda: None
        self.on_item: Callable[[], None] = lambda: None  # called on the thread that put an item into the empty queue
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()  # guards _items

    def put(self, item: object) -> None:
        """Adds an item; never blocks (the network thread asks `is_full` before it reads more)."""
        with self._changed:
            first = not self._items
            self._items.append(item)
            self._changed.notify()
        if first:
            self.on_item()

    @property
    def has_items(self) -> bool:
        return bool(self._items)

    @property
    def is_full(self) -> bool:
        return len(self._items) >= self.items_max

    def drain(self, items_max: int = DRAIN_ITEMS_MAX) -> list[Any]:
        """What has come, oldest first; empty when nothing has."""
        with self._changed:
            was_full = len(self._items) >= self.items_max
            taken = [self._items.popleft() for _ in range(min(items_max, len(self._items)))]
        if was_full:
            self.on_room()
        return taken

    def wait(self, seconds: float) -> bool:
        """Blocks until something is there or the time is over; for programs without a window."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self._items:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True
