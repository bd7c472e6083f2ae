"""Typed events of the client, keyed by their class. Subscribing returns the function that cancels it.

The bus is used on one thread only (the user interface's, or the command line's loop): there is no lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from desktop_client.guarded import call_guarded
from payment.contract.messages import OverviewIs

if TYPE_CHECKING:
    from desktop_client.outcomes import Outcome

_E = TypeVar("_E")
Cancel = Callable[[], None]


@dataclass(frozen=True)
class ConnectionChanged:
    """`retry_in_seconds` is negative when nothing will be tried by itself."""

    state: Literal["connecting", "connected", "reconnecting", "offline"]
    reason: str = ""
    retry_in_seconds: float = -1.0


@dataclass(frozen=True)
class SessionReady:
    """Signed in; `again` when it is a return after a cut. `last_sequence` is the newest mailbox entry."""

    member_id: int
    name: str
    last_sequence: int
    again: bool
    server_time_ms: int = 0


@dataclass(frozen=True)
class TryingAgain:
    """A request was refused for a moment (`code`) and is sent again by itself after `seconds`."""

    code: str
    seconds: float


@dataclass(frozen=True)
class SessionEnded:
    """Signed out for good by the server, or not let in again. `code` is a refusal code."""

    code: str
    message: str


@dataclass(frozen=True)
class RosterChanged:
    """Contacts or their presence changed; `member_id` 0 when it is not about a single one."""

    member_id: int = 0


@dataclass(frozen=True)
class ChatChanged:
    """A message arrived, or its state changed. `arrived`: it is another's, and new. `sender_id` 0: this member's."""

    peer_id: int
    message_id: bytes
    arrived: bool
    sender_id: int = 0


@dataclass(frozen=True)
class RecordsWentBack:
    """The server, or the payment service, was put back to an older copy of its records. The member must be told."""

    what: Literal["messages", "payments"]


@dataclass(frozen=True)
class OverviewChanged:
    """Balance and billers' states are new."""

    overview: OverviewIs


@dataclass(frozen=True)
class Noticed:
    """Something of this device that the person has to know, in a sentence; it stays until it is closed."""

    text: str


@dataclass(frozen=True)
class PaymentNoticed:
    """The subsystem says that bills or balance changed."""


@dataclass(frozen=True)
class OrderChanged:
    """An order that was still being decided has its outcome."""

    outcome: Outcome


@dataclass(frozen=True)
class ToldElsewhere:
    """A sentence whose own window is closed, so that the roster tells it. `is_good`: what was wanted has happened."""

    text: str
    is_good: bool


class EventBus:
    """Handlers by event class. A handler's error is logged and does not stop the others."""

    def __init__(self) -> None:
        self._handlers: dict[type, list[Callable[[Any], None]]] = {}

    def subscribe(self, event_class: type[_E], handler: Callable[[_E], None]) -> Cancel:
        """Calls `handler` for every event of exactly this class, until the returned function is called."""
        handlers = self._handlers.setdefault(event_class, [])
        handlers.append(handler)

        def cancel() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return cancel

    def publish(self, event: object) -> None:
        """Tells all handlers that are subscribed now, in the order of their subscription."""
        for handler in tuple(self._handlers.get(type(event), ())):
            call_guarded(f"a handler of {type(event).__name__}", handler, event)
