"""What waits for the writing thread: calls of other threads, and packets of members, a fair share for each.

Packets wait by member, and a turn takes them round the members, a few of each. So who sends much waits for himself:
a packet of somebody else comes in the next turn, and each turn is short.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from im_protocol.codec import Frame
from im_protocol.packets import Type

TURN_ITEMS_MAX = 128
SHARE_MAX = 8
"""Packets of one member in a turn: opening them takes 3 ms, answering the longest overviews 20 ms more. He can hold up
the others for no longer."""

WAITING_PER_MEMBER_MAX = 1_024  # sixteen devices with sixty-four packets each, as many as the chat server lets through
WAITING_MAX = 8_192
WAITING_BYTES_MAX = 64 * 2**20
LINK_PACKETS_MAX = 1_024
"""Packets of the chat server itself; it sends one a second, and one that sends more than this is not answered."""

MEMBERS_TYPES = (Type.SEALED_REQUEST, Type.KEY_CONFIG_REQUEST)
Item = Frame | Callable[[], None]


class Inbox:
    """Filled by any thread, emptied by one. Calls are few: each thread that makes them waits for its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._first: deque[Item] = deque()
        self._by_member: OrderedDict[int, deque[Frame]] = OrderedDict()
        self._waiting = 0
        self._waiting_bytes = 0
        self._is_stopping = False

    def call(self, call: Callable[[], None]) -> None:
        """A call for the coming turn."""
        with self._changed:
            self._first.append(call)
            self._changed.notify_all()

    def put(self, frame: Frame) -> bool:
        """A packet off the link. False when it is not taken: too much of its member, or of all, is waiting."""
        with self._changed:
            is_taken = self._put(frame)
            self._changed.notify_all()
            return is_taken

    def _put(self, frame: Frame) -> bool:
        if self._is_stopping:
            return False
        if frame.type not in MEMBERS_TYPES:
            if len(self._first) >= LINK_PACKETS_MAX:
                return False
            self._first.append(frame)
            return True
        waiting = self._by_member.get(frame.sender_id)
        if waiting is not None and len(waiting) >= WAITING_PER_MEMBER_MAX:
            return False
        if self._waiting >= WAITING_MAX or self._waiting_bytes + len(frame.body) > WAITING_BYTES_MAX:
            return False
        if waiting is None:
            waiting = self._by_member[frame.sender_id] = deque()
        waiting.append(frame)
        self._waiting += 1
        self._waiting_bytes += len(frame.body)
        return True

    def link_lost(self, call: Callable[[], None]) -> None:
        """The link broke: its packets are for nobody any more, and `call` is made in the coming turn.

        The server has told those who wait that the outcome is unknown; of what was not looked at, nothing will come.
        """
        with self._changed:
            self._by_member.clear()
            self._waiting = self._waiting_bytes = 0
            self._first.append(call)
            self._changed.notify_all()

    def stop(self) -> None:
        """Takes no more packets; when what is there was taken, `take` says that it is time to stop."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def take(self, *, may_wait: bool) -> tuple[list[Item], bool]:
        """The items of a turn, and whether to go on after it. Waits for something when it may and nothing is there."""
        with self._changed:
            if may_wait:
                self._changed.wait_for(lambda: self._first or self._waiting or self._is_stopping)
            items: list[Item] = []
            while self._first and len(items) < TURN_ITEMS_MAX:
                items.append(self._first.popleft())
            self._take_frames(items)
            return items, not (self._is_stopping and not self._first and not self._waiting)

    def _take_frames(self, items: list[Item]) -> None:
        """Round the members, one packet each at a time; who had his share in this turn goes to the end."""
        taken: dict[int, int] = {}
        served: OrderedDict[int, deque[Frame]] = OrderedDict()
        while self._by_member and len(items) < TURN_ITEMS_MAX:
            member_id, waiting = self._by_member.popitem(last=False)
            frame = waiting.popleft()
            items.append(frame)
            self._waiting -= 1
            self._waiting_bytes -= len(frame.body)
            taken[member_id] = taken.get(member_id, 0) + 1
            if waiting:
                (served if taken[member_id] >= SHARE_MAX else self._by_member)[member_id] = waiting
        self._by_member.update(served)
