"""billbuddy-server: serve, and the operator's commands."""

from __future__ import annotations

# isort: off
import host.quiet  # noqa: F401  before the imports that take their time
# isort: on

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from host.arguments import number, words
from host.console import STATUSES_TEXT, Console, run
from host.text import one_line
from im_protocol import limits
from im_protocol.invite import Invite
from im_protocol.words import key_words
from im_server import cli, member_cli, memory
from im_server.addresses import EVERY_ADDRESS, address_text, checked_host
from im_server.app import VERSION, Server
from im_server.data_folder import DataFolder
from im_server.errors import MemberError, ServerError, StartError
from im_server.logs import no_core_dumps, start_logging
from im_server.store.damage import ADVICE, all_findings

PAYMENT_COMMANDS = {
    "account": "open, top up and show payment accounts",
    "biller": "add, import and list billers",
    "customer": "import whose customer numbers are whose",
    "bill": "import and cancel bills",
    "pin": "reset a payment password",
    "limits": "set or show payment limits",
    "refund": "give money of a payment back",
    "keys": "rotate the sealing keys",
    "ledger": "check the ledger",
    "audit": "show the operator's entries",
    "receipts": "show the receipts' public key",
}

DIFFERENT_WORDS_MAX = 20  # of a payment service that ends again and again: the log has the rest
SWITCH_SECONDS = 0.001  # a thread with much to do lets the others go on five times as often as Python's own setting


def main(argv: list[str] | None = None) -> int:
    """Runs one command line. Gives the exit status (see host.console)."""
    words = sys.argv[1:] if argv is None else argv
    return run("billbuddy-server", lambda console: _main(console, words), ends_process=argv is None)


def _main(console: Console, argv: list[str]) -> int:
    passed_on = _payment_argv(argv)
    try:
        if passed_on is not None:
            data, command = passed_on
            return cli.payment_command(DataFolder(Path(data)), command)
        args = _parser().parse_args(argv)
        args.console = console
        return int(args.run(DataFolder(Path(args.data)), args))
    except (MemberError, StartError) as error:
        return console.refused(str(error))
    except OSError as error:
        return console.gave_up(f"{error.filename or 'The system says'}: {error.strerror or error}.")
    except (ServerError, ValueError) as error:
        return console.gave_up(str(error))


def _payment_argv(argv: list[str]) -> tuple[str, list[str]] | None:
    """(data folder, the rest) when the command is the payment subsystem's: it parses its own arguments."""
    if len(argv) >= 3 and argv[0] == "--data" and argv[2] in PAYMENT_COMMANDS:
        return argv[1], argv[2:]
    if len(argv) >= 2 and argv[0].startswith("--data=") and argv[1] in PAYMENT_COMMANDS:
        return argv[0].removeprefix("--data="), argv[1:]
    if argv and argv[0] in PAYMENT_COMMANDS and {"-h", "--help"} & set(argv):
        return ".", argv  # help needs no folder, and makes none
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="billbuddy-server",
        description="The BillBuddy server and its operator's commands.",
        epilog=STATUSES_TEXT,
    )
    parser.add_argument("--data", required=True, metavar="DIR", help="the data folder")
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the server and its payment subsystem")
    serve.add_argument(
        "--listen", default="", metavar="HOST:PORT", help="default: port 7470 of every address; port 0: any free one"
    )
    serve.add_argument(
        "--name", default="", type=words("the name", limits.NAME_CHARS_MAX), help="the server's name, shown to members"
    )
    serve.add_argument(
        "--advertise",
        action="append",
        type=_host,
        metavar="HOST",
        help="a host for the invite link instead of this machine's addresses; may be given several times",
    )
    serve.add_argument("--ready-file", metavar="FILE", help="write host:port here when it serves")
    serve.add_argument("--chat-only", action="store_true", help="without the payment subsystem")
    serve.set_defaults(run=_serve)

    invite = commands.add_parser("invite", help="print the invite link")
    invite.add_argument(
        "--host", action="append", type=_host, help="a host name or address for the link; may be given several times"
    )
    invite.add_argument("--port", type=number("port", 0, 65_535), default=0)
    invite.set_defaults(run=_invite)

    commands.add_parser("words", help="print the six key words").set_defaults(run=_words)

    check = commands.add_parser("check", help="check the chat messages for damage (the ledger has a check of its own)")
    check.set_defaults(run=_check)
    members = commands.add_parser("member", help="add, import and list members; set login passwords")
    member_cli.add_parsers(members)
    for name, text in PAYMENT_COMMANDS.items():  # parsed by the subsystem; here for --help
        commands.add_parser(name, help=text, add_help=False)
    return parser


