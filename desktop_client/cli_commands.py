"""Commands of `billbuddy-cli` that talk to the server. They return what to print; only `cli` prints."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from desktop_client import cli_documents as documents
from desktop_client.app import Client, Options
from desktop_client.cli_base import DONE, REFUSED, UNKNOWN, USAGE, Failure, Result, Terminal
from desktop_client.cli_device import device_slot
from desktop_client.cli_listen import listen
from desktop_client.cli_offline import write_receipt
from desktop_client.cli_pay import check_arguments, pay, payment_status
from desktop_client.cli_runner import LiveMessages, Runner, failure_of
from desktop_client.cli_stake import Stake
from desktop_client.config import parse_member_id
from desktop_client.events import Noticed, TryingAgain
from desktop_client.i18n import _, language
from desktop_client.outcomes import NOTHING_SENT
from desktop_client.profile import KnownServer, Profile
from desktop_client.signin import Problem, SignInFlow
from desktop_client.wording import (
    cause,
    invite_problem,
    looks_like_pin,
    member_id_problem,
    pin_change_unknown,
    presence_word,
    receipt_held,
    trying_again,
)
from host.text import one_line
from im_protocol.limits import TEXT_CHARS_MAX
from im_protocol.packets import Presence, Refusal, SignedIn
from payment.contract.messages import BillsAre, Done, OverviewIs, Prompt

CUSTOMER_CHARS_MAX = 32  # what the payment service takes (SEALING.md)
TRUST_VARIABLE = "BILLBUDDY_TRUST_WORDS"


def check_before_connecting(options: argparse.Namespace) -> None:
    """What can be refused without any server. Raises Failure."""
    for text in vars(options).values():
        if isinstance(text, str) and not is_text(text):
            told = _("This argument is no text in this system's encoding: {text}").format(text=one_line(text))
            raise Failure(USAGE, "bad_argument", told)
    if len(getattr(options, "customer", "")) > CUSTOMER_CHARS_MAX:
        told = _("A customer number has 1 to {n} characters.").format(n=CUSTOMER_CHARS_MAX)
        raise Failure(USAGE, "bad_customer_number", told)
    if options.command_key in ("pay", "payment-status"):
        check_arguments(options)
    if options.command_key == "send":
        _check_message(options)


def is_text(argument: str) -> bool:
    """Whether an argument could be read: bytes that are none of the system's encoding come as lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_message(options: argparse.Namespace) -> None:
    try:
        parse_member_id(options.to)
    except ValueError as error:
        raise Failure(USAGE, "bad_member_id", member_id_problem()) from error
    if not 0 < len(options.text) <= TEXT_CHARS_MAX:
        raise Failure(USAGE, "bad_text", _("A message has 1 to {n} characters.").format(n=TEXT_CHARS_MAX))
    if looks_like_pin(options.text) and not options.anyway:
        text = _("This looks like a payment password. It was not sent. If it is none, add --anyway.")
        raise Failure(REFUSED, "looks_like_pin", text)


def run_online(options: argparse.Namespace, profile: Profile, terminal: Terminal, stake: Stake) -> Result:
    """Signs in, runs the command, signs out."""
    with device_slot(profile.folder) as device:
        client = Client(profile, _options(options, device))
        client.bus.subscribe(Noticed, lambda event: terminal.say(event.text))
        client.bus.subscribe(TryingAgain, lambda event: terminal.say(trying_again(event.code, event.seconds)))
        runner = Runner(client, terminal, options, stake)
        try:
            _sign_in(runner, profile)
            return _COMMANDS[options.command_key](runner)
        finally:
            client.close()


def _options(options: argparse.Namespace, device: str) -> Options:
    """Only who listens is there for others; a command that asks something is not presence."""
    presence: Presence | None = None if options.command_key == "listen" else "offline"
    return Options(lang=language(), device=device, watching=False, chat_store=LiveMessages(), presence=presence)


