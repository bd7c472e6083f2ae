"""Durable ledger payments per CPU-second: group commit, synchronous=FULL, file on disk.

Each payment does what a real one does once its seal and password are good: at-most-once lookup, limits, double entry
with chain hash, balances, bill clearance, signed receipt, stored result. Groups of 128 share a commit, as in the
busy service. Beside it, where PostgreSQL is installed, pgbench's TPC-B-like transaction on a fresh local cluster.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.common import Figure, data_folder, median
from payment.audit import Operator
from payment.billing import BillerInfo
from payment.contract.messages import Amount, Pay
from payment.core import Core
from payment.credentials import PinRecord
from payment.operations import Operations
from payment.orders import Order, fingerprint
from payment.prompts import Words
from payment.service import GROUP_MAX

MEMBERS = 200
GROUP = GROUP_MAX
PAYMENTS = 12_800
RUNS = 3
PGBENCH_SCALE = 10
PGBENCH_CLIENTS = 16
PGBENCH_SECONDS = 6


def run() -> list[Figure]:
    """The ledger, and PostgreSQL beside it where it is installed."""
    with data_folder() as data:
        core = Core(data)
        try:
            accounts = _furnish(core)
            runs = [_measure(core, accounts, number) for number in range(RUNS)]
        finally:
            core.close()
    where = {"group": GROUP, "synchronous": "full", "store": "SQLite WAL"}
    figures = [
        Figure("ledger_payments_per_cpu_second", round(median([PAYMENTS / cpu for cpu, _ in runs])), "1/s", where),
        Figure("ledger_payments_per_second", round(median([PAYMENTS / seconds for _, seconds in runs])), "1/s", where),
    ]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        figures += _pgbench()
    return figures


def _furnish(core: Core) -> list[str]:
    """Members with money and a bill for every payment. Gives the account numbers."""
    operations = Operations(core, Operator("benchmark"))
    with core.store.transaction():
        operations.set_limits(0, "1000.00", "9000000.00", 10**9)
        operations.put_biller(BillerInfo(101, "Electricity", "other", "exact", "CNY", "", "", 0), may_exist=False)
        record = PinRecord(secrets.token_bytes(16), bytes(16), bytes(32))
        accounts = []
        for member in range(10_001, 10_001 + MEMBERS):
            accounts.append(operations.open_account(member, f"Member {member}", "CNY", record).number)
            operations.top_up(member, "1000000.00")
        for number in range(1, 1_001):
            core.store.insert_new("customer", biller_id=101, customer_number=str(number), place="", credit=0)
        for bill in range(1, RUNS * PAYMENTS + 1):
            core.store.insert_new("bill", **_bill(bill))
    return accounts


def _bill(number: int) -> dict[str, object]:
    return {
        "id": number,
        "biller_id": 101,
        "customer_number": str(number % 1_000 + 1),
        "bill_ref": f"R-{number}",
        "title": f"Bill {number}",
        "period": "2026-01",
        "lines": b"\x91\x92\xa5Usage\x64",
        "total": 100,
        "minimum": 0,
        "currency": "CNY",
        "due_on": "2026-01-31",
        "cancelled": 0,
        "paid": 0,
    }


def _measure(core: Core, accounts: list[str], run_number: int) -> tuple[float, float]:
    """(CPU-seconds, seconds) of one run."""
    words = Words("en")
    orders = []
    for at in range(PAYMENTS):
        pay = Pay(
            secrets.token_bytes(16),
            101,
            None,
            run_number * PAYMENTS + at + 1,
            Amount(100, "CNY"),
            accounts[at % MEMBERS],
            None,
        )
        orders.append(Order(10_001 + at % MEMBERS, pay, fingerprint(pay), b"", 0, words))
    process = psutil.Process()
    before, start = sum(process.cpu_times()[:2]), time.monotonic()
    for at in range(0, PAYMENTS, GROUP):
        core.ledger.begin()
        with core.store.transaction():
            _, group = core.orders.apply(orders[at : at + GROUP], core.clock())
        if len(group.transfers) != GROUP:
            raise RuntimeError("a payment of the benchmark was refused")
    return sum(process.cpu_times()[:2]) - before, time.monotonic() - start


# ---- PostgreSQL ------------------------------------------------------------------------------------------------


def _pgbench() -> list[Figure]:
    """pgbench's TPC-B on a fresh cluster with default durability, in CPU-seconds of the server's processes."""
    pgbench, initdb, postgres = (_program(name) for name in ("pgbench", "initdb", "postgres"))
    if not (pgbench and initdb and postgres):
        return []
    with _cluster(initdb, postgres) as (server, folder, user):
        where = ["-h", str(folder), "-U", user]
        _as_user(user, [pgbench, *where, "-i", "-q", "-s", str(PGBENCH_SCALE), "postgres"])
        before = _tree_seconds(server)
        out = _as_user(
            user,
            [
                *(pgbench, *where, "-c", str(PGBENCH_CLIENTS), "-j", "1", "-T", str(PGBENCH_SECONDS)),
                *("-M", "prepared", "-n", "postgres"),
            ],
        )
        cpu = _tree_seconds(server) - before
    done = re.search(r"actually processed: (\d+)", out)
    if done is None or cpu <= 0:
        return []
    conditions = {"store": "PostgreSQL, pgbench TPC-B", "clients": PGBENCH_CLIENTS, "scale": PGBENCH_SCALE}
    return [Figure("pgbench_transactions_per_cpu_second", round(int(done[1]) / cpu), "1/s", conditions)]


def _program(name: str) -> str:
    found = shutil.which(name)
    homes = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(homes[-1]) if homes else found or ""


@contextlib.contextmanager
def _cluster(initdb: str, postgres: str) -> Iterator[tuple[psutil.Process, Path, str]]:
    """A PostgreSQL of its own on a Unix socket. It refuses to run as root, so root borrows its package's user."""
    user = "postgres" if os.geteuid() == 0 else psutil.Process().username()
    with tempfile.TemporaryDirectory(prefix="billbuddy-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        _as_user(user, [initdb, "-D", str(folder / "data"), "-U", user, "-A", "trust", "--no-instructions"])
        options = ["-D", str(folder / "data"), "-k", str(folder), "-c", "listen_addresses="]
        process = subprocess.Popen(
            [*_runner(user), postgres, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_socket(folder)
            yield psutil.Process(process.pid), folder, user
        finally:
            process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
            process.wait(30)


def _await_socket(folder: Path) -> None:
    until = time.monotonic() + 20
    while not (folder / ".s.PGSQL.5432").exists():
        if time.monotonic() > until:
            raise OSError("PostgreSQL did not start")
        time.sleep(0.1)


def _runner(user: str) -> list[str]:
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if os.geteuid() == 0 else []


def _as_user(user: str, command: list[str]) -> str:
    return subprocess.run([*_runner(user), *command], check=True, capture_output=True, text=True).stdout


def _tree_seconds(process: psutil.Process) -> float:
    """CPU-seconds of a process and its children. Back ends that have ended are in the parent's own account."""
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            own = child.cpu_times()
            total += own.user + own.system
    return float(total)
