"""What the benchmarks share: a server in its own processes, the operating system's CPU accounting, and the document."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "benchmark-password"
START_SECONDS_MAX = 60


@dataclass(frozen=True)
class Figure:
    """One measured value. `where` says under which conditions."""

    name: str
    value: float
    unit: str
    where: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunningServer:
    """A server process and its children (the payment subsystem)."""

    process: psutil.Process
    port: int
    data: Path
    invite: str

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        """User and system seconds so far of all server processes."""
        return sum(cpu_seconds(process) for process in self.processes())

    def memory_bytes(self) -> int:
        """Resident memory of the chat server itself."""
        return int(self.process.memory_info().rss)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system seconds of one process; 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def environment() -> dict[str, str]:
    """This checkout first on the path of child processes."""
    path = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": str(ROOT) + (os.pathsep + path if path else "")}


def server_command(data: Path, *argv: str) -> list[str]:
    return [sys.executable, "-m", "im_server", "--data", str(data), *argv]


def operate(data: Path, *argv: str, stdin: str = "") -> str:
    """Run an operator's command; returns what it printed."""
    done = subprocess.run(
        server_command(data, *argv),
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def import_members(data: Path, count: int, password: str = PASSWORD) -> range:
    """Add that many members with one password; returns their ids."""
    rows = "".join(f"{10_001 + i},Member {i + 1},Floor {i // 20 + 1},{password}\n" for i in range(count))
    operate(data, "member", "import", "-", stdin="id,name,group,password\n" + rows)
    return range(10_001, 10_001 + count)


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """A folder on the disk (not in memory: commits must cost what they cost), removed at the end."""
    base = os.environ.get("BILLBUDDY_BENCH_DIR")
    with tempfile.TemporaryDirectory(prefix="billbuddy-bench-", dir=base, ignore_cleanup_errors=True) as folder:
        yield Path(folder, "data")


@contextlib.contextmanager
def running_server(data: Path, *options: str) -> Iterator[RunningServer]:
    """`serve` on a free port, until the block ends."""
    command = server_command(data, "serve", "--listen", "127.0.0.1:0", *options)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
    try:
        port, invite = _await_ready(process)
        yield RunningServer(psutil.Process(process.pid), port, data, invite)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await_ready(process: subprocess.Popen[str]) -> tuple[int, str]:
    assert process.stdout is not None
    invite = ""
    until = time.monotonic() + START_SECONDS_MAX
    for line in process.stdout:
        if line.startswith("invite "):
            invite = line.split()[1]
        if line.startswith("ready "):
            return int(line.rsplit(":", 1)[1]), invite
        if time.monotonic() > until:
            break
    raise RuntimeError("the server did not become ready")


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def machine() -> str:
    """One line: processor, cores, system, Python."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def document(benchmark: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """The JSON document of one benchmark."""
    return {
        "benchmark": benchmark,
        "machine": machine(),
        "figures": [{"name": f.name, "value": f.value, "unit": f.unit, "where": f.where} for f in figures],
    }


def print_figures(benchmark: str, figures: Sequence[Figure], as_json: bool) -> None:
    """To standard output, as one JSON document or as lines for people."""
    if as_json:
        print(json.dumps(document(benchmark, figures), ensure_ascii=False))
        return
    print(f"{benchmark}: {machine()}")
    for figure in figures:
        where = ", ".join(f"{key} {value}" for key, value in figure.where.items())
        print(f"  {figure.name:34} {figure.value:14,.1f} {figure.unit:12} {where}")
