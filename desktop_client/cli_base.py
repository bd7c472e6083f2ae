"""What all of `billbuddy-cli` shares: exit statuses, how a command fails, and how it speaks with the person."""

from __future__ import annotations

from typing import Any

from host.console import DONE, REFUSED, UNKNOWN, UNPRINTED, USAGE

__all__ = ["DONE", "REFUSED", "UNKNOWN", "UNPRINTED", "USAGE", "Failure", "Result", "Terminal"]

Result = tuple[Any, list[str], int]
"""A document for programs, the same for people in lines, and the exit status. The lines may hold texts of others: the
terminal sees to it that each stays one line."""


class Failure(Exception):
    """A command that ends without having done its work. `text` is a sentence; `extra` goes into the JSON document.

    `cause` is the sentence without any word on money, for when nobody can know whether some moved.
    """

    def __init__(self, status: int, code: str, text: str, **extra: object) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.extra = status, code, text, extra
        self.cause = text

    def document(self) -> dict[str, Any]:
        return {"error": self.code, "code": self.code, "text": self.text, **self.extra}


class Terminal:
    """How a command speaks with the person; `cli_printer.Printer` is the real one.

    Whatever is in a line, it is printed as one line that nobody's text can forge or break.
    """

    json = False

    def say(self, line: str) -> None:
        """To the person, beside the output."""

    def emit(self, line: str) -> None:
        """A line of output."""

    def document(self, document: Any, indent: int | None = None) -> None:
        """JSON as output."""

    def is_gone(self) -> bool:
        """Whether nobody can read any more what is emitted."""
        return False

    def ask(self, question: str) -> str:
        raise NotImplementedError

    def secret(self, variable: str, question: str) -> str:
        raise NotImplementedError
