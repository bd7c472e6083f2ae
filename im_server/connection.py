"""One connection: what its I/O thread keeps of it. Ten thousand of these are held, so nothing here is fat."""

from __future__ import annotations

import socket
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from im_protocol.codec import encode
from im_protocol.connection import FrameReader
from im_protocol.packets import Flag, Refusal, Type

if TYPE_CHECKING:
    from im_server.io_thread import IoThread
    from im_server.quotas import MemberQuota
    from im_server.send_order import SendOrder


class Kind(IntEnum):
    """Who is at the other end."""

    CLIENT = 0
    LINK = 1  # the payment subsystem
    ADMIN = 2  # the operator's command line


class Phase(IntEnum):
    """Life of a connection. LINGERING: our side is closed, what still comes is thrown away, so that the peer's
    unread bytes do not turn our last refusal into a reset."""

    HANDSHAKE = 0
    OPEN = 1
    CLOSING = 2
    LINGERING = 3
    CLOSED = 4


class Connection:
    """Owned by one I/O thread: only that thread reads, writes or closes it. Others hand it bytes with `post`."""

    __slots__ = (
        "__weakref__",
        "acked_sequence",
        "address",
        "chats",
        "chats_answered",
        "chats_refused",
        "deadline",
        "device_id",
        "device_name",
        "dirty",
        "fd",
        "heard_at",
        "io",
        "is_heavy",
        "kind",
        "mask",
        "member_id",
        "order",
        "out",
        "out_bytes",
        "partial_since",
        "paused",
        "paused_until",
        "phase",
        "pipelines",
        "quota",
        "reader",
        "recv",
        "refuse_with",
        "relayed",
        "sock",
        "strange_packets",
        "table",
        "unfinished_reads",
        "unsent",
        "wants_write",
    )

    def __init__(self, io: IoThread, sock: socket.socket, kind: Kind, address: str, reader: FrameReader) -> None:
        self.io = io
        self.sock = sock
        self.fd = sock.fileno()
        self.kind = kind
        self.address = address
        self.reader = reader
        self.recv: Callable[[int], bytes] = sock.recv
        self.phase = Phase.OPEN
        self.table: dict[int, Any] = {}
        self.out: list[bytes] = []
        self.out_bytes = 0
        self.unsent = b""
        self.dirty = False
        self.wants_write = False
        self.is_heavy = False  # has many messages waiting for the disk
        self.paused = False  # not read for a while, because it sent too fast
        self.mask = 0  # what the poller waits for
        self.paused_until = 0.0
        self.unfinished_reads = 0  # in a row that completed no packet
        self.partial_since = 0.0  # 0: no packet is incomplete
        self.heard_at = 0.0
        self.deadline = 0.0  # 0: none
        self.refuse_with: Refusal | None = None
        self.member_id = 0
        self.quota: MemberQuota | None = None  # the member's, once signed in
        self.strange_packets = 0  # before sign-in
        self.device_id = b""
        self.device_name = ""
        self.acked_sequence = 0
        self.relayed = 0
        self.chats = 0  # chat messages that came in: the newest one's place on the wire
        self.chats_answered = 0  # by the writer thread, which alone counts here
        self.chats_refused = 0  # at once, by the I/O thread
        self.pipelines = False  # sends a message before the one before it is answered
        self.order: SendOrder | None = None  # once a message of such a peer was refused for now

    def post(self, data: bytes) -> None:
        """Hand over whole packets from any thread; they leave in the owner's next turn."""
        self.io.post(self, data)

    def answer(self, request_id: int, packet_type: Type, body: Any = None) -> None:
        """Send an answer. Any thread."""
        self.io.post(
            self, encode(packet_type, body, request_id=request_id, receiver_id=self.member_id, flags=Flag.ANSWER)
        )

    def refuse(self, request_id: int, code: str, message: str, retry_after_ms: int = 0) -> None:
        """Send a refusal: an answer, or a push when it answers nothing (request id 0). Any thread."""
        flags = Flag.ANSWER if request_id else Flag.PUSH
        refusal = Refusal(code, message[:400], retry_after_ms)
        self.io.post(
            self, encode(Type.REFUSAL, refusal, request_id=request_id, receiver_id=self.member_id, flags=flags)
        )