def _sign_in(runner: Runner, profile: Profile) -> None:
    options, terminal = runner.options, runner.terminal
    member = options.member or profile.last_member
    if not member:
        raise Failure(USAGE, "no_member", _("Say who you are: --as MEMBER_ID"))
    flow = SignInFlow(runner.client, lambda server, words, answer: answer(_trust(terminal, server, words)))
    if options.invite and not options.invite.strip().lower().startswith("billbuddy:"):
        raise Failure(USAGE, "bad_invite", invite_problem())
    server = flow.server_of(options.invite or options.server)
    if isinstance(server, Problem):
        raise Failure(USAGE, server.code, server.text)
    password = terminal.secret("BILLBUDDY_PASSWORD", _("Password of {member}:").format(member=member))
    result = runner.call(lambda done: flow.start(member, password, options.invite or options.server, True, done))
    if isinstance(result, SignedIn):
        return
    assert isinstance(result, Problem)
    extra: dict[str, object] = {}
    if result.old_words:
        extra = {"trusted_words": list(result.old_words), "shown_words": list(result.new_words)}
    usage = result.code in ("bad_member_id", "bad_password", "bad_address", "bad_invite", "no_server")
    raise Failure(USAGE if usage else REFUSED, result.code, result.text, **extra)


def _trust(terminal: Terminal, server: KnownServer, words: tuple[str, ...]) -> bool:
    expected = os.environ.get(TRUST_VARIABLE)
    if expected is not None:
        return tuple(expected.lower().split()) == words
    terminal.say(_("First connection to {name} ({address}).").format(name=server.name, address=server.address))
    terminal.say(_("Compare these words with the notice of your operator:"))
    terminal.say("  " + " ".join(words))
    return terminal.ask(_("Type yes if they match:")).lower() in ("yes", "是")


def whoami(runner: Runner) -> Result:
    member = runner.member
    server = member.server
    document = {
        "member_id": member.member_id,
        "name": member.name,
        "server": {"name": server.name, "address": str(server.address)},
    }
    return document, [f"{member.member_id} {member.name} @ {server.name} ({server.address})"], DONE


def contacts(runner: Runner) -> Result:
    runner.load_roster()
    overview = runner.call(runner.member.payments.refresh_overview)
    states = {s.biller_id: s for s in overview.billers} if isinstance(overview, OverviewIs) else {}
    groups: list[dict[str, Any]] = []
    lines: list[str] = []
    for group in runner.member.roster.groups:
        title = _("Bill-pay") if group.kind == "billpay" else group.name
        lines.append(f"{title} ({len(group.contacts)})")
        rows = []
        for c in group.contacts:
            row: dict[str, Any] = {"id": c.id, "kind": c.kind, "name": c.name, "presence": c.presence}
            row["signature"] = c.signature
            if c.kind == "biller":
                row.update(documents.state_document(states.get(c.id)))
            rows.append(row)
            told = documents.state_text(states.get(c.id)) if c.kind == "biller" else presence_word(c.presence)
            if c.kind == "biller" and c.presence == "offline":
                told = _("The payment service is away.")
            lines.append(f"  {c.id} {c.name} · {told}".rstrip(" ·"))
        groups.append({"name": group.name, "kind": group.kind, "contacts": rows})
    return {"groups": groups}, lines, DONE


def bills(runner: Runner) -> Result:
    if runner.options.biller:
        biller = runner.biller(runner.options.biller)
        answer = runner.answer(
            lambda done: runner.member.payments.ask_bill(biller.id, runner.options.customer, done), BillsAre
        )
        text = documents.bills_text(biller.name, answer) + _held_receipts(runner, answer)
        return documents.bills_document(biller.id, biller.name, answer), text, DONE
    runner.load_roster()
    found: list[dict[str, Any]] = []
    lines: list[str] = []
    for biller in runner.member.roster.billers():
        result = runner.call(partial(runner.member.payments.ask_bill, biller.id, None))
        if isinstance(result, BillsAre):
            found.append(documents.bills_document(biller.id, biller.name, result))
            lines += documents.bills_text(biller.name, result) + _held_receipts(runner, result)
        elif isinstance(result, Prompt):
            row: dict[str, Any] = {"biller_id": biller.id, "biller": biller.name, "bills": []}
            found.append({**row, "prompt": documents.prompt_document(result)})
            lines += [biller.name, f"  {result.text or result.title}"]
        else:
            raise failure_of(result)
    return {"billers": found}, lines, DONE


