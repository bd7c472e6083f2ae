"""The operator's commands: parsed and prepared on the asking thread, carried out on the writing thread."""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from payment import bill_import, imports
from payment.arrears import moment_text
from payment.audit import Operator
from payment.billing import BillerInfo
from payment.checking import check
from payment.contract.keys import root_fingerprint
from payment.contract.messages import Amount
from payment.contract.money import with_sign
from payment.core import Core
from payment.credentials import PinRecord, is_pin, is_weak, new_pin
from payment.errors import FolderError, OperatorError, OutcomeUnknown
from payment.operations import Changes, Operations
from payment.operator_parser import Usage, parser

SCRYPT_THREADS = 2

Call = Callable[[Callable[[], Any]], Any]
"""call(work): runs `work` on the writing thread and gives its result, or raises what it raised."""


@dataclass
class Outcome:
    """What a command printed, its exit status (0 done, 1 refused, 2 usage), and who must be told."""

    status: int
    out: str
    err: str
    changes: Changes


@dataclass
class Asked:
    """One command on its way: who gives it, what it brings, whom it changed, and what is to be said beside it."""

    args: argparse.Namespace
    operator: Operator
    stdin: bytes
    changes: Changes = field(default_factory=Changes)
    notes: str = ""
    contents: bytes = b""

    def fingerprinted(self) -> list[Any]:
        """What tells this command from another: its words and its file, never a payment password or its own id."""
        left_out = ("command_id", "file", "sent", "writes", "pin_stdin")
        words = sorted((name, str(value)) for name, value in vars(self.args).items() if name not in left_out)
        return [words, hashlib.sha256(self.contents).digest()]


