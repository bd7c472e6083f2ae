from __future__ import annotations

import socket
from pathlib import Path

import pytest

from host import local_socket
from im_server.app import Server
from im_server.config import Settings
from im_server.data_folder import DataFolder

LINKED_SECONDS_MAX = 60


def test_payment_links_over_loopback_where_there_are_no_unix_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_socket, "HAS_UNIX_SOCKETS", False)
    server = Server(DataFolder(tmp_path / "data"), host="127.0.0.1", port=0, settings=Settings())
    server.start()
    try:
        assert server.payment_known.wait(LINKED_SECONDS_MAX)
    finally:
        server.stop()


def test_local_socket_is_found_again_by_its_path_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "HAS_UNIX_SOCKETS", False)
    listener, token = local_socket.listen_local(tmp_path / "admin.sock")
    with listener:
        assert local_socket.address_of(listener, tmp_path / "admin.sock").startswith("tcp:127.0.0.1:")
        connection, shown = local_socket.connect_local(tmp_path / "admin.sock", 5)
        with connection:
            assert shown == token and connection.family is socket.AF_INET
