"""Chat: validated, collected for the writer thread, answered after the commit (see `delivery`)."""

from __future__ import annotations

import msgspec

from im_protocol import codes, limits
from im_protocol.appended import fault_of
from im_protocol.codec import Frame, decode_request
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import ChatAck, ChatSend, Type
from im_server.connection import Connection
from im_server.core import Core, Handler
from im_server.errors import Busy
from im_server.quotas import retry_ms
from im_server.send_order import EARLIER_FIRST, IN_ORDER_AGAIN_MS, hold_back
from im_server.store.mailbox import Post
from im_server.store.writer import LIGHT_WAITING_MAX, LONG_BYTES

_new_tuple = tuple.__new__  # half the cost of the class's own constructor
_NOTHING_APPENDED = 0x92  # an array of the two fields, as nearly every client writes it
_PAUSE_SECONDS = 0.01  # a commit or two
_DISK_IS_SLOW = "Too many messages are waiting for the disk; try again."
_TOO_MUCH = "You send more than this server takes from one member; wait a moment."
_decode = msgspec.msgpack.Decoder(ChatSend).decode


def chat_send(core: Core, conn: Connection, frame: Frame) -> None:
    kind, _flags, request_id, _sender, receiver_id, body = frame
    message = checked(kind, body)
    message_id = message.message_id
    conn.chats = place = conn.chats + 1
    waiting = place - conn.chats_answered - conn.chats_refused
    if waiting > 1:
        conn.pipelines = True
        if waiting > LIGHT_WAITING_MAX or (waiting > 2 and len(body) > LONG_BYTES):
            conn.is_heavy = True
            conn.io.pause(conn, _PAUSE_SECONDS)
    else:
        conn.is_heavy = False  # all before it are stored, so it may take the other lane without overtaking
    if receiver_id not in core.directory.members:
        conn.chats_refused += 1
        _refuse_receiver(receiver_id)
    elif conn.order is not None and not (place := conn.order.admit(receiver_id, message_id, place, conn.io.now)):
        conn.chats_refused += 1
        raise Busy(EARLIER_FIRST, IN_ORDER_AGAIN_MS / 1_000)
    elif core.writer.is_full(conn.is_heavy):
        raise _refused_for_now(conn, receiver_id, message_id, place, _DISK_IS_SLOW, IN_ORDER_AGAIN_MS / 1_000)
    elif wait := conn.quota.message(conn.io.now, len(body)):  # type: ignore[union-attr]  # signed in
        raise _refused_for_now(conn, receiver_id, message_id, place, _TOO_MUCH, wait)
    else:
        fields = (conn, request_id, conn.member_id, receiver_id, message_id, body, place)
        (conn.io.heavy_posts if conn.is_heavy else conn.io.posts).append(_new_tuple(Post, fields))


def _refused_for_now(
    conn: Connection, receiver_id: int, message_id: bytes, place: int, text: str, seconds: float
) -> Busy:
    """What is behind this message on its connection waits until it has come again."""
    conn.chats_refused += 1
    hold_back(conn, receiver_id, message_id, place, retry_ms(seconds))
    return Busy(text, seconds)


def checked(kind: int, body: bytes) -> ChatSend:
    """The message in a body that can be delivered in every form in which it will ever be packed: a CHAT_EVENT, and a
    page of a mailbox. Every client can read past what is appended. Raises RemoteProtocolError for any other."""
    try:
        message = _decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _bad_body(kind, str(error)) from error
    if len(body) > limits.CHAT_BODY_BYTES_MAX:
        raise _bad_body(kind, f"{len(body)} bytes, allowed are {limits.CHAT_BODY_BYTES_MAX}")
    if body[0] != _NOTHING_APPENDED and (fault := fault_of(body)):
        raise _bad_body(kind, fault)
    return message


def _bad_body(kind: int, fault: str) -> RemoteProtocolError:
    return RemoteProtocolError(codes.BAD_BODY, f"body of packet type {kind:#06x}: {fault}", fatal=False)


def _refuse_receiver(receiver_id: int) -> None:
    if limits.BILLER_ID_MIN <= receiver_id <= limits.BILLER_ID_MAX:
        text = "A biller is paid, not chatted with; open its contact to see the bill."
    else:
        text = f"There is no member {receiver_id} on this server."
    raise RemoteProtocolError(codes.NO_SUCH_MEMBER, text, fatal=False)


def chat_ack(core: Core, conn: Connection, frame: Frame) -> None:
    """Kept in memory and stored when the device leaves: a lost one costs a device nothing, since it asks from its own
    last sequence."""
    wanted = decode_request(frame, ChatAck).sequence
    sequence = min(wanted, core.writer.mailboxes.last.get(conn.member_id, 0))  # nobody has what is not there yet
    if sequence > conn.acked_sequence:
        conn.acked_sequence = sequence


HANDLERS: dict[int, Handler] = {Type.CHAT_SEND: chat_send, Type.CHAT_ACK: chat_ack}
