"""The order of sending: one lane a conversation, and in each lane one message on the way.

A later message waits until the server has the earlier one, whatever became of the earlier one's first tries: refused
for now, unanswered, or cut off. So nothing overtakes, with any server, on any number of connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

from desktop_client.backoff import Backoff
from desktop_client.history import ChatMessage

Sent = Literal["taken", "refused", "later"]
Told = Callable[[Sent, int], None]


class Lane:
    """The messages that wait for one conversation, oldest first. `first` is on its way while `busy`."""

    def __init__(self, backoff: Backoff) -> None:
        self.waiting: deque[ChatMessage] = deque()
        self.busy = False
        self.backoff = backoff


class Lanes:
    """Sends what waits, in order. `send(message, told)` makes one try; `told` hears how it went, once."""

    def __init__(
        self,
        send: Callable[[ChatMessage, Told], None],
        call_after: Callable[[float, Callable[[], None]], None],
        is_up: Callable[[], bool],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._send = send
        self._call_after = call_after
        self._is_up = is_up
        self._backoff = backoff
        self._lanes: dict[int, Lane] = {}

    def add(self, message: ChatMessage) -> None:
        """Puts a message at the end of its lane."""
        lane = self._lane(message.peer_id)
        if all(message.message_id != other.message_id for other in lane.waiting):
            lane.waiting.append(message)
            self._go_on(message.peer_id, lane)

    def begin_anew(self, unsent: Iterable[ChatMessage]) -> None:
        """A new connection: everything that has no place yet, from the earliest on. What old tries tell is ignored."""
        self._lanes = {}
        for message in unsent:
            self._lane(message.peer_id).waiting.append(message)
        for peer_id, lane in list(self._lanes.items()):
            self._go_on(peer_id, lane)

    def _lane(self, peer_id: int) -> Lane:
        if peer_id not in self._lanes:
            self._lanes[peer_id] = Lane(self._backoff())
        return self._lanes[peer_id]

    def _go_on(self, peer_id: int, lane: Lane) -> None:
        if lane.busy or not lane.waiting or not self._is_up():
            return
        lane.busy = True
        self._send(lane.waiting[0], lambda how, wait_ms: self._told(peer_id, lane, how, wait_ms))

    def _told(self, peer_id: int, lane: Lane, how: Sent, retry_after_ms: int) -> None:
        if self._lanes.get(peer_id) is not lane:
            return
        if how == "later":
            self._call_after(lane.backoff.wait(retry_after_ms), lambda: self._free(peer_id, lane))
            return
        lane.backoff.reset()
        lane.waiting.popleft()
        self._free(peer_id, lane)

    def _free(self, peer_id: int, lane: Lane) -> None:
        if self._lanes.get(peer_id) is lane:
            lane.busy = False
            self._go_on(peer_id, lane)
