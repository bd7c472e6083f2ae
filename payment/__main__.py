"""`python -m payment --data DIR serve | COMMAND…`: the payment subsystem and its operator's commands.

Commands go to the running service; when none runs they take the folder's lock and work on the database themselves.
Exit status: 0 done, 1 refused (nothing was changed), 2 usage.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from pathlib import Path

from payment.admin import Commands, parser
from payment.admin_socket import ask, current_user
from payment.core import Core
from payment.errors import FolderError, OutcomeUnknown, PaymentError
from payment.runner import EXIT_OUTCOME_UNKNOWN, Runner

FILE_COMMANDS = ("import",)


def main(argv: list[str] | None = None) -> int:
    """Runs one command line. Gives the exit status."""
    options = argparse.ArgumentParser(prog="payment", description="The payment subsystem of BillBuddy.")
    options.add_argument("--data", type=Path, required=True, metavar="DIR", help="its data folder")
    options.add_argument("--link", default="", metavar="ADDRESS", help="the chat server's socket, or tcp:HOST:PORT")
    options.add_argument("--link-token-file", type=Path, metavar="FILE")
    options.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    options.add_argument("command", nargs=argparse.REMAINDER, help="serve, or an operator's command")
    args = options.parse_args(argv)
    if not args.command:
        options.print_usage(sys.stderr)
        sys.stderr.write(parser().format_usage())
        return 2
    logging.basicConfig(level=args.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        if args.command == ["serve"]:
            return _serve(args)
        return _command(args.data, args.command)
    except OutcomeUnknown as error:
        sys.stderr.write(f"{error}; whether it was done is not known: run ledger check\n")
        return EXIT_OUTCOME_UNKNOWN
    except PaymentError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _no_core_dumps() -> None:
    """A crash writes no memory to the disk: it holds keys and payment passwords."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(args: argparse.Namespace) -> int:
    _no_core_dumps()
    Runner(Core(args.data), args.link, args.link_token_file).run()
    return 0


def _command(data: Path, argv: list[str]) -> int:
    argv = _absolute(argv)
    stdin = sys.stdin.buffer.read(65_000) if "--pin-stdin" in argv else b""
    try:
        core = Core(data)
    except FolderError:
        if not (data / "admin.sock").exists():
            raise
        result = ask(data / "admin.sock", argv, stdin)
        return _print(result.status, result.out, result.err)
    try:
        outcome = Commands(core, lambda work: work()).run(argv, current_user(), stdin)
    except OutcomeUnknown:
        core.abandon()  # closing properly would write once more to a disk that failed
        raise
    except BaseException:
        core.close()
        raise
    core.close()
    return _print(outcome.status, outcome.out, outcome.err)


def _absolute(argv: list[str]) -> list[str]:
    """The service has another working directory than the operator."""
    if len(argv) > 2 and argv[1] in FILE_COMMANDS:
        return [*argv[:2], *(str(Path(a).absolute()) if Path(a).is_file() else a for a in argv[2:])]
    return argv


def _print(status: int, out: str, err: str) -> int:
    sys.stdout.write(out)
    sys.stderr.write(err)
    return status


if __name__ == "__main__":
    sys.exit(main())
