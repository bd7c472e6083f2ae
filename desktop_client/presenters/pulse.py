"""Gives the client its turns: one when the network brought something, one when something is due, none in between."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from desktop_client.app import Client
from desktop_client.presenters.views import Windows

log = logging.getLogger(__name__)

BUSY_MILLISECONDS = 5  # between two turns while much arrives, so that windows are drawn meanwhile


class Pulse:
    """Everything but `_wake` happens on the user interface's thread."""

    def __init__(self, client: Client, windows: Windows) -> None:
        self.turns = 0
        self._client = client
        self._windows = windows
        self._running = False
        self._cancel: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._running = True
        self._client.inbox.on_item = self._wake
        self._client.session.on_sooner = self._plan
        self._turn()

    def stop(self) -> None:
        self._running = False
        self._client.inbox.on_item = lambda: None
        self._client.session.on_sooner = lambda: None
        self._cancel()
        self._cancel = lambda: None

    def _wake(self) -> None:
        """Called on the network thread when the empty inbox got an item."""
        self._windows.call_soon(self._turn)

    def _turn(self) -> None:
        if not self._running:
            return
        self.turns += 1
        try:
            self._client.pump()
        except Exception:  # the program goes on after any mistake of one window
            log.exception("handling what the network brought failed")
        self._plan()

    def _plan(self) -> None:
        """The next turn by the clock, in place of the one planned before."""
        self._cancel()
        self._cancel = lambda: None
        if not self._running:
            return
        if self._client.inbox.has_items:
            self._cancel = self._windows.call_later(BUSY_MILLISECONDS, self._turn)
            return
        seconds = self._client.session.seconds_to_next()
        if seconds is not None:
            self._cancel = self._windows.call_later(max(1, math.ceil(seconds * 1000)), self._turn)
