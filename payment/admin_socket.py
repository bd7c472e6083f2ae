"""The administration socket: ADMIN_COMMAND in, ADMIN_RESULT out, for the user who owns the data folder only."""

from __future__ import annotations

import hmac
import logging
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from host.local_socket import connect_local, listen_local
from im_protocol import admin, codec
from im_protocol.connection import FrameReader
from im_protocol.errors import LocalProtocolError, RemoteProtocolError
from im_protocol.packets import AdminCommand, AdminResult, Type
from payment.admin import Outcome
from payment.errors import FolderError, OutcomeUnknown
from payment.operations import Changes
from payment.people import name_of_user, who

READ_SECONDS_MAX = 10
STILL_SECONDS = 2
"""How often the service says that a command is still at work."""

SILENCE_SECONDS_MAX = 10
"""A service that says nothing for so long is hung, not at work."""

AT_ONCE_MAX = 8

log = logging.getLogger("payment.admin")

Run = Callable[[list[str], str, bytes], Outcome]


class AdminSocket:
    """Listens on a 0600 Unix socket; where there are none, on a loopback port that a 0600 file names with a token."""

    def __init__(self, path: Path, run: Run) -> None:
        self._path = path
        self._run = run
        try:
            self._listener, self._token = listen_local(path)  # one that a crash left is replaced: the lock is ours
        except OSError as error:
            raise FolderError(f"the socket {path} cannot be made: {error}") from None
        self._listener.setblocking(True)
        self._room = threading.BoundedSemaphore(AT_ONCE_MAX)
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)
        self._stopped = False

    def start(self) -> None:
        """Serves commands in the background."""
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
            self._room.acquire()
            threading.Thread(target=self._guarded, args=(connection,), name="command", daemon=True).start()

    def _guarded(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.settimeout(READ_SECONDS_MAX)
                self._one(connection)
        except (OSError, RemoteProtocolError) as error:
            log.warning("an operator's connection broke: %s", error)
        except Exception:  # one command must not end the socket for the next
            log.exception("an operator's command failed")
        finally:
            self._room.release()

    def _one(self, connection: socket.socket) -> None:
        command, request_id = _read_command(connection)
        if not hmac.compare_digest(command.token.encode(), self._token.encode()):
            outcome = Outcome(1, "", "wrong token; nothing was changed\n", Changes())
        else:
            with _StillAtWork(connection, request_id):
                outcome = self._run(command.argv, _user_of(connection, command.person), command.stdin)
        for page in admin.result_pages(outcome.status, outcome.out, outcome.err):
            connection.sendall(codec.encode(Type.ADMIN_RESULT, page, request_id=request_id))


class _StillAtWork:
    """Within it the asker hears now and then that nothing hangs."""

    def __init__(self, connection: socket.socket, request_id: int) -> None:
        self._connection = connection
        self._page = codec.encode(Type.ADMIN_RESULT, AdminResult(0, "", "", more=True), request_id=request_id)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="still", daemon=True)

    def _tell(self) -> None:
        while not self._done.wait(STILL_SECONDS):
            try:
                self._connection.sendall(self._page)
            except OSError:
                return  # the asker is gone; the command goes on

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


def ask(path: Path, command: AdminCommand, sent: Callable[[], None]) -> AdminResult:
    """Sends a command to the running service and waits for its result. Calls `sent` before the first byte leaves.

    Raises FolderError when nobody listens (nothing was sent), OutcomeUnknown when no whole answer came.
    """
    try:
        connection, token = connect_local(path, SILENCE_SECONDS_MAX)
    except (OSError, ValueError) as error:
        raise FolderError(f"the running payment service does not answer on {path}: {error}") from None
    with connection:
        try:
            pages = [
                codec.encode(Type.ADMIN_COMMAND, page, request_id=1)
                for page in admin.command_pages(AdminCommand(command.argv, command.stdin, False, token, command.person))
            ]
        except LocalProtocolError as error:
            raise FolderError(f"the command is too long: {error}") from None
        sent()
        try:
            for page in pages:
                connection.sendall(page)
            return _read_result(connection)
        except TimeoutError:
            raise OutcomeUnknown(f"the payment service says nothing for {SILENCE_SECONDS_MAX} seconds") from None
        except (OSError, RemoteProtocolError) as error:
            raise OutcomeUnknown(f"the payment service ended before it answered ({error})") from None


def _read_command(connection: socket.socket) -> tuple[AdminCommand, int]:
    reader, pages = FrameReader(), admin.CommandReader()
    while data := connection.recv(65_536):
        for frame in reader.receive_data(data):
            if (command := pages.feed(frame)) is not None:
                return command, frame.request_id
    raise ConnectionError("the connection ended before the command did")


def _read_result(connection: socket.socket) -> AdminResult:
    reader, pages = FrameReader(), admin.ResultReader()
    while data := connection.recv(65_536):
        for frame in reader.receive_data(data):
            if (result := pages.feed(frame)) is not None:
                return result
    raise ConnectionError("the connection ended")


def _user_of(connection: socket.socket, person: str) -> str:
    """Who is on the other end: the operating system says which user, that user may say which person (sudo)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return who("", person)
    size = struct.calcsize("3i")
    _, user_id, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return who(name_of_user(user_id), person)
