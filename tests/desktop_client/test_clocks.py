"""Clocks that are wrong or put right, here or there: what is paid is paid by the server's time."""

from __future__ import annotations

import pytest

from desktop_client.app import Client, Member
from desktop_client.sealer import CLOCK_WRONG, PAYMENT_KEY_CHANGED
from im_protocol.packets import Refusal
from payment.contract import keys
from payment.contract.messages import Overview, OverviewIs
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import Peer
from tests.desktop_client.subsystem import YEAR_MS, Subsystem
from tests.desktop_client.test_payments import ask, order_of, pay
from tests.desktop_client.test_transport import sign_in, turn

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def signed_in(client: Client, peer: Peer) -> Member:
    sign_in(client, peer)
    assert client.member is not None
    return client.member


@pytest.mark.parametrize("by_ms", [-2 * HOUR_MS, -6 * MINUTE_MS, 6 * MINUTE_MS, 2 * HOUR_MS])
def test_servers_clock_that_is_put_right_makes_nothing_stale_for_long(peer: Peer, client: Client, by_ms: int) -> None:
    member = signed_in(client, peer)
    assert isinstance(ask(client, lambda done: member.sealer.ask(Overview(), done)), OverviewIs)
    peer.subsystem.clock_ms = by_ms
    assert isinstance(ask(client, lambda done: member.sealer.ask(Overview(), done)), OverviewIs)
    outcome = pay(client, member.payments, order_of(member.payments))
    assert outcome.state == "paid"


@pytest.mark.parametrize("by_ms", [-2 * HOUR_MS, 2 * HOUR_MS])
def test_order_that_met_a_clock_just_put_right_is_paid_or_told_as_not_paid_and_the_next_one_is_paid(
    peer: Peer, client: Client, by_ms: int
) -> None:
    member = signed_in(client, peer)
    assert isinstance(ask(client, lambda done: member.sealer.ask(Overview(), done)), OverviewIs)
    peer.subsystem.clock_ms = by_ms
    first = pay(client, member.payments, order_of(member.payments))
    assert first.state == ("paid" if by_ms > 0 else "not_paid")
    if first.state == "not_paid":
        assert pay(client, member.payments, order_of(member.payments)).state == "paid"
    assert peer.subsystem.balance == 26_850 - 8_640


def test_offset_is_taken_anew_at_each_sign_in(peer: Peer, client: Client) -> None:
    member = signed_in(client, peer)
    peer.stop()
    wait_until(lambda: not client.session.signed_in, lambda: turn(client))
    peer.subsystem.clock_ms = HOUR_MS
    peer.start()
    wait_until(lambda: client.session.signed_in, lambda: turn(client))
    assert abs(member.sealer.clock_offset_ms - HOUR_MS) < MINUTE_MS


def rotated_without_overlap(subsystem: Subsystem) -> None:
    """As `keys rotate --overlap-hours 0`: the only key is in force from this very moment."""
    now = subsystem.now_ms()
    config = subsystem.opening.config(now, now + YEAR_MS)
    subsystem.key_config = lambda: keys.sign_key_configs(subsystem.root, [config], now)  # type: ignore[method-assign]


@pytest.mark.parametrize("by_ms", [6 * MINUTE_MS, 5 * HOUR_MS])
def test_device_that_is_behind_pays_with_a_key_of_this_minute(peer: Peer, client: Client, by_ms: int) -> None:
    peer.subsystem.clock_ms = by_ms
    rotated_without_overlap(peer.subsystem)
    member = signed_in(client, peer)
    assert pay(client, member.payments, order_of(member.payments)).state == "paid"


def test_genuine_keys_of_another_time_are_told_as_a_wrong_clock_and_not_as_another_key(
    peer: Peer, client: Client
) -> None:
    rotated_without_overlap(peer.subsystem)
    peer.subsystem.clock_ms = -3 * HOUR_MS
    member = signed_in(client, peer)
    answer = ask(client, lambda done: member.sealer.ask(Overview(), done))
    assert isinstance(answer, Refusal)
    assert answer.code == CLOCK_WRONG
    outcome = pay(client, member.payments, order_of(member.payments))
    assert (outcome.state, outcome.code) == ("not_paid", CLOCK_WRONG)


def test_key_of_another_root_is_still_a_changed_key(peer: Peer, client: Client) -> None:
    member = signed_in(client, peer)
    other = Subsystem()
    peer.subsystem.key_config = other.key_config  # type: ignore[method-assign]
    member.sealer._config = None
    answer = ask(client, lambda done: member.sealer.ask(Overview(), done))
    assert isinstance(answer, Refusal)
    assert answer.code == PAYMENT_KEY_CHANGED
