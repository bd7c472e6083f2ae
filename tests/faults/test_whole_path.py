"""The whole path on real processes: a bad relay on the real link, clients that are killed, and what is left on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from build_scripts.common import ROOT
from desktop_client.app import Client, Options
from desktop_client.config import Timings
from desktop_client.outcomes import Outcome
from desktop_client.profile import KnownServer, Profile
from im_protocol.codec import Frame
from im_protocol.packets import Refusal, SignedIn
from im_server.cli import invite
from payment.contract.messages import Amount
from tests.faults.bad_link import BadLink, LinkFaults
from tests.faults.books import audit
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.house import EXACT, PIN, Due, House
from tests.faults.town import PASSWORD, Town, wait_for

pytestmark = [pytest.mark.faults, pytest.mark.integration, pytest.mark.slow]
HASTY = Timings(
    request_seconds=1.0,
    backoff_first_seconds=0.05,
    backoff_max_seconds=0.3,
    ask_again_first_seconds=0.1,
    ask_again_max_seconds=0.5,
)
PAYMENTS_EACH, PAYMENTS_EACH_LONG = 8, 150
CLIENT_KILLS, CLIENT_KILLS_LONG = 3, 40


@pytest.fixture
def link(tmp_path: Path, luck: Luck) -> Iterator[BadLink]:
    link = BadLink(tmp_path / "bad.sock", tmp_path / "data" / "run" / "link.sock", luck.randrange(2**32))
    link.start()
    yield link
    link.stop()


@pytest.fixture
def town(tmp_path: Path, link: BadLink) -> Iterator[Town]:
    town = Town(tmp_path / "data", lambda path: House.build(path, bills_each=40, opening_minor=9_000_000), link.path)
    try:
        town.start()
        wait_for("the payment key", lambda: town.folder.facts().payment_root_hex)
        yield town
    finally:
        town.stop()


class Person:
    """A real client without a window, on a profile of its own."""

    def __init__(self, town: Town, member_id: int, folder: Path) -> None:
        found = invite(town.folder, ["127.0.0.1"], town.port)
        server = KnownServer("127.0.0.1", town.port, "", found.tls_pin.hex(), found.payment_fingerprint.hex())
        profile = Profile(folder)
        self.client = Client(profile, Options(), HASTY)
        self.member_id = member_id
        self.waiting = 0
        self.told: dict[bytes, str] = {}
        answers: list[SignedIn | Refusal] = []
        self.client.sign_in(profile.trust(server), member_id, PASSWORD, answers.append)
        self.pump_until("signing in", lambda: bool(answers))
        assert isinstance(answers[0], SignedIn), answers

    def pump_until(self, what: str, is_so: Callable[[], bool]) -> None:
        def check() -> bool:
            self.client.pump()
            return is_so()

        wait_for(what, check)

    def pay(self, house: House, due: Due, minor: int) -> None:
        assert self.client.member is not None
        payments = self.client.member.payments
        account = house.accounts[self.member_id]
        order = payments.new_order(
            due.biller_id, "Biller", due.customer_number, due.bill_id, "Bill", Amount(minor, "CNY"), account
        )
        self.waiting += 1
        payments.pay(order, account, PIN, self._hear)

    def _hear(self, outcome: Outcome) -> None:
        self.waiting -= 1

    def outcomes(self) -> dict[bytes, str]:
        assert self.client.member is not None
        store = self.client.member.store
        return {bytes(payment_id): state for payment_id, state in store.rows("SELECT payment_id, state FROM orders")}

    def is_settled(self) -> bool:
        return not self.waiting and "deciding" not in self.outcomes().values()


@pytest.mark.timeout(1_800)
def test_three_outcomes_through_a_bad_relay(
    town: Town, link: BadLink, tmp_path: Path, luck: Luck, tally: Tally, is_long: bool
) -> None:
    people = [Person(town, member_id, tmp_path / f"profile-{member_id}") for member_id in town.house.members[:3]]
    link.faults = LinkFaults(dropped=0.15, repeated=0.3, delayed=0.4)
    for _ in range(PAYMENTS_EACH_LONG if is_long else PAYMENTS_EACH):
        for person in people:
            due = luck.choice(town.house.bills[:24])
            person.pay(town.house, due, due.minor if due.biller_id == EXACT else luck.randint(1, 50))
        _pump(people, "answers", lambda: all(person.waiting < 4 for person in people))
    _pump(people, "the first answers", lambda: not any(person.waiting for person in people))
    link.faults = LinkFaults()
    _pump(people, "all payments to be decided", lambda: all(person.is_settled() for person in people))
    outcomes = {payment_id: state for person in people for payment_id, state in person.outcomes().items()}
    for person in people:
        person.client.close()
    assert town.stop() == 0
    paid = set(audit(town.folder.payment, town.house))
    assert {payment_id for payment_id, state in outcomes.items() if state == "paid"} == paid
    ledger_check(town.folder.payment)
    tally.say(payments=len(outcomes), outcomes=dict(Counter(outcomes.values())), packets=dict(link.seen))


def _pump(people: list[Person], what: str, is_so: Callable[[], bool]) -> None:
    def check() -> bool:
        for person in people:
            person.client.pump()
        return is_so()

    wait_for(what, check)


# ---- clients that are killed


class Shell:
    """billbuddy-cli on one profile."""

    def __init__(self, town: Town, member_id: int, home: Path) -> None:
        self.home = home
        link = invite(town.folder, ["127.0.0.1"], town.port).link()
        self._line = [*(sys.executable, "-m", "desktop_client.cli", "--invite", link, "--as", str(member_id), "--json")]
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BILLBUDDY_HOME": str(home),
            "BILLBUDDY_PASSWORD": PASSWORD,
            "BILLBUDDY_PIN": PIN,
        }

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        null = subprocess.DEVNULL
        return subprocess.Popen(
            [*self._line, *arguments], cwd=ROOT, env=self._environment, stdin=null, stdout=null, stderr=null
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._line, *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def has_order(self) -> bool:
        """Whether an order was stored in the profile."""
        for path in self.home.rglob("client.db"):
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                if connection.execute("SELECT count(*) FROM orders").fetchall()[0][0]:
                    return True
            except apsw.SQLError:
                continue  # its tables are not made yet
            finally:
                connection.close()
        return False


@pytest.mark.timeout(1_800)
def test_order_of_a_killed_client_is_resolved_at_its_next_start(
    town: Town, link: BadLink, tmp_path: Path, luck: Luck, tally: Tally, is_long: bool
) -> None:
    seen: Counter[str] = Counter()
    member_id = town.house.members[0]
    outcomes: dict[bytes, str] = {}
    for at in range(CLIENT_KILLS_LONG if is_long else CLIENT_KILLS):
        shell, payment_id = Shell(town, member_id, tmp_path / f"home-{at}"), luck.randbytes(16)
        arrives = luck.random() < 0.6
        _kill_when_the_order_is_sent(shell, link, payment_id, arrives=arrives)
        if luck.random() < 0.5:
            done = shell.run("payment-status", payment_id.hex())
            state = str(json.loads(done.stdout)["outcome"])
            seen["asked by command"] += 1
        else:
            person = Person(town, member_id, shell.home)
            person.pump_until("the order to be decided", person.is_settled)
            state = person.outcomes()[payment_id]
            person.client.close()
            seen["resolved by itself"] += 1
        assert state == ("paid" if arrives else "not_paid")
        outcomes[payment_id] = state
        seen[state] += 1
    assert town.stop() == 0
    paid = set(audit(town.folder.payment, town.house))
    assert {payment_id for payment_id, state in outcomes.items() if state == "paid"} == paid
    tally.say(kills=len(outcomes), seen=dict(seen))


def _kill_when_the_order_is_sent(shell: Shell, link: BadLink, payment_id: bytes, *, arrives: bool) -> None:
    child: list[subprocess.Popen[bytes]] = []

    def watch(frame: Frame) -> bool:
        if not child or child[0].poll() is not None or not shell.has_order():
            return True
        child[0].kill()
        child[0].wait()
        return arrives

    link.watch = watch
    child.append(shell.start("pay", str(EXACT), "--customer", "88000000", "--payment-id", payment_id.hex()))
    assert child[0].wait(60) == -9, "the client ended before its order was seen"
    link.watch = lambda frame: True


# ---- secrets


def test_no_password_and_no_sealed_order_is_left_on_any_disk(
    town: Town, link: BadLink, tmp_path: Path, luck: Luck
) -> None:
    """After payments and a kill of each process, all that is on the disk is searched."""
    bodies: list[bytes] = []

    def watch(frame: Frame) -> bool:
        bodies.append(frame.body)
        return True

    link.watch = watch
    shell = Shell(town, town.house.members[0], tmp_path / "profile")
    assert shell.run("pay", str(EXACT), "--customer", "88000000").returncode == 0
    town.kill_payment()
    wait_for("a payment", lambda: shell.run("pay", str(EXACT)).returncode == 0)
    town.kill_server()
    wait_for("a payment", lambda: shell.run("pay", str(EXACT)).returncode == 0)
    assert len(bodies) >= 6
    places = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(path.name == "client.db" for path in places) and any(path.name == "payment.db" for path in places)
    assert any(path.name == "im.db" for path in places) and any(path.suffix == ".log" for path in places)
    kept = [PIN.encode(), PASSWORD.encode(), *(body[7:135] for body in bodies), *(body[-64:] for body in bodies)]
    found = [path.name for path, content in places.items() if any(word in content for word in kept)]
    assert found == []
    assert not [path for path in places if path.name.startswith("core")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_would_leave_a_core_file(town: Town) -> None:
    """Whatever the shell allows: keys and passwords in memory do not go to the disk with a crash."""
    process = wait_for("the payment subsystem", town.payment)
    for pid in (town.server.pid, process.pid):
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        (core,) = (line for line in limits if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
