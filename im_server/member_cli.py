"""The `member …` commands in the command's own process: passwords are made or read here, kept until they are printed,
and only what is to be stored of them leaves. See host.kept for why giving a command again is harmless."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from host.arguments import command_id, number, words
from host.console import DONE, STATUSES_TEXT, UNKNOWN, UNPRINTED, Console
from host.kept import Kept, kept
from host.streams import failure_of
from im_protocol import limits
from im_server import cli
from im_server.data_folder import DataFolder
from im_server.errors import MemberError, StartError
from im_server.member_files import AddRequest, check_password, check_request, parse_member_csv, read_file
from im_server.passwords import make_password

PROGRESS_EVERY = 100
_LINE_BYTES_MAX = 4_096


def add_parsers(member: argparse.ArgumentParser) -> None:
    """The commands below `member`."""
    commands = member.add_subparsers(required=True, metavar="COMMAND")
    name, member_id = (
        words("the name", limits.NAME_CHARS_MAX, 1),
        number("member id", limits.MEMBER_ID_MIN, limits.ID_MAX - 1),
    )
    again: dict[str, Any] = {"type": command_id, "metavar": "ID", "help": "the same id again is not done twice"}

    def command(title: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(title, help=about, epilog=STATUSES_TEXT)

    add = command("add", "add a member with a payment account; prints the passwords once")
    add.add_argument("--name", required=True, type=name)
    add.add_argument("--id", type=member_id, default=0)
    add.add_argument("--group", default="Members", type=words("the group", limits.NAME_CHARS_MAX, 1))
    add.add_argument("--password-stdin", action="store_true", help="first line of standard input")
    add.add_argument("--pin-stdin", action="store_true", help="next line of standard input")
    add.add_argument("--no-account", action="store_true", help="without a payment account")
    add.add_argument("--command-id", **again)
    add.set_defaults(run=_add)
    importing = command("import", "add members from a CSV file, all or none: id,name,group,signature,password")
    importing.add_argument("file")
    importing.add_argument("--passwords", metavar="FILE", default="", help="write them to this new file, not to stdout")
    importing.add_argument("--command-id", **again)
    importing.set_defaults(run=_import)
    command("list", "list the members").set_defaults(run=_list)
    password = command("password", "set a login password; without --password-stdin one is made")
    password.add_argument("id", type=member_id)
    password.add_argument("--password-stdin", action="store_true")
    password.add_argument("--why", default="", type=words("the reason", limits.REASON_CHARS_MAX), help="for the audit")
    password.set_defaults(run=_password)


# ---- kept until it is printed ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _kept(folder: DataFolder, contents: object, made: dict[str, str], own_id: str | None) -> Iterator[Kept]:
    """The command with its id and passwords, on the disk before anything is sent and until its outcome is printed."""
    folder.prepare()
    with kept(folder.run / "commands", json.dumps(contents).encode(), lambda: made, own_id or "") as found:
        if found.again:
            sys.stderr.write(
                f"this command was given at {found.when()} and its outcome was not known or not printed: "
                f"it is the same one again (id {found.id}), not a second one\n"
            )
        try:
            yield found
        except (MemberError, StartError):
            if not found.again:  # of an earlier try nothing more is known than before
                found.forget()
            raise


def _printed(console: Console, found: Kept, text: str) -> None:
    """The outcome is known; what was kept goes once it is printed."""
    console.decided(DONE, f"Give the same command again to see it: it is not done twice (id {found.id}).")
    sys.stdout.write(text)
    if not failure_of(sys.stdout):
        found.forget()


def _again(found: Kept) -> str:
    return f"Give the same command again (its id is {found.id}): it is not done twice."


def _line() -> str:
    """A line of standard input, in UTF-8 or else in the terminal's encoding."""
    data = sys.stdin.buffer.readline(_LINE_BYTES_MAX).rstrip(b"\r\n")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(sys.stdin.encoding)
    except UnicodeDecodeError:
        raise MemberError("What was typed is not text in this terminal's encoding (see LANG).") from None


# ---- the commands ------------------------------------------------------------------------------------------------


def _add(folder: DataFolder, args: argparse.Namespace) -> int:
    console: Console = args.console
    given = _line() if args.password_stdin else ""
    pin = f"{_line().strip()}\n" if args.pin_stdin else ""
    if args.password_stdin:
        check_password(given)
    made = {} if given else {"password": make_password()}
    contents = ["add", args.name, args.id, args.group, args.no_account, args.command_id]
    with _kept(folder, contents, made, args.command_id) as found:
        password = given or found.secrets.get("password", "")
        request = AddRequest(args.name, args.id, args.group, "", password, not given)
        check_request(request)
        member = cli.add_members(folder, [request], found.id, partial(console.sent, _again(found)))[0]
        shown = f"member            {member.id}  {member.name}\n"
        sys.stdout.write(shown if given else f"{shown}login password    {password}\n")
        status = DONE if args.no_account else _open_account(folder, member.id, member.name, pin, found.id)
        if status == UNKNOWN:
            return UNKNOWN  # what is kept stays
        _printed(console, found, "")
    return status


