"""Chat messages delivered per server CPU-second: TLS, stored with synchronous=FULL, acknowledged.

Two hundred members in pairs, 100-byte texts, 1 and 10 messages in flight a member. The clients run in a process of
their own; the server's CPU time is read from the operating system.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.clients import Crowd
from benchmarks.common import (
    PASSWORD,
    ROOT,
    Figure,
    RunningServer,
    data_folder,
    environment,
    import_members,
    median,
    running_server,
)

MEMBERS = 200
TEXT_BYTES = 100
IN_FLIGHT = (1, 10)
SECONDS = 4.0
RUNS = 3


def run() -> list[Figure]:
    figures: list[Figure] = []
    with data_folder() as data:
        members = import_members(data, MEMBERS)
        with running_server(data, "--chat-only") as server:
            for in_flight in IN_FLIGHT:
                results = [_measure(server, len(members), in_flight) for _ in range(RUNS)]
                where = {"in_flight": in_flight, "stored": True, "tls": True}
                per_cpu = median([count / cpu for count, cpu, _ in results])
                figures.append(Figure("messages_per_server_cpu_second", round(per_cpu), "1/s", where))
                rate = median([count / seconds for count, _, seconds in results])
                figures.append(Figure("messages_per_second", round(rate), "1/s", where))
    return figures


def _measure(server: RunningServer, members: int, in_flight: int) -> tuple[int, float, float]:
    """(messages, server CPU-seconds, seconds) of one run; the client says when it begins and ends."""
    command = [sys.executable, "-m", "benchmarks.routing", str(server.port), str(members), str(in_flight)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    ) as client:
        assert client.stdin is not None and client.stdout is not None
        _expect(client.stdout.readline(), "ready")
        before = server.cpu_seconds()
        client.stdin.write("go\n")
        client.stdin.flush()
        count = int(_expect(client.stdout.readline(), "done"))
        cpu = server.cpu_seconds() - before
        client.stdin.write("settle\n")
        client.stdin.flush()
        _expect(client.stdout.readline(), "settled")
    return count, cpu, SECONDS


def _expect(line: str, word: str) -> str:
    if not line.startswith(word):
        raise RuntimeError(f"the benchmark's client said {line!r} instead of {word!r}")
    return line[len(word) :].strip()


def _client(port: int, members: int, in_flight: int) -> None:
    """The client process."""
    crowd = Crowd(port, range(10_001, 10_001 + members), PASSWORD, TEXT_BYTES)
    print("ready", flush=True)
    sys.stdin.readline()
    print("done", crowd.chat(SECONDS, in_flight), flush=True)
    sys.stdin.readline()
    crowd.settle()
    print("settled", flush=True)
    crowd.close()


if __name__ == "__main__":
    _client(*(int(a) for a in sys.argv[1:4]))
