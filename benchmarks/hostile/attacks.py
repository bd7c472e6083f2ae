"""Clients that mean no good, each kind in processes of its own, bounded in number and time.

They are as fast as Python lets them be and are not slowed down in the operating system's eyes: they share the cores
with the server and with the members who are measured.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator

import msgspec

from benchmarks.clients import client_context, connect, sign_in
from benchmarks.common import PASSWORD
from im_protocol import limits
from im_protocol.codec import encode, encode_frame
from im_protocol.packets import Hello, PresenceSet, RosterRequest, SignIn, SyncRequest, Type

SECONDS_MAX = 60.0
BURST_BYTES = 65_536
Attack = Callable[[int, range, float], None]


def flood(
    socks: list[ssl.SSLSocket], make: Callable[[ssl.SSLSocket], bytes], until: float, *, reads: bool = True
) -> None:
    """Send as much as the sockets take, throw the answers away, go on without those that are closed."""
    poll = select.epoll()
    by_fd = {sock.fileno(): sock for sock in socks}
    owed: dict[int, bytes] = {}
    for sock in socks:
        sock.setblocking(False)
        poll.register(sock.fileno(), select.EPOLLOUT | (select.EPOLLIN if reads else 0))
    while by_fd and time.monotonic() < until:
        for fd, mask in poll.poll(0.1):
            sock = by_fd[fd]
            try:
                if mask & select.EPOLLIN:
                    _drain(sock)
                if mask & select.EPOLLOUT:
                    data = owed.pop(fd, b"") or make(sock)
                    owed[fd] = data
                    sent = sock.send(data)
                    owed[fd] = data[sent:]
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLWantWriteError:
                continue
            except (OSError, ValueError):
                poll.unregister(fd)
                del by_fd[fd]


def _drain(sock: ssl.SSLSocket) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        while True:
            if not sock.recv(BURST_BYTES):
                raise OSError("closed")


def _devices(port: int, members: range, each: int) -> list[ssl.SSLSocket]:
    context = client_context()
    socks = []
    for member in members:
        for _ in range(each):
            sock = connect(port, context)
            sign_in(sock, member, PASSWORD)
            socks.append(sock)
    return socks


def _repeat(packets: Iterator[bytes]) -> Callable[[ssl.SSLSocket], bytes]:
    def make(_sock: ssl.SSLSocket) -> bytes:
        data = bytearray()
        while len(data) < 16_384:
            data += next(packets)
        return bytes(data)

    return make


def _chats(receivers: range, text: str, appended: bytes = b"") -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        fields = [os.urandom(16), text, appended] if appended else [os.urandom(16), text]
        body = msgspec.msgpack.encode(fields)
        receiver = receivers[number % len(receivers)]
        yield encode_frame(Type.CHAT_SEND, body, request_id=number % 2**32 or 1, receiver_id=receiver)


def _numbered(kind: Type, body: Callable[[int], msgspec.Struct], receiver: int = 0) -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield encode(kind, body(number), request_id=number, receiver_id=receiver)  # type: ignore[arg-type]


def stored_flood(port: int, members: range, until: float) -> None:
    flood(_devices(port, members, 2), _repeat(_chats(members, "x" * 100)), until)


def large_stored_flood(port: int, members: range, until: float) -> None:
    flood(_devices(port, members, 2), _repeat(_chats(members, "x" * 4_000, bytes(12_000))), until)


def presence_flood(port: int, members: range, until: float) -> None:
    packets = _numbered(Type.PRESENCE_SET, lambda n: PresenceSet("busy" if n % 2 else "away", f"busy {n}"))
    flood(_devices(port, members, 4), _repeat(packets), until)


def roster_flood(port: int, members: range, until: float) -> None:
    flood(_devices(port, members, 4), _repeat(_numbered(Type.ROSTER_REQUEST, lambda _n: RosterRequest())), until)


def sync_flood(port: int, members: range, until: float) -> None:
    flood(_devices(port, members, 4), _repeat(_numbered(Type.SYNC_REQUEST, lambda _n: SyncRequest(0))), until)


def wrong_packets(port: int, members: range, until: float) -> None:
    packets = (encode_frame(0xBEEF, os.urandom(40), request_id=7) for _ in iter(int, 1))
    flood(_devices(port, members, 4), _repeat(packets), until)


def slow_readers(port: int, members: range, until: float) -> None:
    socks = _devices(port, members, 4)
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    flood(socks, _repeat(_numbered(Type.ROSTER_REQUEST, lambda _n: RosterRequest())), until, reads=False)


def replayed_seals(port: int, members: range, until: float) -> None:
    """One member's sixteen devices send the same sealed request again and again."""
    from benchmarks.payments import Bank, Payer

    context = client_context()
    sock = connect(port, context)
    sign_in(sock, members[0], PASSWORD)
    payer = Payer(sock, members[0], "6200 0000 0000 0000")
    payer.seal(Bank.fetch_config(payer), 1)
    _number, packet = payer.ready[0]
    others = _devices(port, range(members[0], members[0] + 1), 15)
    flood([sock, *others], lambda _sock: packet, until)


