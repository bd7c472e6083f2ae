"""After the commit: the acknowledgement to the sender and the event to every device that should see it.

Runs on the writer thread for whole batches. The two bodies are packed with one fixed layout each: their integers always
take nine bytes, which MessagePack allows and PROTOCOL.md says.
"""

from __future__ import annotations

import struct

from im_protocol import codes
from im_protocol.codec import MAGIC, VERSION
from im_protocol.packets import Flag, Type
from im_server.connection import Connection
from im_server.io_thread import IoThread
from im_server.send_order import EARLIER_FIRST, IN_ORDER_AGAIN_MS, hold_back
from im_server.sessions import Sessions
from im_server.store.mailbox import Post, Stored

_HEAD = ">HBBHHIIQQ"
_ACCEPTED = struct.Struct(_HEAD + "3s16sBQBQ")  # fixarray 3, bin 8 of 16 bytes, uint 64, uint 64
_ACCEPTED_BYTES = _ACCEPTED.size - 32
_EVENT = struct.Struct(_HEAD + "BBQBQ")  # fixarray 3, uint 64, uint 64, then the sender's body
_EVENT_BYTES = _EVENT.size - 32
_UINT64 = 0xCF
_PUSH = int(Flag.PUSH)
_CHAT_EVENT = int(Type.CHAT_EVENT)
STORE_AGAIN_MS = 1_000  # a full disk is not emptied sooner


_ID_USED = "You sent another message with this id to somebody else; send this one with an id of its own."


class Delivery:
    """Makes the packets of a stored batch and hands them to the I/O threads, one hand-over a thread."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def delivered(self, posts: list[Post], stored: list[Stored]) -> None:
        outgoing: dict[Connection, list[bytes]] = {}
        online = self._sessions.online
        pack_accepted = _ACCEPTED.pack
        answer, kind, size = int(Flag.ANSWER), int(Type.CHAT_ACCEPTED), _ACCEPTED_BYTES
        for (conn, request_id, sender, receiver, message_id, body, _), place in zip(posts, stored, strict=True):
            mine, theirs, at_ms, is_new = place
            conn.chats_answered += 1
            if not mine:
                conn.refuse(request_id, codes.MESSAGE_ID_USED, _ID_USED)
                continue
            packet = pack_accepted(
                MAGIC, VERSION, answer, kind, 0, size, request_id, 0, sender,
                b"\x93\xc4\x10", message_id, _UINT64, mine, _UINT64, at_ms,
            )  # fmt: skip
            if conn in outgoing:
                outgoing[conn].append(packet)
            else:
                outgoing[conn] = [packet]
            if not is_new:
                continue
            targets = online.get(receiver)
            if targets:
                packet = _event(sender, receiver, theirs, at_ms, body)
                for target in targets:
                    if target in outgoing:
                        if target is not conn:
                            outgoing[target].append(packet)
                    else:
                        outgoing[target] = [packet]
            own = online.get(sender, ())
            if len(own) > 1 and sender != receiver:
                _to_own_devices(outgoing, own, conn, _event(sender, receiver, mine, at_ms, body))
        _hand_over(outgoing)

    def failed(self, posts: list[Post]) -> None:
        """Nothing of this batch is stored; what follows it on its connections waits until it has come again."""
        for post in posts:
            post.conn.chats_answered += 1
            hold_back(post.conn, post.receiver_id, post.message_id, post.place, STORE_AGAIN_MS)
            text = "The message could not be stored; send it again later."
            post.conn.refuse(post.request_id, codes.SERVER_ERROR, text, STORE_AGAIN_MS)

    def behind(self, posts: list[Post]) -> None:
        """These must not be stored before an earlier one that was refused."""
        for post in posts:
            post.conn.chats_answered += 1
            hold_back(post.conn, post.receiver_id, post.message_id, post.place, IN_ORDER_AGAIN_MS)
            post.conn.refuse(post.request_id, codes.RATE_LIMITED, EARLIER_FIRST, IN_ORDER_AGAIN_MS)


def _event(sender: int, receiver: int, sequence: int, at_ms: int, body: bytes) -> bytes:
    head = _EVENT.pack(
        MAGIC, VERSION, _PUSH, _CHAT_EVENT, 0, _EVENT_BYTES + len(body), 0, sender, receiver,
        0x93, _UINT64, sequence, _UINT64, at_ms,
    )  # fmt: skip
    return head + body


def _to_own_devices(
    outgoing: dict[Connection, list[bytes]], own: tuple[Connection, ...], author: Connection, packet: bytes
) -> None:
    for conn in own:
        if conn is not author:
            outgoing.setdefault(conn, []).append(packet)


def _hand_over(outgoing: dict[Connection, list[bytes]]) -> None:
    by_thread: dict[IoThread, list[tuple[Connection, bytes]]] = {}
    for conn, packets in outgoing.items():
        data = packets[0] if len(packets) == 1 else b"".join(packets)
        by_thread.setdefault(conn.io, []).append((conn, data))
    for io, items in by_thread.items():
        io.post_many(items)
