"""Many signed-in TLS clients in one process, as cheap as Python lets them be: what is measured is the server."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import time

from im_protocol import limits
from im_protocol.codec import HEADER, MAGIC, VERSION, decode_body, encode
from im_protocol.connection import FrameReader
from im_protocol.packets import ChatAck, Hello, Refusal, SignIn, Type

_ACK = struct.Struct(">BBQ")  # a CHAT_ACK body: array of 1, uint 64


def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def connect(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 60))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def sign_in(sock: ssl.SSLSocket, member_id: int, password: str, device_id: bytes = b"") -> None:
    """Hello and sign-in, answered. Raises RuntimeError when refused."""
    reader = FrameReader()
    device = device_id or os.urandom(16)
    for packet, wanted in (
        (encode(Type.HELLO, Hello("benchmark"), request_id=1), Type.WELCOME),
        (encode(Type.SIGN_IN, SignIn(member_id, password, device), request_id=2), Type.SIGNED_IN),
    ):
        sock.sendall(packet)
        while True:
            data = sock.recv(65_536)
            frames = reader.receive_data(data) if data else []
            if not data or any(f.type == Type.REFUSAL for f in frames):
                reason = [decode_body(f, Refusal) for f in frames if f.type == Type.REFUSAL]
                raise RuntimeError(f"member {member_id} cannot sign in: {reason}")
            if any(f.type == wanted for f in frames):
                break


class Chatter:
    """One signed-in member that keeps a number of messages to its partner in flight."""

    __slots__ = ("_next", "_prefix", "accepted", "buffer", "delivered", "last_sequence", "partner", "sock", "text")

    def __init__(self, sock: ssl.SSLSocket, partner: int, text: str) -> None:
        self.sock = sock
        self.partner = partner
        raw = text.encode()
        self.text = b"\xd9" + bytes([len(raw)]) + raw if len(raw) > 31 else bytes([0xA0 | len(raw)]) + raw
        self._prefix = os.urandom(8)
        self._next = 0
        self.accepted = 0
        self.delivered = 0
        self.last_sequence = 0
        self.buffer = b""

    def messages(self, count: int) -> list[bytes]:
        """So many new CHAT_SEND packets."""
        packets = []
        for _ in range(count):
            self._next += 1
            body = b"\x92\xc4\x10" + self._prefix + self._next.to_bytes(8, "big") + self.text
            packets.append(
                HEADER.pack(MAGIC, VERSION, 0, Type.CHAT_SEND, 0, len(body), self._next & 0xFFFFFFFF, 0, self.partner)
                + body
            )
        return packets

    def take(self, data: bytes) -> tuple[int, int]:
        """(messages acknowledged, messages delivered) by these bytes."""
        if self.buffer:
            data = self.buffer + data
        at, end = 0, len(data)
        accepted = delivered = 0
        while end - at >= 32:
            _magic, _version, _flags, kind, _zero, size, _request, _sender, _receiver = HEADER.unpack_from(data, at)
            if at + 32 + size > end:
                break
            if kind == Type.CHAT_ACCEPTED:
                accepted += 1
            elif kind == Type.CHAT_EVENT:
                delivered += 1
                self.last_sequence = int.from_bytes(data[at + 34 : at + 42], "big")
            elif kind == Type.REFUSAL:
                raise RuntimeError(f"refused: {data[at + 32 : at + 32 + size]!r}")
            at += 32 + size
        self.buffer = data[at:]
        self.accepted += accepted
        self.delivered += delivered
        return accepted, delivered

    def ack(self) -> bytes:
        """CHAT_ACK of everything delivered so far."""
        body = _ACK.pack(0x91, 0xCF, self.last_sequence)
        return HEADER.pack(MAGIC, VERSION, 0, Type.CHAT_ACK, 0, len(body), 0, 0, limits.SERVER_ID) + body


class Crowd:
    """Chatters in pairs, driven by one loop."""

    def __init__(self, port: int, members: range, password: str, text_bytes: int) -> None:
        context = client_context()
        self._poll = select.epoll()
        self._by_fd: dict[int, Chatter] = {}
        for member_id in members:
            sock = connect(port, context)
            sign_in(sock, member_id, password)
            sock.setblocking(False)
            partner = member_id + 1 if (member_id - members[0]) % 2 == 0 else member_id - 1
            self._by_fd[sock.fileno()] = Chatter(sock, partner, "x" * text_bytes)
            self._poll.register(sock.fileno(), select.EPOLLIN)

    def chat(self, seconds: float, in_flight: int) -> int:
        """Keep so many messages of each member in flight for so long, then let them finish; returns the number
        delivered while sending."""
        for chatter in self._by_fd.values():
            chatter.sock.send(b"".join(chatter.messages(in_flight)))
        before = self._delivered()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._turn(refill=True)
        counted = self._delivered() - before
        return counted

    def settle(self) -> None:
        """Read until nothing is in flight: everything sent was delivered, in order, without a gap."""
        quiet_until = time.monotonic() + 30
        while time.monotonic() < quiet_until:
            if all(c.accepted == c._next for c in self._by_fd.values()) and not self._turn(refill=False):
                return
            self._turn(refill=False)
        raise RuntimeError("messages are missing")

    def close(self) -> None:
        for chatter in self._by_fd.values():
            chatter.sock.close()
        self._poll.close()

    def _delivered(self) -> int:
        return sum(c.delivered for c in self._by_fd.values())

    def _turn(self, refill: bool) -> bool:
        ready = self._poll.poll(0.05)
        for fd, _events in ready:
            chatter = self._by_fd[fd]
            accepted = delivered = 0
            try:
                while True:
                    a, d = chatter.take(chatter.sock.recv(65_536))
                    accepted, delivered = accepted + a, delivered + d
            except ssl.SSLWantReadError:
                pass
            packets = chatter.messages(accepted) if refill else []
            if delivered:
                packets.append(chatter.ack())
            if packets:
                chatter.sock.send(b"".join(packets))
        return bool(ready)


def check_ack_layout() -> bool:
    """The hand-packed acknowledgement is what the codec reads."""
    frame = FrameReader().receive_data(
        HEADER.pack(MAGIC, VERSION, 0, Type.CHAT_ACK, 0, _ACK.size, 0, 0, 0) + _ACK.pack(0x91, 0xCF, 7)
    )[0]
    return decode_body(frame, ChatAck).sequence == 7