class Commands:
    """Carries out command lines for one operator."""

    def __init__(self, core: Core, call: Call) -> None:
        self._core = core
        self._call = call
        self._importing = threading.Lock()  # one file of bills at a time

    def run(self, argv: list[str], user: str, stdin: bytes = b"") -> Outcome:
        """Runs one command. Never raises for what the operator did wrong; a refused command changes nothing."""
        try:
            args = parser().parse_args(argv)
            asked = Asked(args, Operator(user, args.why), stdin)
            name = f"_{args.group}_{args.command}" if hasattr(args, "command") else f"_{args.group}"
            status, out = getattr(self, name.replace("-", "_"))(args, asked)
        except Usage as usage:
            if usage.status:
                return Outcome(usage.status, "", str(usage), Changes())
            return Outcome(0, str(usage), "", Changes())
        except OutcomeUnknown:
            raise
        except (OperatorError, FolderError, ValueError) as error:
            return Outcome(1, "", f"{error}\n", Changes())
        return Outcome(status, out, asked.notes, asked.changes)

    def _write(
        self,
        asked: Asked,
        work: Callable[[Operations], Any],
        show: Callable[[Any], str],
        then: Callable[[Any], None] | None = None,
    ) -> str:
        """Runs work in one transaction on the writing thread and gives `show(result)`, which has no password in it.

        A command that brings an id is done once: the same again gets what was shown then. `then` is what follows the
        commit outside of the database; it must bear being done twice, since a repeated command does it again.
        """
        core, command_id = self._core, asked.args.command_id

        def transact() -> str:
            fingerprint = core.commands.fingerprint(asked.fingerprinted()) if command_id else b""
            before = core.commands.known(command_id, fingerprint) if command_id else None
            if before is not None:
                asked.notes += f"this was done at {moment_text(before.at_ms)} and is not done again (id {command_id})\n"
                return before.out
            operations = Operations(core, asked.operator)
            core.ledger.begin()
            try:
                with core.store.transaction():
                    out = show(work(operations))
                    if command_id:
                        core.commands.add(command_id, fingerprint, asked.operator, out, core.clock())
            except OutcomeUnknown:
                raise  # the disk failed: nothing more is read from it
            except BaseException:
                core.ledger.undo()
                core.billing.reload()
                core.limits.reload()
                raise
            asked.changes = operations.changes
            return out

        def both() -> str:
            out = transact()
            if then is not None:
                then(out)
            return out

        return str(self._call(both))

    def _pin(self, asked: Asked) -> str:
        if not asked.args.pin_stdin:
            return new_pin()
        pin = asked.stdin.decode("utf-8", "replace").strip()
        if not is_pin(pin) or is_weak(pin):
            raise OperatorError("a payment password is six digits that are not easy to guess; nothing was changed")
        return str(pin)

    def _shown_pin(self, asked: Asked, pin: str) -> str:
        """The line with a payment password that was made here; a repeated command does not know it any more."""
        if asked.args.pin_stdin:
            return ""
        if asked.notes:
            asked.notes += "its payment password was printed then; pin reset makes another\n"
            return ""
        return f"payment password: {pin}\n"

    def _records(self, asked: Asked) -> list[imports.Record]:
        """The rows of the command's file, which comes with the command or is read here."""
        path, columns = Path(asked.args.file), imports.COLUMNS[asked.args.group]
        records, note = imports.read_csv(path.name, asked.stdin if asked.args.sent else file_content(path), columns)
        shown = [{k: v for k, v in record.row.values.items() if k != "pin"} for record in records]
        asked.contents = msgspec.msgpack.encode(shown)
        asked.notes += note
        return records

    # ---- accounts ---------------------------------------------------------------------------------------------

    def _account_open(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        pin = self._pin(asked)
        record = self._core.credentials.prepare(pin)
        out = self._write(
            asked,
            lambda o: o.open_account(args.member, args.name, args.currency, record),
            lambda account: f"account: {account.number}\n",
        )
        return 0, out + self._shown_pin(asked, pin)

    def _account_top_up(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        def topped_up(operations: Operations) -> str:
            wallet = operations.top_up(args.member, args.amount, args.currency)
            return f"balance: {with_sign(Amount(wallet.balance, wallet.currency))}\n"

        try:
            return 0, self._write(asked, topped_up, str)
        except OutcomeUnknown:
            raise
        except (OperatorError, ValueError) as error:
            raise OperatorError(_no_money_moved(error)) from None

    def _account_show(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        accounts = self._call(lambda: self._core.ledger.accounts_of(args.member))
        if not accounts:
            raise OperatorError(f"member {args.member} has no payment account")
        return 0, "".join(f"{a.number} {a.name} {with_sign(Amount(a.balance, a.currency))}\n" for a in accounts)

    def _account_import(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        records = self._records(asked)
        pins = self._prepared(imports.checked_pins(records))
        return 0, self._write(
            asked, lambda o: imports.load_accounts(o, records, pins), lambda count: f"accounts opened: {count}\n"
        )

    def _prepared(self, pins: list[str]) -> list[PinRecord]:
        """scrypt lets the interpreter's lock go, so two at a time take half as long."""
        with ThreadPoolExecutor(SCRYPT_THREADS) as pool:
            return list(pool.map(self._core.credentials.prepare, pins))

    def _pin_reset(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        pin = self._pin(asked)
        record = self._core.credentials.prepare(pin)
        out = self._write(asked, lambda o: o.reset_pin(args.member, record), lambda _: "payment password set\n")
        return 0, self._shown_pin(asked, pin) or out

    # ---- billers and bills --------------------------------------------------------------------------------------

    def _biller_add(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        wanted = BillerInfo(
            args.id, args.name, args.icon, args.rule, args.currency, args.number_rule, args.number_hint, 0
        )
        return 0, self._write(
            asked, lambda o: o.put_biller(wanted, may_exist=False), lambda biller_id: f"biller: {biller_id}\n"
        )

    def _biller_list(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        billers = self._call(lambda: list(self._core.billing.billers.values()))
        return 0, "".join(f"{b.id} {b.name} {b.icon} {b.rule} {b.currency}\n" for b in billers)

    def _biller_import(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        records = self._records(asked)
        return 0, self._write(asked, lambda o: imports.load_billers(o, records), lambda count: f"billers: {count}\n")

    def _customer_import(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        records = self._records(asked)
        return 0, self._write(
            asked, lambda o: imports.load_customers(o, records), lambda count: f"customers: {count}\n"
        )

    def _bill_import(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        records = self._records(asked)
        with self._importing:  # the plan counts on the next bill's number
            billers = self._call(lambda: dict(self._core.billing.billers))
            made = bill_import.plan(self._core, bill_import.wanted_bills(billers, records))
            return 0, self._write(
                asked,
                lambda o: bill_import.store_bills(o, made),
                lambda counts: f"bills: {counts[0]} new, {counts[1]} known already\n",
            )

    def _bill_cancel(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        return 0, self._write(
            asked, lambda o: o.cancel_bill(args.bill_id), lambda title: f"bill {args.bill_id} cancelled: {title}\n"
        )

    # ---- money --------------------------------------------------------------------------------------------------

    def _refund(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        try:
            return 0, self._write(
                asked,
                lambda o: o.refund(args.transfer, args.amount),
                lambda receipt: f"refunded: {with_sign(receipt.paid)}\nreceipt: {receipt.receipt_no}\n",
            )
        except OutcomeUnknown:
            raise
        except (OperatorError, ValueError) as error:
            raise OperatorError(_no_money_moved(error)) from None

    def _limits_set(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        if args.single is None and args.daily is None and args.per_minute is None:
            raise Usage("limits set: give at least one of --single, --daily, --per-minute; nothing was changed\n")
        return 0, self._write(
            asked,
            lambda o: o.set_limits(args.member, args.single, args.daily, args.per_minute),
            lambda _: self._limits_text(args.member, asked.operator),
        )

    def _limits_show(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        return 0, str(self._call(lambda: self._limits_text(args.member, asked.operator)))

    def _limits_text(self, member_id: int, operator: Operator) -> str:
        """On the writing thread."""
        wallet = Operations(self._core, operator).wallet_of(member_id) if member_id else None
        limits, currency = self._core.limits.of(wallet.id if wallet else 0), wallet.currency if wallet else "CNY"
        single, daily = with_sign(Amount(limits.single_max, currency)), with_sign(Amount(limits.daily_max, currency))
        return f"largest payment: {single}\na day: {daily}\npayments a minute: {limits.per_minute_max}\n"

    # ---- keys, checks, lists ------------------------------------------------------------------------------------

    def _keys_rotate(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        """The audit entry is committed first: what follows is files, and a rotation without an entry must not be."""
        core = self._core

        def noted(operations: Operations) -> int:
            key_id = core.keystore.next_id
            operations.log("keys rotate", f"key {key_id}", f"overlap {args.overlap_hours} hours")
            return key_id

        def rotate(out: str) -> None:
            key_id = int(out.split()[-1])
            if not core.keystore.has(key_id):
                core.keystore.rotate(core.clock(), overlap_ms=args.overlap_hours * 3_600_000)

        return 0, self._write(asked, noted, lambda key_id: f"new key: {key_id}\n", rotate)

    def _ledger_check(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
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

    def _receipts_root(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        root = self._core.keystore.root_public
        return 0, f"root key: {root.hex()}\nfingerprint: {root_fingerprint(root).hex()}\n"

    def _audit_list(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        entries = self._call(lambda: self._core.audit.last(args.last))
        return 0, "".join(
            f"{no} {moment_text(at_ms)} {who}: {action} {subject} {detail}{' (' + why + ')' if why else ''}\n"
            for no, at_ms, who, action, subject, detail, why in entries
        )

    def _audit_record(self, args: argparse.Namespace, asked: Asked) -> tuple[int, str]:
        """An entry for what is done elsewhere: the chat server's commands that set sign-in passwords."""
        return 0, self._write(asked, lambda o: o.log(args.action, args.subject), lambda _: "")


def file_content(path: Path) -> bytes:
    """A file of a command, to one byte over its limit. Raises OperatorError."""
    try:
        with path.open("rb") as file:
            return file.read(imports.FILE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}; nothing was loaded") from None


def _no_money_moved(error: Exception) -> str:
    text = str(error).rstrip(".")
    return text if "no money moved" in text else f"{text}; no money moved"
