"""kill -9 of the payment process and of the chat server at random moments, under load, on real processes over TLS.

Every acknowledged payment is in the ledger, none is twice, no money is created or lost, what was said not to be charged
was not, and every payment that was cut off resolves by its id. The long run kills two hundred times.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.house import House
from tests.faults.payer import Payer, merged
from tests.faults.town import Town, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.integration, pytest.mark.slow]
KILLS, KILLS_LONG = 12, 200
SERVER_KILLS = 0.25  # the rest hits the payment subsystem
LIFE_SECONDS_MAX = 0.6  # from the first payment after a kill to the next kill


def rich_house(path: Path) -> House:
    """Bills that thousands of small payments do not use up, and some that can be paid once only."""
    return House.build(path, members=4, bills_each=40, opening_minor=50_000_000, bill_minor=400_000)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path / "data", rich_house)
    try:
        town.start()
        yield town
    finally:
        town.stop()


@pytest.fixture
def payers(town: Town, luck: Luck) -> Iterator[list[Payer]]:
    threads = [Payer(town, member_id, luck.randrange(2**32)) for member_id in town.house.members]
    for thread in threads:
        thread.start()
    yield threads
    for thread in threads:
        thread.stop()
        thread.join(30)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_no_payment_is_lost_or_made_twice_whatever_is_killed(
    town: Town, payers: list[Payer], luck: Luck, tally: Tally, is_long: bool
) -> None:
    kills: Counter[str] = Counter()
    wanted = KILLS_LONG if is_long else KILLS
    while kills.total() < wanted:
        _wait_for_payments(payers, luck.randint(1, 6))
        threading.Event().wait(luck.uniform(0, LIFE_SECONDS_MAX))
        if luck.random() < SERVER_KILLS:
            town.kill_server()
            kills["server"] += 1
        elif town.kill_payment():
            kills["payment"] += 1
    _wait_for_payments(payers, 5)
    for payer in payers:
        payer.stop()
    for payer in payers:
        payer.join(60)
    _no_fault(payers)
    assert not any(payer.is_alive() for payer in payers), "a payment did not resolve"
    assert town.stop() == 0

    books = merged(payers)
    assert not books.open
    books.check(town.folder.payment)
    result = ledger_check(town.folder.payment)
    seen: Counter[str] = sum((payer.seen for payer in payers), Counter())
    assert seen["connections cut"] and seen["outcome_unknown"] and seen["payment_away"], seen
    tally.say(kills=dict(kills), paid=len(books.paid), transfers=result.transfers, seen=dict(seen))


def _wait_for_payments(payers: list[Payer], more: int) -> None:
    """Until so many payments were acknowledged from here on."""
    before = sum(payer.seen["Paid"] for payer in payers)

    def are_there() -> bool:
        _no_fault(payers)
        return sum(payer.seen["Paid"] for payer in payers) >= before + more

    wait_for("payments to be made", are_there)


def _no_fault(payers: list[Payer]) -> None:
    for payer in payers:
        if payer.fault is not None:
            raise payer.fault
