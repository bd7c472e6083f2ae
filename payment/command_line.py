"""One operator's command from its words to its outcome, in the command's own process.

It goes to the running service; when none runs, this process takes the folder's lock and does it itself. A command that
changes something is kept with its id until its outcome is printed (see host.kept), so giving it again is harmless.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from host.console import DONE, REFUSED, Console
from host.kept import Kept, kept
from host.streams import failure_of
from im_protocol.packets import AdminCommand, AdminResult
from payment.admin import Commands, file_content
from payment.admin_socket import ask
from payment.core import Core
from payment.credentials import new_pin
from payment.errors import FolderError, FolderInUse, OperatorError, OutcomeUnknown
from payment.operator_parser import Usage, parser
from payment.people import current_user, person, who

STARTING_SECONDS_MAX = 10
"""How long a service that holds the folder, but does not listen yet, is waited for."""

_POLL_MS, _MS_PER_SECOND = 100, 1_000
_PIN_BYTES_MAX = 1_024


@dataclass
class _Command:
    """A parsed command, ready to go."""

    args: argparse.Namespace
    argv: list[str]
    stdin: bytes = b""
    makes_pin: bool = False
    kept: Kept | None = None
    notes: str = field(default="")

    @property
    def id(self) -> str:
        return self.kept.id if self.kept else str(self.args.command_id)

    def add(self, *words: str) -> None:
        """Options behind the command's own words (a "--" may follow those)."""
        at = 2 if hasattr(self.args, "command") else 1
        self.argv[at:at] = words


def carry_out(console: Console, data: Path, argv: list[str], program: str) -> int:
    """Runs one command and prints what came of it. Gives the exit status (see host.console)."""
    try:
        args = parser(program).parse_args(argv)
    except Usage as usage:
        (sys.stderr if usage.status else sys.stdout).write(str(usage))
        return usage.status
    try:
        command = _prepared(args, argv)
    except OperatorError as error:
        console.say(str(error))
        return REFUSED
    try:
        with contextlib.ExitStack() as held:
            if args.writes:
                held.enter_context(_with_id(data, command))
            return _sent(console, data, command)
    except OutcomeUnknown as error:
        return console.gave_up(f"{error}.")
    except FolderError as error:
        return console.gave_up(str(error))


def _prepared(args: argparse.Namespace, argv: list[str]) -> _Command:
    """Reads what the command brings: a payment password, or a file. Raises OperatorError."""
    command = _Command(args, list(argv))
    if args.pin_stdin:
        command.stdin = sys.stdin.buffer.read(_PIN_BYTES_MAX)
    elif (args.group, getattr(args, "command", "")) in {("account", "open"), ("pin", "reset")}:
        command.makes_pin = True
    if hasattr(args, "file"):
        command.stdin = sys.stdin.buffer.read() if args.file == "-" else file_content(Path(args.file))
        name = "standard input" if args.file == "-" else Path(args.file).name
        at = command.argv.index(args.file, 2)
        command.argv[at] = "./" + name.encode(errors="replace").decode()  # a name may begin with a hyphen
        command.add("--sent")
    return command


@contextlib.contextmanager
def _with_id(data: Path, command: _Command) -> Iterator[None]:
    """The command's id, and the payment password that it makes, are on the disk before it is sent."""
    args = command.args
    name = (args.group, getattr(args, "command", ""))
    contents = json.dumps(command.argv).encode() + (b"" if args.pin_stdin else command.stdin)
    made = {"pin": new_pin()} if command.makes_pin else {}
    with contextlib.ExitStack() as held:
        try:
            found = held.enter_context(kept(data / "commands", contents, lambda: made, args.command_id or ""))
        except OSError as error:
            raise FolderError(f"{data} cannot be written: {error.strerror or error}; nothing was changed") from None
        command.kept = found
        if not args.command_id:
            command.add("--command-id" if name == ("biller", "add") else "--id", found.id)
        if command.makes_pin:
            _bring_pin(command, found.secrets.get("pin", ""))
        if found.again:
            command.notes = (
                f"this command was given at {found.when()} and its outcome was not known or not printed: "
                f"it is the same one again (id {found.id}), not a second one\n"
            )
        yield


def _bring_pin(command: _Command, pin: str) -> None:
    command.stdin = pin.encode()
    command.add("--pin-stdin")


def _again(command: _Command) -> str:
    if not command.args.writes:
        return ""
    return f"Give the same command again, or with the id {command.id}: it is not done twice."


def _sent(console: Console, data: Path, command: _Command) -> int:
    sys.stderr.write(command.notes)

    def sent() -> None:
        if command.args.writes:
            console.sent(_again(command))

    try:
        result = _result(data, command, sent)
    except FolderError:
        if command.kept is not None and not command.kept.again:
            command.kept.forget()  # nothing was sent; of an earlier try nothing more is known than before
        raise
    way_back = f"Give the same command again to see it: it is not done twice (id {command.id})."
    console.decided(result.status, way_back if command.args.writes else "")
    sys.stdout.write(result.out)
    if result.status == DONE and command.makes_pin and not _was_done_before(command, result):
        sys.stdout.write(f"payment password: {command.stdin.decode()}\n")
    sys.stderr.write(result.err)
    if command.kept is not None and not (result.status == DONE and failure_of(sys.stdout)):
        command.kept.forget()
    return result.status


def _was_done_before(command: _Command, result: AdminResult) -> bool:
    """Whether the password that was made for it now is not the one that it got then: that was printed already."""
    if "is not done again" not in result.err or (command.kept and command.kept.again):
        return False
    sys.stderr.write("its payment password was printed then; pin reset makes another\n")
    return True


def _result(data: Path, command: _Command, sent: Callable[[], None]) -> AdminResult:
    until = time.monotonic() + STARTING_SECONDS_MAX
    while True:
        try:
            core = Core(data)
        except FolderInUse:
            try:
                wanted = AdminCommand(command.argv, command.stdin, person=person())
                return ask(data / "admin.sock", wanted, sent)
            except FolderError:
                if time.monotonic() > until:
                    raise
            time.sleep(_POLL_MS / _MS_PER_SECOND)
            continue
        return _alone(core, command, sent)


def _alone(core: Core, command: _Command, sent: Callable[[], None]) -> AdminResult:
    """No service runs, and the folder's lock is ours."""
    sent()
    try:
        user = who(current_user(), person())
        outcome = Commands(core, lambda work: work()).run(command.argv, user, command.stdin)
    except (OutcomeUnknown, apsw.Error) as error:
        with contextlib.suppress(apsw.Error):
            core.abandon()  # closing properly would write once more to a disk that failed
        raise OutcomeUnknown(f"the database failed: {error}") from error
    except BaseException:
        with contextlib.suppress(apsw.Error, OutcomeUnknown):
            core.close()
        raise
    try:
        core.close()
    except (OutcomeUnknown, apsw.Error) as error:
        outcome.err += f"the database could not be closed: {error}\n"
    return AdminResult(outcome.status, outcome.out, outcome.err)
