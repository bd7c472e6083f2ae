"""One window a profile: a second start brings the first one forward."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from build_scripts.common import wait_until
from build_scripts.x11 import close_window, window_titles
from desktop_client.single import LOCK_NAME, First, claim
from host.locks import try_hold
from tests.desktop_client.peer import LIN, PASSWORD, Peer

START_SECONDS = 30


def test_a_later_start_calls_the_first_one_and_is_told_so(tmp_path: Path) -> None:
    first = claim(tmp_path)
    assert first is not None
    called = threading.Event()
    first.listen(called.set)
    assert claim(tmp_path) is None
    assert called.wait(5)
    first.close()
    again = claim(tmp_path)
    assert again is not None
    again.close()


def test_a_first_one_that_does_not_answer_is_told(tmp_path: Path) -> None:
    lock = try_hold(tmp_path / LOCK_NAME)
    assert lock is not None
    with pytest.raises(TimeoutError):
        claim(tmp_path, seconds=0.2)
    lock.release()


def test_what_a_crashed_one_left_does_no_harm(tmp_path: Path) -> None:
    code = """
import os, pathlib, sys
from desktop_client.single import claim
claim(pathlib.Path(sys.argv[1]))
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=30, check=False).returncode == 9
    first = claim(tmp_path)
    assert isinstance(first, First)
    first.close()


def test_nonsense_on_the_socket_calls_nobody(tmp_path: Path) -> None:
    from host.local_socket import connect_local

    first = claim(tmp_path)
    assert first is not None
    called: list[bool] = []
    first.listen(lambda: called.append(True))
    for line in (b"", b"raise", b"lower\n", b"x" * 200, b"\0\n"):
        asked, _token = connect_local(tmp_path / "window.sock", 2)
        with asked:
            asked.sendall(line)
            asked.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                assert asked.recv(10) == b""
    assert called == []
    first.close()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_second_start_leaves_the_first_signed_in_and_a_killed_one_is_followed(
    display: str, tmp_path: Path, is_killed: bool
) -> None:
    with Peer() as peer:
        from desktop_client.profile import Profile

        Profile(tmp_path).trust(peer.known())
        line = [sys.executable, "-m", "desktop_client", "--home", str(tmp_path), "--as", str(LIN), "--lang", "en"]
        environment = {**os.environ, "BILLBUDDY_PASSWORD": PASSWORD, "DISPLAY": display}
        first = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
        wait_until("the roster", START_SECONDS, lambda: len(peer._live.get(LIN, [])) == 1 and window_titles(display))
        if is_killed:
            first.send_signal(signal.SIGKILL)
            first.communicate()
            first = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
            wait_until("the next one's roster", START_SECONDS, lambda: len(peer._live.get(LIN, [])) == 1)
        connections = peer.connections
        second = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (second.returncode, second.stderr) == (0, "")
        assert first.poll() is None and peer.connections == connections
        wait_until("the window", START_SECONDS, lambda: "BillBuddy" in window_titles(display))
        assert close_window(display, "BillBuddy")
        _out, told = first.communicate(timeout=30)
        assert (first.returncode, told) == (0, "")
