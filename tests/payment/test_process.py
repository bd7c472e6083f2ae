"""The subsystem as its own process, on a real link and a real administration socket."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from im_protocol.codec import Frame, decode_body, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.packets import AccountsChanged, LinkHello, Type
from payment.contract import keys, sealing
from payment.contract.messages import (
    Amount,
    AskBill,
    AskPayment,
    BillsAre,
    Envelope,
    Overview,
    OverviewIs,
    Paid,
    Pay,
    Refused,
    Request,
)
from payment.runner import EXIT_OUTCOME_UNKNOWN
from tests.payment.house import BILLS, LIN, PIN

SECONDS = 20
TOKEN = b"token of the link"


class FakeServer:
    """The chat server's end of the link."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "link.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen()
        self._listener.settimeout(SECONDS)
        self._connection: socket.socket | None = None

    def accept(self) -> LinkHello:
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(SECONDS)
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self._number = 0
        return self.hello()

    def hello(self) -> LinkHello:
        return decode_body(self.frame(Type.LINK_HELLO), LinkHello)

    def frame(self, kind: int) -> Frame:
        while True:
            for at, frame in enumerate(self._frames):
                if frame.type == kind:
                    return self._frames.pop(at)
            assert self._connection is not None
            data = self._connection.recv(65_536)
            assert data, "the subsystem closed the link"
            self._frames += self._reader.receive_data(data)

    def send(self, kind: Type, body: bytes, member: int = LIN) -> None:
        assert self._connection is not None
        self._number += 1
        self._connection.sendall(encode_frame(kind, body, request_id=self._number, sender_id=member, receiver_id=1))

    def ask(self, root: bytes, request: Request) -> object:
        now_ms = time.time_ns() // 1_000_000
        self.send(Type.KEY_CONFIG_REQUEST, b"\x90")
        (config, *_) = keys.verify_key_configs(self.frame(Type.KEY_CONFIG).body, root, now_ms)
        body, context = sealing.seal_request(config, Envelope(secrets.token_bytes(16), now_ms, "en", request), LIN)
        self.send(Type.SEALED_REQUEST, body)
        frame = self.frame(Type.SEALED_ANSWER)
        assert frame.request_id == self._number and frame.receiver_id == LIN
        return context.open(frame.body)

    def ask_together(self, root: bytes, requests: list[tuple[Request, int]]) -> list[object]:
        """Sends all in one go; each is sealed so many milliseconds from now."""
        now_ms = time.time_ns() // 1_000_000
        self.send(Type.KEY_CONFIG_REQUEST, b"\x90")
        (config, *_) = keys.verify_key_configs(self.frame(Type.KEY_CONFIG).body, root, now_ms)
        sealed = [
            sealing.seal_request(config, Envelope(secrets.token_bytes(16), now_ms + later, "en", request), LIN)
            for request, later in requests
        ]
        assert self._connection is not None
        first = self._number + 1
        packets = [
            encode_frame(Type.SEALED_REQUEST, body, request_id=first + at, sender_id=LIN, receiver_id=1)
            for at, (body, _) in enumerate(sealed)
        ]
        self._number += len(packets)
        self._connection.sendall(b"".join(packets))
        frames = {frame.request_id: frame for frame in (self.frame(Type.SEALED_ANSWER) for _ in sealed)}
        return [context.open(frames[first + at].body) for at, (_, context) in enumerate(sealed)]

    def cut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        self.cut()
        self._listener.close()