def _open_account(folder: DataFolder, member_id: int, name: str, pin: str, own_id: str) -> int:
    command = ["account", "open", f"--member={member_id}", f"--name={name}", f"--id={own_id}"]
    status = cli.payment_command(folder, [*command, "--pin-stdin"] if pin else command, pin.encode())
    if status not in (DONE, UNKNOWN, UNPRINTED):
        sys.stderr.write(
            f"{cli.PROGRAM}: Member {member_id} was added, but without a payment account. To open it: "
            f'account open --member {member_id} --name "{name}"\n'
        )
    return status


def _import(folder: DataFolder, args: argparse.Namespace) -> int:
    console: Console = args.console
    content = sys.stdin.buffer.read() if args.file == "-" else read_file(args.file)
    requests, unused = parse_member_csv(Path(args.file).name, content)
    if unused:
        sys.stderr.write(f"{args.file}: these columns are not used: {', '.join(unused)}\n")
    made = {str(at): make_password() for at, request in enumerate(requests) if not request.password}
    with _passwords_file(args.passwords) as write_out:
        shown = [(r.id, r.name, r.group, r.signature, bool(r.password)) for r in requests]
        with _kept(folder, ["import", shown, args.command_id], made, args.command_id) as found:
            if not found.again:  # of an earlier try the ids may be taken by the very same members
                _refuse_taken(folder, Path(args.file).name, requests)
            for at, request in enumerate(requests):
                if not request.password:
                    request.password, request.password_is_made = found.secrets[str(at)], True
            cli.audit(folder, "login passwords import", f"{len(requests)} members", "", found.id)
            progress = _Progress(len(requests))
            added = cli.add_members(folder, requests, found.id, partial(console.sent, _again(found)), progress)
            lines = [
                f"{member.id}\t{member.name}" + (f"\t{request.password}" if request.password_is_made else "")
                for member, request in zip(added, requests, strict=True)
            ]
            console.decided(DONE, _again(found))
            if args.passwords:
                write_out("".join(f"{line}\n" for line in lines))
                lines = [f"{len(added)} members added; their passwords are in {args.passwords}"]
            _printed(console, found, "".join(f"{line}\n" for line in lines))
    return DONE


def _refuse_taken(folder: DataFolder, file: str, requests: list[AddRequest]) -> None:
    """What will be refused is refused before thousands of passwords are hashed. Raises MemberError."""
    wanted = {request.id: request.line for request in requests if request.id}
    taken = json.loads(cli.member_command(folder, ["taken"], json.dumps(list(wanted)).encode()))
    if taken:
        raise MemberError(
            f"{file} line {wanted[taken[0]]}, column id: member {taken[0]} exists already"
            + (f", and so do {len(taken) - 1} more" if len(taken) > 1 else "")
            + "; nobody was added."
        )


class _Progress:
    """Tells on a terminal how far it is."""

    def __init__(self, total: int) -> None:
        self._total = total

    def __call__(self, done: int) -> None:
        if sys.stderr.isatty() and (done % PROGRESS_EVERY == 0 or done == self._total):
            sys.stderr.write(f"\r{done} of {self._total} passwords" + ("\n" if done == self._total else ""))


@contextlib.contextmanager
def _passwords_file(name: str) -> Iterator[Callable[[str], None]]:
    """A new 0600 file that is open before the first row; taken away again when nobody was added."""
    if not name:
        yield lambda text: None
        return
    try:
        number = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
        if os.fstat(number).st_size:
            os.close(number)
            raise FileExistsError(0, "something is in it already")
    except OSError as error:
        raise MemberError(f"{name} cannot be made ({error.strerror}); nobody was added.") from None
    with os.fdopen(number, "w", encoding="utf-8") as file:

        def write(text: str) -> None:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

        try:
            yield write
        except MemberError:
            Path(name).unlink(missing_ok=True)
            raise


def _list(folder: DataFolder, args: argparse.Namespace) -> int:
    sys.stdout.write(cli.member_command(folder, ["list"]))
    return DONE


def _password(folder: DataFolder, args: argparse.Namespace) -> int:
    console: Console = args.console
    given = _line() if args.password_stdin else ""
    if args.password_stdin:
        check_password(given)
    made = {} if given else {"password": make_password()}
    with _kept(folder, ["password", args.id, bool(given)], made, "") as found:
        cli.member_command(folder, ["exists", str(args.id)])
        cli.audit(folder, "login password set", f"member {args.id}", args.why, found.id)
        password = given or found.secrets["password"]
        sent = partial(console.sent, _again(found))
        cli.set_password(folder, args.id, password, made=not given, sent=sent)
        _printed(console, found, "password set\n" if given else f"login password  {password}\n")
    return DONE
