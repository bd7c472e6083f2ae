"""The operator's command line: what each command does, without printing (see `__main__`)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apsw
import msgspec
from peewee import PeeweeException

from host.console import DONE, UNKNOWN
from host.local_socket import connect_local
from im_protocol import codes, limits
from im_protocol.admin import ResultReader, command_pages
from im_protocol.codec import decode_body, encode
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.invite import Invite
from im_protocol.packets import AdminCommand, AdminResult, Refusal, Type
from im_server.addresses import LOOPBACK, own_addresses
from im_server.data_folder import DataFolder
from im_server.errors import MemberError, NotKnown, StartError
from im_server.member_commands import Added, AddRow, MemberCommands
from im_server.member_files import AddRequest, check_password, check_request
from im_server.passwords import hash_made_password, hash_password, make_password
from im_server.store.database import open_database
from im_server.supervisor import payment_program
from im_server.tls import ensure_certificate

PROGRAM = "billbuddy-server"
ADMIN_SECONDS_MAX = 90  # the server itself gives up after 60


def _nothing() -> None:
    """Stands for nobody to tell."""


def member_command(folder: DataFolder, argv: list[str], stdin: bytes = b"", sent: Callable[[], None] = _nothing) -> str:
    """Run a member command in the running server, or on the database when none runs. `sent` is called before anything
    is changed or may be.

    Raises MemberError with the command's own words, StartError when the folder cannot be used (nothing was sent then),
    NotKnown when no answer came.
    """
    folder.prepare()
    lock = folder.lock()
    if lock is None:
        status, out, err = _ask_server(folder, argv, stdin, sent)
    else:
        with lock:
            sent()
            status, out, err = _on_database(folder, argv, stdin)
    if status:
        raise MemberError(err)
    return out


def _on_database(folder: DataFolder, argv: list[str], stdin: bytes) -> tuple[int, str, str]:
    database = open_database(folder.database)

    def write(job: Callable[[], Any]) -> Any:
        with database.atomic("IMMEDIATE"):
            return job()

    try:
        return MemberCommands(write).run(argv, stdin)
    except (PeeweeException, apsw.Error) as error:
        raise NotKnown(f"The database failed: {error}.") from error
    finally:
        with contextlib.suppress(PeeweeException, apsw.Error):  # what was committed is; what failed is told already
            database.close()


def add_members(
    folder: DataFolder,
    requests: list[AddRequest],
    command_id: str = "",
    sent: Callable[[], None] = _nothing,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Added]:
    """Add members, all or none; a request without a password gets one made.

    Raises what `member_command` does.
    """
    for request in requests:
        check_request(request)
        if not request.password:
            request.password, request.password_is_made = make_password(), True
    pool = ThreadPoolExecutor(os.cpu_count() or 1)  # Argon2id lets the interpreter's lock go
    rows = []
    try:
        for row in pool.map(_row, requests):
            rows.append(row)
            progress(len(rows))
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for the thousands that are left
    out = member_command(folder, ["add", command_id], msgspec.json.encode(rows), sent)
    added = msgspec.json.decode(out, type=list[Added])
    return [Added(row.id, row.name, request.password) for row, request in zip(added, requests, strict=True)]


def set_password(
    folder: DataFolder, member_id: int, password: str, *, made: bool = False, sent: Callable[[], None] = _nothing
) -> None:
    """Set a login password; `made` by `passwords.make_password`. Raises what `member_command` does."""
    check_password(password)
    stored = (hash_made_password if made else hash_password)(password)
    member_command(folder, ["password", str(member_id)], stored.encode(), sent)


def _row(request: AddRequest) -> AddRow:
    hashed = (hash_made_password if request.password_is_made else hash_password)(request.password)
    return AddRow(request.name, hashed, request.id, request.group or "Members", request.signature)


def payment_command(folder: DataFolder, argv: list[str], stdin: bytes | None = None) -> int:
    """Run a command of the payment subsystem, its output and status as if it were ours. `stdin` None: ours as well.

    A signal goes on to it: only that process knows whether its command was sent, and says so.
    """
    child = subprocess.Popen(_payment_line(folder, argv), stdin=None if stdin is None else subprocess.PIPE)
    try:
        child.communicate(stdin)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
    return _status_of(child.returncode)


def _payment_line(folder: DataFolder, argv: list[str]) -> list[str]:
    return [*payment_program(), "--data", str(folder.payment), "--program", PROGRAM, *argv]


def _status_of(returncode: int) -> int:
    if returncode >= 0:
        return returncode
    sys.stderr.write(
        f"{PROGRAM}: the payment program was killed (signal {-returncode}). Whether it was done is not known yet. "
        "Give the same command again: it is not done twice.\n"
    )
    return UNKNOWN


def audit(folder: DataFolder, action: str, subject: str, why: str, own_id: str) -> None:
    """Enter into the operator's one audit chain, which is the payment subsystem's, what is about to be done here.

    Raises StartError when it cannot be entered; then it must not be done.
    """
    command = ["audit", "record", f"--action={action}", f"--subject={subject}", f"--why={why}", f"--id={own_id}.audit"]
    if payment_command(folder, command, b"") != DONE:
        raise StartError("The audit log could not be written, so nothing was changed.")


def invite(folder: DataFolder, hosts: Sequence[str] = (), port: int = 0) -> Invite:
    """The invite of this server, at `hosts` or at those that it was started with or at this machine's own addresses.

    Raises StartError while the payment key cannot be known.
    """
    folder.prepare()
    facts = folder.facts()
    if not facts.payment_root_hex:
        facts.payment_root_hex = _payment_root(folder)
        folder.save_facts(facts)
    pin = ensure_certificate(folder.tls, facts.name)
    fingerprint = hashlib.sha256(bytes.fromhex(facts.payment_root_hex)).digest()
    first, *others = hosts or facts.hosts or own_addresses() or [LOOPBACK]
    port = port or facts.port or limits.DEFAULT_PORT
    return Invite(first, port, facts.name, pin, fingerprint, tuple(others))


def reach_of(invite: Invite) -> str:
    """What the operator must know about where a link works; "" when there is nothing to say."""
    if invite.host in (LOOPBACK, "::1", "localhost") and not invite.others:
        return (
            f"This link works on this machine only: the server has no other address than {invite.host}. Connect "
            "the machine to the network, let it --listen there, or say its address with --advertise HOST."
        )
    return ""


def _payment_root(folder: DataFolder) -> str:
    """The payment key of a server that never ran: the subsystem makes it and tells it. Raises StartError."""
    asked = subprocess.run(_payment_line(folder, ["receipts", "root"]), capture_output=True, text=True, check=False)
    for line in asked.stdout.splitlines():
        name, _, value = line.partition(": ")
        if name == "root key":
            return value.strip()
    raise StartError(f"The payment key is not known: {asked.stderr.strip() or 'the payment subsystem did not tell it'}")


def parse_listen(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `HOST`, `:PORT`, `IPv6` or `[IPv6]:PORT`; host "" is every address. Raises ValueError."""
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(f"--listen {text}: write [IPv6]:PORT")
        port = port.removeprefix(":")
    elif text.count(":") > 1:
        host, port = text, ""
    else:
        host, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError(f"--listen {text}: a port is a number from 0 to 65535, {port!r} is none")
    return host, int(port) if port else limits.DEFAULT_PORT


