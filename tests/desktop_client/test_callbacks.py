"""One callback's mistake cuts nobody else off, and nothing is kept alive by what it once subscribed to."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from desktop_client.app import Client, _MemberBus
from desktop_client.config import Timings
from desktop_client.events import EventBus, OrderChanged, RosterChanged
from desktop_client.inbox import Inbox
from desktop_client.payments import Payments
from desktop_client.session import Session
from desktop_client.transport import Down, Up
from im_protocol import codes
from im_protocol.packets import Type, Welcome
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import Peer
from tests.desktop_client.test_payments import order_of, pay
from tests.desktop_client.test_transport import sign_in, turn


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(clock: Clock) -> Session:
    """Connected to nothing: what is sent goes nowhere."""
    transport = SimpleNamespace(send=lambda generation, data: True, leave=lambda: None, open=lambda target: 1)
    made = Session(transport, Inbox(), EventBus(), Timings(request_seconds=5), clock)  # type: ignore[arg-type]
    made._epoch = 1
    made.up = Up(1, 1, b"", Welcome("", "", bytes(32), 30))
    return made


def fails(name: str, heard: list[str]) -> Callable[..., None]:
    def call(*_arguments: object) -> None:
        heard.append(name)
        if name == "first":
            raise RuntimeError(name)

    return call


@pytest.mark.parametrize("end", ["time is over", "cut", "left", "timers", "event"])
def test_every_callback_is_called_whatever_the_first_one_does(session: Session, clock: Clock, end: str) -> None:
    heard: list[str] = []
    names = ["first", "second", "third"]
    for name in names:
        if end == "timers":
            session.call_after(1, fails(name, heard))
        elif end == "event":
            session.bus.subscribe(RosterChanged, fails(name, heard))
        else:
            session.request(Type.PING, None, fails(name, heard))
    clock.now = 10
    if end == "cut":
        session._inbox.put(Down(1, codes.SERVER_ERROR, "", 1.0, b""))
    elif end == "left":
        session.sign_out()
    elif end == "event":
        session.bus.publish(RosterChanged())
    if end == "event":
        session.pump()
    else:
        with pytest.raises(RuntimeError, match="first"):
            session.pump()
    assert sorted(heard) == sorted(names)
    session.pump()
    assert len(heard) == 3, "nothing is called twice"


def test_work_that_is_due_and_calls_for_more_does_not_hold_the_turn(session: Session) -> None:
    calls: list[int] = []

    def again() -> None:
        calls.append(1)
        session.call_after(0, again)

    session.call_after(0, again)
    session.pump()
    assert len(calls) == 1


@pytest.mark.parametrize("broken", ["get", "settle", "deciding"])
def test_order_still_deciding_is_asked_after_again_whatever_fails_meanwhile(
    client: Client, peer: Peer, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    sign_in(client, peer)
    assert client.member is not None
    payments: Payments = client.member.payments
    wait_until(lambda: payments.overview, lambda: turn(client))
    heard: list[OrderChanged] = []
    client.bus.subscribe(OrderChanged, heard.append)
    peer.cut_on_pay = "after"
    order = order_of(payments)
    assert pay(client, payments, order).state == "deciding"
    working = getattr(payments.outbox, broken)
    failures: list[str] = []

    def fail(*arguments: object) -> object:
        if len(failures) < 2:
            failures.append(broken)
            raise OSError("the disk is full")
        return working(*arguments)

    monkeypatch.setattr(payments.outbox, broken, fail)

    def go_on() -> None:
        try:
            turn(client)
        except OSError:
            payments.history.receipts()  # the loop of a window goes on after an error

    wait_until(lambda: heard, go_on)
    assert heard[0].outcome.state == "paid"


def test_closed_presenters_are_let_go() -> None:
    class Presenter:
        def __init__(self, bus: EventBus) -> None:
            self.cancel = bus.subscribe(RosterChanged, self.on_roster)

        def on_roster(self, event: RosterChanged) -> None:
            """Nothing to show."""

    outer = EventBus()
    bus = _MemberBus(outer)
    alive = []
    for _ in range(100):
        presenter = Presenter(bus)
        alive.append(weakref.ref(presenter))
        presenter.cancel()
        del presenter
    kept = Presenter(bus)
    gc.collect()
    assert not [ref for ref in alive if ref() is not None]
    bus.cancel_all()
    assert kept.cancel is not None and not outer._handlers.get(RosterChanged)
