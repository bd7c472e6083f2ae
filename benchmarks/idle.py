"""Memory of an idle connection: TLS, signed in, nothing to say. Ten thousand are held at once.

A member may have sixteen devices, so a thousand members with ten devices each are signed in; each member's password is
hashed once for its first device.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import IO

from benchmarks.clients import client_context, connect, sign_in
from benchmarks.common import PASSWORD, ROOT, Figure, data_folder, environment, import_members, running_server

MEMBERS = 1_000
DEVICES = 10
CLIENT_PROCESSES = 2  # each holds half of the sockets
SETTLE_SECONDS = 2.0


def run() -> list[Figure]:
    per_process = MEMBERS // CLIENT_PROCESSES
    with data_folder() as data, contextlib.ExitStack() as stack:
        members = import_members(data, MEMBERS)
        server = stack.enter_context(running_server(data, "--chat-only"))
        _hold(stack, server.port, members[:1], 1).readline()  # what the first connection loads is not a connection's
        before = server.memory_bytes()
        cpu = server.cpu_seconds()
        clients = [
            _hold(stack, server.port, members[i * per_process : (i + 1) * per_process], DEVICES)
            for i in range(CLIENT_PROCESSES)
        ]
        for output in clients:
            if output.readline().strip() != "held":
                raise RuntimeError("a client process could not hold its connections")
        connected_cpu = server.cpu_seconds() - cpu
        time.sleep(SETTLE_SECONDS)
        used = server.memory_bytes() - before
        idle_cpu = server.cpu_seconds()
        time.sleep(SETTLE_SECONDS)
        idle_share = (server.cpu_seconds() - idle_cpu) / SETTLE_SECONDS
    count = MEMBERS * DEVICES
    where = {"connections": count, "tls": True, "signed_in": True}
    return [
        Figure("kib_per_idle_connection", round(used / 1024 / count, 2), "KiB", where),
        Figure("cpu_ms_per_sign_in", round(connected_cpu * 1000 / count, 3), "ms", where),
        Figure("cpu_share_while_idle", round(idle_share, 4), "of a core", where),
    ]


def _hold(stack: contextlib.ExitStack, port: int, members: range, devices: int) -> IO[str]:
    """Start a process that signs in and then waits until it is told to end; returns what it says."""
    command = [sys.executable, "-m", "benchmarks.idle", str(port), str(members[0]), str(len(members)), str(devices)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
    )
    stack.callback(process.wait, 60)
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout


def _client(port: int, first: int, members: int, devices: int) -> None:
    """The client process: only holds. What the server pushes stays unread in the sockets, within the queues."""
    context = client_context()
    held = []
    for device in range(devices):
        for member_id in range(first, first + members):
            sock = connect(port, context)
            sign_in(sock, member_id, PASSWORD, device.to_bytes(16, "big"))
            held.append(sock)
    print("held", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    _client(*(int(a) for a in sys.argv[1:5]))
