"""What an I/O thread does with a connection in each phase of its life: what it waits for, and what then happens.

One table, and one way to change the phase (`IoThread.set_phase`), so that no phase can keep a readiness that it does
not serve: a level-triggered poller would wake the loop for it without end.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from im_server.connection import Connection, Phase
from im_server.poller import READ, WRITE

if TYPE_CHECKING:
    from im_server.io_thread import IoThread

READ_BYTES = 16_384  # a TLS record's largest content (RFC 8446, section 5.1)
LINGER_SECONDS = 2.0
DRAIN_SECONDS = 0.05
DRAIN_BYTES = 262_144  # as much as a socket holds, so that little is left unread at the end
NOT_READY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Step = Callable[["IoThread", Connection], None]


class Row(NamedTuple):
    """`reads`: whether readable wakes the loop. Writable wakes it in any phase, while something is unsent.
    `readable` is called for errors and hang-ups as well, which a poller tells unasked."""

    reads: bool
    readable: Step
    writable: Step


def mask_of(conn: Connection) -> int:
    """The readiness to wait for now."""
    reads = PHASES[conn.phase].reads and not conn.paused
    if conn.phase is Phase.HANDSHAKE and conn.paused:
        return 0
    if conn.phase is Phase.HANDSHAKE:
        return WRITE if conn.wants_write else READ  # never both: what TLS does not want now would wake us in vain
    return (READ if reads else 0) | (WRITE if conn.wants_write else 0)


def handshake(io: IoThread, conn: Connection) -> None:
    """One step of the TLS handshake, after the turn's signed-in traffic."""
    sock = conn.sock
    assert isinstance(sock, ssl.SSLSocket)
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        io.want_write(conn, False)
        return
    except ssl.SSLWantWriteError:
        io.want_write(conn, True)
        return
    except (OSError, ValueError) as error:
        io.close(conn, f"TLS handshake failed: {getattr(error, 'reason', None) or type(error).__name__}")
        return
    conn.recv = sock.read
    conn.wants_write = False
    io.set_phase(conn, Phase.OPEN)
    if conn.refuse_with is not None:
        conn.refuse(0, conn.refuse_with.code, conn.refuse_with.message, conn.refuse_with.retry_after_ms)
        io.close_after_flush(conn)
    elif sock.pending():  # what came with the last flight is in OpenSSL's buffer, where the poller does not see it
        read(io, conn)


def read(io: IoThread, conn: Connection) -> None:
    """Bytes of a peer that may speak."""
    if conn.paused:  # not asked for: the peer is gone
        io.close(conn, "closed by the peer")
        return
    try:
        data = conn.recv(READ_BYTES)
    except NOT_READY:
        io.unfinished(conn)
        return
    except (OSError, ValueError) as error:
        io.close(conn, f"read failed: {type(error).__name__}")
        return
    if data:
        io.received(conn, data)
    else:
        io.close(conn, "closed by the peer")


def hung_up(io: IoThread, conn: Connection) -> None:
    """Nothing is read any more, so this is an error or a hang-up: the last bytes have nowhere to go."""
    io.close(conn, "closed by the peer")


def drain(io: IoThread, conn: Connection) -> None:
    """What still comes is thrown away, now and then: who talks on must not keep the loop awake."""
    try:
        data = socket.socket.recv(conn.sock, DRAIN_BYTES)
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:
        io.close(conn, "closed")
        return
    conn.paused = True
    io.watch(conn)
    io.call_later(DRAIN_SECONDS, lambda: _drain_again(io, conn))


def _drain_again(io: IoThread, conn: Connection) -> None:
    if conn.phase is Phase.LINGERING:
        conn.paused = False
        io.watch(conn)


def write(io: IoThread, conn: Connection) -> None:
    """The peer takes bytes again."""
    conn.wants_write = False
    conn.heard_at = io.now  # a slow reader is there
    io.flush(conn)
    io.watch(conn)


def begin_to_linger(io: IoThread, conn: Connection) -> None:
    """Everything is sent: close our side, and wait for the peer's within the deadline."""
    conn.wants_write = False
    io.set_phase(conn, Phase.LINGERING)
    with contextlib.suppress(OSError, ValueError):
        if isinstance(conn.sock, ssl.SSLSocket):
            conn.sock.unwrap()  # sends close_notify; the peer's own is not waited for
    try:
        conn.sock.shutdown(socket.SHUT_WR)
    except OSError:
        io.close(conn, "closed")


def nothing(io: IoThread, conn: Connection) -> None:
    """A closed connection's last events of a turn."""


_TABLE: dict[Phase, Row] = {
    Phase.HANDSHAKE: Row(True, handshake, handshake),
    Phase.OPEN: Row(True, read, write),
    Phase.CLOSING: Row(False, hung_up, write),
    Phase.LINGERING: Row(True, drain, nothing),
    Phase.CLOSED: Row(False, nothing, nothing),
}
PHASES = tuple(_TABLE[phase] for phase in Phase)  # a phase is its own index: cheaper than hashing it
