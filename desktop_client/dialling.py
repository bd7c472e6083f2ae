"""Dialling: a TCP connection with TLS 1.3 that shows the pinned key, and a polite end. Never blocks the wake-up."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from desktop_client.config import Address

READ_BYTES = 65_536
LINGER_SECONDS = 0.3  # for the other side to read our goodbye
ADDRESSES_MAX = 4  # of a name that has more, the others are not tried
NEXT_ADDRESS_SECONDS = 0.25  # the next address is tried beside one that has not answered by then (RFC 8305, section 5)
_IN_PROGRESS = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EINPROGRESS)})

UNREACHABLE = "unreachable"
NOT_A_SERVER = "not_a_server"
KEY_CHANGED = "key_changed"
LOST = "connection_lost"


@dataclass(frozen=True)
class Target:
    """Where to connect, and the server key's pin (SHA-256 of the SPKI); None only to look at the key.

    `others` are further addresses of the same server.
    """

    address: Address
    tls_pin: bytes | None
    lang: str = "en"
    others: tuple[Address, ...] = ()


class Abandoned(Exception):
    """The interface wants something else now; nobody needs to be told."""


class Cut(Exception):
    """The connection ended; `final` when trying again cannot help."""

    def __init__(
        self, code: str, message: str, *, final: bool = False, seen_pin: bytes = b"", retry_after_ms: int = 0
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.final, self.seen_pin = code, message, final, seen_pin
        self.retry_after_ms = retry_after_ms


Wait = Callable[[list[tuple[socket.socket, int]], float], None]
"""wait(what, seconds): until one of the sockets is ready for its events (`selectors`); may raise to give up."""

SocketAddress = tuple[socket.AddressFamily, object]


class Dialler:
    """A connection to the first of a server's addresses that shows its key, without ever blocking the wake-up.

    Addresses are tried side by side, the next whenever the one before brought nothing for a while ("happy eyeballs",
    RFC 8305): a network that swallows packets to one of them costs a quarter of a second, not the whole time.
    """

    def __init__(self, target: Target, seconds: float, wait: Wait) -> None:
        """`seconds`: for names, TCP and TLS together."""
        self._target = target
        self._seconds = seconds
        self._wait_for = wait
        self._end = time.monotonic() + seconds
        self._found: deque[SocketAddress] = deque()  # to be tried; names' addresses come from the resolver's threads
        self._asking: dict[socket.socket, str] = {}  # a byte in the socket tells that the name's addresses are there
        self._trying: dict[socket.socket, Address] = {}
        self._failure = Cut(UNREACHABLE, f"{target.address}: no address")

    def connect(self) -> tuple[ssl.SSLSocket, bytes]:
        """A connected TLS 1.3 socket, non-blocking, and the pin of the key that it showed. Raises Cut."""
        try:
            return self._race()
        finally:
            for sock in (*self._asking, *self._trying):
                sock.close()

    def _race(self) -> tuple[ssl.SSLSocket, bytes]:
        for address in (self._target.address, *self._target.others):
            self._look_up(address)
        next_start = 0.0
        while self._found or self._asking or self._trying:
            now = time.monotonic()
            if self._found and (now >= next_start or not self._trying):
                self._start(*self._found.popleft())
                next_start = now + NEXT_ADDRESS_SECONDS
            self._wait([*self._events()], next_start if self._found else self._end)
            self._take_names()
            for sock, state in [(sock, _state(sock)) for sock in self._trying]:
                if state is None:
                    continue
                address = self._trying.pop(sock)
                try:
                    return self._talk(sock, address, state)
                except Cut as cut:
                    sock.close()
                    self._note(cut)
                    next_start = 0.0
                except BaseException:
                    sock.close()
                    raise
        raise self._failure

    def _note(self, cut: Cut) -> None:
        """Of several failures a wrong key is the one to tell: it must never pass for a cable."""
        if self._failure.code != KEY_CHANGED:
            self._failure = cut

    # ---- names ------------------------------------------------------------------------------------------------

    def _look_up(self, address: Address) -> None:
        """An address in figures is there at once; a name is asked for in a thread, since asking may take seconds."""
        try:
            self._found += _addresses(address, socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            told, tell = socket.socketpair()
            told.setblocking(False)
            self._asking[told] = str(address)
            threading.Thread(target=self._ask, args=(address, tell), name="resolver", daemon=True).start()

    def _ask(self, address: Address, tell: socket.socket) -> None:
        with tell, contextlib.suppress(OSError):  # closed: nobody waits any more
            try:
                self._found += _addresses(address, 0)
                answer = b""
            except (OSError, UnicodeError) as error:
                answer = str(error).encode()[:200]
            tell.sendall(b"\1" + answer)

    def _take_names(self) -> None:
        for told in list(self._asking):
            try:
                answer = told.recv(1_024)
            except BlockingIOError:
                continue
            name = self._asking.pop(told)
            told.close()
            if len(answer) > 1:
                self._note(Cut(UNREACHABLE, f"{name}: {answer[1:].decode(errors='replace')}"))

    # ---- sockets ----------------------------------------------------------------------------------------------

    def _events(self) -> Iterator[tuple[socket.socket, int]]:
        for sock in self._asking:
            yield sock, selectors.EVENT_READ
        for sock in self._trying:
            yield sock, selectors.EVENT_WRITE

    def _wait(self, what: list[tuple[socket.socket, int]], until: float) -> None:
        now = time.monotonic()
        if now >= self._end:
            raise Cut(UNREACHABLE, f"{self._target.address}: no answer in {self._seconds:g} s")
        self._wait_for(what, max(0.0, min(until, self._end) - now))

    def _start(self, family: socket.AddressFamily, address: object) -> None:
        shown = Address(*address[:2])  # type: ignore[index]
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a system without IPv6, say
            self._note(Cut(UNREACHABLE, f"{shown}: {error.strerror or error}"))
            return
        self._trying[sock] = shown
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error_number = sock.connect_ex(address)  # type: ignore[arg-type]
        if error_number not in _IN_PROGRESS and error_number:
            del self._trying[sock]
            sock.close()
            self._note(Cut(UNREACHABLE, f"{shown}: {os.strerror(error_number)}"))

    def _talk(self, sock: socket.socket, address: Address, error: int) -> tuple[ssl.SSLSocket, bytes]:
        if error:
            raise Cut(UNREACHABLE, f"{address}: {os.strerror(error)}")
        tls = self._tls(sock, address)
        pin = spki_pin(tls)
        if self._target.tls_pin is not None and pin != self._target.tls_pin:
            close(tls)
            raise Cut(KEY_CHANGED, "the server's key is not the pinned one", final=True, seen_pin=pin)
        return tls, pin

    def _tls(self, sock: socket.socket, address: Address) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin is what is verified: the certificate is the server's own
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        tls = context.wrap_socket(sock, do_handshake_on_connect=False)
        others_left = bool(self._found or self._asking or self._trying)
        until = time.monotonic() + (self._end - time.monotonic()) / (2 if others_left else 1)
        try:
            while True:
                try:
                    tls.do_handshake()
                    return tls
                except ssl.SSLWantReadError:
                    self._wait([(tls, selectors.EVENT_READ)], until)
                except ssl.SSLWantWriteError:
                    self._wait([(tls, selectors.EVENT_WRITE)], until)
                if time.monotonic() >= until:
                    raise Cut(UNREACHABLE, f"{address}: no answer in time")
        except (ssl.SSLError, OSError) as error:
            tls.close()
            raise Cut(NOT_A_SERVER, f"{address} does not speak TLS 1.3: {error}") from error
        except BaseException:
            tls.close()
            raise


def _addresses(address: Address, flags: int) -> list[SocketAddress]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, where) for family, _kind, _protocol, _name, where in found[:ADDRESSES_MAX]]


def _state(sock: socket.socket) -> int | None:
    """None while the connection is being made; then its error number, 0 for none."""
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        return error
    try:
        sock.getpeername()
    except OSError:
        return None
    return 0


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
