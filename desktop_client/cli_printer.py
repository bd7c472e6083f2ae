"""Standard output and error of `billbuddy-cli`, and questions without an echo."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from json import dumps
from typing import Any

from desktop_client.cli_base import USAGE, Failure, Terminal
from desktop_client.i18n import _
from host.streams import failure_of, is_utf8
from host.text import one_line


class Printer(Terminal):
    """The real terminal, or the pipe in its place."""

    def __init__(self, json: bool) -> None:
        self.json = json

    def say(self, line: str) -> None:
        print(one_line(line), file=sys.stderr, flush=True)

    def emit(self, line: str) -> None:
        print(one_line(line), flush=True)

    def document(self, document: Any, indent: int | None = None) -> None:
        print(dumps(document, ensure_ascii=not is_utf8(sys.stdout), indent=indent), flush=True)

    def is_gone(self) -> bool:
        """Asks the system, so that it is noticed although nothing is printed."""
        if failure_of(sys.stdout):
            return True
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no descriptor, or no such call (Windows)
            poller = select.poll()
            poller.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
            return any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _fd, event in poller.poll(0))
        return False

    def ask(self, question: str) -> str:
        if not sys.stdin.isatty():
            raise Failure(USAGE, "no_terminal", _("There is no terminal to ask: {question}").format(question=question))
        print(one_line(question), end=" ", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer:
            raise EOFError
        return answer.strip()

    def secret(self, variable: str, question: str) -> str:
        value = os.environ.get(variable)
        if value is not None:
            return value
        if not sys.stdin.isatty():
            text = _("There is no terminal to ask for it: set {variable}.").format(variable=variable)
            raise Failure(USAGE, "no_terminal", text)
        import getpass

        return getpass.getpass(question + " ")
