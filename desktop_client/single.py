"""One window a profile: the first start holds a lock and listens; a later one asks it to come forward, and ends.

The system takes the lock back when the first one ends, also by a crash; what is left of its socket does no harm.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from host.local_socket import connect_local, listen_local
from host.locks import Held, try_hold

log = logging.getLogger(__name__)

LOCK_NAME = "window.lock"
SOCKET_NAME = "window.sock"
RAISE, DONE = b"raise\n", b"done\n"
ANSWER_SECONDS = 2.0
START_SECONDS = 6.0  # a first start that is just happening gets this long until it listens
LINE_BYTES_MAX = 128
PAUSE_SECONDS = 0.1


class First:
    """This program is the only window of its profile until `close`. Raises OSError where the folder cannot be used."""

    def __init__(self, folder: Path, lock: Held) -> None:
        self._lock = lock
        self._on_call: Callable[[], None] = lambda: None
        self._path = folder / SOCKET_NAME
        self._listener, self._token = listen_local(self._path)
        self._listener.setblocking(True)
        threading.Thread(target=self._serve, name="billbuddy-single", daemon=True).start()

    def listen(self, on_call: Callable[[], None]) -> None:
        """From now on a later start calls `on_call`, on a thread of its own."""
        self._on_call = on_call

    def close(self) -> None:
        """Safe to call twice."""
        self._on_call = lambda: None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._listener.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._lock.release()

    def _serve(self) -> None:
        while True:
            try:
                asked, _address = self._listener.accept()
            except OSError:
                return  # closed
            with asked:
                try:
                    self._answer(asked)
                except OSError as error:
                    log.debug("a later start went away: %s", error)

    def _answer(self, asked: socket.socket) -> None:
        asked.settimeout(ANSWER_SECONDS)
        line = b""
        while not line.endswith(b"\n") and len(line) < LINE_BYTES_MAX:
            part = asked.recv(LINE_BYTES_MAX)
            if not part:
                return
            line += part
        if hmac.compare_digest(line, self._token.encode() + RAISE):
            self._on_call()
            asked.sendall(DONE)


def claim(folder: Path, seconds: float = START_SECONDS) -> First | None:
    """This profile's only window; None when another program has it and was asked to come forward.

    Raises TimeoutError when another has it and does not answer, OSError when the folder cannot be used.
    """
    end = time.monotonic() + seconds
    while True:
        lock = try_hold(folder / LOCK_NAME)
        if lock is not None:
            return First(folder, lock)
        with contextlib.suppress(OSError, ValueError):
            if _call(folder):
                return None
        if time.monotonic() >= end:
            raise TimeoutError("another program has this profile open, and does not answer")
        time.sleep(PAUSE_SECONDS)


def _call(folder: Path) -> bool:
    """Asks the first one to come forward. Raises OSError when nobody listens (yet)."""
    asked, token = connect_local(folder / SOCKET_NAME, ANSWER_SECONDS)
    with asked:
        asked.sendall(token.encode() + RAISE)
        return asked.recv(LINE_BYTES_MAX) == DONE
