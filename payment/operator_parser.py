"""The operator's commands as a parser: what can be told wrong here never reaches the service."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from host.arguments import command_id, number, words
from host.console import STATUSES_TEXT
from im_protocol.limits import BILLER_ID_MAX, BILLER_ID_MIN, ID_MAX, MEMBER_ID_MIN, NAME_CHARS_MAX, REASON_CHARS_MAX
from payment.contract.money import CURRENCIES
from payment.keystore import OVERLAP_MS
from payment.operations import ICONS, RULES

LAST_MAX = 1_000_000
PER_MINUTE_MAX = 10_000
OVERLAP_HOURS_MAX = 400 * 24  # a sealing key lives no longer itself
RULE_CHARS_MAX = 200
AMOUNT_CHARS_MAX = 40
SUBJECT_CHARS_MAX = 200

Option = tuple[str, dict[str, Any]]


class Usage(Exception):
    """The command line is no command; text for standard error. With `status` 0 it is help, for standard output."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(f"{self.prog}: {message}; nothing was changed\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Usage(message or "", status)

    def print_help(self, file: Any = None) -> None:
        raise Usage(self.format_help(), 0)


ID: Option = ("--id", {"type": command_id, "metavar": "ID", "dest": "command_id"})
COMMAND_ID: Option = ("--command-id", {**ID[1]})
"""Where `--id` is the id of a thing already."""

MEMBER: Option = ("--member", {"type": number("member id", MEMBER_ID_MIN, ID_MAX - 1), "required": True})
SOME: Option = ("--member", {"type": number("member id", MEMBER_ID_MIN, ID_MAX - 1), "default": 0})
PIN: Option = ("--pin-stdin", {"action": "store_true", "help": "read the payment password from standard input"})
NAME: Option = ("--name", {"required": True, "type": words("the name", NAME_CHARS_MAX, 1)})
AMOUNT: Option = ("--amount", {"required": True, "type": words("the amount", AMOUNT_CHARS_MAX)})
CURRENCY: Option = ("--currency", {"default": "CNY", "choices": CURRENCIES, "metavar": "CURRENCY"})
WHY: Option = (
    "--why",
    {"default": "", "type": words("the reason", REASON_CHARS_MAX), "help": "the reason, for the audit log"},
)
WHY_NEEDED: Option = ("--why", {"required": True, "type": words("the reason", REASON_CHARS_MAX, 1)})
FILES: tuple[Option, ...] = (
    ("file", {"metavar": "FILE.csv"}),
    ("--sent", {"action": "store_true", "help": argparse.SUPPRESS}),  # its contents come with the command
)


def parser(program: str = "payment") -> argparse.ArgumentParser:
    """The commands, as `--help` shows them. Parsing raises Usage instead of ending the process."""
    top = _Parser(prog=program, description="Commands of the payment subsystem's operator.", epilog=STATUSES_TEXT)
    groups = top.add_subparsers(dest="group", required=True, parser_class=_Parser)

    def group(name: str) -> Any:
        return groups.add_parser(name, epilog=STATUSES_TEXT).add_subparsers(
            dest="command", required=True, parser_class=_Parser
        )

    _money(groups, group)
    _billers(group)
    _others(group)
    return top


def _write(where: Any, name: str, *options: Option, why: Option = WHY, own_id: Option = ID) -> None:
    """A command that changes something: it has an id, so that to give it twice is to do it once."""
    added = _read(where, name, *options, why)
    settings = {**own_id[1], "help": "the command's own id: the same id again is not done twice"}
    added.add_argument(own_id[0], **settings)
    added.set_defaults(writes=True)


def _read(where: Any, name: str, *options: Option) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = where.add_parser(name, epilog=STATUSES_TEXT)
    for option, settings in options:
        added.add_argument(option, **settings)
    added.set_defaults(writes=False, command_id=None, why="", pin_stdin=False)
    return added


def _money(groups: Any, group: Callable[[str], Any]) -> None:
    account = group("account")
    _write(account, "open", MEMBER, NAME, CURRENCY, PIN)
    _write(account, "top-up", MEMBER, AMOUNT, ("--currency", {"choices": CURRENCIES, "metavar": "CURRENCY"}))
    _read(account, "show", MEMBER)
    _write(account, "import", *FILES)
    transfer: Option = ("--transfer", {"type": number("transfer number", 1, ID_MAX), "required": True})
    _write(groups, "refund", transfer, AMOUNT, why=WHY_NEEDED)
    _write(group("pin"), "reset", MEMBER, PIN, why=WHY_NEEDED)
    limits = group("limits")
    amount = {"type": words("the amount", AMOUNT_CHARS_MAX, 1)}
    per_minute = {"type": number("number of payments a minute", 1, PER_MINUTE_MAX)}
    _write(limits, "set", SOME, ("--single", amount), ("--daily", amount), ("--per-minute", per_minute))
    _read(limits, "show", SOME)


def _billers(group: Callable[[str], Any]) -> None:
    biller = group("biller")
    rule = {"default": "", "type": words("the rule or hint", RULE_CHARS_MAX)}
    _write(
        biller,
        "add",
        *(NAME, ("--id", {"type": number("biller id", BILLER_ID_MIN, BILLER_ID_MAX), "default": 0}), CURRENCY),
        *(("--icon", {"choices": ICONS, "default": "other"}), ("--rule", {"choices": RULES, "default": "exact"})),
        *(("--number-rule", rule), ("--number-hint", rule)),
        own_id=COMMAND_ID,
    )
    _read(biller, "list")
    _write(biller, "import", *FILES)
    _write(group("customer"), "import", *FILES)
    bill = group("bill")
    _write(bill, "import", *FILES)
    number_of_bill = {"type": number("bill number", 1, ID_MAX), "metavar": "BILL"}
    _write(bill, "cancel", ("bill_id", number_of_bill), why=WHY_NEEDED)


def _others(group: Callable[[str], Any]) -> None:
    hours = number("number of hours", 0, OVERLAP_HOURS_MAX)
    _write(group("keys"), "rotate", ("--overlap-hours", {"type": hours, "default": OVERLAP_MS // 3_600_000}))
    _read(group("ledger"), "check", ("--json", {"action": "store_true"}))
    _read(group("receipts"), "root")
    audit = group("audit")
    _read(audit, "list", ("--last", {"type": number("number of entries", 1, LAST_MAX), "default": 50}))
    subject = {"required": True, "type": words("it", SUBJECT_CHARS_MAX, 1)}
    _write(audit, "record", ("--action", subject), ("--subject", subject))
