"""What an I/O thread asks of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from im_protocol.codec import Frame
from im_server.connection import Connection

if TYPE_CHECKING:
    from im_server.io_thread import IoThread


class Callbacks:
    """What the loop asks of the server; all are called on the I/O thread."""

    def frames(self, conn: Connection, frames: list[Frame]) -> None:
        """Whole packets came in."""
        raise NotImplementedError

    def closed(self, conn: Connection, reason: str) -> None:
        """The connection is gone; its resources are free."""
        raise NotImplementedError

    def may_go_on(self, conn: Connection) -> bool:
        """Whether a connection may be read again whose pause has passed."""
        return True

    def turn_done(self, io: IoThread) -> None:
        """All events of one turn are handled: hand over what was collected."""
        raise NotImplementedError

    def tick(self, io: IoThread, now: float) -> None:
        """Called about every `tick_seconds`."""
        raise NotImplementedError
