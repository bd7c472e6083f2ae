"""What good members feel while others attack. `measure` says how; its processes are the other modules."""

from __future__ import annotations

from benchmarks.common import Figure


def run() -> list[Figure]:
    from benchmarks.hostile import measure  # not above: its modules are programs as well

    return measure.run()
