"""What goes to the payment subsystem, unread."""

from __future__ import annotations

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_request
from im_protocol.packets import Empty, Type
from im_server.connection import Connection
from im_server.core import Core, Handler


def relay(core: Core, conn: Connection, frame: Frame) -> None:
    if frame.receiver_id != limits.PAYMENT_ID:
        conn.refuse(frame.request_id, codes.NO_SUCH_MEMBER, f"Payment requests go to receiver {limits.PAYMENT_ID}.")
        return
    if frame.type == Type.KEY_CONFIG_REQUEST:
        decode_request(frame, Empty)
    core.relay.forward(conn, frame)


HANDLERS: dict[int, Handler] = {Type.KEY_CONFIG_REQUEST: relay, Type.SEALED_REQUEST: relay}
