"""For the fault tests: a seed that replays each, the short or the long run, and a line with what was counted.

BILLBUDDY_SEED=N replays; BILLBUDDY_FAULTS_LONG=1 makes every test as long as it ought to be before a release.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from payment import credentials
from tests.faults.house import House

SEED = "BILLBUDDY_SEED"
LONG = "BILLBUDDY_FAULTS_LONG"


class Luck(random.Random):
    """The test's dice. `seed_number` makes the same ones again."""

    def __init__(self, seed_number: int) -> None:
        super().__init__(seed_number)
        self.seed_number = seed_number


class Tally:
    """Notes what a test counted; the run's summary prints it (see tests/conftest.py), also from worker processes."""

    def __init__(self, node: pytest.Item, seed_number: int) -> None:
        self._node = node
        self._seed_number = seed_number

    def say(self, **counts: object) -> None:
        text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        self._node.user_properties.append(("counted", f"{text}; {SEED}={self._seed_number}"))


@pytest.fixture
def luck() -> Luck:
    given = os.environ.get(SEED, "")
    seed_number = int(given) if given else random.SystemRandom().randrange(2**32)
    sys.stdout.write(f"{SEED}={seed_number}\n")  # shown with a failure
    return Luck(seed_number)


@pytest.fixture
def tally(request: pytest.FixtureRequest, luck: Luck) -> Tally:
    return Tally(request.node, luck.seed_number)


@pytest.fixture(scope="session")
def is_long() -> bool:
    return os.environ.get(LONG, "") not in ("", "0")


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Password hashing is made cheap in this process: these tests are about disks, and open thousands of folders."""
    monkeypatch.setattr(credentials, "_SCRYPT_N", 2)


@pytest.fixture
def house(tmp_path: Path, quick_passwords: None) -> House:
    """A folder of the payment subsystem with members who have money and bills to pay; nothing runs on it."""
    return House.build(tmp_path / "house")
