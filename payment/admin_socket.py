"""The administration socket: ADMIN_COMMAND in, ADMIN_RESULT out, for the user who owns the data folder only."""

from __future__ import annotations

import getpass
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from im_protocol import codec
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import AdminCommand, AdminResult, Type
from payment.admin import Outcome
from payment.errors import FolderError

READ_SECONDS_MAX = 10

log = logging.getLogger("payment.admin")


class AdminSocket:
    """Listens on a 0600 Unix socket (a loopback port named in a 0600 file where there are none)."""

    def __init__(self, path: Path, run: Callable[[list[str], str, bytes], Outcome]) -> None:
        self._path = path
        self._run = run
        self._listener = _listen(path)
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Serves one command after the other in the background."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the socket."""
        self._stopped = True
        self._path.unlink(missing_ok=True)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                with connection:
                    connection.settimeout(READ_SECONDS_MAX)
                    self._one(connection)
            except (OSError, RemoteProtocolError) as error:
                log.warning("an operator's connection broke: %s", error)
            except Exception:  # one command must not end the socket for the next
                log.exception("an operator's command failed")

    def _one(self, connection: socket.socket) -> None:
        frame = _read_frame(connection)
        command = codec.decode_body(frame, AdminCommand)
        outcome = self._run(command.argv, _user_of(connection), command.stdin)
        result = AdminResult(outcome.status, outcome.out, outcome.err)
        connection.sendall(codec.encode(Type.ADMIN_RESULT, result, request_id=frame.request_id))


def ask(path: Path, argv: list[str], stdin: bytes) -> AdminResult:
    """Sends a command to the running service. Raises FolderError when none answers."""
    try:
        with _connect(path) as connection:
            connection.sendall(codec.encode(Type.ADMIN_COMMAND, AdminCommand(argv, stdin), request_id=1))
            return codec.decode_body(_read_frame(connection), AdminResult)
    except (OSError, ValueError, RemoteProtocolError) as error:
        raise FolderError(f"the running payment service does not answer on {path}: {error}") from None


def _read_frame(connection: socket.socket) -> codec.Frame:
    reader = FrameReader()
    while data := connection.recv(65_536):
        frames = reader.receive_data(data)
        if frames:
            return frames[0]
    raise ConnectionError("the connection ended before the packet did")


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # the folder's lock is ours, so this is left from a crash
    if hasattr(socket, "AF_UNIX"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
        except OSError as error:
            listener.close()
            raise FolderError(f"the socket {path} cannot be made: {error}") from None
        path.chmod(0o600)
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        path.write_text(str(listener.getsockname()[1]))
    listener.listen(8)
    return listener


def _connect(path: Path) -> socket.socket:
    if hasattr(socket, "AF_UNIX"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return connection
    return socket.create_connection(("127.0.0.1", int(path.read_text())))


def _user_of(connection: socket.socket) -> str:
    """The operating system's name of who is on the other end."""
    if hasattr(socket, "SO_PEERCRED"):
        import pwd

        size = struct.calcsize("3i")
        _, user_id, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        try:
            return pwd.getpwuid(user_id).pw_name
        except KeyError:
            return f"user {user_id}"
    return current_user()


def current_user() -> str:
    """The operating system's name of who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"
