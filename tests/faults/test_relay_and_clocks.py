"""A relay that drops, delays, repeats and reorders; clocks that jump a day; processes that are killed: all at once.

The client's and the service's real logic run against simulated time and network. However bad it gets: an order is paid
at most once, and each ends in one of three outcomes; "paid" means that the money moved, "not paid" that it did not and
never will, and an order that is still being decided is decided as soon as the relay works again. A member who does
what he is told (told "not paid", he pays anew under a new id) never pays twice.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path

import pytest

from payment.folder import write_secret
from payment.limits import LimitSet
from tests.faults.books import audit
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.house import EXACT, PIN, Desk, House
from tests.faults.simulation import DAY_MS, WRONG_PIN, Bank, Clock, Device, Faults, Relay, World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800), pytest.mark.slow]
ROUNDS, ROUNDS_LONG = 12, 600
STEPS = 40
SETTLE_MS = 40 * 60_000
DAYS_MS = 3 * DAY_MS


class Play:
    """One run: devices, a bank, a relay, and dice that decide what happens next."""

    def __init__(self, house: House, folder: Path, luck: Luck) -> None:
        self.house = house
        self.luck = luck
        self.path = house.copy(folder / "bank")
        self.world = World()
        self.bank = Bank(self.world, house, self.path, luck)
        self.relay = Relay(self.world, self.bank, luck)
        self.devices = [
            Device(self.world, self.relay, house, member_id, folder / str(member_id)) for member_id in house.members
        ]
        self.happened: Counter[str] = Counter()
        self.outcomes_at_end: list[str] = []

    def step(self) -> None:
        """Something happens, and some time passes."""
        name = self.luck.choices(list(self.ACTIONS), list(self.ACTIONS.values()))[0]
        self.happened[name] += 1
        getattr(self, f"_{name}")()
        self.world.run_until(self.world.now_ms + int(self.luck.expovariate(1 / self.luck.choice((20, 3_000, 90_000)))))

    ACTIONS = {
        "pay": 12,
        "pay_with_wrong_pin": 2,
        "pay_again": 4,
        "kill_bank": 2,
        "kill_device": 2,
        "jump_bank_clock": 1,
        "jump_device_clock": 1,
        "replay": 3,
        "change_faults": 2,
    }

    def _pay(self, pin: str = PIN) -> None:
        due = self.luck.choice(self.house.bills)
        minor = due.minor if due.biller_id == EXACT else self.luck.randint(1, 500)
        self.luck.choice(self.devices).pay(due, minor, pin)

    def _pay_with_wrong_pin(self) -> None:
        self._pay(WRONG_PIN)

    def _pay_again(self) -> None:
        device = self.luck.choice(self.devices)
        if waiting := device.outbox.deciding():
            device.pay_again(self.luck.choice(waiting), self.luck.choice((PIN, PIN, WRONG_PIN)))

    def _kill_bank(self) -> None:
        self.bank.kill()

    def _kill_device(self) -> None:
        self.luck.choice(self.devices).kill()

    def _jump_bank_clock(self) -> None:
        self.bank.clock.wrong_by_ms = self.luck.choice((-DAY_MS, 0, 0, DAY_MS))
        self._sign_in_again()

    def _jump_device_clock(self) -> None:
        self.luck.choice(self.devices).clock.wrong_by_ms = self.luck.choice((-DAY_MS, -240_000, 0, 240_000, DAY_MS))
        self._sign_in_again()

    def _sign_in_again(self) -> None:
        """Some devices notice at once, some later."""
        for device in self.devices:
            if self.luck.random() < 0.7:
                device.set_clock_by(self.bank.clock)

    def _replay(self) -> None:
        if self.relay.kept:
            self.relay.replay(self.luck.choice(self.relay.kept))

    def _change_faults(self) -> None:
        luck = self.luck
        self.relay.faults = Faults(luck.choice((0, 0.1, 0.5)), luck.choice((0, 0.3)), luck.choice((0, 0.1, 0.5)))

    def settle(self) -> None:
        """The clocks are put right, the relay works again, and time passes."""
        self.relay.faults = Faults()
        self.bank.clock.wrong_by_ms = 0
        for device in self.devices:
            device.clock.wrong_by_ms = 0
            device.set_clock_by(self.bank.clock)
        self.world.run_until(self.world.now_ms + SETTLE_MS)

    def replay_everything(self) -> None:
        """A relay that kept every packet sends them all again, at clocks of every kind."""
        for wrong_by_ms in (-DAY_MS, DAY_MS, -self.world.now_ms // 2, -self.world.now_ms, 0):
            self.bank.clock.wrong_by_ms = wrong_by_ms
            for frame in self.relay.kept:
                self.relay.replay(frame)
            self.bank.turn()

    def let_days_pass(self) -> None:
        """What was sealed by a clock that was days ahead becomes stale as well, and can be decided at last."""
        self.world.skip(DAYS_MS)
        self.settle()

    def outcomes(self) -> dict[bytes, str]:
        return {order.payment_id: order.state for device in self.devices for order in device.orders()}

    def close(self) -> None:
        self.bank.desk.close()
        for device in self.devices:
            device.store.close()


def play(house: House, folder: Path, luck: Luck) -> Play:
    show = Play(house, folder, luck)
    for _ in range(STEPS):
        show.step()
    show.settle()
    before = show.outcomes()
    show.replay_everything()
    show.let_days_pass()
    outcomes = show.outcomes()
    assert set(outcomes.values()) <= {"paid", "not_paid"}, "an order is still being decided"
    assert {payment_id: outcomes[payment_id] for payment_id, state in before.items() if state != "deciding"} == {
        payment_id: state for payment_id, state in before.items() if state != "deciding"
    }, "an outcome changed"
    show.outcomes_at_end = list(outcomes.values())
    show.close()
    paid = set(audit(show.path, house))
    assert {payment_id for payment_id, state in outcomes.items() if state == "paid"} == paid
    for device in show.devices:
        for wanted in device.wanted.values():
            assert len(paid.intersection(wanted.ids)) <= 1, "the member did what he was told, and paid twice"
        for payment_id, told in device.told.items():
            assert told == {outcomes[payment_id]}, "the member was told one thing and then another"
    ledger_check(show.path)
    return show


@pytest.mark.slow
def test_at_most_once_and_three_outcomes_whatever_relay_and_clocks_do(
    house: House, tmp_path: Path, luck: Luck, tally: Tally, is_long: bool
) -> None:
    happened: Counter[str] = Counter()
    packets: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    groups: Counter[int] = Counter()
    rounds = ROUNDS_LONG if is_long else ROUNDS
    for at in range(rounds):
        show = play(house, tmp_path / str(at), luck)
        happened += show.happened
        packets += show.relay.seen
        outcomes.update(show.outcomes_at_end)
        groups += show.bank.groups
    mixed = sum(count for size, count in groups.items() if size > 1)
    tally.say(rounds=rounds, actions=dict(happened), packets=dict(packets), outcomes=dict(outcomes), groups=mixed)


def test_clock_that_was_a_day_ahead_blocks_nobody(house: House, tmp_path: Path) -> None:
    """Payments made while the clock was wrong do not use up a limit until that time comes."""
    world = World()
    clock = Clock(world)
    desk = Desk.open(house, house.copy(tmp_path / "bank"), clock=clock.ms)
    with desk.core.store.transaction():
        desk.core.limits.set(0, LimitSet(10**9, 10**9, 2))
    nonces = (bytes([at]) * 16 for at in range(100))
    member_id, bills = house.members[0], iter(house.bills)

    def pay() -> str:
        answer = desk.answer(member_id, house.order(next(nonces), member_id, next(bills)), next(nonces))
        return getattr(answer, "code", "paid")

    for wrong_by_ms in (DAY_MS, 0, -DAY_MS, -DAY_MS + 3_600_000, -DAY_MS, 0):
        clock.wrong_by_ms = wrong_by_ms
        world.skip(61_000)
        assert [pay(), pay(), pay()] == ["paid", "paid", "limit_rate"], wrong_by_ms
    desk.close()


def test_new_keys_are_on_the_disk_with_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut a key that something was signed or sealed with must still have its name."""
    synced: list[bool] = []
    real = os.fsync

    def fsync(number: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(number).st_mode))
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    write_secret(tmp_path / "some.key", b"content")
    assert synced == [False, True]
