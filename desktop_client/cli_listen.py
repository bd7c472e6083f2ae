"""`billbuddy-cli listen`: what arrives, one line each, until it is interrupted."""

from __future__ import annotations

from desktop_client import cli_documents as documents
from desktop_client.cli_base import DONE, REFUSED, Failure, Result
from desktop_client.cli_runner import Runner
from desktop_client.events import (
    ChatChanged,
    ConnectionChanged,
    PaymentNoticed,
    RecordsWentBack,
    RosterChanged,
    SessionEnded,
)
from desktop_client.i18n import _
from desktop_client.wording import presence_word, problem, went_back
from payment.contract.messages import OverviewIs

LOOK_SECONDS = 1.0  # how often it looks whether its reader is still there: a pipe tells that only who asks


class Listener:
    """Turns the client's events into lines."""

    def __init__(self, runner: Runner) -> None:
        store = runner.client.options.chat_store
        assert store is not None
        self._store = store
        self._terminal, self._member = runner.terminal, runner.member
        self._presences = {c.id: c.presence for group in self._member.roster.groups for c in group.contacts}
        self._told: set[str] = set()  # the operator's notices

    def emit(self, kind: str, line: str, /, **facts: object) -> None:
        if self._terminal.json:
            self._terminal.document({"event": kind, **facts})
        else:
            self._terminal.emit(line)

    def on_chat(self, event: ChatChanged) -> None:
        m = self._store.message(event.message_id, event.sender_id)
        if event.arrived and m is not None:
            name, at = self._member.roster.name_of(m.peer_id), documents.moment(m.at_ms)
            facts = {"sender": m.peer_id, "name": name, "text": m.text, "sent_at": at, "sequence": m.sequence}
            self.emit("message", f"{name}: {m.text}", **facts)

    def on_presence(self, event: RosterChanged) -> None:
        contact = self._member.roster.contact(event.member_id)
        if contact is not None and self._presences.get(contact.id) != contact.presence:
            self._presences[contact.id] = contact.presence
            text = f"{contact.name}: {presence_word(contact.presence)}"
            self.emit("presence", text, member_id=contact.id, name=contact.name, presence=contact.presence)

    def on_payment_notice(self, _event: PaymentNoticed) -> None:
        self.emit("payment_notice", _("Bills or balance changed."))
        self.ask_for_notices()

    def ask_for_notices(self) -> None:
        """What the operator did to this member's account, each told once."""

        def on_answer(answer: object) -> None:
            if isinstance(answer, OverviewIs):
                for text in [text for text in answer.notices if text not in self._told]:
                    self._told.add(text)
                    self.emit("notice", text, text=text)

        self._member.payments.refresh_overview(on_answer)


def listen(runner: Runner) -> Result:
    """Prints events until it is interrupted or signed out, or nobody reads them any more."""
    ended: list[SessionEnded] = []
    try:
        _print_events(runner, ended)
    except KeyboardInterrupt:
        ended.clear()
    if ended:
        raise Failure(REFUSED, ended[0].code, problem(ended[0].code, ended[0].message))
    return None, [], DONE


def _print_events(runner: Runner, ended: list[SessionEnded]) -> None:
    early: list[ChatChanged] = []  # came while the roster was loading
    bus = runner.client.bus
    cancel = bus.subscribe(ChatChanged, early.append)
    runner.load_roster()
    cancel()
    listener = Listener(runner)
    cancels = [
        bus.subscribe(ChatChanged, listener.on_chat),
        bus.subscribe(RosterChanged, listener.on_presence),
        bus.subscribe(PaymentNoticed, listener.on_payment_notice),
        bus.subscribe(ConnectionChanged, lambda e: listener.emit("connection", e.state, state=e.state)),
        bus.subscribe(RecordsWentBack, lambda e: listener.emit("notice", went_back(e.what), text=went_back(e.what))),
        bus.subscribe(SessionEnded, ended.append),
    ]
    try:
        runner.member.payments.notice_pushes()
        listener.emit("ready", _("Listening. Ctrl+C ends."), member_id=runner.member.member_id)
        for event in early:
            listener.on_chat(event)
        listener.ask_for_notices()
        while not ended and not runner.terminal.is_gone():
            runner.turn(LOOK_SECONDS)
    finally:
        for cancel in cancels:  # that it signs out now is no event for anybody
            cancel()