class Subsystem:
    def __init__(self, folder: Path, address: str) -> None:
        self.data = folder / "payment"
        token = folder / "link.token"
        token.write_bytes(TOKEN)
        self.argv = [sys.executable, "-m", "payment", "--data", str(self.data)]
        self.environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.argv, "--link", address, "--link-token-file", str(token), "serve"],
                stdin=subprocess.PIPE,
                stderr=log,
                env=self.environment,
            )

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.argv, *argv], input=stdin, capture_output=True, text=True, env=self.environment, timeout=SECONDS
        )

    def stop(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(SECONDS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    made = FakeServer(tmp_path)
    yield made
    made.close()


@pytest.fixture
def subsystem(tmp_path: Path, server: FakeServer) -> Iterator[Subsystem]:
    made = Subsystem(tmp_path, server.address)
    yield made
    if made.process.poll() is None:
        made.stop()


@pytest.mark.integration
def test_a_bill_is_paid_over_the_link_while_the_operator_works(
    server: FakeServer, subsystem: Subsystem, tmp_path: Path
) -> None:
    hello = server.accept()
    assert hello.token == TOKEN and hello.billers == []
    opened = subsystem.run("account", "open", "--member", str(LIN), "--name", "Lin", "--pin-stdin", stdin=PIN)
    account = opened.stdout.split()[1]
    assert subsystem.run("account", "top-up", "--member", str(LIN), "--amount", "100").returncode == 0
    assert decode_body(server.frame(Type.ACCOUNTS_CHANGED), AccountsChanged).member_ids == [LIN]
    for number in (101, 102, 103):
        assert subsystem.run("biller", "add", "--name", f"B{number}", "--id", str(number)).returncode == 0
        assert server.hello().billers[-1].name == f"B{number}"
    file = tmp_path / "bills.csv"
    file.write_text(BILLS)
    assert subsystem.run("bill", "import", str(file)).stdout == "bills: 3 new, 0 known already\n"
    bills = server.ask(hello.payment_root, AskBill(101, "88201402"))
    assert isinstance(bills, BillsAre) and bills.bills[0].due.minor == 8_640
    pay = Pay(secrets.token_bytes(16), 101, None, 1, Amount(8_640, "CNY"), account, PIN)
    paid = server.ask(hello.payment_root, pay)
    assert isinstance(paid, Paid)
    server.cut()
    assert server.accept().payment_root == hello.payment_root
    assert server.ask(hello.payment_root, pay) == paid
    assert subsystem.run("ledger", "check").stdout.startswith("ledger good")
    refused = subsystem.run("account", "top-up", "--member", "19999", "--amount", "1")
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert subsystem.stop() == 0
    assert subsystem.run("account", "show", "--member", str(LIN)).stdout.endswith("¥ 13.60\n")
    assert subsystem.run("ledger", "check").returncode == 0
    assert PIN not in subsystem.log.read_text() and account not in subsystem.log.read_text()


@pytest.mark.integration
def test_a_question_and_an_older_order_that_come_together_are_not_told_both_unknown_and_paid(
    server: FakeServer, subsystem: Subsystem, tmp_path: Path
) -> None:
    root = server.accept().payment_root
    opened = subsystem.run("account", "open", "--member", str(LIN), "--name", "Lin", "--pin-stdin", stdin=PIN)
    account = opened.stdout.split()[1]
    subsystem.run("account", "top-up", "--member", str(LIN), "--amount", "100")
    subsystem.run("biller", "add", "--name", "Water", "--id", "102", "--rule", "up_to_due")
    file = tmp_path / "bills.csv"
    file.write_text("\n".join([*BILLS.splitlines()[:1], "102,1,2026-01,Water,Usage,90.00,2026-01-20,W-9,"]) + "\n")
    subsystem.run("bill", "import", str(file))
    told: list[set[str]] = []
    for _ in range(9):
        pay = Pay(secrets.token_bytes(16), 102, "1", 1, Amount(100, "CNY"), account, PIN)
        answers = server.ask_together(root, [(AskPayment(pay.payment_id), 0), (pay, -1_000)])
        told.append({type(answer).__name__ for answer in answers})
    assert told == [{"PaymentUnknown", "Refused"}] * 9
    assert subsystem.run("account", "show", "--member", str(LIN)).stdout.endswith("¥ 100.00\n")


@pytest.mark.integration
def test_an_error_outside_of_any_request_ends_the_process_cleanly(server: FakeServer, tmp_path: Path) -> None:
    """As a failed disk does: status 74, no answer, one line that says it, and the next start finds all in order."""
    data = tmp_path / "payment"
    code = (
        "from payment import service\n"
        "def fails(*_): raise MemoryError\n"
        "service.Service._flush = fails\n"
        "from payment.__main__ import main\n"
        f"main(['--data', {str(data)!r}, '--link', {server.address!r}, 'serve'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=log, env=environment)
    try:
        server.accept()
        server.send(Type.KEY_CONFIG_REQUEST, b"\x90")
        assert process.wait(SECONDS) == EXIT_OUTCOME_UNKNOWN
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()
    assert "OUTCOME UNKNOWN" in (tmp_path / "log").read_text()
    again = subprocess.run(
        [sys.executable, "-m", "payment", "--data", str(data), "ledger", "check"],
        capture_output=True,
        env=environment,
        timeout=SECONDS,
        check=False,
    )
    assert again.returncode == 0, again.stderr


@pytest.mark.integration
def test_it_survives_rubbish_on_the_link_and_ends_on_sigterm(server: FakeServer, subsystem: Subsystem) -> None:
    root = server.accept().payment_root
    for body in (b"", b"x", bytes(1_655), os.urandom(40_000)):
        server.send(Type.SEALED_REQUEST, body)
        server.frame(Type.REFUSAL)
    server.send(Type.CHAT_SEND, b"\x90")
    server.frame(Type.REFUSAL)
    assert isinstance(server.ask(root, Overview()), OverviewIs)
    for beyond in (2**63, 2**64 - 1, -1):
        for odd in (["Pay", bytes(16), 101, "1", beyond], ["AskBill", beyond], ["AskReceipts", beyond]):
            refused = server.ask(root, msgspec.Raw(msgspec.msgpack.encode(odd)))  # type: ignore[arg-type]
            assert isinstance(refused, Refused) and refused.code == "bad_request"
    assert isinstance(server.ask(root, Overview()), OverviewIs)
    subsystem.process.send_signal(signal.SIGTERM)
    assert subsystem.process.wait(SECONDS) == 0
