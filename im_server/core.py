"""What handlers work with: the server's parts in one place, and the table from state and packet type to handler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from im_protocol import codes
from im_protocol.codec import Frame, is_known_type
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import UNANSWERED, AdminCommand, Type
from im_protocol.states import TRANSITIONS, State
from im_server.callbacks import Callbacks
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.directory import Directory
from im_server.errors import Busy
from im_server.heartbeat import Heartbeat
from im_server.io_thread import IoThread
from im_server.known_devices import KnownDevices
from im_server.passwords import PasswordChecker
from im_server.presence import PresenceHub
from im_server.quotas import KINDS, QuotaBook, retry_ms
from im_server.relay import Relay
from im_server.sessions import Sessions
from im_server.store.writer import LIGHT_WAITING_MAX, Writer
from im_server.throttle import Throttle
from im_server.workers import Workers

log = logging.getLogger(__name__)

Handler = Callable[["Core", Connection, Frame], None]
Entry = tuple[Handler, "dict[int, Entry] | None", str]  # handler, the table of the next state if another, quota's kind
_ANSWERED = frozenset(int(kind) for kind in Type) - UNANSWERED
PACKETS_BEFORE_SIGN_IN_MAX = 64  # greeting, pings and guesses: who needs more is no client
_PAUSE_SECONDS_MIN = 0.05
_PAUSE_SECONDS_MAX = 5.0
_FORGET_EVERY_SECONDS = 600.0


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
    heartbeat: Heartbeat
    writer: Writer
    workers: Workers
    password_workers: Workers
    admin_workers: Workers  # operators' commands, which may take long
    quick_workers: Workers  # the passwords of devices that are known
    passwords: PasswordChecker
    known_devices: KnownDevices
    throttle: Throttle
    quotas: QuotaBook
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
        self._forget_at = 0.0
        self._closed = closed
        self.tables = _tables(client_handlers)
        self.link_table: dict[int, Entry] = {kind: (handler, None, "") for kind, handler in link_handlers.items()}
        hello = int(Type.LINK_HELLO)  # the only packet of a link that has not shown its token
        self.new_link_table: dict[int, Entry] = {hello: (link_handlers[hello], self.link_table, "")}
        self.admin_table: dict[int, Entry] = {kind: (handler, None, "") for kind, handler in admin_handlers.items()}

    def set_state(self, conn: Connection, state: State) -> None:
        """A state that the server's own answer leads to."""
        conn.table = self.tables[state]

    def frames(self, conn: Connection, frames: list[Frame]) -> None:
        """The order of the checks is on the page (PROTOCOL.md, section 6)."""
        core = self.core
        is_client = conn.kind is Kind.CLIENT
        for frame in frames:
            if conn.phase is not Phase.OPEN:
                return
            entry = conn.table.get(frame[0])
            if entry is None:
                self._refuse_type(conn, frame)
                continue
            handler, following, kind = entry
            if is_client and (frame[3] or not frame[2] or kind) and not self._is_proper(conn, frame, kind):
                continue
            before = conn.table
            if following is not None:
                conn.table = following
            try:
                handler(core, conn, frame)
            except RemoteProtocolError as error:
                conn.table = before
                self._refuse(conn, frame.request_id, error.code, error.message)
            except Busy as error:
                self.refuse_busy(conn, frame.request_id, str(error), error.retry_after_seconds)
            except Exception:  # a bug in one handler must not take the loop, and thereby everybody, with it
                log.exception("handler of packet type %#06x failed for member %d", frame.type, conn.member_id)
                conn.refuse(
                    frame.request_id, codes.SERVER_ERROR, "The server failed at this; the operator's log says why."
                )

    def _is_proper(self, conn: Connection, frame: Frame, kind: str) -> bool:
        """Whether sender, request id and quota are as they should be; refused otherwise."""
        if frame.sender_id not in (0, conn.member_id):
            text = "The sender id is not yours; send 0 or your own."
            self._refuse(conn, frame.request_id, codes.FORGED_SENDER, text)
            return False
        if not frame.request_id and frame.type in _ANSWERED:
            self._refuse(conn, 0, codes.BAD_REQUEST_ID, "A packet that has an answer needs a request id above 0.")
            return False
        return not kind or self._has_token(conn, frame, kind)

    def _has_token(self, conn: Connection, frame: Frame, kind: str) -> bool:
        """Whether this packet is within its sender's quota; refused otherwise."""
        quota = conn.quota
        if quota is None:  # not signed in yet
            conn.strange_packets += 1
            if conn.strange_packets > PACKETS_BEFORE_SIGN_IN_MAX:
                conn.refuse(frame.request_id, codes.RATE_LIMITED, "Too many packets without a sign-in; connect again.")
                conn.io.close_after_flush(conn)
                return False
            return True
        wait = quota.bucket(kind, conn.io.now).take(conn.io.now)
        if wait:
            self.refuse_busy(conn, frame.request_id, "You ask for this too often; wait a moment.", wait)
        return not wait

    def refuse_busy(self, conn: Connection, request_id: int, text: str, wait_seconds: float) -> None:
        """`rate_limited`, which keeps the connection, before sign-in too."""
        conn.refuse(request_id, codes.RATE_LIMITED, text, retry_ms(wait_seconds))
        self._slow_down(conn)

    def _refuse(self, conn: Connection, request_id: int, code: str, text: str) -> None:
        """One wrong packet: before sign-in it ends the connection."""
        conn.refuse(request_id, code, text)
        if conn.kind is Kind.LINK:
            return
        if conn.member_id:
            self._slow_down(conn)
        else:
            conn.io.close_after_flush(conn)

    @staticmethod
    def _slow_down(conn: Connection) -> None:
        """Who sends what is refused again and again is read more slowly."""
        if conn.quota is not None:
            wait = conn.quota.bucket("wrong", conn.io.now).owe(conn.io.now)
            if wait:
                conn.io.pause(conn, min(max(wait, _PAUSE_SECONDS_MIN), _PAUSE_SECONDS_MAX))

    def closed(self, conn: Connection, reason: str) -> None:
        log.info("%s (member %d) closed: %s", conn.address, conn.member_id, reason)
        self._closed(self.core, conn, reason)

    def turn_done(self, io: IoThread) -> None:
        if io.posts:
            posts, io.posts = io.posts, []
            self.core.writer.post(posts)
        if io.heavy_posts:
            posts, io.heavy_posts = io.heavy_posts, []
            self.core.writer.post_heavy(posts)

    def may_go_on(self, conn: Connection) -> bool:
        """What a connection sends waits in its own machine while much of it waits for the disk here."""
        return conn.chats - conn.chats_answered - conn.chats_refused <= LIGHT_WAITING_MAX

    def tick(self, io: IoThread, now: float) -> None:
        if io.number == 0 and now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_SECONDS
            self.core.quotas.forget_idle(now)

    def _refuse_type(self, conn: Connection, frame: Frame) -> None:
        if is_known_type(frame.type):
            code, text = codes.NOT_NOW, "This packet is not allowed now"
        else:
            code, text = codes.UNKNOWN_TYPE, "This packet type is not known here"
        self._refuse(conn, frame.request_id, code, f"{text} (type {frame.type:#06x}).")


def _tables(handlers: dict[int, Handler]) -> dict[State, dict[int, Entry]]:
    """The table of `im_protocol.states` with the handlers put in."""
    tables: dict[State, dict[int, Entry]] = {state: {} for state in State}
    for (state, kind), following in TRANSITIONS.items():
        quota = KINDS.get(int(kind), "")
        tables[state][int(kind)] = (handlers[int(kind)], tables[following] if following is not state else None, quota)
    return tables
