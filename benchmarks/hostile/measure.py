"""What good members feel while others attack: fifty chat and ten pay at an ordinary pace, alone and under each attack.

Chat counts from sending to the partner's receiving, stored in between; a payment from sending the sealed order to its
receipt. The attackers share the cores with everything else. Each attack is measured `RUNS` times; the figures are the
medians over the runs of each run's median, 99th percentile and maximum. `BILLBUDDY_ATTACKS` (names, separated by
commas) picks some.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, Figure, RunningServer, data_folder, environment, median, running_server
from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.good import CHATTERS, PAYMENTS_PER_SECOND
from benchmarks.payments import furnish

PAYERS = 10
ATTACKERS = 8  # members who attack, in two processes
PROCESSES = 2
RUNS = 3
SECONDS = 5.0
WARM_SECONDS = 1.5  # the attack is under way when measuring begins
CALM_SECONDS = 60.0  # after which the server's memory has fallen again
ALONE = "none"


def run() -> list[Figure]:
    chosen = [name for name in os.environ.get("BILLBUDDY_ATTACKS", "").split(",") if name] or list(ATTACKS)
    runs: dict[str, list[dict[str, Any]]] = {}
    with data_folder() as data:
        seconds = (1 + len(chosen)) * RUNS * SECONDS + 2 * CALM_SECONDS
        bills = int(PAYERS + seconds * PAYMENTS_PER_SECOND)
        accounts = furnish(data, bills, PAYERS + CHATTERS + ATTACKERS, PAYERS)
        with running_server(data) as server, _good(server, accounts) as measure:
            measure(1.0)
            before = server.memory_bytes()
            for name in [ALONE, *chosen]:
                runs[name] = [_attacked(server, name, measure) for _ in range(RUNS)]
            after = server.memory_bytes()
            calm = _calm_memory(server, measure)
    figures = [figure for name, results in runs.items() for figure in _figures(name, results)]
    mebibytes = {"before": before, "after the attacks": after, f"{CALM_SECONDS:.0f} s later": calm}
    return figures + [
        Figure("server_memory_mib", round(b / 2**20, 1), "MiB", {"when": w}) for w, b in mebibytes.items()
    ]


@contextlib.contextmanager
def _good(server: RunningServer, accounts: Path) -> Iterator[Any]:
    """The good members' process; gives the function that measures for so many seconds."""
    first_chatter = 10_001 + PAYERS
    command = [sys.executable, "-m", "benchmarks.hostile.good", str(server.port), str(first_chatter), str(accounts)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    ) as good:
        assert good.stdin is not None and good.stdout is not None
        stdin, stdout = good.stdin, good.stdout

        def measure(seconds: float) -> dict[str, Any]:
            stdin.write(f"{seconds}\n")
            stdin.flush()
            return dict(json.loads(_expect(stdout.readline(), "done")))

        try:
            _expect(stdout.readline(), "ready")
            yield measure
        finally:
            stdin.close()
            good.wait(30)


def _attacked(server: RunningServer, name: str, measure: Any) -> dict[str, Any]:
    first = 10_001 + PAYERS + CHATTERS
    each = ATTACKERS // PROCESSES
    attackers = []
    if name != ALONE:
        for at in range(PROCESSES):
            argv = [name, str(server.port), str(first + at * each), str(each), str(WARM_SECONDS + SECONDS + 1)]
            command = [sys.executable, "-m", "benchmarks.hostile.attacks", *argv]
            attackers.append(subprocess.Popen(command, env=environment(), cwd=ROOT, stderr=subprocess.DEVNULL))
    try:
        time.sleep(WARM_SECONDS)
        return dict(measure(SECONDS))
    finally:
        for attacker in attackers:
            attacker.kill()
            attacker.wait()


def _calm_memory(server: RunningServer, measure: Any) -> int:
    until = time.monotonic() + CALM_SECONDS
    while time.monotonic() < until:
        measure(1.0)
    return server.memory_bytes()


def _figures(name: str, results: list[dict[str, Any]]) -> list[Figure]:
    where = {"attack": name, "runs": RUNS}
    figures = []
    for kind, prefix in (("chat", "good"), ("pay", "good_pay")):
        sorted_ms = [result[kind] for result in results]
        for part, at in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            values = [ms[min(len(ms) - 1, int(len(ms) * at))] for ms in sorted_ms if ms]
            figures.append(Figure(f"{prefix}_{part}_ms", round(median(values), 1), "ms", where))
    figures.append(Figure("good_refused_or_lost", float(sum(result["failed"] for result in results)), "", where))
    return figures


def _expect(line: str, word: str) -> str:
    if not line.startswith(word):
        raise RuntimeError(f"the good members' process said {line!r} instead of {word!r}")
    return line[len(word) :].strip()
