"""Telling everybody who came, went or changed. Changes of one tick are told together: one packet run a connection."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from im_protocol.codec import encode
from im_protocol.packets import Flag, Presence, PresenceEvent, Type
from im_server.connection import Connection
from im_server.directory import Directory
from im_server.io_thread import IoThread
from im_server.sessions import Sessions

log = logging.getLogger(__name__)
_ROSTER_CHANGED = encode(Type.ROSTER_CHANGED, flags=Flag.PUSH)


class PresenceHub(threading.Thread):
    """Collects changes and pushes them to all who are signed in."""

    def __init__(
        self, sessions: Sessions, directory: Directory, io_threads: Sequence[IoThread], tick_seconds: float
    ) -> None:
        super().__init__(name="presence", daemon=True)
        self._sessions = sessions
        self._directory = directory
        self._io_threads = io_threads
        self._tick_seconds = tick_seconds
        self._lock = threading.Lock()  # guards _members and _roster
        self._members: set[int] = set()
        self._roster = False
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self.billers_presence: Presence = "offline"

    def member_changed(self, member_id: int) -> None:
        with self._lock:
            self._members.add(member_id)
        self._changed.set()

    def billers_are(self, presence: Presence) -> None:
        """The payment subsystem came or went: its billers are shown so."""
        if presence == self.billers_presence:
            return
        self.billers_presence = presence
        with self._lock:
            self._members.update(self._directory.billers)
        self._changed.set()

    def roster_changed(self) -> None:
        with self._lock:
            self._roster = True
        self._changed.set()

    def stop(self) -> None:
        self._stopping.set()
        self._changed.set()

    def run(self) -> None:
        while True:
            self._changed.wait()
            if self._stopping.wait(self._tick_seconds):
                return
            self._changed.clear()
            try:
                self._tell()
            except Exception:  # a failed round must not end presence for good
                log.exception("telling presence failed")

    def _tell(self) -> None:
        with self._lock:
            members, self._members = self._members, set()
            roster, self._roster = self._roster, False
        data = b"".join([self._event(contact_id) for contact_id in sorted(members)])
        if roster:
            data += _ROSTER_CHANGED
        if not data:
            return
        everybody = {io: list[tuple[Connection, bytes]]() for io in self._io_threads}
        for connections in list(self._sessions.online.values()):
            for conn in connections:
                everybody[conn.io].append((conn, data))
        for io, items in everybody.items():
            io.post_many(items)

    def _event(self, contact_id: int) -> bytes:
        biller = self._directory.billers.get(contact_id)
        if biller is not None:
            event = PresenceEvent(contact_id, self.billers_presence, biller[3])
        else:
            row = self._directory.members[contact_id]
            event = PresenceEvent(contact_id, self._sessions.presence_of(contact_id), row.signature, row.last_seen_ms)
        return encode(Type.PRESENCE_EVENT, event, sender_id=contact_id, flags=Flag.PUSH)
