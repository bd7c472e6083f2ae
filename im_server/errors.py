"""Errors of the server, as a tree.

ServerError
├── StartError       the server cannot start; the message says what to do
├── NotKnown         a command was sent, and whether it was done is not known
├── MemberError      a member command cannot be done; the message says why
└── Busy             too much is asked for; the client is told when to come back
"""

from __future__ import annotations


class ServerError(Exception):
    """Something the operator or a client must hear of, in a sentence."""


class StartError(ServerError):
    """The server cannot start."""


class NotKnown(ServerError):
    """No answer came to a command that was sent."""


class MemberError(ServerError):
    """A member command cannot be done."""


class Busy(ServerError):
    """Too much is asked for, by this member or by all. The message is for the person."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
