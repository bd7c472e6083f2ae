"""The arguments of `billbuddy-cli`."""

from __future__ import annotations

import argparse
from typing import Any

LANGUAGES = ("en", "zh_CN", "zh")
EXIT_STATUSES = (
    "exit status: 0 done; 1 refused, no money moved; 2 wrong usage; 3 not known yet (ask with payment-status); "
    "4 done, but it could not be printed"
)


def make_parser() -> argparse.ArgumentParser:
    secrets = "Secrets are asked for, or taken from BILLBUDDY_PASSWORD and BILLBUDDY_PIN."
    parser = argparse.ArgumentParser(
        prog="billbuddy-cli", description="BillBuddy without a window.", epilog=f"{secrets} {EXIT_STATUSES}"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--invite", metavar="LINK", default="", help="an invite link of the operator")
    where.add_argument("--server", metavar="HOST:PORT", default="", help="the server; not needed when it is remembered")
    parser.add_argument("--as", dest="member", metavar="MEMBER_ID", default="", help="who signs in")
    parser.add_argument("--json", action="store_true", help="print one JSON document (listen: one a line)")
    lang_help = "en or zh_CN; otherwise the system's language"
    parser.add_argument("--lang", default="", choices=LANGUAGES, metavar="LANG", help=lang_help)
    parser.add_argument("--profile", metavar="DIR", default="", help="profile folder; otherwise BILLBUDDY_HOME")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _plain(commands, "whoami", "who is signed in, and where")
    _plain(commands, "contacts", "the roster")
    bills = _plain(commands, "bills", "open bills, of one biller or of all")
    bills.add_argument("biller", nargs="?", metavar="BILLER", help="number or name")
    bills.add_argument("--customer", metavar="NUMBER", default="", help="customer number with this biller")
    pay = _plain(commands, "pay", "pay a biller's oldest open bill")
    pay.add_argument("biller", metavar="BILLER", help="number or name")
    pay.add_argument("--customer", metavar="NUMBER", default="", help="customer number with this biller")
    pay.add_argument("--amount", metavar="12.50", help="otherwise all that is due")
    id_help = "32 hexadecimal characters; the same one again is harmless"
    pay.add_argument("--payment-id", metavar="ID", default=None, help=id_help)
    pay.add_argument("--again", action="store_true", help="also a bill of which a receipt is held here")
    status = _plain(commands, "payment-status", "what became of a payment")
    status.add_argument("payment_id", metavar="PAYMENT_ID")
    _plain(commands, "balance", "payment accounts")
    _plain(commands, "receipts", "all receipts")
    _add_receipt(commands)
    send = _plain(commands, "send", "a chat message")
    send.add_argument("to", metavar="MEMBER_ID")
    send.add_argument("text", metavar="TEXT")
    send.add_argument("--anyway", action="store_true", help="also when it looks like a payment password")
    _plain(commands, "listen", "print what arrives until interrupted")
    pin = commands.add_parser("pin", help="the payment password").add_subparsers(dest="what", required=True)
    _key(pin.add_parser("change", help="BILLBUDDY_PIN is the old one, BILLBUDDY_NEW_PIN the new one"), "pin change")
    return parser


def _add_receipt(commands: Any) -> None:
    what = commands.add_parser("receipt", help="one receipt").add_subparsers(dest="what", required=True)
    save = _key(what.add_parser("save", help="write a receipt to a file"), "receipt save")
    save.add_argument("id", metavar="ID", help="receipt number or payment id")
    save.add_argument("file", metavar="FILE")
    verify = _key(what.add_parser("verify", help="check a receipt file; needs no server"), "receipt verify")
    verify.add_argument("file", metavar="FILE")
    verify.add_argument("--root", metavar="FINGERPRINT", default="", help="payment key; otherwise the pinned ones")


def _plain(commands: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    return _key(commands.add_parser(name, help=help_text, description=help_text), name)


def _key(parser: argparse.ArgumentParser, key: str) -> argparse.ArgumentParser:
    parser.epilog = EXIT_STATUSES
    parser.set_defaults(command_key=key)
    return parser
