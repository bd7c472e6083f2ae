"""One command of a program: its exit status tells the outcome, whatever becomes of the printing.

`run(program, command)` is the outermost call of each program. The command gets a Console and tells it the moments that
matter: `sent` before anything leaves that may change something, `decided` when the outcome is known. Every way out
(a return, Ctrl-C, SIGTERM, SIGHUP, an error of the program itself) then says what is true at that moment:

    0 done · 1 refused, nothing was changed · 2 wrong usage · 3 not known yet whether it was done ·
    4 done, but it could not be printed
"""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from host.streams import failure_of, make_streams_safe

DONE, REFUSED, USAGE, UNKNOWN, UNPRINTED = range(5)

STATUSES_TEXT = (
    "exit status: 0 done; 1 refused, nothing was changed; 2 wrong usage; 3 not known yet whether it was done; "
    "4 done, but it could not be printed"
)
"""For the end of each program's --help."""

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """SIGINT, SIGTERM or SIGHUP, raised in the main thread, once."""


@dataclass
class Words:
    """What the ways out say; a program in another language puts its own."""

    stopped: str = "Stopped. Nothing was changed."
    unknown: str = "Whether it was done is not known yet."
    unprinted: str = "It was done, but it could not be printed ({reason})."
    broken: str = "An error of the program itself: {error}."
    broken_unchanged: str = "Nothing was changed."


class Console:
    """What is known of one command's outcome."""

    def __init__(self, program: str, words: Words | None = None) -> None:
        self.program = program
        self.words = words or Words()
        self._sent = False
        self._decided: int | None = None
        self._advice = ""
        self._ready = False

    def sent(self, advice: str = "") -> None:
        """From now on a way out without an answer means "not known yet". `advice` says what to do then."""
        self._sent, self._decided, self._advice = True, None, advice

    def decided(self, status: int, way_back: str = "") -> None:
        """The outcome is known. `way_back` says how to get what could not be printed, when that happens."""
        self._sent, self._decided, self._advice = False, status, way_back

    def say(self, *sentences: str) -> None:
        """One line on standard error, with the program's name before it."""
        print(f"{self.program}: {' '.join(sentence for sentence in sentences if sentence)}", file=sys.stderr)

    def refused(self, text: str) -> int:
        """It is known that nothing was changed."""
        self.decided(REFUSED)
        self.say(text)
        return REFUSED

    def gave_up(self, text: str) -> int:
        """An error ends the command. Gives the status that is true: a refusal only while nothing was sent."""
        if self._sent:
            self.say(text, self.words.unknown, self._advice)
            return UNKNOWN
        if self._decided is not None:
            return self._finished(self._decided, text)
        self.say(text)
        return REFUSED

    # ---- the ways out -----------------------------------------------------------------------------------------

    def _stopped(self) -> int:
        """A signal came."""
        if self._decided == UNKNOWN and not self._ready:  # stopped while it was said
            self.say(self.words.unknown, self._advice)
        if self._decided is not None:
            return self._finished(self._decided, "it was stopped" if not self._ready else "")
        if self._sent:
            self.say(self.words.unknown, self._advice)
            return UNKNOWN
        self.say(self.words.stopped)
        return REFUSED

    def _broken(self, error: Exception) -> int:
        """No traceback reaches a person; one line says what and where, for a report."""
        at = traceback.extract_tb(error.__traceback__)[-1:]
        where = f", {Path(at[0].filename).name}:{at[0].lineno}" if at else ""
        words = " ".join(str(error).split())[:200]
        broken = self.words.broken.format(error=f"{type(error).__name__}: {words}{where}")
        if self._decided is not None:
            self.say(broken)
            return self._finished(self._decided, type(error).__name__)
        if self._sent:
            self.say(broken, self.words.unknown, self._advice)
            return UNKNOWN
        self.say(broken, self.words.broken_unchanged)
        return REFUSED

    def _finished(self, status: int, broke_off: str = "") -> int:
        """The last word: a printing that failed is told, and never changes what happened into a refusal."""
        reason = broke_off or failure_of(sys.stdout)
        if status != DONE or not reason:
            return status
        self.say(self.words.unprinted.format(reason=reason), self._advice)
        return UNPRINTED

    def _ended(self, status: int) -> int:
        """The command gave its status by itself."""
        if self._decided is None and not self._sent:
            self._advice = ""
        self._ready, self._decided = True, status
        return status


def run(
    program: str, command: Callable[[Console], int], words: Words | None = None, *, ends_process: bool = True
) -> int:
    """Runs one command with safe streams and signals that are told. Gives the exit status; raises nothing.

    `ends_process`: the caller exits with the status, so streams stay safe and signals stay ignored until the end: what
    was said is then not overtaken by a last SIGTERM. Otherwise (a test) all is put back as it was.
    """
    console = Console(program, words)
    with contextlib.ExitStack() as undo:
        undo.callback(make_streams_safe())
        undo.callback(_take_signals())
        try:
            try:
                status = console._ended(command(console))
            except SystemExit as end:  # argparse
                status = console._ended(_status_of(end))
            except Exception as error:  # noqa: BLE001 whatever it is, a person gets one line and a true status
                status = console._broken(error)
            status = console._finished(status)
            _ignore_signals()
        except KeyboardInterrupt:
            status = console._stopped()
        if ends_process:
            undo.pop_all()  # nothing is put back, not even by the interpreter as it ends
    return status


def _status_of(end: SystemExit) -> int:
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
        return REFUSED
    return int(end.code or 0)


# ---- signals ---------------------------------------------------------------------------------------------------


def _interrupt(number: int, frame: FrameType | None) -> None:
    _ignore_signals()  # one is enough: what is said about it must be said to the end
    raise Interrupted(signal.Signals(number).name)


def _ignore_signals() -> None:
    _set_all(signal.SIG_IGN, only=(_interrupt,))


def _set_all(handler: Any, only: tuple[Any, ...]) -> None:
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in only:
            with contextlib.suppress(ValueError):  # only the main thread may
                signal.signal(number, handler)


def _take_signals() -> Callable[[], None]:
    """SIGINT, SIGTERM and SIGHUP raise Interrupted, unless who started us had them ignored (nohup). Gives what undoes
    it."""
    before = {name: signal.getsignal(getattr(signal, name)) for name in _SIGNALS if hasattr(signal, name)}
    _set_all(_interrupt, only=(signal.SIG_DFL, signal.default_int_handler))

    def undo() -> None:
        for name, handler in before.items():
            with contextlib.suppress(ValueError, TypeError):
                signal.signal(getattr(signal, name), handler)

    return undo
