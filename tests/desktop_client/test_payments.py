"""Paying: three outcomes only, and every cut is resolved by asking again."""

from __future__ import annotations

import time

import pytest

from desktop_client.app import Client, Options
from desktop_client.events import OrderChanged, TryingAgain
from desktop_client.outbox import Order
from desktop_client.outcomes import NEVER_ARRIVED, Outcome
from desktop_client.payments import Payments
from desktop_client.profile import Profile
from desktop_client.sealer import CLOCK_WRONG
from im_protocol import codes
from im_protocol.packets import Refusal, Type
from payment.contract import keys
from payment.contract.messages import BillsAre, OverviewIs, Pay, Prompt
from payment.contract.receipts import verify_receipt
from tests.desktop_client.conftest import QUICK
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import Peer
from tests.desktop_client.subsystem import ELECTRICITY, PIN, WATER, cny
from tests.desktop_client.test_transport import sign_in, turn


@pytest.fixture
def payments(peer: Peer, client: Client) -> Payments:
    sign_in(client, peer)
    assert client.member is not None
    return client.member.payments


def order_of(payments: Payments, minor: int = 8_640) -> Order:
    return payments.new_order(ELECTRICITY, "Electricity", "88201402", 7, "Electricity", cny(minor), "6200000000000234")


def pay(client: Client, payments: Payments, order: Order, pin: str = PIN) -> Outcome:
    got: list[Outcome] = []
    payments.pay(order, order.account, pin, got.append)
    wait_until(lambda: got, lambda: turn(client))
    return got[0]


def ask(client: Client, start) -> object:
    got: list[object] = []
    start(got.append)
    wait_until(lambda: got, lambda: turn(client))
    return got[0]


def test_overview_is_asked_for_after_sign_in(client: Client, payments: Payments) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    assert isinstance(payments.overview, OverviewIs)
    assert payments.overview.accounts[0].balance == cny(26_850)


def test_bill_is_asked_for_and_missing_number_is_prompted(client: Client, payments: Payments) -> None:
    assert isinstance(ask(client, lambda done: payments.ask_bill(ELECTRICITY, None, done)), BillsAre)
    assert isinstance(ask(client, lambda done: payments.ask_bill(WATER, None, done)), Prompt)
    assert isinstance(ask(client, lambda done: payments.ask_bill(WATER, "12345678", done)), BillsAre)


def test_paid_order_has_a_receipt_that_verifies(client: Client, payments: Payments) -> None:
    order = order_of(payments)
    outcome = pay(client, payments, order)
    assert outcome.state == "paid"
    assert outcome.verified
    assert outcome.signed is not None
    assert verify_receipt(outcome.signed, payments.sealer.root).paid == cny(8_640)
    stored = payments.outbox.get(order.payment_id)
    assert stored is not None
    assert stored.state == "paid"
    assert payments.history.find_receipt(order.payment_id.hex()) is not None


def test_order_is_stored_before_it_is_sent_and_without_the_password(
    client: Client, payments: Payments, profile: Profile
) -> None:
    order = order_of(payments)
    payments.pay(order, order.account, PIN, lambda outcome: None)
    stored = payments.outbox.get(order.payment_id)
    assert stored is not None
    assert stored.state == "deciding"
    for path in profile.folder.rglob("*"):
        assert not path.is_file() or PIN.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_wrong_password_moves_no_money_and_says_how_many_are_left(
    client: Client, payments: Payments, peer: Peer
) -> None:
    order = order_of(payments)
    outcome = pay(client, payments, order, "000000")
    assert (outcome.state, outcome.code, outcome.attempts_left) == ("not_paid", "wrong_pin", 2)
    assert pay(client, payments, order).state == "paid"
    assert peer.subsystem.balance == 26_850 - 8_640


