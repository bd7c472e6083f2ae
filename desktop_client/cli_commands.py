"""Commands of `billbuddy-cli` that talk to the server. They return what to print; only `cli` prints."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from desktop_client import cli_documents as documents
from desktop_client.app import Client, Member, Options
from desktop_client.cli_device import device_slot
from desktop_client.cli_offline import Failure, Result, write_receipt
from desktop_client.history import ChatMessage, MessageState
from desktop_client.i18n import _, language
from desktop_client.profile import KnownServer, Profile
from desktop_client.signin import Problem, SignInFlow
from desktop_client.wording import invite_problem, looks_like_pin, presence_word, problem
from im_protocol.limits import MEMBER_ID_MIN, TEXT_CHARS_MAX
from im_protocol.packets import Contact, Refusal, SignedIn
from payment.contract.messages import BillsAre, Done, OverviewIs, Prompt, Refused

DONE, REFUSED, USAGE, UNKNOWN = 0, 1, 2, 3
TRUST_VARIABLE = "BILLBUDDY_TRUST_WORDS"
_T = TypeVar("_T")


class Terminal:
    """How a command speaks with the person; `cli.Printer` is the real one."""

    json = False

    def say(self, text: str) -> None: ...
    def emit(self, line: str) -> None: ...
    def ask(self, question: str) -> str:
        raise NotImplementedError

    def secret(self, variable: str, question: str) -> str:
        raise NotImplementedError


class LiveMessages:
    """A message store that keeps nothing beyond the command: the window's history stays its own."""

    def __init__(self) -> None:
        self.last_sequence = 0
        self.messages: dict[tuple[int, bytes], ChatMessage] = {}

    def set_last_sequence(self, sequence: int) -> None:
        self.last_sequence = sequence

    def add_message(self, m: ChatMessage) -> bool:
        return self.messages.setdefault((m.sender_id, m.message_id), m) is m

    def set_message(
        self, message_id: bytes, state: MessageState, sequence: int = 0, at_ms: int = 0, sender_id: int = 0
    ) -> None:
        m = self.messages[sender_id, message_id]
        changed = replace(m, state=state, sequence=sequence or m.sequence, at_ms=at_ms or m.at_ms)
        self.messages[sender_id, message_id] = changed

    def message(self, message_id: bytes, sender_id: int = 0) -> ChatMessage | None:
        return self.messages.get((sender_id, message_id))

    def unsent(self) -> list[ChatMessage]:
        return [m for m in self.messages.values() if m.state == "sending"]

    def unread(self, peer_id: int) -> int:
        return 0

    def set_unread(self, peer_id: int, count: int) -> None:
        """Nothing is counted: it was printed."""

    def id_at(self, sequence: int) -> bytes:
        return b""

    def begin_era(self, server_last: int) -> None:
        self.last_sequence = server_last

    def agrees(self, message: ChatMessage) -> None:
        """Nothing is kept that could be compared."""

    def end_reading_anew(self) -> list[ChatMessage]:
        return []

    def atomic(self) -> AbstractContextManager[object]:
        return nullcontext()


