"""What the payment subsystem says on its link."""

from __future__ import annotations

import hmac
import logging

from im_protocol import codes
from im_protocol.codec import Frame, decode_body, encode
from im_protocol.packets import AccountsChanged, Empty, Flag, LinkHello, Type
from im_server.connection import Connection
from im_server.core import Core, Handler
from im_server.store.members import replace_billers

log = logging.getLogger(__name__)
_NOTICE = encode(Type.PAYMENT_NOTICE, flags=Flag.PUSH, sender_id=1)


def link_hello(core: Core, conn: Connection, frame: Frame) -> None:
    """The subsystem is there, or its billers changed."""
    hello = decode_body(frame, LinkHello)
    if not hmac.compare_digest(hello.token, core.link_token):
        log.error("the payment link showed a wrong token")
        conn.refuse(frame.request_id, codes.WRONG_PASSWORD, "The link token is wrong.")
        conn.io.close_after_flush(conn)
        return
    conn.deadline = 0.0
    core.on_payment_root(hello.payment_root)
    rows = [(b.id, b.name, b.icon, b.signature, b.verified) for b in hello.billers]
    if core.directory.set_billers(rows):
        core.writer.submit(lambda: replace_billers(rows))
        core.presence.roster_changed()
    conn.answer(frame.request_id, Type.LINK_READY)
    old = core.relay.link_up(conn)
    if old is not None:
        old.io.call(lambda: old.io.close(old, "replaced by a newer payment link"))
    core.presence.billers_are("online")
    if hello.answers_pings:
        core.heartbeat.watch(conn)
    log.info("the payment subsystem is there with %d billers", len(rows))


def accounts_changed(core: Core, conn: Connection, frame: Frame) -> None:
    online = core.sessions.online
    for member_id in decode_body(frame, AccountsChanged).member_ids:
        for device in online.get(member_id, ()):
            device.post(_NOTICE)


def answered(core: Core, conn: Connection, frame: Frame) -> None:
    core.relay.answered(frame)


def ping(core: Core, conn: Connection, frame: Frame) -> None:
    decode_body(frame, Empty)
    conn.answer(frame.request_id, Type.PONG)


def pong(core: Core, conn: Connection, frame: Frame) -> None:
    core.heartbeat.answered(conn, frame.request_id)


HANDLERS: dict[int, Handler] = {
    Type.LINK_HELLO: link_hello,
    Type.ACCOUNTS_CHANGED: accounts_changed,
    Type.KEY_CONFIG: answered,
    Type.SEALED_ANSWER: answered,
    Type.REFUSAL: answered,
    Type.PING: ping,
    Type.PONG: pong,
}
