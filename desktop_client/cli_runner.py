"""Runs the client without a window: turns its callbacks into calls that return."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from desktop_client import cli_documents as documents
from desktop_client.app import Client, Member
from desktop_client.cli_base import REFUSED, USAGE, Failure, Terminal
from desktop_client.cli_stake import Stake
from desktop_client.history import ChatMessage, MessageState
from desktop_client.i18n import _
from desktop_client.wording import cause, problem
from im_protocol.packets import Contact, Refusal
from payment.contract.messages import OverviewIs, Prompt, Refused

_T = TypeVar("_T")


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

    def __init__(self, client: Client, terminal: Terminal, options: argparse.Namespace, stake: Stake) -> None:
        self.client, self.terminal, self.options, self.stake = client, terminal, options, stake

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
        text = _("There is no biller {text}. There are: {names}.").format(text=text, names=names)
        raise Failure(REFUSED, "no_such_biller", text)


def failure_of(answer: object) -> Failure:
    """An answer that is not what the command wanted."""
    if isinstance(answer, Refusal):
        failure = Failure(REFUSED, answer.code, problem(answer.code, answer.message))
        failure.cause = cause(answer.code, answer.message)
        if answer.retry_after_ms > 0:
            failure.extra["retry_after_ms"] = answer.retry_after_ms
        return failure
    if isinstance(answer, Refused):
        failure = Failure(REFUSED, answer.code, answer.text)
        failure.cause = cause(answer.code, answer.text)
        return failure
    if isinstance(answer, Prompt):
        text = f"{answer.title} {answer.text}".strip()
        return Failure(REFUSED, "prompt", text, prompt=documents.prompt_document(answer))
    return Failure(REFUSED, "bad_answer", _("The answer is not what was asked for."))
