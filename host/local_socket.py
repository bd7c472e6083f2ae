"""Sockets between processes of one machine: a Unix socket in a 0700 folder, or loopback TCP where there are none.

On loopback TCP the path is a 0600 file that holds `host:port token`; the token is then shown by whoever connects.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from host.files import write_private

HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX")
_UNIX_PATH_BYTES_MAX = 100  # the system's own limit is 104 to 108


def listen_local(path: Path) -> tuple[socket.socket, str]:
    """A listening socket and the token that must be shown ("" on a Unix socket)."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    if HAS_UNIX_SOCKETS:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _short(path) as name:
            sock.bind(name)
        path.chmod(0o600)
        token = ""
    else:
        sock = socket.create_server(("127.0.0.1", 0))
        token = secrets.token_hex(32)
        host, port = sock.getsockname()[:2]
        write_private(path, f"{host}:{port} {token}".encode())
    sock.listen(16)
    sock.setblocking(False)
    return sock, token


def address_of(listener: socket.socket, path: Path) -> str:
    """Where a listening socket of `listen_local` is, as the payment subsystem is told: a path, or "tcp:HOST:PORT"."""
    if listener.family is not socket.AF_INET:
        return str(path)
    host, port = listener.getsockname()
    return f"tcp:{host}:{port}"


def connect_local(path: Path, seconds: float) -> tuple[socket.socket, str]:
    """A connected socket and the token to show. Raises OSError when nobody listens."""
    if HAS_UNIX_SOCKETS:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(seconds)
        try:
            with _short(path) as name:
                sock.connect(name)
        except OSError:
            sock.close()
            raise
        return sock, ""
    address, token = path.read_text().split()
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), seconds), token


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name short enough for a Unix socket: a long path goes through a link to its folder in a temporary one."""
    if len(str(path).encode()) <= _UNIX_PATH_BYTES_MAX:
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, "d")
        link.symlink_to(path.parent, target_is_directory=True)
        yield str(link / path.name)
