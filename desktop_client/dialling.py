"""Dialling: a TCP connection with TLS 1.3, the server's key pin, and a polite end. Never blocks the wake-up."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from desktop_client.config import Address

READ_BYTES = 65_536
LINGER_SECONDS = 0.3  # for the other side to read our goodbye
ADDRESSES_MAX = 4  # of a name that has more, the others are not tried
_IN_PROGRESS = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)})

UNREACHABLE = "unreachable"
NOT_A_SERVER = "not_a_server"
KEY_CHANGED = "key_changed"
LOST = "connection_lost"


@dataclass(frozen=True)
class Target:
    """Where to connect, and the server key's pin (SHA-256 of the SPKI); None only to look at the key."""

    address: Address
    tls_pin: bytes | None
    lang: str = "en"


class Abandoned(Exception):
    """The interface wants something else now; nobody needs to be told."""


class Cut(Exception):
    """The connection ended; `final` when trying again cannot help."""

    def __init__(self, code: str, message: str, *, final: bool = False, seen_pin: bytes = b"") -> None:
        super().__init__(message)
        self.code, self.message, self.final, self.seen_pin = code, message, final, seen_pin


Wait = Callable[[socket.socket, int, float], None]


class Dialler:
    """TCP and TLS without ever blocking the wake-up."""

    def __init__(self, target: Target, seconds: float, wait: Wait) -> None:
        """`seconds`: for name, TCP and TLS together. `wait(socket, events, seconds)` may raise to give up."""
        self.target = target
        self._seconds = seconds
        self._wait_for = wait
        self._end = time.monotonic() + seconds

    def connect(self) -> ssl.SSLSocket:
        """A connected TLS 1.3 socket, non-blocking. Raises Cut."""
        try:
            found = socket.getaddrinfo(self.target.address.host, self.target.address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Cut(UNREACHABLE, f"{self.target.address}: {error}") from error
        last = Cut(UNREACHABLE, f"{self.target.address}: no address")
        for family, kind, protocol, _, address in found[:ADDRESSES_MAX]:
            sock = socket.socket(family, kind, protocol)
            try:
                self._tcp(sock, address)
                return self._tls(sock)
            except Cut as cut:
                sock.close()
                last = cut
            except BaseException:
                sock.close()
                raise
        raise last

    def _wait(self, sock: socket.socket, events: int) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise Cut(UNREACHABLE, f"{self.target.address}: no answer in {self._seconds:g} s")
        self._wait_for(sock, events, left)

    def _tcp(self, sock: socket.socket, address: object) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(address)  # type: ignore[arg-type]
        while error in _IN_PROGRESS:
            self._wait(sock, selectors.EVENT_WRITE)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error == 0 and not _is_connected(sock):
                error = errno.EINPROGRESS
        if error:
            raise Cut(UNREACHABLE, f"{self.target.address}: {os.strerror(error)}")

    def _tls(self, sock: socket.socket) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin is what is verified: the certificate is the server's own
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        tls = context.wrap_socket(sock, do_handshake_on_connect=False)
        while True:
            try:
                tls.do_handshake()
                return tls
            except ssl.SSLWantReadError:
                self._wait(tls, selectors.EVENT_READ)
            except ssl.SSLWantWriteError:
                self._wait(tls, selectors.EVENT_WRITE)
            except (ssl.SSLError, OSError) as error:
                tls.close()
                raise Cut(NOT_A_SERVER, f"{self.target.address} does not speak TLS 1.3: {error}") from error


def spki_pin(tls: ssl.SSLSocket) -> bytes:
    """SHA-256 of the certificate's SubjectPublicKeyInfo (DER), 32 bytes (as RFC 7469 section 2.4 takes it)."""
    import hashlib

    from cryptography import x509  # here: only the network thread needs it, after the window is on the screen
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = tls.getpeercert(binary_form=True)
    if not der:
        raise Cut(NOT_A_SERVER, "the server showed no certificate")
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError as error:
        raise Cut(NOT_A_SERVER, f"the server's certificate cannot be read: {error}") from error
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def close(tls: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError, ValueError):
        tls.unwrap()  # says goodbye (close_notify); does not wait for the other's
    with contextlib.suppress(OSError):
        tls.shutdown(socket.SHUT_WR)
        _read_to_end(tls)
    tls.close()


def _read_to_end(tls: ssl.SSLSocket) -> None:
    """A socket closed with unread bytes resets the connection, and our last packets would be lost with it."""
    plain = socket.socket(fileno=tls.detach())
    with plain:
        plain.settimeout(LINGER_SECONDS)
        end = time.monotonic() + LINGER_SECONDS
        while plain.recv(READ_BYTES) and time.monotonic() < end:
            pass


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
