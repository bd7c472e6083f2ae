from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from im_server.app import Server
from im_server.cli import add_members
from im_server.config import Settings
from im_server.data_folder import DataFolder
from im_server.member_files import AddRequest
from tests.im_server.wire import WireClient

PASSWORD = "open sesame"
A, B, C = 10_001, 10_002, 10_003


class Lab:
    """A data folder with three members, servers on it, and clients that are closed at the end."""

    def __init__(self, path: Path) -> None:
        self.folder = DataFolder(path)
        self._closers: list[Callable[[], object]] = []
        people = [("Alice", "Room 1"), ("Bob", "Room 1"), ("曹操", "Room 2")]
        add_members(self.folder, [AddRequest(name, group=group, password=PASSWORD) for name, group in people])

    def server(self, port: int = 0, **settings: Any) -> Server:
        server = Server(self.folder, host="127.0.0.1", port=port, settings=Settings(**settings), payment_argv=())
        server.start()
        self._closers.append(server.stop)
        return server

    def stop(self, server: Server) -> None:
        self._closers.remove(server.stop)
        server.stop()

    def client(self, server: Server, member_id: int = 0, **kwargs: Any) -> WireClient:
        client = WireClient(server.port)
        self._closers.append(client.close)
        if member_id:
            answer = client.sign_in(member_id, PASSWORD, **kwargs)
            assert client.member_id == member_id, answer
        return client

    def keep(self, thing: Any) -> Any:
        self._closers.append(thing.close)
        return thing

    def close(self) -> None:
        for close in reversed(self._closers):
            close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path / "data")
    yield made
    made.close()
