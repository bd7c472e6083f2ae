"""The server's processes as the operating system sees them, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from build_scripts.dormitory import Dormitory

T = TypeVar("T")
POLL_SECONDS = 0.02


def wait_until(what: str, check: Callable[[], T | None], seconds: float = 20) -> T:
    """What `check` gives as soon as it is true; the test fails when it never is."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s for {what}")
        time.sleep(POLL_SECONDS)
    return found


def payment_process(place: Dormitory) -> psutil.Process | None:
    """The payment subsystem that the server runs now."""
    for child in psutil.Process(place.server_pid).children():
        try:
            if "payment" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                return child
        except psutil.NoSuchProcess:
            continue
    return None


def memory_of(pid: int) -> bytes:
    """All readable and writable memory of a child of ours (Linux; own children may be read)."""
    parts = []
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                parts.append(memory.read(end - start))
            except (OSError, ValueError, OverflowError):
                continue  # a guard page or a device's mapping
    return b"\n".join(parts)


def files_below(folder: Path) -> dict[Path, bytes]:
    """Every regular file and its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
