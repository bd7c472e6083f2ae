"""The operator's commands: parsed and prepared on the asking thread, carried out on the writing thread."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from payment import imports
from payment.arrears import moment_text
from payment.audit import Operator
from payment.billing import BillerInfo
from payment.checking import check
from payment.contract.keys import root_fingerprint
from payment.contract.messages import Amount
from payment.contract.money import with_sign
from payment.core import Core
from payment.credentials import is_pin, is_weak, new_pin
from payment.errors import FolderError, OperatorError
from payment.keystore import OVERLAP_MS
from payment.operations import ICONS, RULES, Changes, Operations

OUT_CHARS_MAX = 60_000  # with its frame it still fits one packet

Option = tuple[str, dict[str, Any]]
Call = Callable[[Callable[[], Any]], Any]
"""call(work): runs `work` on the writing thread and gives its result, or raises what it raised."""


class Usage(Exception):
    """The command line is no command; text for standard error."""


@dataclass
class Outcome:
    """What a command printed, its exit status (0 done, 1 refused, 2 usage), and who must be told."""

    status: int
    out: str
    err: str
    changes: Changes


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(f"{self.prog}: {message}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Usage(message or "")

    def print_help(self, file: Any = None) -> None:
        raise Usage(self.format_help())


def parser() -> argparse.ArgumentParser:
    """The commands, as `--help` shows them."""
    top = _Parser(prog="payment", description="Commands of the payment subsystem's operator.")
    groups = top.add_subparsers(dest="group", required=True, parser_class=_Parser)

    def command(group: Any, name: str, *options: Option) -> None:
        added = group.add_parser(name)
        for option, settings in options:
            added.add_argument(option, **settings)
        added.add_argument("--why", default="", help="the reason, for the audit log")

    member = ("--member", {"type": int, "required": True})
    pin = ("--pin-stdin", {"action": "store_true", "help": "read the payment password from standard input"})
    file = ("file", {"metavar": "FILE.csv"})
    why = ("--why", {"required": True})
    currency = ("--currency", {"default": "CNY"})

    def group(name: str) -> Any:
        return groups.add_parser(name).add_subparsers(dest="command", required=True, parser_class=_Parser)

    account = group("account")
    command(account, "open", member, ("--name", {"required": True}), currency, pin)
    command(account, "top-up", member, ("--amount", {"required": True}), ("--currency", {}))
    command(account, "show", member)
    command(account, "import", file)
    biller = group("biller")
    command(
        biller,
        "add",
        *(("--name", {"required": True}), ("--id", {"type": int, "default": 0}), currency),
        *(("--icon", {"choices": ICONS, "default": "other"}), ("--rule", {"choices": RULES, "default": "exact"})),
        *(("--number-rule", {"default": ""}), ("--number-hint", {"default": ""})),
    )
    command(biller, "list")
    command(biller, "import", file)
    command(group("customer"), "import", file)
    bill = group("bill")
    command(bill, "import", file)
    _why_required(bill, "cancel", ("id", {"type": int}), why)
    _why_required(group("pin"), "reset", member, pin, why)
    limits = group("limits")
    some = ("--member", {"type": int, "default": 0})
    amounts: tuple[Option, ...] = (("--single", {}), ("--daily", {}), ("--per-minute", {"type": int}))
    command(limits, "set", some, *amounts)
    command(limits, "show", some)
    refund = groups.add_parser("refund")
    transfer: Option = ("--transfer", {"type": int, "required": True})
    for option, settings in (transfer, ("--amount", {"required": True}), why):
        refund.add_argument(option, **settings)
    command(group("keys"), "rotate", ("--overlap-hours", {"type": int, "default": OVERLAP_MS // 3_600_000}))
    command(group("ledger"), "check", ("--json", {"action": "store_true"}))
    command(group("receipts"), "root")
    audit = group("audit")
    command(audit, "list", ("--last", {"type": int, "default": 50}))
    command(audit, "record", ("--action", {"required": True}), ("--subject", {"required": True}))
    return top


def _why_required(group: Any, name: str, *options: Option) -> None:
    added = group.add_parser(name)
    for option, settings in options:
        added.add_argument(option, **settings)


class Commands:
    """Carries out command lines for one operator."""

    def __init__(self, core: Core, call: Call) -> None:
        self._core = core
        self._call = call

    def run(self, argv: list[str], user: str, stdin: bytes = b"") -> Outcome:
        """Runs one command. Never raises for what the operator did wrong; a refused command changes nothing."""
        changes = Changes()
        try:
            args = parser().parse_args(argv)
            name = f"_{args.group}_{args.command}" if hasattr(args, "command") else f"_{args.group}"
            args.stdin = stdin
            handler = getattr(self, name.replace("-", "_"))
            status, out = handler(args, Operator(user, getattr(args, "why", "")), changes)
        except Usage as usage:
            is_help = str(usage).startswith("usage")
            return Outcome(0 if is_help else 2, str(usage) if is_help else "", "" if is_help else str(usage), changes)
        except (OperatorError, FolderError, ValueError) as error:
            return Outcome(1, "", f"{error}\n", Changes())
        return Outcome(status, out[:OUT_CHARS_MAX], "", changes)

    def _write(self, operator: Operator, changes: Changes, work: Callable[[Operations], Any]) -> Any:
        """Runs work in one transaction on the writing thread and notes whom it changed."""
        core = self._core

        def transact() -> Any:
            operations = Operations(core, operator)
            core.ledger.begin()
            try:
                with core.store.transaction():
                    result = work(operations)
            except BaseException:
                core.ledger.undo()
                core.billing.reload()
                core.limits.reload()
                raise
            changes.members |= operations.changes.members
            changes.customers |= operations.changes.customers
            changes.billers |= operations.changes.billers
            return result

        return self._call(transact)

    def _pin(self, args: argparse.Namespace) -> str:
        if not args.pin_stdin:
            return new_pin()
        pin = args.stdin.decode("utf-8", "replace").strip()
        if not is_pin(pin) or is_weak(pin):
            raise OperatorError("a payment password is six digits that are not easy to guess; nothing was changed")
        return str(pin)

    # ---- accounts ---------------------------------------------------------------------------------------------

    def _account_open(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        pin = self._pin(args)
        record = self._core.credentials.prepare(pin)
        account = self._write(
            operator, changes, lambda o: o.open_account(args.member, args.name, args.currency, record)
        )
        shown = "" if args.pin_stdin else f"payment password: {pin}\n"
        return 0, f"account: {account.number}\n{shown}"

    def _account_top_up(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        try:
            wallet = self._write(operator, changes, lambda o: o.top_up(args.member, args.amount, args.currency))
        except (OperatorError, ValueError) as error:
            raise OperatorError(f"{str(error).rstrip('.')}; no money moved") from None
        return 0, f"balance: {with_sign(Amount(wallet.balance, wallet.currency))}\n"

    def _account_show(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        accounts = self._call(lambda: self._core.ledger.accounts_of(args.member))
        if not accounts:
            raise OperatorError(f"member {args.member} has no payment account")
        return 0, "".join(f"{a.number} {a.name} {with_sign(Amount(a.balance, a.currency))}\n" for a in accounts)

    def _account_import(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        records = imports.read_csv(Path(args.file), imports.ACCOUNT_COLUMNS)
        pins = [self._core.credentials.prepare(pin) for pin in imports.checked_pins(records)]
        count = self._write(operator, changes, lambda o: imports.load_accounts(o, records, pins))
        return 0, f"accounts opened: {count}\n"

    def _pin_reset(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        pin = self._pin(args)
        record = self._core.credentials.prepare(pin)
        self._write(operator, changes, lambda o: o.reset_pin(args.member, record))
        return 0, "payment password set\n" if args.pin_stdin else f"payment password: {pin}\n"

    # ---- billers and bills --------------------------------------------------------------------------------------

    def _biller_add(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        wanted = BillerInfo(
            args.id, args.name, args.icon, args.rule, args.currency, args.number_rule, args.number_hint, 0
        )
        biller_id = self._write(operator, changes, lambda o: o.put_biller(wanted, may_exist=False))
        return 0, f"biller: {biller_id}\n"

    def _biller_list(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        billers = self._call(lambda: list(self._core.billing.billers.values()))
        return 0, "".join(f"{b.id} {b.name} {b.icon} {b.rule} {b.currency}\n" for b in billers)

    def _biller_import(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        records = imports.read_csv(Path(args.file), imports.BILLER_COLUMNS)
        count = self._write(operator, changes, lambda o: imports.load_billers(o, records))
        return 0, f"billers: {count}\n"

    def _customer_import(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        records = imports.read_csv(Path(args.file), imports.CUSTOMER_COLUMNS)
        count = self._write(operator, changes, lambda o: imports.load_customers(o, records))
        return 0, f"customers: {count}\n"

    def _bill_import(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        records = imports.read_csv(Path(args.file), imports.BILL_COLUMNS)
        new, known = self._write(operator, changes, lambda o: imports.load_bills(o, records))
        return 0, f"bills: {new} new, {known} known already\n"

    def _bill_cancel(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        title = self._write(operator, changes, lambda o: o.cancel_bill(args.id))
        return 0, f"bill {args.id} cancelled: {title}\n"

    # ---- money --------------------------------------------------------------------------------------------------

    def _refund(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        try:
            receipt = self._write(operator, changes, lambda o: o.refund(args.transfer, args.amount))
        except ValueError as error:
            raise OperatorError(f"{str(error).rstrip('.')}; no money moved") from None
        return 0, f"refunded: {with_sign(receipt.paid)}\nreceipt: {receipt.receipt_no}\n"

    def _limits_set(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        if args.single is None and args.daily is None and args.per_minute is None:
            raise Usage("limits set: give at least one of --single, --daily, --per-minute; nothing was changed\n")
        self._write(operator, changes, lambda o: o.set_limits(args.member, args.single, args.daily, args.per_minute))
        return self._limits_show(args, operator, changes)

    def _limits_show(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        def read() -> tuple[Any, str]:
            if not args.member:
                return self._core.limits.of(0), "CNY"
            wallet = Operations(self._core, operator).wallet_of(args.member)
            return self._core.limits.of(wallet.id), wallet.currency

        limits, currency = self._call(read)
        single, daily = with_sign(Amount(limits.single_max, currency)), with_sign(Amount(limits.daily_max, currency))
        return 0, f"largest payment: {single}\na day: {daily}\npayments a minute: {limits.per_minute_max}\n"

    # ---- keys, checks, lists ------------------------------------------------------------------------------------

    def _keys_rotate(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        core = self._core
        if args.overlap_hours < 0:
            raise OperatorError("the overlap cannot be negative; the keys are as they were")

        def rotate(operations: Operations) -> int:
            key_id = core.keystore.rotate(core.clock(), overlap_ms=args.overlap_hours * 3_600_000)
            operations.log("keys rotate", f"key {key_id}", f"overlap {args.overlap_hours} hours")
            return key_id

        return 0, f"new key: {self._write(operator, changes, rotate)}\n"

    def _ledger_check(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        with self._core.store.reader() as connection:
            found = check(connection, self._core.sealer, self._core.keystore.root_public)
        status = 1 if found.wrong else 0
        if args.json:
            return status, json.dumps({"ok": not found.wrong, **asdict(found)}) + "\n"
        if found.wrong:
            return status, f"WRONG: {found.wrong}\n"
        return status, (
            f"ledger good: {found.transfers} transfers, {found.accounts} accounts, {found.bills} bills, "
            f"{found.results} results, {found.audit_entries} audit entries\n"
            f"chain head: {found.head_no} {found.head_hash}\n"
        )

    def _receipts_root(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        root = self._core.keystore.root_public
        return 0, f"root key: {root.hex()}\nfingerprint: {root_fingerprint(root).hex()}\n"

    def _audit_list(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        entries = self._call(lambda: self._core.audit.last(max(1, args.last)))
        return 0, "".join(
            f"{no} {moment_text(at_ms)} {who}: {action} {subject} {detail}{' (' + why + ')' if why else ''}\n"
            for no, at_ms, who, action, subject, detail, why in entries
        )

    def _audit_record(self, args: argparse.Namespace, operator: Operator, changes: Changes) -> tuple[int, str]:
        """An entry for what is done elsewhere: the chat server's commands that set sign-in passwords."""
        self._write(operator, changes, lambda o: o.log(args.action, args.subject))
        return 0, ""
