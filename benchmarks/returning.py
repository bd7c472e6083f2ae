"""A thousand signed-in clients lose their server, and come back when it runs again: how long until the last is in.

The clients run in one process, in one loop. Each knows its device, as ours do, and tries again after the time that a
refusal says. `in` means signed in, roster begun and mailbox synced.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import subprocess
import sys
import time

from benchmarks.clients import client_context
from benchmarks.common import (
    PASSWORD,
    ROOT,
    Figure,
    data_folder,
    environment,
    import_members,
    median,
    running_server,
)
from im_protocol.codec import Frame, decode_body, encode
from im_protocol.connection import FrameReader
from im_protocol.packets import Hello, Refusal, RosterRequest, SignIn, SyncRequest, Type

CLIENTS = 1_000
AT_ONCE_FIRST = 20  # the first time each password is hashed in full
RUNS = 3
SECONDS_MAX = 300.0


def run() -> list[Figure]:
    seconds: list[float] = []
    cpu: list[float] = []
    with data_folder() as data:
        members = import_members(data, CLIENTS)
        listen = ("--chat-only", "--listen", f"127.0.0.1:{_free_port()}")
        command = [
            sys.executable,
            "-m",
            "benchmarks.returning",
            listen[-1].split(":")[1],
            str(members[0]),
            str(CLIENTS),
        ]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT
        ) as crowd:
            assert crowd.stdin is not None and crowd.stdout is not None
            stdin, stdout = crowd.stdin, crowd.stdout

            def say(word: str) -> str:
                stdin.write(word + "\n")
                stdin.flush()
                return stdout.readline().removeprefix("done").strip()

            stdout.readline()
            with running_server(data, *listen):
                say(str(AT_ONCE_FIRST))
            for _ in range(RUNS):
                say("leave")
                with running_server(data, *listen) as server:
                    before = server.cpu_seconds()
                    seconds.append(float(say(str(CLIENTS))))
                    cpu.append(server.cpu_seconds() - before)
            stdin.close()
    where = {"clients": CLIENTS, "runs": RUNS}
    return [
        Figure("seconds_until_all_are_back", round(median(seconds), 2), "s", where),
        Figure("server_cpu_ms_per_client", round(1e3 * median(cpu) / CLIENTS, 2), "ms", where),
    ]


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Client:
    """One client on its way in: handshake, greeting, sign-in, roster and sync."""

    def __init__(self, member_id: int, port: int, context: ssl.SSLContext) -> None:
        self.member_id = member_id
        self.device = os.urandom(16)
        self._port = port
        self._context = context
        self.sock: ssl.SSLSocket | None = None
        self.is_in = False
        self.due = 0.0

    def connect(self) -> None:
        plain = socket.socket()
        plain.setblocking(False)
        plain.connect_ex(("127.0.0.1", self._port))
        self.sock = self._context.wrap_socket(plain, do_handshake_on_connect=False)
        self._reader = FrameReader()
        self._open = self.is_in = False
        self._request = 10

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None

    def step(self, now: float) -> bool:
        """Go on as far as it goes. False: the connection is lost."""
        assert self.sock is not None
        try:
            if not self._open:
                self.sock.do_handshake()
                self._open = True
                self.sock.send(encode(Type.HELLO, Hello("back"), request_id=1))
            while data := self.sock.recv(65_536):
                for frame in self._reader.receive_data(data):
                    self._take(frame, now)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError:
            return False
        return False

    def _take(self, frame: Frame, now: float) -> None:
        if frame.type == Type.WELCOME:
            self.sign_in()
        elif frame.type == Type.SIGNED_IN:
            self._send(Type.ROSTER_REQUEST, RosterRequest())
            self._send(Type.SYNC_REQUEST, SyncRequest(0))
        elif frame.type == Type.SYNC_RESULT:
            self.is_in = True
        elif frame.type == Type.REFUSAL:
            self.due = now + max(0.05, decode_body(frame, Refusal).retry_after_ms / 1_000)

    def sign_in(self) -> None:
        self.due = 0.0
        self._send(Type.SIGN_IN, SignIn(self.member_id, PASSWORD, self.device))

    def _send(self, kind: Type, body: object) -> None:
        assert self.sock is not None
        self._request += 1
        self.sock.send(encode(kind, body, request_id=self._request))  # type: ignore[arg-type]


class Crowd:
    """All of them, in one loop."""

    def __init__(self, port: int, first: int, count: int) -> None:
        context = client_context()
        self._clients = [Client(first + at, port, context) for at in range(count)]
        self._poll = select.epoll()
        self._by_fd: dict[int, Client] = {}

    def come(self, at_once: int) -> float:
        """Until every client is in: the seconds from now. At most so many are on their way at once."""
        began = time.monotonic()
        waiting, coming = list(self._clients), 0
        while time.monotonic() - began < SECONDS_MAX:
            coming = sum(1 for c in self._by_fd.values() if not c.is_in)
            while waiting and coming < at_once:
                self._start(waiting.pop())
                coming += 1
            if not waiting and not coming:
                return time.monotonic() - began
            now = time.monotonic()
            for fd, _mask in self._poll.poll(0.05):
                client = self._by_fd[fd]
                if not client.step(now):
                    self._lose(fd)
                    waiting.append(client)
            for client in self._by_fd.values():
                if client.due and now >= client.due:
                    client.sign_in()
        raise RuntimeError(f"{coming + len(waiting)} clients are not back after {SECONDS_MAX:.0f} seconds")

    def leave(self) -> None:
        """Close all connections."""
        for fd in list(self._by_fd):
            self._lose(fd)

    def _start(self, client: Client) -> None:
        client.connect()
        assert client.sock is not None
        self._by_fd[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def _lose(self, fd: int) -> None:
        client = self._by_fd.pop(fd)
        self._poll.unregister(fd)
        client.close()


def main() -> None:
    port, first, count = map(int, sys.argv[1:])
    crowd = Crowd(port, first, count)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "leave":
            crowd.leave()
            print("done", flush=True)
        else:
            print("done", crowd.come(int(line)), flush=True)


if __name__ == "__main__":
    main()
