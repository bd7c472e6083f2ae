"""What a client may send in which state. A missing key is the error (code `not_now`)."""

from __future__ import annotations

from enum import Enum

from im_protocol.packets import Type


class State(Enum):
    """States of one client connection, as the server sees it."""

    NEW = "new"
    GREETED = "greeted"
    SIGNING_IN = "signing in"  # the password is being checked; nothing else may be sent
    SIGNED_IN = "signed in"
    CLOSED = "closed"


_ANYWHERE_AFTER_SIGN_IN = (
    Type.PING,
    Type.ROSTER_REQUEST,
    Type.PRESENCE_SET,
    Type.CHAT_SEND,
    Type.CHAT_ACK,
    Type.SYNC_REQUEST,
    Type.KEY_CONFIG_REQUEST,
    Type.SEALED_REQUEST,
)

TRANSITIONS: dict[tuple[State, int], State] = {
    (State.NEW, Type.HELLO): State.GREETED,
    (State.GREETED, Type.PING): State.GREETED,
    (State.GREETED, Type.SIGN_IN): State.SIGNING_IN,
    (State.SIGNED_IN, Type.SIGN_OUT): State.CLOSED,
    **{(State.SIGNED_IN, t): State.SIGNED_IN for t in _ANYWHERE_AFTER_SIGN_IN},
}
"""(state, packet type from the client) → next state. SIGNING_IN is left by the server's own answer:
SIGNED_IN leads to State.SIGNED_IN, a Refusal back to State.GREETED."""
