"""billbuddy-server: serve, and the operator's commands."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from pathlib import Path

import msgspec

from host.console import STATUSES_TEXT, Console, run
from im_protocol.invite import Invite
from im_protocol.words import key_words
from im_server import cli
from im_server.addresses import EVERY_ADDRESS, address_text, checked_host
from im_server.app import VERSION, Server
from im_server.data_folder import DataFolder
from im_server.errors import ServerError
from im_server.logs import no_core_dumps, start_logging
from im_server.member_commands import Added, AddRequest, parse_member_csv

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
    except (ServerError, OSError, ValueError) as error:
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
    serve.add_argument("--name", default="", help="the server's name, shown to members")
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
    invite.add_argument("--port", type=int, default=0)
    invite.set_defaults(run=_invite)

    words = commands.add_parser("words", help="print the six key words")
    words.set_defaults(run=_words)

    _add_member_parsers(commands.add_parser("member", help="add, import and list members; set login passwords"))
    for name, text in PAYMENT_COMMANDS.items():  # parsed by the subsystem; here for --help
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _add_member_parsers(member: argparse.ArgumentParser) -> None:
    commands = member.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add", help="add a member with a payment account; prints the passwords once")
    add.add_argument("--name", required=True)
    add.add_argument("--id", type=int, default=0)
    add.add_argument("--group", default="Members")
    add.add_argument("--password-stdin", action="store_true", help="first line of standard input")
    add.add_argument("--pin-stdin", action="store_true", help="next line of standard input")
    add.add_argument("--no-account", action="store_true", help="without a payment account")
    add.set_defaults(run=_member_add)
    importing = commands.add_parser("import", help="add members from a CSV file: id,name,group,signature,password")
    importing.add_argument("file")
    importing.set_defaults(run=_member_import)
    commands.add_parser("list", help="list the members").set_defaults(run=_member_list)
    password = commands.add_parser("password", help="set a login password; without --password-stdin one is made")
    password.add_argument("id", type=int)
    password.add_argument("--password-stdin", action="store_true")
    password.add_argument("--why", default="", help="the reason, for the audit log")
    password.set_defaults(run=_member_password)


# ---- serve -------------------------------------------------------------------------------------------------------


def _serve(folder: DataFolder, args: argparse.Namespace) -> int:
    host, port = cli.parse_listen(args.listen)
    _raise_file_limit()
    no_core_dumps()
    folder.prepare()
    start_logging(folder.log)
    server = Server(folder, name=args.name, host=host, port=port, payment_argv=() if args.chat_only else None)
    stop = threading.Event()
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: stop.set())
    server.facts.hosts = args.advertise or ([] if server.host in EVERY_ADDRESS else [server.host])
    server.start()
    try:
        _announce(server, args.ready_file, stop)
        while not stop.wait(3_600):
            pass
    finally:
        server.stop()
    return 0


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


def _member_add(folder: DataFolder, args: argparse.Namespace) -> int:
    password = sys.stdin.readline().rstrip("\r\n") if args.password_stdin else ""
    pin = f"{sys.stdin.readline().rstrip()}\n" if args.pin_stdin else ""
    request = AddRequest(args.name, args.id, args.group, "", password)
    member = cli.add_members(folder, [request])[0]
    print(f"member            {member.id}  {member.name}")
    if not args.password_stdin:
        print(f"login password    {member.password}", flush=True)
    if args.no_account:
        return 0
    command = ["account", "open", "--member", str(member.id), "--name", member.name]
    status = cli.payment_command(folder, [*command, "--pin-stdin"] if pin else command, pin.encode())
    if status:
        print(
            f"billbuddy-server: Member {member.id} was added, but without a payment account. To open it: "
            f'account open --member {member.id} --name "{member.name}"',
            file=sys.stderr,
        )
    return status


def _member_import(folder: DataFolder, args: argparse.Namespace) -> int:
    requests = parse_member_csv(cli.read_text(args.file))
    given = [bool(r.password) for r in requests]
    cli.audit(folder, "login passwords import", f"{len(requests)} members", "")
    added = cli.add_members(folder, requests)
    for member, has_password in zip(added, given, strict=True):
        print(f"{member.id}\t{member.name}" + ("" if has_password else f"\t{member.password}"))
    return 0


def _member_list(folder: DataFolder, args: argparse.Namespace) -> int:
    print(cli.member_command(folder, ["list"], b""), end="")
    return 0


def _member_password(folder: DataFolder, args: argparse.Namespace) -> int:
    password = sys.stdin.readline().rstrip("\r\n") if args.password_stdin else ""
    cli.require_member(folder, args.id)
    cli.audit(folder, "login password set", f"member {args.id}", args.why)
    out = cli.member_command(folder, ["password", str(args.id)], password.encode())
    member = msgspec.json.decode(out, type=list[Added])[0]
    print("password set" if args.password_stdin else f"login password  {member.password}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
