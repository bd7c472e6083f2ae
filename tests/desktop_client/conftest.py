"""A peer, a profile and a client for every test that wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_client.app import Client, Options
from desktop_client.config import Timings
from desktop_client.i18n import set_language
from desktop_client.profile import Profile
from tests.desktop_client.fakes import FakeWindows
from tests.desktop_client.peer import Peer

QUICK = Timings(
    connect_seconds=5,
    welcome_seconds=3,
    request_seconds=5,
    backoff_first_seconds=0.02,
    backoff_max_seconds=0.1,
    repeat_first_seconds=0.02,
    repeat_max_seconds=0.1,
    ask_again_first_seconds=0.02,
    ask_again_max_seconds=0.1,
)


@pytest.fixture(autouse=True)
def english() -> None:
    set_language("en")


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as running:
        yield running


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path / "profile")


@pytest.fixture
def client(profile: Profile) -> Iterator[Client]:
    made = Client(profile, Options(), QUICK)
    yield made
    made.close()


@pytest.fixture
def windows() -> FakeWindows:
    return FakeWindows()


@pytest.fixture
def person(peer: Peer, profile: Profile, tmp_path: Path) -> Iterator[object]:
    from tests.desktop_client.person import Person  # it needs QUICK of this file

    someone = Person(peer, profile, tmp_path)
    yield someone
    someone.app.stop()
