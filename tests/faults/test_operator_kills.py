"""Operators' money commands while processes are killed and stopped: what was said agrees with the ledger, and the same
command given again until its outcome is told is done exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.faults.conftest import Luck, Tally
from tests.faults.town import wait_for

pytestmark = [pytest.mark.faults, pytest.mark.integration, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
MEMBER = 10_001
SECONDS = 60
TRIES, TRIES_LONG = 5, 60
LIFE = (0.3, 1.1)  # when the blow falls, in lives of a command: it starts, sends, is carried out, prints
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Desk:
    """A payment service without a link, and commands of its operator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.service: subprocess.Popen[bytes] | None = None
        self.amount = 0
        self.command("account", "open", f"--member={MEMBER}", "--name=Lin")
        began = time.monotonic()
        self.command("biller", "add", "--name=Electricity", "--id=101")
        self.life_seconds = time.monotonic() - began

    def line(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "payment", "--data", str(self.folder), "--log-level=error", *words]

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.line(*words), capture_output=True, text=True, env=ENVIRONMENT, timeout=SECONDS, check=False
        )

    def start(self) -> None:
        self.service = subprocess.Popen(self.line("serve"), stdin=subprocess.PIPE, env=ENVIRONMENT)
        wait_for("the service to listen", lambda: (self.folder / "admin.sock").exists())

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.service is not None:
            self.service.send_signal(number)
            self.service.wait(SECONDS)
            assert self.service.stdin is not None
            self.service.stdin.close()
            self.service = None
            (self.folder / "admin.sock").unlink(missing_ok=True)

    def new_top_up(self) -> list[str]:
        """A command line that no other test step has given."""
        self.amount += 1
        return ["account", "top-up", f"--member={MEMBER}", f"--amount={self.amount}.00"]

    def new_bills(self) -> list[str]:
        """The same for a file of bills; one of them has the amount."""
        self.amount += 1
        file = self.folder / "bills.csv"
        head = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref\n"
        row = "101,88201402,2026-01,January,Usage,{},2026-01-20,{}-{}\n"
        amounts = [self.amount, *(5_000 for _ in range(50))]
        file.write_text(head + "".join(row.format(a, self.amount, at) for at, a in enumerate(amounts)), "utf-8")
        return ["bill", "import", str(file)]

    def begin(self, words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.line(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
        )

    def times(self) -> int:
        """How often the last amount is in the ledger."""
        with_rows = apsw.Connection(str(self.folder / "payment.db"), flags=apsw.SQLITE_OPEN_READWRITE)
        with_rows.setbusytimeout(5_000)
        try:
            counts = "(SELECT count(*) FROM transfer WHERE amount = :a), (SELECT count(*) FROM bill WHERE total = :a)"
            return sum(next(with_rows.execute(f"SELECT {counts}", {"a": self.amount * 100})))
        finally:
            with_rows.close()

    def given_again(self, words: list[str]) -> None:
        """Until its outcome is told; then it is in the ledger once."""
        for _ in range(3):
            if self.command(*words).returncode == 0:
                break
        assert self.times() == 1, words


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "payment")
    yield made
    made.end(signal.SIGKILL)


def told_and_true(desk: Desk, status: int, said: str, killed: bool = False) -> str:
    """What was said of a command agrees with the ledger."""
    times = desk.times()
    if status in (0, 4):
        assert times == 1, said
    elif status == 1:
        assert times == 0, said
        assert "not done twice" not in said
    else:
        assert status == 3 and "not known yet" in said and "not done twice" in said, (status, said)
        assert times <= 1
    assert "Traceback" not in said
    return {0: "done", 1: "refused", 3: "not known", 4: "not printed"}[status]


@pytest.mark.timeout(600)
def test_a_service_that_is_killed_leaves_no_command_in_doubt(
    desk: Desk, luck: Luck, tally: Tally, is_long: bool
) -> None:
    seen: Counter[str] = Counter()
    for at in range(TRIES_LONG if is_long else TRIES):
        desk.start()
        words = desk.new_bills() if at % 3 == 2 else desk.new_top_up()
        command = desk.begin(words)
        threading.Event().wait(desk.life_seconds * luck.uniform(*LIFE))
        desk.end(signal.SIGKILL)
        out, err = command.communicate(timeout=SECONDS)
        seen[told_and_true(desk, command.returncode, out + err)] += 1
        if command.returncode:
            desk.given_again(words)
    assert desk.command("ledger", "check").returncode == 0
    tally.say(kills=seen.total(), told=dict(seen))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_served", [True, False], ids=["with a service", "alone"])
def test_a_signal_at_any_moment_says_what_is_true(
    desk: Desk, luck: Luck, tally: Tally, is_long: bool, is_served: bool
) -> None:
    seen: Counter[str] = Counter()
    if is_served:
        desk.start()
    for at in range(TRIES_LONG if is_long else TRIES):
        words = desk.new_top_up()
        command = desk.begin(words)
        threading.Event().wait(desk.life_seconds * luck.uniform(*LIFE))
        command.send_signal(SIGNALS[at % len(SIGNALS)])
        out, err = command.communicate(timeout=SECONDS)
        if command.returncode < 0 or "Fatal Python error: init" in err:  # nothing of ours ran, so nothing was sent
            assert desk.times() == 0
            seen["before it began"] += 1
        else:
            seen[told_and_true(desk, command.returncode, out + err)] += 1
        if command.returncode:
            desk.given_again(words)
    desk.end()
    assert desk.command("ledger", "check").returncode == 0
    tally.say(signals=seen.total(), told=dict(seen))


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_command_that_was_sent_and_not_answered_is_not_known_yet(desk: Desk, number: signal.Signals) -> None:
    desk.start()
    assert desk.service is not None
    words = desk.new_top_up()
    desk.service.send_signal(signal.SIGSTOP)
    try:
        command = desk.begin(words)
        wait_for("the command to be kept", lambda: list((desk.folder / "commands").glob("*.json")))
        threading.Event().wait(0.5)  # it is sent a moment later; the service, stopped, cannot tell
        command.send_signal(number)
        _, err = command.communicate(timeout=SECONDS)
    finally:
        desk.service.send_signal(signal.SIGCONT)
    assert command.returncode == 3 and "not known yet" in err and err.count("\n") == 1
    again = desk.command(*words)
    assert again.returncode == 0 and "not a second one" in again.stderr
    assert desk.times() == 1


def test_a_service_that_is_hung_is_told_in_time(desk: Desk) -> None:
    desk.start()
    assert desk.service is not None
    words = desk.new_top_up()
    desk.service.send_signal(signal.SIGSTOP)
    try:
        done = desk.command(*words)
    finally:
        desk.service.send_signal(signal.SIGCONT)
    assert done.returncode == 3 and "says nothing" in done.stderr
    desk.given_again(words)
