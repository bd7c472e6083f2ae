"""A whole subsystem in one process and one thread, for tests: requests in, answers out, no socket and no waiting."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from im_protocol import codec
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Refusal, Type
from payment.admin import Commands, Outcome
from payment.contract import keys, sealing
from payment.contract.messages import Amount, Answer, BillsAre, Envelope, Pay, Request
from payment.core import Core
from payment.service import Service

START_MS = 1_767_225_600_000  # 2026-01-01 00:00 UTC
LIN, WANG = 10_001, 10_002
ELECTRICITY, WATER, MOBILE = 101, 102, 103
PIN = "314159"
WRONG_PIN = "271828"

BILLS = """biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref,minimum
101,88201402,2026-01,Electricity January,Usage 144 kWh,80.64,2026-01-20,E-1,
101,88201402,2026-01,Electricity January,Late fee,5.76,2026-01-20,E-1,
102,40200402,2026-01,Water January,Usage 9 m3,40.00,2026-01-15,W-1,10.00
103,13800000001,2026-01,Mobile January,Plan,30.00,2026-01-10,M-1,
"""


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.now_ms = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, seconds: int) -> None:
        self.now_ms += seconds * 1000


class House:
    """One dormitory: two room mates with accounts, three billers, a few bills."""

    def __init__(self, path: Path, *, furnish: bool = True, vfs: str = "") -> None:
        self.path = path
        self.vfs = vfs
        self.clock = Clock()
        self.calls: list[Callable[[], None]] = []
        self.sent: list[Frame] = []
        self.open()
        if furnish:
            self.furnish()

    def open(self) -> None:
        """Starts the subsystem on the folder."""
        self.core = Core(self.path, vfs=self.vfs, clock=self.clock)
        self.service = Service(self.core, self._send, self._slow)
        self.commands = Commands(self.core, lambda work: work())

    def close(self) -> None:
        self.core.close()

    def restart(self) -> None:
        """Ends the process, as far as memory goes, and starts it again."""
        self.close()
        self.open()

    def run(self, *argv: str, stdin: str = "") -> Outcome:
        """An operator's command."""
        outcome = self.commands.run(list(argv), "operator", stdin.encode())
        return outcome

    def do(self, *argv: str, stdin: str = "") -> str:
        """A command that must succeed; gives what it printed."""
        outcome = self.run(*argv, stdin=stdin)
        assert outcome.status == 0, outcome.err
        return outcome.out

    def furnish(self) -> None:
        for member, name in ((LIN, "Lin Yue"), (WANG, "Wang Lei")):
            self.do("account", "open", "--member", str(member), "--name", name, "--pin-stdin", stdin=PIN)
            self.do("account", "top-up", "--member", str(member), "--amount", "200.00")
        for biller, name, rule in (
            (ELECTRICITY, "Electricity", "exact"),
            (WATER, "Water", "up_to_due"),
            (MOBILE, "Mobile", "over_is_credit"),
        ):
            self.do("biller", "add", "--name", name, "--id", str(biller), "--rule", rule)
        self.load(BILLS)

    def load(self, text: str) -> str:
        file = self.path / "bills.csv"
        file.write_text(text, encoding="utf-8")
        return self.do("bill", "import", str(file))

    # ---- requests ----------------------------------------------------------------------------------------------

    def _send(self, packets: bytes) -> None:
        self.sent += FrameReader().receive_data(packets)

    def _slow(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self.calls.append(lambda: then(work()))

    def config(self) -> keys.KeyConfig:
        body = self.core.keystore.body(self.clock())
        return keys.verify_key_configs(body, self.core.keystore.root_public, self.clock())[0]

    def seal(self, member: int, request: Request, *, lang: str = "en") -> tuple[bytes, sealing.ResponseContext]:
        envelope = Envelope(secrets.token_bytes(16), self.clock(), lang, request)
        return sealing.seal_request(self.config(), envelope, member)

    def relay(self, bodies: list[tuple[int, bytes]]) -> list[Frame]:
        """What the chat server does: sends sealed bodies of members in one go, gives the answers in that order."""
        self.sent.clear()
        frames: list[Any] = [
            Frame(Type.SEALED_REQUEST, 0, number, member, PAYMENT_ID, body)
            for number, (member, body) in enumerate(bodies)
        ]
        self.service.turn(frames)
        while self.calls or self.service.has_work:
            calls, self.calls = self.calls, []
            self.service.turn(calls)  # type: ignore[arg-type]
        answers = [frame for frame in self.sent if frame.type != Type.ACCOUNTS_CHANGED]
        return sorted(answers, key=lambda frame: frame.request_id)

    def ask_all(self, requests: list[tuple[int, Request]], *, lang: str = "en") -> list[Answer]:
        sealed = [(member, *self.seal(member, request, lang=lang)) for member, request in requests]
        answers = self.relay([(member, body) for member, body, _ in sealed])
        assert len(answers) == len(requests)
        return [context.open(frame.body) for (_, _, context), frame in zip(sealed, answers, strict=True)]

    def ask(self, member: int, request: Request, *, lang: str = "en") -> Answer:
        return self.ask_all([(member, request)], lang=lang)[0]

    def refusal(self, member: int, body: bytes) -> Refusal:
        (frame,) = self.relay([(member, body)])
        assert frame.type == Type.REFUSAL
        return codec.decode_body(frame, Refusal)

    # ---- what there is -----------------------------------------------------------------------------------------

    def account(self, member: int) -> str:
        return self.core.ledger.accounts_of(member)[0].number

    def balance(self, member: int) -> int:
        return self.core.ledger.accounts_of(member)[0].balance

    def bills(self, member: int, biller: int, number: str) -> BillsAre:
        from payment.contract.messages import AskBill

        answer = self.ask(member, AskBill(biller, number))
        assert isinstance(answer, BillsAre), answer
        return answer

    def order(self, member: int, *, minor: int = 8_640, pin: str | None = PIN, **changes: Any) -> Pay:
        """Lin's electricity bill, unless said otherwise."""
        fields: dict[str, Any] = {
            "payment_id": secrets.token_bytes(16),
            "biller_id": ELECTRICITY,
            "customer_number": "88201402",
            "bill_id": 1,
            "amount": Amount(minor, "CNY"),
            "account": self.account(member),
            "pin": pin,
        }
        return Pay(**{**fields, **changes})

    def check(self) -> None:
        """The ledger check finds nothing."""
        self.do("ledger", "check")
