"""Chat: validated, collected for the writer thread, answered after the commit (see `delivery`)."""

from __future__ import annotations

import msgspec

from im_protocol import codes, limits
from im_protocol.codec import Frame, decode_body
from im_protocol.packets import ChatAck, ChatSend, Type
from im_server.connection import Connection
from im_server.core import Core, Handler
from im_server.send_order import EARLIER_FIRST, IN_ORDER_AGAIN_MS, hold_back
from im_server.store.mailbox import Post

_new_tuple = tuple.__new__  # half the cost of the class's own constructor
_decode = msgspec.msgpack.Decoder(ChatSend).decode


def chat_send(core: Core, conn: Connection, frame: Frame) -> None:
    kind, _flags, request_id, _sender, receiver_id, body = frame
    try:
        message = _decode(body)
    except (msgspec.DecodeError, ValueError) as error:
        conn.refuse(request_id, codes.BAD_BODY, f"body of packet type {kind:#06x}: {error}")
        return
    message_id = message.message_id
    conn.chats = place = conn.chats + 1
    if place - conn.chats_answered - conn.chats_refused > 1:
        conn.pipelines = True
    if receiver_id not in core.directory.members:
        conn.chats_refused += 1
        _refuse_receiver(conn, request_id, receiver_id)
    elif conn.order is not None and not (place := conn.order.admit(receiver_id, message_id, place, conn.io.now)):
        conn.chats_refused += 1
        conn.refuse(request_id, codes.RATE_LIMITED, EARLIER_FIRST, IN_ORDER_AGAIN_MS)
    elif core.writer.is_full:
        conn.chats_refused += 1
        hold_back(conn, receiver_id, message_id, place, IN_ORDER_AGAIN_MS)
        text = "Too many messages are waiting for the disk; try again."
        conn.refuse(request_id, codes.RATE_LIMITED, text, IN_ORDER_AGAIN_MS)
    else:
        fields = (conn, request_id, conn.member_id, receiver_id, message_id, body, place)
        conn.io.posts.append(_new_tuple(Post, fields))


def _refuse_receiver(conn: Connection, request_id: int, receiver_id: int) -> None:
    if limits.BILLER_ID_MIN <= receiver_id <= limits.BILLER_ID_MAX:
        text = "A biller is paid, not chatted with; open its contact to see the bill."
    else:
        text = f"There is no member {receiver_id} on this server."
    conn.refuse(request_id, codes.NO_SUCH_MEMBER, text)


def chat_ack(core: Core, conn: Connection, frame: Frame) -> None:
    """Kept in memory and stored when the device leaves: a lost one costs a device nothing, since it asks from its own
    last sequence."""
    sequence = decode_body(frame, ChatAck).sequence
    if sequence > conn.acked_sequence:
        conn.acked_sequence = sequence


HANDLERS: dict[int, Handler] = {Type.CHAT_SEND: chat_send, Type.CHAT_ACK: chat_ack}
