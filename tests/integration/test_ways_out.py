"""billbuddy-cli on real programs, ended in every way at every moment: what it says agrees with the ledger.

Each payment here is of an amount of its own, so that the ledger tells which of them moved money.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import psutil
import pytest

from build_scripts.dormitory import Dormitory, from_checkout
from im_protocol.invite import Invite, parse_invite
from tests.integration.processes import payment_process, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.slow]

DONE, REFUSED, USAGE, UNKNOWN, UNPRINTED = range(5)
MEMBER, WATER = 10001, "102"
AMOUNTS = itertools.count(1)  # minor units; the bills are of 410 and more and may be paid in parts
PAYERS = itertools.cycle([10001, 10002])  # by turns, since a member may pay ten times a minute
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
MOMENTS = ("connecting", "bill asked", "order sent", "server stopped", "answered, not printed")
IS_LONG = os.environ.get("BILLBUDDY_FAULTS_LONG") == "1"
RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(random.SystemRandom().random())  # all workers' same one
SEED = int(os.environ.get("BILLBUDDY_SEED", "0")) or random.Random(RUN).randint(1, 2**31)


def chosen(cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All cases in the long run; otherwise one signal for each moment, another one in another run."""
    luck = random.Random(SEED)
    return cases if IS_LONG else [(moment, luck.choice(SIGNALS)) for moment in dict.fromkeys(m for m, _ in cases)]


