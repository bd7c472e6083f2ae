"""Errors of the wire, as a tree.

ProtocolError
├── LocalProtocolError    we tried to send what the protocol forbids: a bug on this side
└── RemoteProtocolError   the peer sent what the protocol forbids; `code` goes back to it in a Refusal
"""


class ProtocolError(Exception):
    """Something that the protocol forbids."""


class LocalProtocolError(ProtocolError):
    """This side tried to break the protocol."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    `code` is one of the refusal codes in `codes.py`; `request_id` answers the offending packet (0: none known);
    `fatal` tells whether the stream can still be trusted afterwards.
    """

    def __init__(self, code: str, message: str, *, request_id: int = 0, fatal: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id
        self.fatal = fatal
