"""What handlers work with: the server's parts in one place, and the table from state and packet type to handler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from im_protocol import codes
from im_protocol.codec import Frame, is_known_type
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import AdminCommand, Type
from im_protocol.states import TRANSITIONS, State
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.directory import Directory
from im_server.errors import QueueFull
from im_server.io_thread import Callbacks, IoThread
from im_server.passwords import PasswordChecker
from im_server.presence import PresenceHub
from im_server.relay import Relay
from im_server.sessions import Sessions
from im_server.store.writer import Writer
from im_server.throttle import Throttle
from im_server.workers import Workers

log = logging.getLogger(__name__)

Handler = Callable[["Core", Connection, Frame], None]
Entry = tuple[Handler, "dict[int, Entry] | None"]  # handler, and the table of the next state if it is another


@dataclass
class Core:
    """Everything a handler may use. `version` and `server_name` are for Welcome."""

    settings: Settings
    server_name: str
    version: str
    link_token: bytes
    directory: Directory
    sessions: Sessions
    presence: PresenceHub
    relay: Relay
    writer: Writer
    workers: Workers
    password_workers: Workers
    passwords: PasswordChecker
    throttle: Throttle
    on_payment_root: Callable[[bytes], None]
    admin: Callable[[AdminCommand], tuple[int, str, str]]
    set_state: Callable[[Connection, State], None]
    signed_in: Callable[[Connection], None]
    payment_root: bytes = bytes(32)


class Dispatcher(Callbacks):
    """Frames to handlers. A handler that fails costs its own packet a `server_error`, and nobody else notices."""

    def __init__(
        self,
        client_handlers: dict[int, Handler],
        link_handlers: dict[int, Handler],
        admin_handlers: dict[int, Handler],
        closed: Callable[[Core, Connection, str], None],
    ) -> None:
        self.core: Core
        self._closed = closed
        self.tables = _tables(client_handlers)
        self.link_table: dict[int, Entry] = {kind: (handler, None) for kind, handler in link_handlers.items()}
        hello = int(Type.LINK_HELLO)  # the only packet of a link that has not shown its token
        self.new_link_table: dict[int, Entry] = {hello: (link_handlers[hello], self.link_table)}
        self.admin_table: dict[int, Entry] = {kind: (handler, None) for kind, handler in admin_handlers.items()}

    def set_state(self, conn: Connection, state: State) -> None:
        """A state that the server's own answer leads to."""
        conn.table = self.tables[state]

    def frames(self, conn: Connection, frames: list[Frame]) -> None:
        core = self.core
        for frame in frames:
            if conn.phase is not Phase.OPEN:
                return
            entry = conn.table.get(frame[0])
            if entry is None:
                self._refuse_type(conn, frame)
                continue
            if frame[3] and frame[3] != conn.member_id and conn.kind is Kind.CLIENT:
                conn.refuse(frame.request_id, codes.FORGED_SENDER, "The sender id is not yours; send 0 or your own.")
                self._close_stranger(conn)
                continue
            handler, following = entry
            if following is not None:
                conn.table = following
            try:
                handler(core, conn, frame)
            except RemoteProtocolError as error:
                conn.refuse(frame.request_id, error.code, error.message)
                self._close_stranger(conn)
            except QueueFull:
                conn.refuse(frame.request_id, codes.RATE_LIMITED, "The server is busy; try again in a moment.", 1_000)
                self._close_stranger(conn)
            except Exception:  # a bug in one handler must not take the loop, and thereby everybody, with it
                log.exception("handler of packet type %#06x failed for member %d", frame.type, conn.member_id)
                conn.refuse(
                    frame.request_id, codes.SERVER_ERROR, "The server failed at this; the operator's log says why."
                )

    def closed(self, conn: Connection, reason: str) -> None:
        log.info("%s (member %d) closed: %s", conn.address, conn.member_id, reason)
        self._closed(self.core, conn, reason)

    def turn_done(self, io: IoThread) -> None:
        if io.posts:
            posts, io.posts = io.posts, []
            self.core.writer.post(posts)

    def tick(self, io: IoThread, now: float) -> None:
        """Nothing is due by the clock beyond the loop's own deadlines."""

    def _refuse_type(self, conn: Connection, frame: Frame) -> None:
        if is_known_type(frame.type):
            code, text = codes.NOT_NOW, "This packet is not allowed now"
        else:
            code, text = codes.UNKNOWN_TYPE, "This packet type is not known here"
        conn.refuse(frame.request_id, code, f"{text} (type {frame.type:#06x}).")
        self._close_stranger(conn)

    @staticmethod
    def _close_stranger(conn: Connection) -> None:
        """Before sign-in one wrong packet ends the connection."""
        if not conn.member_id and conn.kind is not Kind.LINK:
            conn.io.close_after_flush(conn)


def _tables(handlers: dict[int, Handler]) -> dict[State, dict[int, Entry]]:
    """The table of `im_protocol.states` with the handlers put in."""
    tables: dict[State, dict[int, Entry]] = {state: {} for state in State}
    for (state, kind), following in TRANSITIONS.items():
        tables[state][int(kind)] = (handlers[int(kind)], tables[following] if following is not state else None)
    return tables