def sign_in_guesses(port: int, members: range, until: float) -> None:
    """Wrong passwords for all members of the house, on forty connections at once."""
    context, rng = client_context(), random.Random()
    waiting: list[tuple[ssl.SSLSocket, int]] = []
    while time.monotonic() < until:
        while len(waiting) < 40:
            with contextlib.suppress(OSError):
                sock = connect(port, context)
                sock.sendall(encode(Type.HELLO, Hello("guess"), request_id=1))
                waiting.append((sock, 0))
        for at, (sock, tries) in enumerate(waiting):
            body = SignIn(rng.choice(range(10_001, members[-1])), f"guess {tries}", os.urandom(16))
            try:
                sock.sendall(encode(Type.SIGN_IN, body, request_id=2 + tries))
                if not sock.recv(4_096):
                    raise OSError("closed")
                waiting[at] = (sock, tries + 1)
            except OSError:
                sock.close()
                waiting[at] = (sock, -1)
        waiting = [entry for entry in waiting if entry[1] >= 0]


def connection_flood(port: int, members: range, until: float) -> None:
    """Handshakes, one after another, each left at once."""
    context = client_context()
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            connect(port, context).close()


def half_open(port: int, members: range, until: float) -> None:
    """Connections that never finish their handshake, and others that trickle the bytes of a packet."""
    context = client_context()
    held: list[socket.socket] = []
    packet = encode(Type.HELLO, Hello("trickle" * 8), request_id=1)
    at = 0
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if len(held) < 400:
                plain = socket.create_connection(("127.0.0.1", port), 5)
                plain.sendall(b"\x16\x03\x01\x02\x00\x01")
                held += [plain, connect(port, context)]
        for sock in held[1::2]:
            with contextlib.suppress(OSError):
                sock.sendall(packet[at % 60 : at % 60 + 1])
        at += 1


def chatter_as_allowed(port: int, members: range, until: float) -> None:
    """Nothing forbidden: as much as the quotas allow, of everything."""
    socks = _devices(port, members, 4)
    sources = (
        _chats(members, "x" * 100),
        _numbered(Type.ROSTER_REQUEST, lambda _n: RosterRequest()),
        _numbered(Type.SYNC_REQUEST, lambda _n: SyncRequest(0)),
    )
    while time.monotonic() < until:
        for sock in socks:
            sock.setblocking(True)
            sock.sendall(b"".join(next(source) for source in sources))
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                _drain(sock)
        select.select([], [], [], 0.02)


ATTACKS: dict[str, Attack] = {
    "stored flood": stored_flood,
    "large stored flood": large_stored_flood,
    "sign-in guesses": sign_in_guesses,
    "replayed seals": replayed_seals,
    "half-open and trickled": half_open,
    "presence flood": presence_flood,
    "roster flood": roster_flood,
    "sync flood": sync_flood,
    "slow readers": slow_readers,
    "connection flood": connection_flood,
    "wrong packets": wrong_packets,
    "all that is allowed": chatter_as_allowed,
}

assert limits.BODY_BYTES_MAX >= BURST_BYTES


def main() -> None:
    name, port, first, count, seconds = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5])
    ATTACKS[name](port, range(first, first + count), time.monotonic() + min(seconds, SECONDS_MAX))


if __name__ == "__main__":
    main()
