"""A command that breaks off at any moment says what is true of the money, in words and by its status."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from desktop_client import cli, cli_commands, cli_pay, cli_runner
from desktop_client.app import Client
from desktop_client.history import History
from desktop_client.outbox import Outbox
from desktop_client.profile import Profile
from desktop_client.sealer import Sealer
from desktop_client.session import Session
from desktop_client.store import Store
from im_protocol.packets import Type
from payment.contract.messages import NotPaid, Paid
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.peer import LIN, PASSWORD, WANG, Peer
from tests.desktop_client.subsystem import PIN

pytestmark = pytest.mark.slow

DONE, REFUSED, USAGE, UNKNOWN, UNPRINTED = range(5)
ID = "00112233445566778899aabbccddeeff"
MOMENTS: list[tuple[type, str]] = [
    (Client, "sign_in"),
    (Client, "close"),
    (Session, "request"),
    (Sealer, "_send"),
    (Outbox, "put"),
    (Outbox, "settle"),
    (History, "add_receipt"),
    (Store, "close"),
    (cli_runner.Runner, "turn"),
]
"""Calls at which something breaks off; `turn` is where a command is nearly all of its time."""

COMMANDS = {
    "pay": ("pay", "electricity"),
    "pay with an id": ("pay", "electricity", "--payment-id", ID),
    "payment-status": ("payment-status", ID),
    "bills": ("bills", "electricity"),
    "send": ("send", str(WANG), "hello"),
}


def moments() -> Iterator[int]:
    """Every call with BILLBUDDY_FAULTS_LONG=1; otherwise the first ones, where most differs, and every sixth."""
    is_long = os.environ.get("BILLBUDDY_FAULTS_LONG") == "1"
    return (at for at in itertools.count(1) if is_long or at < 4 or at % 6 == 0)


class Breaker:
    """Raises an error at the nth of the calls, just before or just after it. Counts them otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], at: int, is_after: bool) -> None:
        self.error, self.at, self.is_after, self.count = error, at, is_after, 0
        for owner, name in MOMENTS:
            monkeypatch.setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            is_now = self.count == self.at
            if is_now and not self.is_after:
                raise self.error("broken off here")
            result = call(*arguments, **named)
            if is_now:
                raise self.error("broken off here")
            return result

        return broken


def truth(peer: Peer) -> bool | None:
    """Whether money moved, as the books say; None while an order may still be on its way."""
    if any(isinstance(answer, Paid) for answer in peer.subsystem.outcomes.values()):
        return True
    return False if Type.SEALED_REQUEST not in peer.silent_types else None


def check(status: int, document: Any, said: str, *, paid: bool | None, what: object) -> None:
    """What was said, by status, document and words, against what is true (None: nobody can know)."""
    claims_nothing = "o money moved" in said or "othing was charged" in said or "No money" in str(document)
    if status in (REFUSED, USAGE):
        assert paid is False, what
    if claims_nothing or (document or {}).get("money_moved") is False:
        assert paid is False and status != UNKNOWN, what
    if (document or {}).get("outcome") == "paid":
        assert paid is True and status == DONE, what


@pytest.fixture
def start(tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr(cli_pay, "DECIDING_SECONDS", 0.0)
    monkeypatch.setattr(cli_commands, "Client", partial(Client, timings=replace(QUICK, request_seconds=2)))
    for name, value in (("PASSWORD", PASSWORD), ("PIN", PIN)):
        monkeypatch.setenv(f"BILLBUDDY_{name}", value)

    def call(home: str, *arguments: str) -> tuple[int, Any, str]:
        folder = tmp_path / home
        monkeypatch.setenv("BILLBUDDY_HOME", str(folder))
        profile = Profile(folder)
        if not profile.last_member:
            profile.signed_in(profile.trust(peer.known()), LIN, True)
        capsys.readouterr()
        status = cli.main(["--json", "--lang", "en", *arguments])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else None, said.err

    return call


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", ["pay", "pay with an id"])
def test_payment_broken_off_at_any_call_says_what_the_books_say(
    name: str, error: type[BaseException], is_after: bool, start: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in moments():
        peer.subsystem.outcomes.clear()
        peer.subsystem.due[101] = 8_640
        peer.subsystem.balance = 26_850
        with monkeypatch.context() as patch:
            breaker = Breaker(patch, error, at, is_after)
            status, document, said = start(f"home-{at}", *COMMANDS[name])
        what = (name, error.__name__, "after" if is_after else "before", at, status, document, said)
        assert "Traceback" not in said, what
        check(status, document, said, paid=truth(peer), what=what)
        if status == UNKNOWN:  # and the next question settles it
            assert document["outcome"] == "deciding", what
            if document["payment_id"]:
                asked = start(f"home-{at}", "payment-status", document["payment_id"])
                assert asked[1]["outcome"] == ("paid" if truth(peer) else "not_paid"), (what, asked)
        if breaker.count < at:
            assert status == DONE, what
            return


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_denies_a_payment_while_an_order_is_open(
    name: str, error: type[BaseException], start: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.cut_on_pay = "after"
    assert start("home", "pay", "electricity", "--payment-id", ID)[0] == UNKNOWN
    peer.payment_away = True  # so that nobody can learn what became of it
    for at in moments():
        with monkeypatch.context() as patch:
            breaker = Breaker(patch, error, at, False)
            status, document, said = start("home", *COMMANDS[name])
        what = (name, error.__name__, at, status, document, said)
        check(status, document, said, paid=None if status != REFUSED else False, what=what)
        assert "o money moved" not in said and "othing was charged" not in said, what
        if error is KeyboardInterrupt and breaker.count >= at and name != "send":
            assert status == UNKNOWN, what
        if "pay" in name:
            assert status == UNKNOWN, what
        if breaker.count < at:
            return


def test_payment_that_was_decided_is_told_although_the_end_was_cut(
    start: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted while signing out, with the receipt stored already: it is paid, and says so."""
    with monkeypatch.context() as patch:
        patch.setattr(Client, "close", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        status, document, _said = start("home", "pay", "electricity")
    assert (status, document["outcome"]) == (DONE, "paid")
    peer.subsystem.due[101], peer.subsystem.balance = 8_640, 10
    with monkeypatch.context() as patch:
        patch.setattr(Client, "close", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        status, document, _said = start("home-2", "pay", "electricity")
    assert (status, document["outcome"], document["code"]) == (REFUSED, "not_paid", "not_enough_money")
    assert any(isinstance(answer, NotPaid) for answer in peer.subsystem.outcomes.values())


@pytest.mark.parametrize("name", ["send", "pin"])
def test_what_was_sent_and_acts_is_not_known_when_it_is_cut(
    name: str, start: Any, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLBUDDY_NEW_PIN", "271828")
    kind, arguments = (Type.CHAT_SEND, COMMANDS["send"]) if name == "send" else (0, ("pin", "change"))
    peer.silent_types.add(kind or Type.SEALED_REQUEST)
    turn = cli_runner.Runner.turn
    with monkeypatch.context() as patch:

        def until_sent(runner: cli_runner.Runner, seconds: float = 0.05) -> None:
            turn(runner, seconds)
            if (kind or Type.SEALED_REQUEST) in peer.types_received():
                raise KeyboardInterrupt

        patch.setattr(cli_runner.Runner, "turn", until_sent)
        status, _document, said = start("home", *arguments)
    assert status == UNKNOWN, said
