"""The whole data folder is put back to an older copy, while members have more: it is told, and no receipt is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from build_scripts.dormitory import Dormitory
from desktop_client.app import Client, Member, Options
from desktop_client.config import Timings
from desktop_client.events import OverviewChanged, RecordsWentBack
from desktop_client.outcomes import Outcome
from desktop_client.profile import KnownServer, Profile
from im_protocol.invite import parse_invite
from payment.contract.messages import Answer, BillsAre
from tests.integration.processes import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.slow]

HASTY = Timings(
    backoff_first_seconds=0.05, network_backoff_max_seconds=0.3, repeat_first_seconds=0.05, overview_again_seconds=0.1
)
LIN, WANG, ELECTRICITY = 10_001, 10_002, 101


class Device:
    """A real client without a window, on a profile that stays."""

    def __init__(self, place: Dormitory, member_id: int, folder: Path) -> None:
        self.place, self.member_id, self.folder = place, member_id, folder
        self.told: list[str] = []
        self.notices: list[str] = []

    def __enter__(self) -> Device:
        link = parse_invite(self.place.invite)
        server = KnownServer("127.0.0.1", self.place.port, "", link.tls_pin.hex(), link.payment_fingerprint.hex())
        profile = Profile(self.folder)
        self.client = Client(profile, Options(), HASTY)
        self.client.bus.subscribe(RecordsWentBack, lambda event: self.told.append(event.what))
        self.client.bus.subscribe(OverviewChanged, lambda event: self.notices.extend(event.overview.notices))
        answers: list[object] = []
        password = self.place.members[self.member_id].password
        self.client.sign_in(profile.trust(server), self.member_id, password, answers.append)
        self.until("signing in", lambda: self.client.session.signed_in)
        self.until("the payment service", lambda: self.member.payments.overview)
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()

    def until(self, what: str, is_so: Callable[[], object]) -> None:
        def check() -> bool:
            self.client.pump()
            return bool(is_so())

        wait_until(what, check)

    @property
    def member(self) -> Member:
        assert self.client.member is not None
        return self.client.member

    def texts(self, peer: int) -> list[str]:
        return [m.text for m in self.member.history.messages(peer)]

    def say(self, peer: int, *texts: str) -> None:
        for text in texts:
            self.member.messages.send(peer, text)
        self.until("the messages to be stored", lambda: not self.member.history.unsent())

    def bills(self) -> BillsAre:
        answers: list[Answer] = []
        self.member.payments.ask_bill(ELECTRICITY, None, answers.append)  # type: ignore[arg-type]
        self.until("the bills", lambda: answers)
        assert isinstance(answers[0], BillsAre), answers
        return answers[0]

    def pay(self) -> Outcome:
        answer = self.bills()
        bill, account = answer.bills[0], answer.accounts[0].number
        payments = self.member.payments
        order = payments.new_order(
            ELECTRICITY, "Electricity", answer.customer_number, bill.bill_id, bill.title, bill.due, account
        )
        outcomes: list[Outcome] = []
        payments.pay(order, account, self.place.members[self.member_id].pin, outcomes.append)
        self.until("the outcome", lambda: outcomes)
        return outcomes[0]


def put_back(place: Dormitory, copy: Path) -> None:
    place.stop_server()
    shutil.rmtree(place.data)
    shutil.copytree(copy, place.data)
    place.start()


def test_older_copy_is_told_and_loses_neither_messages_nor_the_receipt(dormitory: Dormitory, tmp_path: Path) -> None:
    with Device(dormitory, LIN, tmp_path / "lin") as lin:
        lin.say(WANG, "before")
        dormitory.stop_server()
        copy = tmp_path / "copy"
        shutil.copytree(dormitory.data, copy, ignore=shutil.ignore_patterns("*.sock", "*.lock", "log"))
        dormitory.start()
    with Device(dormitory, LIN, tmp_path / "lin") as lin:
        lin.say(WANG, *[f"after {n}" for n in range(10)])
        paid = lin.pay()
        assert paid.state == "paid"
        assert paid.receipt is not None
    put_back(dormitory, copy)
    with Device(dormitory, LIN, tmp_path / "lin") as lin:
        lin.until("to be told", lambda: lin.told == ["messages"])
        lin.until("the lost messages to be stored again", lambda: not lin.member.history.unsent())
        lin.until("the payment service's word", lambda: any(paid.receipt.receipt_no in text for text in lin.notices))
        (bill,) = [bill for bill in lin.bills().bills if bill.bill_id == paid.order.bill_id]
        assert lin.member.history.receipt_held_for(bill) == paid.receipt
        asked: list[object] = []
        lin.member.payments.ask_payment(paid.order.payment_id, asked.append)
        lin.until("what became of it", lambda: asked)
        assert isinstance(asked[0], Outcome)
        assert (asked[0].state, asked[0].receipt) == ("paid", paid.receipt)
        again = lin.pay()
        assert again.receipt is not None
        assert again.receipt.transfer_no == paid.receipt.transfer_no
        assert again.receipt.receipt_no != paid.receipt.receipt_no
        kept = [receipt for _signed, receipt in lin.member.history.receipts(ELECTRICITY)]
        assert kept[-2:] == [paid.receipt, again.receipt]
        with Device(dormitory, WANG, tmp_path / "wang") as wang:
            expected = ["before", *[f"after {n}" for n in range(10)]]
            wang.until("all messages", lambda: len(wang.texts(LIN)) == len(expected))
            assert wang.texts(LIN) == expected == lin.texts(WANG)
    logs = b"".join(path.read_bytes() for path in dormitory.data.rglob("*.log"))
    for sentence in (b"knows message", b"holds the genuine receipt"):
        assert sentence in logs
