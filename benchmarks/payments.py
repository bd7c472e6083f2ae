"""Whole sealed payments through real server and subsystem processes over TLS, per CPU-second of both.

Clients run in a process of their own and seal their orders beforehand: what is measured is the house's side, from the
TLS record to the signed receipt, each payment clearing a bill of its own, each commit synced to the disk. Members'
passwords are verified once before (full scrypt); the measured payments find that in the subsystem's memory, as a
member's second payment does. Then the same at a fixed 100 a second, for the latency.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import ssl
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from benchmarks.clients import client_context, connect, sign_in
from benchmarks.common import (
    PASSWORD,
    ROOT,
    Figure,
    cpu_seconds,
    data_folder,
    environment,
    import_members,
    median,
    operate,
    running_server,
)
from im_protocol.codec import Frame, encode, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, Type
from payment.contract import keys, sealing
from payment.contract.messages import Amount, Envelope, Paid, Pay

MEMBERS = 40
RUNS = 3
PAYMENTS_PER_RUN = 3_000
IN_FLIGHT = 2
LATENCY_PAYMENTS = 1_000
RATE = 100
BILLER = 101
PIN = "314159"
SPLIT = {"open": "opening seals", "ledger": "ledger and receipts", "seal answers": "sealing answers"}


def run() -> list[Figure]:
    """Builds a house, runs the client process against it, and adds up."""
    with data_folder() as data:
        bills = MEMBERS + RUNS * PAYMENTS_PER_RUN + LATENCY_PAYMENTS
        accounts = furnish(data, bills, MEMBERS, MEMBERS)
        meter = data.parent / "meter.json"
        os.environ["BILLBUDDY_METER"] = str(meter)
        try:
            with running_server(data) as server:
                payment = next(p for p in server.process.children(recursive=True) if "payment" in " ".join(p.cmdline()))
                with subprocess.Popen(
                    [sys.executable, "-m", "benchmarks.payments", str(server.port), str(accounts)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=environment(),
                    cwd=ROOT,
                ) as client:
                    assert client.stdin is not None and client.stdout is not None

                    def say(word: str) -> str:
                        assert client.stdin is not None and client.stdout is not None
                        client.stdin.write(word + "\n")
                        client.stdin.flush()
                        return _expect(client.stdout.readline(), "done")

                    _expect(client.stdout.readline(), "ready")
                    runs: list[tuple[float, float, float]] = []
                    for _ in range(RUNS):
                        chat, pay = cpu_seconds(server.process), cpu_seconds(payment)
                        seconds = float(say("run"))
                        runs.append((cpu_seconds(server.process) - chat, cpu_seconds(payment) - pay, seconds))
                    p50, p99 = (float(part) for part in say("latency").split())
            split = json.loads(meter.read_text(encoding="utf-8"))
        finally:
            os.environ.pop("BILLBUDDY_METER", None)
        operate(data, "ledger", "check")
    return _figures(runs, p50, p99, split)


def _figures(runs: list[tuple[float, float, float]], p50: float, p99: float, split: dict[str, int]) -> list[Figure]:
    where = {"members": MEMBERS, "in_flight": MEMBERS * IN_FLIGHT, "tls": True, "synchronous": "full"}
    per_cpu = median([PAYMENTS_PER_RUN / (chat + pay) for chat, pay, _ in runs])
    per_second = median([PAYMENTS_PER_RUN / seconds for _, _, seconds in runs])
    payments = MEMBERS + RUNS * PAYMENTS_PER_RUN + LATENCY_PAYMENTS
    figures = [
        Figure("payments_per_server_cpu_second", round(per_cpu), "1/s", where),
        Figure("payments_per_second", round(per_second), "1/s", where),
        Figure("payment_p50_ms", round(p50, 1), "ms", {"rate": RATE}),
        Figure("payment_p99_ms", round(p99, 1), "ms", {"rate": RATE}),
    ]
    chat = median([1e6 * chat / PAYMENTS_PER_RUN for chat, _, _ in runs])
    figures.append(Figure("cpu_us_per_payment", round(chat, 1), "µs", {"work": "TLS and routing (chat server)"}))
    whole = median([1e6 * pay / PAYMENTS_PER_RUN for _, pay, _ in runs])
    split = {**split, "ledger": split["ledger"] - split["seal answers"]}  # answers are sealed inside the ledger's span
    for name, work in SPLIT.items():
        figures.append(Figure("cpu_us_per_payment", round(split[name] / 1e3 / payments, 1), "µs", {"work": work}))
    first = split.get("password", 0) / 1e3 / MEMBERS
    figures.append(Figure("cpu_us_per_payment", round(first, 1), "µs", {"work": "password, a member's first payment"}))
    figures.append(Figure("cpu_us_per_payment", round(whole, 1), "µs", {"work": "payment process, all of it"}))
    return figures


def furnish(data: Path, bills: int, members: int, payers: int) -> Path:
    """Members, the first of them with money, one biller, and a bill for every payment. Gives the file with the account
    numbers."""
    import_members(data, members)
    folder = data.parent
    money = folder / "accounts.csv"
    rows = "".join(f"{10_001 + i},Member {i + 1},{PIN},1000000.00\n" for i in range(payers))
    money.write_text("member_id,name,pin,balance\n" + rows, encoding="utf-8")
    pay = [sys.executable, "-m", "payment", "--data", str(data / "payment"), "--log-level", "error"]

    def command(*argv: str) -> str:
        done = subprocess.run([*pay, *argv], check=True, capture_output=True, text=True, env=environment(), cwd=ROOT)
        return done.stdout

    command("account", "import", str(money))
    command("limits", "set", "--single", "1000.00", "--daily", "1000000.00", "--per-minute", "10000")
    command("biller", "add", "--name", "Electricity", "--id", str(BILLER), "--icon", "electricity")
    numbered = range(1, bills + 1)
    lines = "".join(f"{BILLER},{n % 1000 + 1},2026-01,Bill {n},Usage,1.00,2026-01-31,R-{n}\n" for n in numbered)
    table = folder / "bills.csv"
    table.write_text(
        "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref\n" + lines, encoding="utf-8"
    )
    command("bill", "import", str(table))
    accounts = folder / "numbers.json"
    numbers = {i: command("account", "show", "--member", str(i)).split()[0] for i in range(10_001, 10_001 + payers)}
    accounts.write_text(json.dumps(numbers), encoding="utf-8")
    return accounts


def _expect(line: str, word: str) -> str:
    if not line.startswith(word):
        raise RuntimeError(f"the benchmark's client said {line!r} instead of {word!r}")
    return line[len(word) :].strip()


# ---- the client process ----------------------------------------------------------------------------------------


class Payer:
    """One signed-in member with sealed orders."""

    def __init__(self, sock: ssl.SSLSocket, member_id: int, account: str) -> None:
        self.sock = sock
        self.member_id = member_id
        self.account = account
        self.reader = FrameReader()
        self.contexts: dict[int, sealing.ResponseContext] = {}
        self.ready: deque[tuple[int, bytes]] = deque()
        self.sent: dict[int, float] = {}
        self._next = 10

    def seal(self, config: keys.KeyConfig, bill_id: int) -> None:
        """Makes an order ready to send."""
        pay = Pay(secrets.token_bytes(16), BILLER, None, bill_id, Amount(100, "CNY"), self.account, PIN)
        envelope = Envelope(secrets.token_bytes(16), time.time_ns() // 1_000_000, "en", pay)
        body, context = sealing.seal_request(config, envelope, self.member_id)
        self._next += 1
        self.contexts[self._next] = context
        packet = encode_frame(Type.SEALED_REQUEST, body, request_id=self._next, receiver_id=PAYMENT_ID)
        self.ready.append((self._next, packet))

    def send(self) -> None:
        """Sends the next ready order."""
        if self.ready:
            number, packet = self.ready.popleft()
            self.sent[number] = time.monotonic()
            self.sock.setblocking(True)
            self.sock.sendall(packet)
            self.sock.setblocking(False)

    def receive(self) -> list[Frame]:
        """Answers that have come."""
        frames: list[Frame] = []
        try:
            while data := self.sock.recv(65_536):
                frames += self.reader.receive_data(data)
        except ssl.SSLWantReadError:
            pass
        return [frame for frame in frames if frame.flags & Flag.ANSWER]


class Bank:
    """All payers, in one loop."""

    def __init__(self, port: int, accounts: dict[str, str]) -> None:
        context = client_context()
        self.payers: dict[int, Payer] = {}
        self._poll = select.epoll()
        self._bill = 0
        for member, number in accounts.items():
            sock = connect(port, context)
            sign_in(sock, int(member), PASSWORD)
            self.payers[sock.fileno()] = Payer(sock, int(member), number)
        self._config = self.fetch_config(next(iter(self.payers.values())))
        for fd, payer in self.payers.items():
            payer.sock.setblocking(False)
            self._poll.register(fd, select.EPOLLIN)

    @staticmethod
    def fetch_config(payer: Payer) -> keys.KeyConfig:
        payer.sock.sendall(encode(Type.KEY_CONFIG_REQUEST, request_id=5, receiver_id=PAYMENT_ID))
        while True:
            for frame in payer.reader.receive_data(payer.sock.recv(65_536)):
                if frame.type == Type.KEY_CONFIG:
                    payload = keys._SET.decode(keys._SIGNED.decode(frame.body).payload)
                    return keys.verify_key_configs(frame.body, payload.root_public_key, time.time_ns() // 1_000_000)[0]

    def seal(self, count: int) -> None:
        """Seals so many orders, shared out evenly, each for a bill of its own."""
        payers = list(self.payers.values())
        for at in range(count):
            self._bill += 1
            payers[at % len(payers)].seal(self._config, self._bill)

    def run(self, in_flight: int) -> float:
        """Pays everything that is sealed, so many at a time for each member. Gives seconds."""
        start = time.monotonic()
        left = sum(len(payer.ready) for payer in self.payers.values())
        for payer in self.payers.values():
            for _ in range(in_flight):
                payer.send()
        last: list[tuple[Payer, Frame]] = []
        while left:
            for fd, _ in self._poll.poll():
                payer = self.payers[fd]
                for frame in payer.receive():
                    left -= 1
                    last.append((payer, frame))
                    payer.send()
        seconds = time.monotonic() - start
        for payer, frame in last:
            must_be_paid(payer, frame)
        return seconds

    def latency(self) -> tuple[float, float]:
        """Pays what is sealed at a fixed rate. Gives median and 99th percentile in milliseconds."""
        payers = deque(self.payers.values())
        total = left = sum(len(payer.ready) for payer in payers)
        start, sent = time.monotonic(), 0
        took: list[float] = []
        while left:
            due = start + sent / RATE
            if sent < total and time.monotonic() >= due:
                payers[0].send()
                payers.rotate(-1)
                sent += 1
                continue
            wait = max(0.0, due - time.monotonic()) if sent < total else 1.0
            for fd, _ in self._poll.poll(wait):
                payer = self.payers[fd]
                for frame in payer.receive():
                    took.append(time.monotonic() - payer.sent[frame.request_id])
                    left -= 1
                    must_be_paid(payer, frame)
        took.sort()
        return took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3


def must_be_paid(payer: Payer, frame: Frame) -> None:
    if frame.type != Type.SEALED_ANSWER:
        raise RuntimeError(f"refused: {frame.body!r}")
    answer = payer.contexts.pop(frame.request_id).open(frame.body)
    if not isinstance(answer, Paid):
        raise RuntimeError(f"not paid: {answer}")


def _client(port: int, accounts: Path) -> None:
    bank = Bank(port, json.loads(accounts.read_text(encoding="utf-8")))
    bank.seal(len(bank.payers))
    bank.run(1)
    bank.seal(PAYMENTS_PER_RUN)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            print("done", bank.run(IN_FLIGHT), flush=True)
            more = sum(len(p.sent) for p in bank.payers.values()) < len(bank.payers) + RUNS * PAYMENTS_PER_RUN
            bank.seal(PAYMENTS_PER_RUN if more else LATENCY_PAYMENTS)
        else:
            print("done", *bank.latency(), flush=True)
            return


if __name__ == "__main__":
    _client(int(sys.argv[1]), Path(sys.argv[2]))
