"""`python -m payment --data DIR serve | COMMAND…`: the payment subsystem and its operator's commands."""

from __future__ import annotations

# isort: off
import host.quiet  # noqa: F401  before the imports that take their time
# isort: on

import argparse
import contextlib
import logging
import sys
from pathlib import Path

from host.console import DONE, REFUSED, STATUSES_TEXT, USAGE, Console, run
from payment.command_line import carry_out
from payment.core import Core
from payment.errors import PaymentError
from payment.operator_parser import parser
from payment.runner import Runner


def main(argv: list[str] | None = None) -> int:
    """Runs one command line. Gives the exit status (see host.console)."""
    words = sys.argv[1:] if argv is None else argv
    return run("payment", lambda console: _main(console, words), ends_process=argv is None)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="payment", description="The payment subsystem of BillBuddy.", epilog=STATUSES_TEXT
    )
    options.add_argument("--data", type=Path, required=True, metavar="DIR", help="its data folder")
    options.add_argument("--link", default="", metavar="ADDRESS", help="the chat server's socket, or tcp:HOST:PORT")
    options.add_argument("--link-token-file", type=Path, metavar="FILE")
    options.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    options.add_argument("--program", default="payment", help=argparse.SUPPRESS)  # who calls us, for messages
    options.add_argument("command", nargs=argparse.REMAINDER, help="serve, or an operator's command")
    return options


def _main(console: Console, argv: list[str]) -> int:
    options = _options()
    args = options.parse_args(argv)
    console.program = args.program
    if not args.command:
        options.print_usage(sys.stderr)
        sys.stderr.write(parser(args.program).format_usage())
        return USAGE
    logging.basicConfig(level=args.log_level.upper(), format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if args.command[0] != "serve":
        return carry_out(console, args.data, args.command, args.program)
    if len(args.command) > 1:
        asks = {"-h", "--help"} & set(args.command)
        options.print_help(sys.stdout if asks else sys.stderr)
        return DONE if asks else USAGE
    try:
        return _serve(args)
    except PaymentError as error:
        console.say(str(error))
        return REFUSED


def _no_core_dumps() -> None:
    """A crash writes no memory to the disk: it holds keys and payment passwords."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(args: argparse.Namespace) -> int:
    _no_core_dumps()
    Runner(Core(args.data), args.link, args.link_token_file).run()
    return DONE


if __name__ == "__main__":
    sys.exit(main())
