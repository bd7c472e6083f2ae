"""After a payment, the chat server holds nothing of it: not in its memory, database or log."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable

import pytest

from build_scripts.dormitory import Dormitory
from payment.contract.messages import AskBill, BillsAre, Overview, OverviewIs, Paid, Pay
from tests.integration.processes import files_below, memory_of
from tests.integration.wire import WireClient

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
pytestmark = [pytest.mark.integration, pytest.mark.slow, ON_LINUX]
MEMBER, ELECTRICITY = 10001, 101


def test_chat_server_keeps_nothing_of_a_payment(dormitory: Dormitory, signed_in: Callable[[int], WireClient]) -> None:
    client = signed_in(MEMBER)
    overview = client.ask_payment(Overview())
    assert isinstance(overview, OverviewIs)
    account = overview.accounts[0].number
    pin = dormitory.members[MEMBER].pin
    words = {"payment password": pin.encode(), "account": account.encode(), "customer number": b"88201402"}
    before = {name: memory_of(dormitory.server_pid).count(word) for name, word in words.items()}

    bills = client.ask_payment(AskBill(ELECTRICITY))
    assert isinstance(bills, BillsAre)
    bill = bills.bills[0]
    order = Pay(secrets.token_bytes(16), ELECTRICITY, bill.customer_number, bill.bill_id, bill.due, account, pin)
    assert isinstance(client.ask_payment(order), Paid)

    memory = memory_of(dormitory.server_pid)
    assert {name: memory.count(word) for name, word in words.items()} == before
    own_files = {
        path: content
        for path, content in files_below(dormitory.folder).items()
        if dormitory.data / "payment" not in path.parents and dormitory.folder / "clients" not in path.parents
    }
    kept = [*words.values(), *(body[7:135] for body in client.sealed_bodies)]
    found = [str(path) for path, content in own_files.items() if any(word in content for word in kept)]
    demonstration_data = dormitory.folder / "bills.csv"
    assert [path for path in found if path != str(demonstration_data)] == []


def test_payment_password_is_nowhere_in_the_payment_subsystems_files(
    dormitory: Dormitory, signed_in: Callable[[int], WireClient]
) -> None:
    client = signed_in(MEMBER)
    pin = dormitory.members[MEMBER].pin
    bills = client.ask_payment(AskBill(ELECTRICITY))
    assert isinstance(bills, BillsAre)
    bill = bills.bills[0]
    account = bills.accounts[0].number
    order = Pay(secrets.token_bytes(16), ELECTRICITY, bill.customer_number, bill.bill_id, bill.due, account, pin)
    assert isinstance(client.ask_payment(order), Paid)
    files = files_below(dormitory.data / "payment")
    kept = [pin.encode(), *(body[7:135] for body in client.sealed_bodies)]
    assert [str(path) for path, content in files.items() if any(word in content for word in kept)] == []


def test_key_files_are_for_their_owner_only(dormitory: Dormitory) -> None:
    private = [path for path in (dormitory.data / "payment").rglob("*") if path.is_file()]
    private += [path for path in (dormitory.data / "tls").glob("*key*")]
    private += [dormitory.data / "run" / "link.token"]
    assert [str(path) for path in private if path.stat().st_mode & 0o077] == []
