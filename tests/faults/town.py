"""A whole BillBuddy of real processes for tests that kill them: chat server, payment subsystem, TLS, members."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from build_scripts.common import ROOT
from im_server.cli import add_members
from im_server.data_folder import DataFolder
from im_server.member_files import AddRequest
from tests.faults.house import House
from tests.integration.wire import WireClient

T = TypeVar("T")
PASSWORD = "kingfisher-58"
POLL_SECONDS = 0.01
_never = threading.Event()


def wait_for(what: str, check: Callable[[], T | None], seconds: float = 60) -> T:
    """What `check` gives as soon as it is true; the test fails when it never is."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        _never.wait(POLL_SECONDS)
    return found


class Town:
    """The processes on one data folder. `stop` ends what is left of them."""

    def __init__(self, data: Path, house_of: Callable[[Path], House], link: Path | None = None) -> None:
        self.folder = DataFolder(data)
        self.folder.prepare()
        self.house = house_of(self.folder.payment)
        add_members(self.folder, [AddRequest(f"Member {m}", id=m, password=PASSWORD) for m in self.house.members])
        self.port = 0
        self._link = link
        self._server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts the server on the port that it had before."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        line = [sys.executable, "-m", "tests.faults.serve", str(self.folder.path), str(self.port)]
        if self._link is not None:
            line.append(str(self._link))
        with (self.folder.path / "server-errors.txt").open("a") as errors:
            self._server = subprocess.Popen(
                line, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._server.stdout is not None
        said = self._server.stdout.readline().split()
        assert said[:1] == ["ready"], (self.folder.path / "server-errors.txt").read_text()
        self.port = int(said[1])

    @property
    def server(self) -> psutil.Process:
        assert self._server is not None
        return psutil.Process(self._server.pid)

    def payment(self) -> psutil.Process | None:
        """The payment subsystem that runs now."""
        try:
            for child in self.server.children():
                if "payment" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                    return child
        except psutil.NoSuchProcess:
            return None
        return None

    def kill_payment(self) -> bool:
        """kill -9. Whether there was one to kill."""
        process = self.payment()
        if process is None:
            return False
        process.kill()
        return True

    def kill_server(self) -> None:
        """kill -9, and start it again."""
        assert self._server is not None
        self._server.kill()
        self._reap()
        self.start()

    def stop(self) -> int:
        """A clean stop; gives the exit status."""
        if self._server is None:
            return 0
        process = self.payment()
        self._server.terminate()
        try:
            self._server.wait(30)
        except subprocess.TimeoutExpired:
            self._server.kill()
        status = self._reap()
        if process is not None:
            wait_for("the payment subsystem to end", lambda: not process.is_running() or _is_zombie(process))
        return status

    def _reap(self) -> int:
        assert self._server is not None
        self._server.wait(30)
        for pipe in (self._server.stdin, self._server.stdout):
            if pipe is not None:
                pipe.close()
        status, self._server = self._server.returncode, None
        return status

    def client(self, member_id: int) -> WireClient:
        """A signed-in connection."""
        client = WireClient("127.0.0.1", self.port)
        try:
            client.sign_in(member_id, PASSWORD)
        except BaseException:
            client.__exit__()
            raise
        client.payment_root = self.house.root  # pinned, as by an invite link
        return client


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
