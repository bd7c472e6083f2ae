"""CPU time by kind of work, for the benchmarks: off unless BILLBUDDY_METER names a file to write it to."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

_NOTHING: AbstractContextManager[None] = nullcontext()


class Meter:
    """Adds up CPU nanoseconds of the calling thread by name."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.ns: dict[str, int] = {}

    def span(self, name: str) -> AbstractContextManager[None]:
        """Counts what runs within it under `name`."""
        return self._measured(name) if self._path else _NOTHING

    @contextmanager
    def _measured(self, name: str) -> Iterator[None]:
        start = time.thread_time_ns()
        try:
            yield
        finally:
            self.ns[name] = self.ns.get(name, 0) + time.thread_time_ns() - start

    def write(self) -> None:
        """Writes the sums as JSON, at shutdown."""
        if self._path:
            Path(self._path).write_text(json.dumps(self.ns), encoding="utf-8")


METER = Meter(os.environ.get("BILLBUDDY_METER", ""))
