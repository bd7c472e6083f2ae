"""The client without a window, for scripts and screen readers: `billbuddy-cli`.

Exit status: 0 done; 1 refused, no money moved; 2 usage; 3 the outcome is not known yet; 4 done, but not printed.
Next to nothing is imported up here, and signals are held back until somebody is there who says what they interrupt.
"""

from __future__ import annotations

import signal
import sys

TYPE_CHECKING = False  # as `typing` has it, which takes a while to import
if TYPE_CHECKING:
    from collections.abc import Sequence

    from desktop_client.cli_base import Failure, Result
    from desktop_client.profile import Profile
    from host.console import Console

PROGRAM = "billbuddy-cli"
LAST_WORDS_SECONDS_MAX = 10  # looking up what is true may wait for a database (5 s), the rest is printing


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    _hold_signals(True)
    try:
        from host.console import run

        return run(PROGRAM, lambda console: _Run(console, argv).status(), ends_process=argv is None)
    finally:
        _hold_signals(False)


def _hold_signals(is_held: bool) -> None:
    """What comes meanwhile is delivered afterwards."""
    if hasattr(signal, "pthread_sigmask"):
        how = signal.SIG_BLOCK if is_held else signal.SIG_UNBLOCK
        signal.pthread_sigmask(how, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def _limit_what_is_left() -> None:
    """After a signal no other one is heard, so printing to a pipe that nobody reads must end by itself."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError(0, "nobody takes it")

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(LAST_WORDS_SECONDS_MAX)


class _Run:
    """One command from its arguments to its last word."""

    def __init__(self, console: Console, argv: Sequence[str] | None) -> None:
        from desktop_client.cli_parser import make_parser
        from desktop_client.cli_stake import MONEY_COMMANDS, Stake

        self._console = console
        self._is_process = argv is None
        self._options = make_parser().parse_args(argv)
        self._stake = Stake.of(self._options)
        if self._options.command_key in MONEY_COMMANDS:
            console.sent()  # the last net: should all below fail, nobody is told that no money moved

    def status(self) -> int:
        result = self._told()
        return self._print(result)

    def _told(self) -> Result | Failure:
        """The result, or what is true of money when there is none. A signal comes once: its way out is not cut."""
        try:
            try:
                _hold_signals(False)
                return self._decided(self._result())
            except Exception as error:  # noqa: BLE001 every way out says what is true of money
                return self._decided(self._way_out(error))
        except KeyboardInterrupt as stopped:
            if self._is_process:
                _limit_what_is_left()
            return self._decided(self._way_out(stopped))

    def _result(self) -> Result:
        import logging

        from desktop_client import cli_commands, cli_offline
        from desktop_client.cli_printer import Printer
        from desktop_client.dumps import no_core_dumps

        options = self._options
        no_core_dumps()
        logging.getLogger().addHandler(logging.NullHandler())  # what is printed is said by commands, not by modules
        self._speak()
        profile = self._profile()
        cli_commands.check_before_connecting(options)
        offline = cli_offline.COMMANDS.get(options.command_key)
        found = offline(options, profile) if offline is not None else None
        return found or cli_commands.run_online(options, profile, Printer(options.json), self._stake)

    def _way_out(self, error: BaseException) -> Result | Failure:
        from desktop_client.cli_base import Failure
        from desktop_client.cli_stake import way_out

        self._speak()
        try:
            return way_out(error, self._options, self._profile(), self._stake)
        except Failure as failure:
            return failure

    def _speak(self) -> None:
        """The person's language, also for what the console says."""
        from desktop_client.i18n import _, set_language, system_language

        set_language(self._options.lang or system_language())
        words = self._console.words
        words.stopped, words.unknown = _("Given up."), _("The outcome is not known yet.")
        words.unprinted = _("It was done, but it could not be printed ({reason}).")

    def _profile(self) -> Profile:
        from pathlib import Path

        from desktop_client.cli_base import USAGE, Failure
        from desktop_client.profile import Profile, ProfileError

        try:
            return Profile(Path(self._options.profile) if self._options.profile else None)
        except ProfileError as error:
            raise Failure(USAGE, "no_profile", str(error)) from error

    def _decided(self, result: Result | Failure) -> Result | Failure:
        status = result[2] if isinstance(result, tuple) else result.status
        self._console.decided(status, self._stake.way_back(status))
        return result

    def _print(self, result: Result | Failure) -> int:
        from desktop_client.cli_printer import Printer

        printer = Printer(self._options.json)
        if isinstance(result, tuple):
            document, lines, status = result
            if not printer.json:
                for line in lines:
                    printer.emit(line)
            elif document is not None:
                printer.document(document, indent=1)
            return status
        if printer.json:
            printer.document(result.document())
        printer.say(f"{PROGRAM}: {result.text}")
        return result.status


if __name__ == "__main__":
    sys.exit(main())