@pytest.fixture(scope="module")
def place(loaded_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dormitory]:
    """One server for all of these tests."""
    made = Dormitory(from_checkout(), tmp_path_factory.mktemp("ways-out"))
    shutil.copytree(loaded_data, made.data, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
    try:
        made.start()
        made.client_json(MEMBER, "bills", WATER)  # the payment service is up
        yield made
    finally:
        made.stop()


def amounts_paid(place: Dormitory) -> list[int]:
    """What the ledger has, minor units: the truth."""
    ledger = apsw.Connection(str(place.data / "payment" / "payment.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [minor for (minor,) in ledger.execute("SELECT amount FROM transfer WHERE biller_id = 102")]
    finally:
        ledger.close()


@dataclass
class Payer:
    """One run of `pay` on a device of its own, with its standard input on a terminal of its own."""

    place: Dormitory
    member: int
    minor: int
    home: Path
    process: subprocess.Popen[bytes]
    terminal: int

    @classmethod
    def start(cls, place: Dormitory, *, invite: str = "", stdout: int = subprocess.PIPE) -> Payer:
        member, minor = next(PAYERS), next(AMOUNTS)
        environment = place.client_environment(member, f"payer-{minor}")
        del environment["BILLBUDDY_PIN"]  # it is typed, so that the moment before the order can be seen
        line = [*place.programs.client, "--invite", invite or place.invite, "--as", str(member), "--json"]
        line += ["--lang", "en", "pay", WATER, "--amount", f"0.{minor:02}"]
        master, slave = os.openpty()

        def own_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            line,
            cwd=place.folder,
            env=environment,
            stdin=slave,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=own_terminal,
        )
        os.close(slave)
        return cls(place, member, minor, Path(environment["BILLBUDDY_HOME"]), process, master)

    def order_state(self) -> str:
        for file in self.home.glob("*/client.db"):
            with contextlib.suppress(apsw.Error):
                found = list(apsw.Connection(str(file)).execute("SELECT state FROM orders"))
                return str(found[0][0]) if found else ""
        return ""

    def type_pin(self) -> None:
        os.write(self.terminal, self.place.members[self.member].pin.encode() + b"\n")

    def wait_for_question(self) -> None:
        said = b""
        os.set_blocking(self.terminal, False)

        def is_asked() -> bool:
            nonlocal said
            with contextlib.suppress(BlockingIOError, OSError):
                said += os.read(self.terminal, 1_000)
            return b"password" in said or self.process.poll() is not None

        wait_until("the question for the payment password", is_asked)
        assert b"password" in said, self.process.communicate()

    def end(self, name: str) -> tuple[int, dict[str, object], str]:
        self.process.send_signal(getattr(signal, name))
        out, err = self.process.communicate(timeout=60)
        os.close(self.terminal)
        return self.process.returncode, json.loads(out) if out else {}, err.decode()


@contextlib.contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):  # a watchdog may have ended it
            process.resume()


def service(place: Dormitory) -> psutil.Process:
    return wait_until("the payment service", lambda: payment_process(place))


def is_back(place: Dormitory) -> bool:
    return place.client(MEMBER, "--json", "balance").returncode == DONE


def agree(place: Dormitory, payer: Payer, status: int, document: dict[str, object], said: str) -> None:
    """Compares what was said with the ledger, once nothing is on its way any more."""
    wait_until("the payment service to come back", lambda: is_back(place))
    what = (status, document, said)
    assert "Traceback" not in said and said.count("billbuddy-cli:") <= 1, what
    payment_id = str(document.get("payment_id") or "")
    if status == UNKNOWN:
        assert document["outcome"] == "deciding" and document["money_moved"] is None, what
        if not payment_id:  # cut off while the store was being made, which then cannot be read: no order was made yet
            assert payer.minor not in amounts_paid(place), what
            return
        asked = place.client(payer.member, "--json", "payment-status", payment_id)
        outcome = json.loads(asked.stdout)["outcome"]
        assert (outcome == "paid") == (payer.minor in amounts_paid(place)), what
        return
    assert status in (DONE, REFUSED, UNPRINTED), what
    assert (status != REFUSED) == (payer.minor in amounts_paid(place)), what
    assert (status != REFUSED) or "No money moved" in said or "no money moved" in said, what


@pytest.mark.slow
@pytest.mark.parametrize(("moment", "name"), chosen(list(itertools.product(MOMENTS, SIGNALS))))
def test_payment_ended_by_a_signal_says_what_the_ledger_has(place: Dormitory, moment: str, name: str) -> None:
    if moment == "connecting":
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            payer = Payer.start(place, invite=_invite(place, nobody.getsockname()[1]))
            nobody.settimeout(60)
            silent, _address = nobody.accept()
            with silent:
                agree(place, payer, *payer.end(name))
    elif moment == "bill asked":
        with stopped(service(place)):
            payer = Payer.start(place)
            wait_until("the sign-in", lambda: list(payer.home.glob("*/client.db")))
            ended = payer.end(name)
        agree(place, payer, *ended)
    elif moment == "answered, not printed":
        _not_printed(place, name)
    else:
        payer = Payer.start(place)
        payer.wait_for_question()
        process = service(place) if moment == "order sent" else psutil.Process(place.server_pid)
        with stopped(process):
            payer.type_pin()
            wait_until("the order", lambda: payer.order_state() == "deciding")
            ended = payer.end(name)
        assert ended[0] in (UNKNOWN, DONE), ended  # done: the watchdog was quick to put another one in its place
        agree(place, payer, *ended)


def _not_printed(place: Dormitory, name: str) -> None:
    """Standard output is a pipe that takes nothing; the signal comes when the payment is made."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writing, b" " * 4_096):
            pass
    os.set_blocking(writing, True)
    payer = Payer.start(place, stdout=writing)
    os.close(writing)
    payer.wait_for_question()
    payer.type_pin()
    wait_until("the payment", lambda: payer.order_state() == "paid")
    wait_until("the printing", lambda: psutil.Process(payer.process.pid).num_threads() == 1)
    status, document, said = payer.end(name)
    os.close(reading)
    assert status == UNPRINTED and "It was done" in said and "payment-status" in said, (status, said)
    agree(place, payer, status, document, said)


def _invite(place: Dormitory, port: int) -> str:
    known = parse_invite(place.invite)
    return Invite("127.0.0.1", port, "Nobody", known.tls_pin, known.payment_fingerprint).link()


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNALS if IS_LONG else [random.Random(SEED).choice(SIGNALS)])
def test_question_ended_by_a_signal_never_says_that_no_money_moved(place: Dormitory, name: str) -> None:
    with stopped(service(place)):
        environment = place.client_environment(MEMBER, f"asker-{name}")
        line = place.client_line(MEMBER, "--json", "payment-status", "00" * 16)
        with subprocess.Popen(
            line, cwd=place.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as asker:
            wait_until("the sign-in", lambda: list(Path(environment["BILLBUDDY_HOME"]).glob("*/client.db")))
            asker.send_signal(getattr(signal, name))
            out, err = asker.communicate(timeout=60)
    assert asker.returncode == UNKNOWN, err
    assert json.loads(out)["money_moved"] is None and b"oney moved" not in err
    wait_until("the payment service to come back", lambda: is_back(place))


@pytest.mark.parametrize("shell", ["| true", "> /dev/full", ">&-", "> /dev/full 2>&1"])
def test_payment_that_cannot_be_printed_is_told_as_paid(place: Dormitory, shell: str) -> None:
    member, minor = next(PAYERS), next(AMOUNTS)
    line = place.client_line(member, "--lang", "en", "pay", WATER, "--amount", f"0.{minor:02}")
    script = f'"$@" {shell}' + ('; exit "${PIPESTATUS[0]}"' if "|" in shell else "")
    done = subprocess.run(
        ["bash", "-c", script, "bash", *line],
        cwd=place.folder,
        env=place.client_environment(member),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == UNPRINTED, done
    assert minor in amounts_paid(place)
    assert "Traceback" not in done.stderr
    if "2>&1" not in shell:
        assert done.stderr.count("\n") == 1 and "payment-status" in done.stderr


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"},  # the encoding also where the system lacks the locale
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=lambda locale: "-".join(locale.values()),
)
def test_no_terminal_encoding_changes_an_outcome(place: Dormitory, locale: dict[str, str]) -> None:
    member, minor = next(PAYERS), next(AMOUNTS)
    line = place.client_line(member, "--lang", "zh_CN", "pay", WATER, "--amount", f"0.{minor:02}")
    environment = {**place.client_environment(member), **locale}
    done = subprocess.run(line, cwd=place.folder, env=environment, capture_output=True, timeout=120)
    assert done.returncode == DONE and minor in amounts_paid(place), done
    assert done.stdout and b"Traceback" not in done.stderr
