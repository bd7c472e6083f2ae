"""Real servers for whole-system tests, loaded once with the demonstration dormitory and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build_scripts.dormitory import Dormitory, from_checkout
from tests.integration.wire import WireClient


@pytest.fixture(scope="session")
def loaded_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demonstration data, made by the operator's commands while no server runs."""
    place = Dormitory(from_checkout(), tmp_path_factory.mktemp("loaded"))
    place.load()
    return place.data


@pytest.fixture
def dormitory(loaded_data: Path, tmp_path: Path) -> Iterator[Dormitory]:
    """A running server with its payment subsystem."""
    place = Dormitory(from_checkout(), tmp_path)
    shutil.copytree(loaded_data, place.data, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    try:
        place.start()
        yield place
    finally:
        place.stop()


@pytest.fixture
def signed_in(dormitory: Dormitory) -> Iterator[Callable[[int], WireClient]]:
    """Opens a connection and signs a member in."""
    clients: list[WireClient] = []

    def open_client(member_id: int) -> WireClient:
        client = WireClient(dormitory.host, dormitory.port)
        clients.append(client)
        client.sign_in(member_id, dormitory.members[member_id].password)
        return client

    yield open_client
    for client in clients:
        client.__exit__()
