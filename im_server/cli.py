"""The operator's command line: what each command does, without printing (see `__main__`)."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from playhouse.apsw_ext import APSWDatabase

from host.console import UNKNOWN
from host.local_socket import connect_local
from im_protocol import limits
from im_protocol.admin import ResultReader, command_pages
from im_protocol.codec import decode_body, encode
from im_protocol.connection import FrameReader
from im_protocol.invite import Invite
from im_protocol.packets import AdminCommand, AdminResult, Refusal, Type
from im_server.addresses import LOOPBACK, own_addresses
from im_server.data_folder import DataFolder
from im_server.errors import MemberError, StartError
from im_server.member_commands import Added, AddRequest, MemberCommands
from im_server.store.database import open_database
from im_server.supervisor import payment_program
from im_server.tls import ensure_certificate

PROGRAM = "billbuddy-server"
ADMIN_SECONDS_MAX = 600  # importing thousands of members hashes thousands of passwords
_ADD_AT_ONCE = 500  # members in one command: their JSON stays under one body


def member_command(folder: DataFolder, argv: list[str], stdin: bytes) -> str:
    """Run a member command in the running server, or on the database when none runs.

    Raises MemberError with the command's own words, StartError when the folder cannot be used.
    """
    folder.prepare()
    lock = folder.lock()
    if lock is None:
        status, out, err = _ask_server(folder, argv, stdin)
    else:
        with lock:
            database = open_database(folder.database)

            def write(job: Callable[[], Any], database: APSWDatabase = database) -> Any:
                with database.atomic("IMMEDIATE"):
                    return job()

            try:
                status, out, err = MemberCommands(write).run(argv, stdin)
            finally:
                database.close()
    if status:
        raise MemberError(err)
    return out


def add_members(folder: DataFolder, requests: list[AddRequest]) -> list[Added]:
    """Add members, many at a time. Raises MemberError."""
    added: list[Added] = []
    for at in range(0, len(requests), _ADD_AT_ONCE):
        out = member_command(folder, ["add"], msgspec.json.encode(requests[at : at + _ADD_AT_ONCE]))
        added += msgspec.json.decode(out, type=list[Added])
    return added


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


def audit(folder: DataFolder, action: str, subject: str, why: str) -> None:
    """Enter into the operator's one audit chain, which is the payment subsystem's, what is about to be done here.

    Raises MemberError when it cannot be entered; then it must not be done.
    """
    command = ["audit", "record", f"--action={action}", f"--subject={subject}", f"--why={why}"]
    if payment_command(folder, command, b"") != 0:
        raise MemberError("The audit log could not be written, so nothing was changed.")


def require_member(folder: DataFolder, member_id: int) -> None:
    """Raises MemberError when there is no such member."""
    if f"\n{member_id}\t" not in "\n" + member_command(folder, ["list"], b""):
        raise MemberError(f"There is no member {member_id}.")


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
            "This link works on this machine only, which has no network address. Connect it to the network and start "
            "again, or say its address with --advertise HOST."
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


def _ask_server(folder: DataFolder, argv: list[str], stdin: bytes) -> tuple[int, str, str]:
    try:
        sock, token = connect_local(folder.admin_socket, ADMIN_SECONDS_MAX)
    except OSError as error:
        raise StartError(
            f"A server holds {folder.path} but does not answer on its administration socket ({error}). "
            "Try again when it has started, or stop it."
        ) from error
    with sock:
        for page in command_pages(AdminCommand(argv, stdin, token=token)):
            sock.sendall(encode(Type.ADMIN_COMMAND, page, request_id=1))
        result = _read_result(sock)
    return result.status, result.out, result.err


def _read_result(sock: socket.socket) -> AdminResult:
    reader, pages = FrameReader(), ResultReader()
    while data := sock.recv(65_536):
        for frame in reader.receive_data(data):
            if frame.type == Type.REFUSAL:
                raise MemberError(decode_body(frame, Refusal).message)
            if (result := pages.feed(frame)) is not None:
                return result
    raise StartError("The server stopped before it answered.")


def read_text(path: str) -> str:
    """A file's text, or standard input's for "-". Raises MemberError."""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MemberError(f"{path} cannot be read ({error}).") from error
