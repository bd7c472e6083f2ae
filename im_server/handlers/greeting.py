"""Hello, ping and sign-out."""

from __future__ import annotations

import time

from im_protocol.codec import Frame, decode_request
from im_protocol.packets import Empty, Hello, Pong, Type, Welcome
from im_server.connection import Connection
from im_server.core import Core, Handler


def hello(core: Core, conn: Connection, frame: Frame) -> None:
    decode_request(frame, Hello)
    welcome = Welcome(core.server_name, core.version, core.payment_root, core.settings.keepalive_seconds)
    conn.answer(frame.request_id, Type.WELCOME, welcome)


def ping(core: Core, conn: Connection, frame: Frame) -> None:
    decode_request(frame, Empty)
    conn.answer(frame.request_id, Type.PONG, Pong(time.time_ns() // 1_000_000))


def sign_out(core: Core, conn: Connection, frame: Frame) -> None:
    """Has no answer: the connection is closed."""
    decode_request(frame, Empty)
    conn.io.close_after_flush(conn)


HANDLERS: dict[int, Handler] = {Type.HELLO: hello, Type.PING: ping, Type.SIGN_OUT: sign_out}