def _ask_server(folder: DataFolder, argv: list[str], stdin: bytes, sent: Callable[[], None]) -> tuple[int, str, str]:
    try:
        sock, token = connect_local(folder.admin_socket, ADMIN_SECONDS_MAX)
    except (OSError, ValueError) as error:
        raise StartError(
            f"A server holds {folder.path} but does not answer on its administration socket ({error}). "
            "Try again when it has started, or stop it."
        ) from error
    with sock:
        pages = [
            encode(Type.ADMIN_COMMAND, page, request_id=1)
            for page in command_pages(AdminCommand(argv, stdin, token=token))
        ]
        sent()
        try:
            for page in pages:
                sock.sendall(page)
            result = _read_result(sock)
        except TimeoutError:
            raise NotKnown(f"The server says nothing for {ADMIN_SECONDS_MAX} seconds.") from None
        except (OSError, RemoteProtocolError) as error:
            raise NotKnown(f"The server ended before it answered ({error}).") from None
    return result.status, result.out, result.err


def _read_result(sock: socket.socket) -> AdminResult:
    reader, pages = FrameReader(), ResultReader()
    while data := sock.recv(65_536):
        for frame in reader.receive_data(data):
            if frame.type == Type.REFUSAL:
                refusal = decode_body(frame, Refusal)
                raise (NotKnown if refusal.code == codes.SERVER_ERROR else MemberError)(refusal.message)
            if (result := pages.feed(frame)) is not None:
                return result
    raise ConnectionError("the connection ended")