# ---- serve -------------------------------------------------------------------------------------------------------


def _serve(folder: DataFolder, args: argparse.Namespace) -> int:
    host, port = cli.parse_listen(args.listen)
    _raise_file_limit()
    no_core_dumps()
    memory.give_back()
    sys.setswitchinterval(SWITCH_SECONDS)
    folder.prepare()
    start_logging(folder.log)
    server = Server(folder, name=args.name, host=host, port=port, payment_argv=() if args.chat_only else None)
    stop = threading.Event()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:  # nohup
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    server.facts.hosts = args.advertise or ([] if server.host in EVERY_ADDRESS else [server.host])
    disk_failed = threading.Event()

    def give_up() -> None:
        disk_failed.set()
        stop.set()

    server.on_disk_failed = give_up
    if server.supervisor:
        server.supervisor.on_ended = _once_each(
            lambda words: print(
                f"The payment service ended: {one_line(words).rstrip('.')}. "
                "Chat goes on; it is started again, and nobody can pay until it is there.",
                file=sys.stderr,
                flush=True,
            )
        )
    server.start()
    try:
        _announce(server, args.ready_file, stop)
        while not stop.wait(3_600):
            pass
    finally:
        server.stop()
    if disk_failed.is_set():
        raise StartError(
            "The disk failed while messages were being stored, and what it holds is not known. Nobody was told that "
            "those were stored. Look at the disk, then start again: the database is checked then."
        )
    return 0


def _once_each(say: Callable[[str], None]) -> Callable[[str], None]:
    """Says the same words once, however often the same thing happens."""
    said: set[str] = set()

    def once(words: str) -> None:
        if words not in said and len(said) < DIFFERENT_WORDS_MAX:
            said.add(words)
            say(words)

    return once


def _announce(server: Server, ready_file: str | None, stop: threading.Event) -> None:
    """Print where we are; the invite needs the payment key, which the subsystem brings on its first start."""
    print(f"BillBuddy server {server.facts.name!r} on {address_text(server.host, server.port)}", flush=True)
    until = time.monotonic() + (server.settings.payment_link_seconds_max if server.supervisor else 0.0)
    while time.monotonic() < until and not stop.is_set() and not server.payment_known.wait(0.1):
        pass
    if server.payment_known.is_set():
        invite = cli.invite(server.folder, port=server.port)
        print(f"address    {', '.join(address_text(host, invite.port) for host in (invite.host, *invite.others))}")
        print(f"key words  {' '.join(key_words(invite.tls_pin, invite.payment_fingerprint))}")
        print(f"invite     {invite.link()}", flush=True)
        _say_reach(invite)
    elif server.supervisor:
        print("The payment subsystem has not started yet; see log/payment-output.log in the data folder.", flush=True)
    if ready_file:
        target = Path(ready_file)
        temporary = target.with_name(target.name + ".new")
        temporary.write_text(f"{address_text(server.host, server.port)}\n")
        temporary.replace(target)
    print(f"ready {address_text(server.host, server.port)}", flush=True)


def _raise_file_limit() -> None:
    """Every connection is a file descriptor; take as many as the system lets us."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- the operator's commands -------------------------------------------------------------------------------------


def _invite(folder: DataFolder, args: argparse.Namespace) -> int:
    invite = cli.invite(folder, args.host or (), args.port)
    print(invite.link())
    _say_reach(invite)
    return 0


def _say_reach(invite: Invite) -> None:
    if reach := cli.reach_of(invite):
        print(reach, file=sys.stderr, flush=True)


def _host(text: str) -> str:
    """An argument that is a host for an invite link; argparse words what the error says."""
    try:
        return checked_host(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _words(folder: DataFolder, args: argparse.Namespace) -> int:
    invite = cli.invite(folder)
    print(" ".join(key_words(invite.tls_pin, invite.payment_fingerprint)))
    return 0


def _check(folder: DataFolder, args: argparse.Namespace) -> int:
    if not folder.database.exists():
        raise StartError(f"There is no database {folder.database}. Is the data folder right?")
    found = all_findings(folder.database)
    if not found:
        print("The chat messages are whole.")
        return 0
    raise StartError("\n".join([f"The database {folder.database} is damaged:", *found, ADVICE]))


if __name__ == "__main__":
    sys.exit(main())