def test_away_subsystem_means_not_paid(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    peer.payment_away = True
    outcome = pay(client, payments, order_of(payments))
    assert (outcome.state, outcome.code) == ("not_paid", codes.PAYMENT_AWAY)


def test_rotated_key_is_fetched_and_the_order_goes_through(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    peer.subsystem.rotate()
    outcome = pay(client, payments, order_of(payments))
    assert outcome.state == "paid"
    assert len([a for a in peer.subsystem.asked if isinstance(a, Pay)]) == 1


def test_keys_of_another_root_are_not_sealed_to(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    peer.subsystem.root = Ed25519PrivateKey.generate()
    payments.sealer._config = None
    before = len(peer.subsystem.asked)
    outcome = pay(client, payments, order_of(payments))
    assert (outcome.state, outcome.code) == ("not_paid", "payment_key_changed")
    assert len(peer.subsystem.asked) == before


@pytest.mark.parametrize(("cut", "state", "code"), [("after", "paid", ""), ("before", "not_paid", NEVER_ARRIVED)])
def test_cut_payment_is_deciding_and_resolves_by_itself(
    client: Client, payments: Payments, peer: Peer, cut: str, state: str, code: str
) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    changed: list[OrderChanged] = []
    client.bus.subscribe(OrderChanged, changed.append)
    peer.cut_on_pay = cut
    outcome = pay(client, payments, order_of(payments))
    assert outcome.state == "deciding"
    wait_until(lambda: changed, lambda: turn(client))
    assert (changed[0].outcome.state, changed[0].outcome.code) == (state, code)
    assert peer.subsystem.balance == (26_850 - 8_640 if state == "paid" else 26_850)


def test_order_of_a_killed_client_is_resolved_by_the_next_one(
    client: Client, payments: Payments, peer: Peer, profile: Profile
) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    peer.silent_types.add(Type.SEALED_REQUEST)
    seen = peer.types_received().count(Type.SEALED_REQUEST)
    order = order_of(payments)
    payments.pay(order, order.account, PIN, lambda outcome: None)
    wait_until(lambda: peer.types_received().count(Type.SEALED_REQUEST) > seen, lambda: turn(client))
    frame = next(f for f in reversed(peer.received) if f.type == Type.SEALED_REQUEST)
    client.close()
    peer.subsystem.answer(frame.body, 10_001)  # it was decided, but nobody was there to hear it
    peer.silent_types.clear()
    second = Client(Profile(profile.folder), Options(), QUICK)
    changed: list[OrderChanged] = []
    second.bus.subscribe(OrderChanged, changed.append)
    sign_in(second, peer)
    wait_until(lambda: changed, lambda: turn(second))
    assert changed[0].outcome.state == "paid"
    assert changed[0].outcome.order.payment_id == order.payment_id
    second.close()


def test_away_subsystem_says_nothing_about_an_order_that_may_have_arrived(
    client: Client, payments: Payments, peer: Peer
) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    peer.cut_on_pay = "after"
    order = order_of(payments)
    assert pay(client, payments, order).state == "deciding"
    peer.payment_away = True
    wait_until(lambda: client.session.signed_in, lambda: turn(client))
    assert isinstance(ask(client, lambda done: payments.ask_payment(order.payment_id, done)), Refusal)
    again = pay(client, payments, order)
    assert again.state == "deciding"


def test_reused_id_leaves_the_first_order_as_it_was(client: Client, payments: Payments, peer: Peer) -> None:
    from payment.contract.messages import NotPaid

    order = order_of(payments)
    assert pay(client, payments, order).state == "paid"
    peer.subsystem.outcomes[order.payment_id] = NotPaid("payment_id_reused", "No money was moved for this one.")
    assert pay(client, payments, order).code == "payment_id_reused"
    stored = payments.outbox.get(order.payment_id)
    assert stored is not None
    assert stored.state == "paid"


def test_receipts_are_fetched_and_kept(client: Client, payments: Payments) -> None:
    pay(client, payments, order_of(payments))
    found = ask(client, payments.fetch_receipts)
    assert isinstance(found, list)
    assert found[0].paid == cny(8_640)


def test_refusal_for_a_moment_is_waited_out_with_the_same_id(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    told: list[TryingAgain] = []
    client.bus.subscribe(TryingAgain, told.append)
    peer.refusals = [Refusal(codes.RATE_LIMITED, "", 20), Refusal(codes.RATE_LIMITED, "", 150)]
    order = order_of(payments)
    assert pay(client, payments, order).state == "paid"
    assert [round(event.seconds, 2) for event in told] == [0.1, 0.15]
    assert [a.payment_id for a in peer.subsystem.asked if isinstance(a, Pay)] == [order.payment_id]


@pytest.mark.parametrize("refusal", [Refusal(codes.RATE_LIMITED, "", 60_000), Refusal(codes.RATE_LIMITED, "")])
def test_refusal_for_long_or_without_a_time_is_told_at_once(
    client: Client, payments: Payments, peer: Peer, refusal: Refusal
) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    peer.refusals = [refusal]
    outcome = pay(client, payments, order_of(payments))
    assert (outcome.state, outcome.code) == ("not_paid", codes.RATE_LIMITED)


def test_refusal_when_the_key_is_fetched_is_waited_out_too(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    payments.sealer._config = None
    peer.refusals = [Refusal(codes.RATE_LIMITED, "", 20)]
    assert pay(client, payments, order_of(payments)).state == "paid"


def test_slow_clock_pays_by_the_servers_time(client: Client, payments: Payments, peer: Peer) -> None:
    wait_until(lambda: payments.overview, lambda: turn(client))
    now_ms = int(time.time() * 1000)
    fresh = [peer.subsystem.opening.config(now_ms - 1_000, now_ms + 60_000)]
    peer.subsystem.key_config = lambda: keys.sign_key_configs(peer.subsystem.root, fresh, now_ms)  # type: ignore[method-assign]
    sealer = payments.sealer
    sealer._clock = lambda: time.time() - 400
    sealer._config = None
    assert pay(client, payments, order_of(payments)).code == CLOCK_WRONG, "it is no other key, and nobody's attack"
    sealer.set_server_time(int(time.time() * 1000))  # as each signing in does
    assert pay(client, payments, order_of(payments)).state == "paid"


def test_each_sign_in_brings_the_servers_time(client: Client, payments: Payments, peer: Peer) -> None:
    payments.sealer.clock_offset_ms = 99_000_000
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    peer.start()
    wait_until(lambda: abs(payments.sealer.clock_offset_ms) < 60_000, lambda: turn(client))


def test_order_is_stored_once_before_it_is_sent(
    client: Client, payments: Payments, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each storing waits for the disk, so there is one: with the time that the seal bears."""
    wait_until(lambda: payments.overview, lambda: turn(client))
    put, stored = payments.outbox.put, []
    monkeypatch.setattr(payments.outbox, "put", lambda order: (stored.append(order), put(order)))
    order = order_of(payments)
    payments.pay(order, order.account, PIN, lambda outcome: None)
    assert [row.payment_id for row in stored] == [order.payment_id]
    assert payments.outbox.get(order.payment_id) == stored[0]
