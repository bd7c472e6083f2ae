"""Starts the payment subsystem, watches it, starts it again with back-off, and stops it."""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
LAST_WORDS_BYTES_MAX = 4_096
_HEALTHY_SECONDS = 10.0  # one that lived this long starts the back-off anew


def payment_program() -> list[str]:
    """How the subsystem is called: a module in a checkout, a program beside ours in a packaged app."""
    if getattr(sys, "frozen", False):
        here = Path(sys.executable)
        return [str(here.with_name("billbuddy-payment" + here.suffix))]
    return [sys.executable, "-m", "payment"]


class Supervisor(threading.Thread):
    """Keeps one child process running. The child's standard input is a pipe that closes with us, so it cannot be
    orphaned; what it prints goes to a file."""

    def __init__(self, argv: Sequence[str], log_file: Path, seconds_min: float, seconds_max: float) -> None:
        super().__init__(name="supervisor", daemon=True)
        self._argv = list(argv)
        self._log_file = log_file
        self._seconds_min = seconds_min
        self._seconds_max = seconds_max
        self._stopping = threading.Event()
        self._lock = threading.Lock()  # guards _child against a stop while it is being started
        self._child: subprocess.Popen[bytes] | None = None
        self.on_ended: Callable[[str], None] = lambda _words: None  # told, on this thread, why the child is gone
        self.starts = 0
        self._hung: subprocess.Popen[bytes] | None = None  # the child that was ended for its silence

    @property
    def child_pid(self) -> int | None:
        """The running child, for accounting."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def run(self) -> None:
        wait = self._seconds_min
        while not self._stopping.is_set():
            began, at = time.monotonic(), self._log_bytes()
            child = self._start()
            if child is not None:
                status = child.wait()
                if self._stopping.is_set():
                    return
                words = self._why(status, at)
                log.warning("the payment subsystem ended with status %s (%s); starting it again", status, words)
                self.on_ended(words)
            if time.monotonic() - began > _HEALTHY_SECONDS:
                wait = self._seconds_min
            self._stopping.wait(wait)
            wait = min(wait * 2, self._seconds_max)

    def _log_bytes(self) -> int:
        return self._log_file.stat().st_size if self._log_file.exists() else 0

    def _why(self, status: int, at: int) -> str:
        """Why the child is gone: one that was killed printed nothing of it."""
        if self._hung is self._child:
            return "it gave no sign of life any more"
        if status < 0:
            with contextlib.suppress(ValueError):
                return f"it was ended by {signal.Signals(-status).name}"
        return self._last_words(at) or f"status {status}"

    def _last_words(self, at: int) -> str:
        """The last line that the child printed, from this byte of its log on."""
        with contextlib.suppress(OSError), self._log_file.open("rb") as output:
            output.seek(max(at, self._log_bytes() - LAST_WORDS_BYTES_MAX))
            lines = output.read().decode("utf-8", "replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""

    def kill_hung(self) -> None:
        """The child does not answer any more: it is ended at once, and started again."""
        with self._lock:
            child = self._child
            if child is not None and not self._stopping.is_set():
                self._hung = child
                child.kill()  # also ends a process that was stopped

    def stop(self) -> None:
        """Ask it to end, then insist."""
        self._stopping.set()
        with self._lock:
            child = self._child
        if child is None:
            return
        child.terminate()
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.error("the payment subsystem did not stop in %s seconds; killed", STOP_SECONDS)
            child.kill()
            child.wait()

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            try:
                with self._log_file.open("ab") as output:
                    self._child = subprocess.Popen(
                        self._argv,
                        stdin=subprocess.PIPE,
                        stdout=output,
                        stderr=output,
                        start_new_session=True,  # Ctrl-C at the terminal is ours to handle
                    )
            except OSError:
                log.exception("the payment subsystem cannot be started")
                return None
            self.starts += 1
            return self._child