def _held_receipts(runner: Runner, answer: BillsAre) -> list[str]:
    """A warning for each bill that looks open, though its receipt is held here."""
    held = [runner.member.history.receipt_held_for(bill) for bill in answer.bills]
    return [f"  {receipt_held(receipt)}" for receipt in held if receipt is not None]


def balance(runner: Runner) -> Result:
    overview = runner.overview()
    lines = [f"{a.name} {a.number}: {documents.with_sign(a.balance)}" for a in overview.accounts] + overview.notices
    accounts = [documents.account_document(a) for a in overview.accounts]
    return {"accounts": accounts, "notices": overview.notices}, lines, DONE


def receipts(runner: Runner) -> Result:
    found = runner.answer(runner.member.payments.fetch_receipts, list)
    lines = [
        f"{r.receipt_no} {documents.moment(r.paid_at_ms)} {r.biller_name} {documents.with_sign(r.paid)} "
        + (_("Refunded") if r.kind == "refund" else _("Paid"))
        for r in found
    ]
    return {"receipts": [documents.receipt_document(r) for r in found]}, lines, DONE


def receipt_save(runner: Runner) -> Result:
    runner.answer(runner.member.payments.fetch_receipts, list)
    found = runner.member.history.find_receipt(runner.options.id)
    if found is None:
        raise Failure(REFUSED, "no_such_receipt", _("There is no receipt {id}.").format(id=runner.options.id))
    return write_receipt(Path(runner.options.file), found[0], runner.member.sealer.root)


def send(runner: Runner) -> Result:
    messages = runner.member.messages
    not_known = _("The server has not answered yet whether it took the message.")
    runner.stake.unknown_text = not_known
    sent = messages.send(int(runner.options.to), runner.options.text)
    store = runner.client.options.chat_store
    assert store is not None
    end = time.monotonic() + runner.client.timings.request_seconds
    while True:
        now = store.message(sent.message_id)
        assert now is not None
        if now.state == "sent":
            document = {"message_id": sent.message_id.hex(), "to": sent.peer_id, "sequence": now.sequence}
            return {**document, "sent_at": documents.moment(now.at_ms)}, [_("Sent.")], DONE
        if now.state == "failed":
            raise Failure(REFUSED, "not_sent", _("The message was not accepted: is there such a member?"))
        if time.monotonic() > end:
            raise Failure(UNKNOWN, "not_known", not_known)
        runner.turn()


def pin_change(runner: Runner) -> Result:
    terminal = runner.terminal
    old = terminal.secret("BILLBUDDY_PIN", _("Old payment password:"))
    new = terminal.secret("BILLBUDDY_NEW_PIN", _("New payment password (six digits):"))
    not_known = pin_change_unknown()
    runner.stake.unknown_text = not_known
    done = runner.call(lambda call: runner.member.payments.set_pin(new, old or None, call))
    if isinstance(done, Refusal) and done.code not in NOTHING_SENT:
        raise Failure(UNKNOWN, done.code, cause(done.code, done.message) + " " + not_known)
    if not isinstance(done, Done):
        raise failure_of(done)
    return {"changed": True, "text": done.text}, [done.text], DONE


_COMMANDS: dict[str, Callable[[Runner], Result]] = {
    "whoami": whoami,
    "contacts": contacts,
    "bills": bills,
    "pay": pay,
    "payment-status": payment_status,
    "balance": balance,
    "receipts": receipts,
    "receipt save": receipt_save,
    "send": send,
    "listen": listen,
    "pin change": pin_change,
}
