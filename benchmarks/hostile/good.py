"""The members who are measured: some chat in pairs, some pay, all at an ordinary pace. One process, one loop."""

from __future__ import annotations

import itertools
import json
import os
import select
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clients import client_context, connect, sign_in
from benchmarks.common import PASSWORD
from benchmarks.payments import Bank, must_be_paid
from im_protocol.codec import Frame, decode_body, encode
from im_protocol.connection import FrameReader
from im_protocol.packets import ChatEvent, ChatSend, Flag, Refusal, Type

CHATTERS = 50
CHATS_PER_SECOND = 100  # of all of them
PAYMENTS_PER_SECOND = 10
SETTLE_SECONDS_MAX = 20.0


class Chatters:
    """Members in pairs. A message counts from its sending to its coming at the partner, stored in between."""

    def __init__(self, port: int, members: range) -> None:
        context = client_context()
        self.socks: dict[int, ssl.SSLSocket] = {}
        self._readers: dict[int, FrameReader] = {}
        self._partners: list[tuple[ssl.SSLSocket, int]] = []
        self._next = itertools.count(10)
        self.sent: dict[bytes, float] = {}
        self.took: list[float] = []
        self.refused = 0
        for at, member in enumerate(members):
            sock = connect(port, context)
            sign_in(sock, member, PASSWORD)
            sock.setblocking(False)
            self.socks[sock.fileno()] = sock
            self._readers[sock.fileno()] = FrameReader()
            self._partners.append((sock, members[at ^ 1]))

    def send(self, number: int) -> None:
        sock, partner = self._partners[number % len(self._partners)]
        message_id = os.urandom(16)
        self.sent[message_id] = time.monotonic()
        packet = encode(
            Type.CHAT_SEND, ChatSend(message_id, "x" * 100), request_id=next(self._next), receiver_id=partner
        )
        sock.send(packet)

    def receive(self, fd: int) -> None:
        now = time.monotonic()
        for frame in _frames(self.socks[fd], self._readers[fd]):
            if frame.type == Type.CHAT_EVENT:
                began = self.sent.pop(decode_body(frame, ChatEvent).message.message_id, None)
                if began is not None:
                    self.took.append(now - began)
            elif frame.type == Type.REFUSAL:
                self.refused += 1
                print("refused:", decode_body(frame, Refusal), file=sys.stderr)


def _frames(sock: ssl.SSLSocket, reader: FrameReader) -> Iterator[Frame]:
    try:
        while data := sock.recv(65_536):
            yield from reader.receive_data(data)
    except ssl.SSLWantReadError:
        return
    raise RuntimeError("the server closed the connection of a good member")


class Good:
    """Chatters and payers, measured for some seconds at a time."""

    def __init__(self, port: int, first_chatter: int, accounts: dict[str, str]) -> None:
        self._bank = Bank(port, accounts)
        self._chat = Chatters(port, range(first_chatter, first_chatter + CHATTERS))
        self._poll = select.epoll()
        for fd in (*self._chat.socks, *self._bank.payers):
            self._poll.register(fd, select.EPOLLIN)

    def measure(self, seconds: float) -> dict[str, list[float] | int]:
        """Milliseconds of every chat message and payment of so many seconds, in order of size."""
        self._bank.seal(int(seconds * PAYMENTS_PER_SECOND))
        payers = itertools.cycle(list(self._bank.payers.values()))
        self._chat.took, self._pays, self._owed = [], list[float](), 0
        start = time.monotonic()
        chats = pays = 0
        while (now := time.monotonic() - start) < seconds:
            if now >= chats / CHATS_PER_SECOND:
                self._chat.send(chats)
                chats += 1
            elif now >= pays / PAYMENTS_PER_SECOND:
                next(payers).send()
                self._owed += 1
                pays += 1
            else:
                due = min(chats / CHATS_PER_SECOND, pays / PAYMENTS_PER_SECOND)
                self._turn(max(0.0, start + due - time.monotonic()))
        until = time.monotonic() + SETTLE_SECONDS_MAX
        while (self._chat.sent or self._owed) and time.monotonic() < until:
            self._turn(0.1)
        lost = len(self._chat.sent) + self._owed
        self._chat.sent.clear()
        return {
            "chat": sorted(1e3 * t for t in self._chat.took),
            "pay": sorted(1e3 * t for t in self._pays),
            "failed": lost + self._chat.refused,
        }

    def _turn(self, seconds: float) -> None:
        for fd, _mask in self._poll.poll(seconds):
            if fd in self._chat.socks:
                self._chat.receive(fd)
                continue
            payer = self._bank.payers[fd]
            for frame in payer.receive():
                if frame.flags & Flag.ANSWER and frame.request_id in payer.sent:
                    self._pays.append(time.monotonic() - payer.sent.pop(frame.request_id))
                    self._owed -= 1
                    must_be_paid(payer, frame)


def main() -> None:
    port, first_chatter, accounts = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    good = Good(port, first_chatter, json.loads(accounts.read_text(encoding="utf-8")))
    print("ready", flush=True)
    for line in sys.stdin:
        print("done", json.dumps(good.measure(float(line))), flush=True)


if __name__ == "__main__":
    main()
