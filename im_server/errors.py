"""Errors of the server, as a tree.

ServerError
├── StartError       the server cannot start; the message says what to do
├── MemberError      a member command cannot be done; the message says why
└── QueueFull        too much work is waiting already; the client is told to come back
"""

from __future__ import annotations


class ServerError(Exception):
    """Something the operator or a client must hear of, in a sentence."""


class StartError(ServerError):
    """The server cannot start."""


class MemberError(ServerError):
    """A member command cannot be done."""


class QueueFull(ServerError):
    """Too much is waiting already."""