class Runner:
    """Turns the client's callbacks into calls that return: it runs the loop until the answer is there."""

    def __init__(self, client: Client, terminal: Terminal, options: argparse.Namespace) -> None:
        self.client, self.terminal, self.options = client, terminal, options

    @property
    def member(self) -> Member:
        assert self.client.member is not None
        return self.client.member

    def turn(self, seconds: float = 0.05) -> None:
        """One turn of the loop."""
        self.client.inbox.wait(seconds)
        self.client.pump()

    def call(self, start: Callable[[Callable[[Any], None]], None]) -> Any:
        """Calls `start(done)` and returns what `done` is given. Each request has its own time limit below."""
        got: list[Any] = []
        start(got.append)
        while not got:
            self.turn()
        return got[0]

    def answer(self, start: Callable[[Callable[[Any], None]], None], kind: type[_T]) -> _T:
        """As `call`, for one kind of answer; everything else fails the command."""
        answer = self.call(start)
        if isinstance(answer, kind):
            return answer
        raise failure_of(answer)

    def overview(self) -> OverviewIs:
        return self.answer(self.member.payments.refresh_overview, OverviewIs)

    def load_roster(self) -> None:
        """Waits for the roster that is loading since sign-in."""
        end = time.monotonic() + self.client.timings.request_seconds
        while not self.member.roster.loaded:
            if time.monotonic() > end or not self.client.session.signed_in:
                raise Failure(REFUSED, "no_roster", _("The contacts could not be read."))
            self.turn()

    def biller(self, text: str) -> Contact:
        """A biller by number, whole name or the beginning of its name."""
        self.load_roster()
        billers = self.member.roster.billers()
        wanted = text.strip().casefold()
        found = [b for b in billers if str(b.id) == wanted or b.name.casefold() == wanted]
        found = found or [b for b in billers if wanted and b.name.casefold().startswith(wanted)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{b.name} ({b.id})" for b in (found or billers))
        if found:
            raise Failure(USAGE, "ambiguous_biller", _("Which one: {names}?").format(names=names))
        text = _("There is no biller {text}. No money moved. There are: {names}").format(text=text, names=names)
        raise Failure(REFUSED, "no_such_biller", text)


def failure_of(answer: object) -> Failure:
    """An answer that is not what the command wanted."""
    if isinstance(answer, Refusal):
        return Failure(REFUSED, answer.code, problem(answer.code, answer.message))
    if isinstance(answer, Refused):
        return Failure(REFUSED, answer.code, answer.text)
    if isinstance(answer, Prompt):
        text = f"{answer.title} {answer.text}".strip()
        return Failure(REFUSED, "prompt", text, prompt=documents.prompt_document(answer))
    return Failure(REFUSED, "bad_answer", _("The answer is not what was asked for."))


def check_before_connecting(options: argparse.Namespace) -> None:
    """What can be refused without any server. Raises Failure."""
    from desktop_client.cli_pay import check_arguments

    if options.command_key in ("pay", "payment-status"):
        check_arguments(options)
    if options.command_key == "send":
        if not (options.to.isascii() and options.to.isdigit() and int(options.to) >= MEMBER_ID_MIN):
            raise Failure(USAGE, "bad_member_id", _("A member number is digits only, 10001 or higher."))
        if not 0 < len(options.text) <= TEXT_CHARS_MAX:
            raise Failure(USAGE, "bad_text", _("A message has 1 to {n} characters.").format(n=TEXT_CHARS_MAX))
        if looks_like_pin(options.text) and not options.anyway:
            text = _("This looks like a payment password. It was not sent. If it is none, add --anyway.")
            raise Failure(REFUSED, "looks_like_pin", text)


def run_online(options: argparse.Namespace, profile: Profile, terminal: Terminal) -> Result:
    """Signs in, runs the command, signs out."""
    with device_slot(profile.folder) as device:
        client = Client(profile, Options(lang=language(), device=device, watching=False, chat_store=LiveMessages()))
        runner = Runner(client, terminal, options)
        try:
            try:
                _sign_in(runner, profile)
            except Failure as failure:
                _tell_if_open(failure, options, profile)
                raise
            return _COMMANDS[options.command_key](runner)
        finally:
            client.close()


def _tell_if_open(failure: Failure, options: argparse.Namespace, profile: Profile) -> None:
    """A payment that was sent before keeps its open outcome when nobody can be asked: text and status must say so."""
    from desktop_client.cli_pay import is_open

    if failure.status == REFUSED and options.command_key in ("pay", "payment-status") and is_open(options, profile):
        failure.status = UNKNOWN
        failure.text += " " + _("The outcome is not known yet. Ask again later.")
        failure.extra.update(outcome="deciding", payment_id=options.payment_id.lower(), money_moved=None)


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
    return document, f"{member.member_id} {member.name} @ {server.name} ({server.address})", DONE


def contacts(runner: Runner) -> Result:
    runner.load_roster()
    overview = runner.call(runner.member.payments.refresh_overview)
    states = {s.biller_id: s for s in overview.billers} if isinstance(overview, OverviewIs) else {}
    groups, lines = [], []
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
            lines.append(f"  {c.id} {c.name} · {told}".rstrip(" ·"))
        groups.append({"name": group.name, "kind": group.kind, "contacts": rows})
    return {"groups": groups}, "\n".join(lines), DONE


def bills(runner: Runner) -> Result:
    if runner.options.biller:
        biller = runner.biller(runner.options.biller)
        answer = runner.answer(
            lambda done: runner.member.payments.ask_bill(biller.id, runner.options.customer, done), BillsAre
        )
        return documents.bills_document(biller.id, biller.name, answer), documents.bills_text(biller.name, answer), DONE
    runner.load_roster()
    found, lines = [], []
    for biller in runner.member.roster.billers():
        result = runner.call(partial(runner.member.payments.ask_bill, biller.id, None))
        if isinstance(result, BillsAre):
            found.append(documents.bills_document(biller.id, biller.name, result))
            lines.append(documents.bills_text(biller.name, result))
        elif isinstance(result, Prompt):
            row: dict[str, Any] = {"biller_id": biller.id, "biller": biller.name, "bills": []}
            found.append({**row, "prompt": documents.prompt_document(result)})
            lines.append(f"{biller.name}\n  {result.text or result.title}")
        else:
            raise failure_of(result)
    return {"billers": found}, "\n".join(lines), DONE


def balance(runner: Runner) -> Result:
    overview = runner.overview()
    lines = [f"{a.name} {a.number}: {documents.with_sign(a.balance)}" for a in overview.accounts] + overview.notices
    accounts = [documents.account_document(a) for a in overview.accounts]
    return {"accounts": accounts, "notices": overview.notices}, "\n".join(lines), DONE


def receipts(runner: Runner) -> Result:
    found = runner.answer(runner.member.payments.fetch_receipts, list)
    lines = [
        f"{r.receipt_no} {documents.moment(r.paid_at_ms)} {r.biller_name} {documents.with_sign(r.paid)} "
        + (_("Refunded") if r.kind == "refund" else _("Paid"))
        for r in found
    ]
    return {"receipts": [documents.receipt_document(r) for r in found]}, "\n".join(lines), DONE


def receipt_save(runner: Runner) -> Result:
    from pathlib import Path

    runner.answer(runner.member.payments.fetch_receipts, list)
    found = runner.member.history.find_receipt(runner.options.id)
    if found is None:
        raise Failure(REFUSED, "no_such_receipt", _("There is no receipt {id}.").format(id=runner.options.id))
    return write_receipt(Path(runner.options.file), found[0], runner.member.sealer.root)


def send(runner: Runner) -> Result:
    messages = runner.member.messages
    sent = messages.send(int(runner.options.to), runner.options.text)
    store = runner.client.options.chat_store
    assert store is not None
    end = time.monotonic() + runner.client.timings.request_seconds
    while True:
        now = store.message(sent.message_id)
        assert now is not None
        if now.state == "sent":
            document = {"message_id": sent.message_id.hex(), "to": sent.peer_id, "sequence": now.sequence}
            return {**document, "sent_at": documents.moment(now.at_ms)}, _("Sent."), DONE
        if now.state == "failed":
            raise Failure(REFUSED, "not_sent", _("The message was not accepted: is there such a member?"))
        if time.monotonic() > end:
            raise Failure(UNKNOWN, "not_known", _("The server has not answered yet whether it took the message."))
        runner.turn()


def pin_change(runner: Runner) -> Result:
    terminal = runner.terminal
    old = terminal.secret("BILLBUDDY_PIN", _("Old payment password:"))
    new = terminal.secret("BILLBUDDY_NEW_PIN", _("New payment password (six digits):"))
    done = runner.answer(lambda call: runner.member.payments.set_pin(new, old or None, call), Done)
    return {"changed": True, "text": done.text}, done.text, DONE


def _pay(runner: Runner) -> Result:
    from desktop_client.cli_pay import pay

    return pay(runner)


def _status(runner: Runner) -> Result:
    from desktop_client.cli_pay import payment_status

    return payment_status(runner)


def _listen(runner: Runner) -> Result:
    from desktop_client.cli_listen import listen

    return listen(runner)


_COMMANDS: dict[str, Callable[[Runner], Result]] = {
    "whoami": whoami,
    "contacts": contacts,
    "bills": bills,
    "pay": _pay,
    "payment-status": _status,
    "balance": balance,
    "receipts": receipts,
    "receipt save": receipt_save,
    "send": send,
    "listen": _listen,
    "pin change": pin_change,
}
