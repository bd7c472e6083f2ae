"""Who is signed in, on which connections, and how present they are."""

from __future__ import annotations

import threading

from im_protocol.packets import Presence
from im_server.connection import Connection


class Sessions:
    """Signed-in connections by member. `online` is read without the lock: its tuples are replaced, never changed."""

    def __init__(self, devices_per_member_max: int) -> None:
        self._lock = threading.Lock()  # guards the replacing of entries in the two tables
        self._devices_max = devices_per_member_max
        self.online: dict[int, tuple[Connection, ...]] = {}
        self._presence: dict[int, Presence] = {}

    def add(self, conn: Connection, presence: Presence) -> list[Connection]:
        """A device signed in; returns the connections that it replaces (its own old one, or the oldest of too many)."""
        with self._lock:
            others = self.online.get(conn.member_id, ())
            replaced = [c for c in others if c.device_id == conn.device_id]
            kept = [c for c in others if c.device_id != conn.device_id]
            while len(kept) >= self._devices_max:
                replaced.append(kept.pop(0))
            self.online[conn.member_id] = (*kept, conn)
            if presence != "offline" or not kept:  # a device that is not there for others changes nothing for them
                self._presence[conn.member_id] = presence
            return replaced

    def remove(self, conn: Connection) -> bool:
        """A connection is gone; whether its member was seen until then: who was not there for others does not leave."""
        with self._lock:
            others = self.online.get(conn.member_id, ())
            if conn not in others:
                return False
            kept = tuple(c for c in others if c is not conn)
            if kept:
                self.online[conn.member_id] = kept
                return False
            del self.online[conn.member_id]
            return self._presence.pop(conn.member_id, "offline") != "offline"

    def set_presence(self, member_id: int, presence: Presence) -> None:
        with self._lock:
            if member_id in self.online:
                self._presence[member_id] = presence

    def presence_of(self, member_id: int) -> Presence:
        return self._presence.get(member_id, "offline")
