"""Accepting connections: who may come in, and which I/O thread owns them."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import socket
import ssl
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence

from im_protocol import codes, limits
from im_protocol.connection import FrameReader
from im_protocol.packets import Refusal
from im_server.config import Settings
from im_server.connection import Connection, Kind, Phase
from im_server.core import Entry
from im_server.io_thread import IoThread
from im_server.quotas import Bucket, Rate

log = logging.getLogger(__name__)

LINK_BODY_BYTES_MAX = 1_048_576  # the list of billers may be long; the link's peer is our own process
_ACCEPTS_PER_TURN = 4  # each makes a TLS object: a crowd at the door must not keep those inside waiting
_PAUSE_SECONDS = 0.25  # without descriptors nothing can be accepted: look again then, not at once
_LOG_SECONDS = 10.0
_ADDRESSES_MAX = 20_000
_REFUSED_AT_ONCE_MAX = 64  # connections over the limit that are told so; beyond these they are just closed
_NO_ROOM = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
_FULL = Refusal(codes.TOO_MANY_CONNECTIONS, "The server is full; try again in a minute.", 60_000)
_FULL_ADDRESS = Refusal(
    codes.TOO_MANY_CONNECTIONS, "Too many connections from your address are not signed in; try again.", 15_000
)


def open_tcp(host: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket; host "" is every address, IPv6 and IPv4 in one where the system can. Raises OSError."""
    if not host and socket.has_dualstack_ipv6():
        sock = socket.create_server(("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True)
        sock.setblocking(False)
        return sock
    infos = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _name, address = infos[0]
    sock = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere the option lets two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class Listener:
    """The listening sockets, watched by the first I/O thread."""

    def __init__(self, io_threads: Sequence[IoThread], settings: Settings, context: ssl.SSLContext) -> None:
        self._threads = itertools.cycle(io_threads)
        self._first = io_threads[0]
        self._settings = settings
        self._context = context
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()  # guards the two counts
        self._total = 0
        self._unsigned: Counter[str] = Counter()
        self._rate = Rate(settings.connections_per_address_burst, settings.connections_per_address_per_second)
        self._opened: OrderedDict[str, Bucket] = OrderedDict()  # by address; added to by the first I/O thread alone
        self._logged_at = -_LOG_SECONDS

    def watch(self, sock: socket.socket, kind: Kind, table: dict[int, Entry]) -> None:
        """Accept connections of this kind on a listening socket; `table` is where their packets go first."""
        self._sockets.append(sock)
        self._first.call(lambda: self._first.add_source(sock, lambda: self._accept(sock, kind, table)))

    def stop(self) -> None:
        """Accept nobody any more."""
        done = threading.Event()
        self._first.call(lambda: self._close_all(done))
        done.wait(2)

    def signed_in(self, address: str) -> None:
        """A connection turned out to be a member's: it counts neither to its address's strangers nor to their rate."""
        with self._lock:
            self._forget(address)
        bucket = self._opened.get(address)
        if bucket is not None:
            bucket.give_back(1.0)

    def closed(self, conn: Connection) -> None:
        """A client connection is gone."""
        with self._lock:
            self._total -= 1
            if not conn.member_id:
                self._forget(conn.address)

    def _forget(self, address: str) -> None:
        self._unsigned[address] -= 1
        if self._unsigned[address] <= 0:
            del self._unsigned[address]

    def _close_all(self, done: threading.Event) -> None:
        for sock in self._sockets:
            self._first.remove_source(sock)
            sock.close()
        done.set()

    def _accept(self, sock: socket.socket, kind: Kind, table: dict[int, Entry]) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            try:
                peer, address = sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._pause(sock, kind, table, error)
                    return
                continue  # the peer left already
            peer.setblocking(False)
            where = str(address[0]).removeprefix("::ffff:") if kind is Kind.CLIENT else ""  # IPv4 on a socket for both
            if kind is Kind.CLIENT and not self._may_open(where):
                peer.close()
            elif kind is Kind.CLIENT:
                self._admit(peer, where, table)
            else:
                reader = FrameReader(LINK_BODY_BYTES_MAX)
                self._adopt(Connection(self._first, peer, kind, kind.name.lower(), reader), self._first, table)

    def _pause(self, sock: socket.socket, kind: Kind, table: dict[int, Entry], error: OSError) -> None:
        """No descriptors: the listening socket stays readable, so it is not watched for a while."""
        if self._first.now - self._logged_at >= _LOG_SECONDS:
            self._logged_at = self._first.now
            log.warning("cannot accept connections (%s); going on when some have closed", error)
        self._first.remove_source(sock)
        self._first.call_later(_PAUSE_SECONDS, lambda: self._resume(sock, kind, table))

    def _resume(self, sock: socket.socket, kind: Kind, table: dict[int, Entry]) -> None:
        if sock.fileno() >= 0:  # not closed meanwhile
            self._first.add_source(sock, lambda: self._accept(sock, kind, table))

    def _may_open(self, address: str) -> bool:
        """Whether this address is within its rate of new connections."""
        now = self._first.now
        bucket = self._opened.get(address)
        if bucket is None:
            bucket = self._opened[address] = Bucket(self._rate, now)
            if len(self._opened) > _ADDRESSES_MAX:
                self._opened.popitem(last=False)
        return not bucket.take(now)

    def _admit(self, peer: socket.socket, address: str, table: dict[int, Entry]) -> None:
        with self._lock:
            over = self._total - self._settings.connections_max
            if over >= _REFUSED_AT_ONCE_MAX:
                peer.close()
                return
            crowded = self._unsigned[address] >= self._settings.connections_per_address_unsigned_max
            self._total += 1
            self._unsigned[address] += 1
        io = next(self._threads)
        io.call(
            lambda: self._start_tls(
                io, peer, address, table, _FULL if over >= 0 else _FULL_ADDRESS if crowded else None
            )
        )

    def _start_tls(
        self, io: IoThread, peer: socket.socket, address: str, table: dict[int, Entry], refuse_with: Refusal | None
    ) -> None:
        """On the owning thread."""
        try:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock = self._context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):
            peer.close()
            with self._lock:
                self._total -= 1
                self._forget(address)
            return
        conn = Connection(io, sock, Kind.CLIENT, address, FrameReader(limits.BODY_BYTES_MAX_BEFORE_SIGN_IN))
        conn.phase = Phase.HANDSHAKE
        conn.refuse_with = refuse_with
        self._adopt(conn, io, table)

    def _adopt(self, conn: Connection, io: IoThread, table: dict[int, Entry]) -> None:
        conn.table = table
        conn.deadline = io.now + self._settings.sign_in_seconds_max
        io.adopt(conn)
