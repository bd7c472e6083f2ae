"""The main job through the client without a window, on real programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from build_scripts.dormitory import Dormitory
from tests.integration.processes import wait_until

pytestmark = pytest.mark.integration
LIN_YUE, WANG_LEI = 10001, 10002


def balance(place: Dormitory, member_id: int) -> int:
    """Minor units."""
    accounts = place.client_json(member_id, "balance")["accounts"]
    return int(accounts[0]["balance"]["minor"])


def test_member_reads_a_bill_pays_it_and_owes_nothing(dormitory: Dormitory) -> None:
    assert dormitory.client_json(LIN_YUE, "whoami")["name"].startswith("Lin Yue")
    before = balance(dormitory, LIN_YUE)
    bill = dormitory.client_json(LIN_YUE, "bills", "101")["bills"][0]
    assert [line["amount"]["text"] for line in bill["lines"]] == ["80.64", "5.76"]
    assert bill["due"]["text"] == "86.40"

    paid = dormitory.client_json(LIN_YUE, "pay", "101")
    assert paid["outcome"] == "paid" and paid["money_moved"] is True and paid["signature_verified"] is True
    assert paid["receipt"]["paid"]["text"] == "86.40" and paid["receipt"]["remaining"]["minor"] == 0

    assert dormitory.client_json(LIN_YUE, "bills", "101")["bills"] == []
    assert balance(dormitory, LIN_YUE) == before - 86_40
    assert dormitory.client_json(LIN_YUE, "payment-status", paid["payment_id"])["outcome"] == "paid"
    assert [receipt["receipt_no"] for receipt in dormitory.client_json(LIN_YUE, "receipts")["receipts"]] == [
        paid["receipt"]["receipt_no"]
    ]
    dormitory.admin("ledger", "check")


def test_paying_again_finds_nothing_due(dormitory: Dormitory) -> None:
    dormitory.client_json(LIN_YUE, "pay", "101")
    again = dormitory.client(LIN_YUE, "--json", "pay", "101")
    assert again.returncode == 1
    assert json.loads(again.stdout)["money_moved"] is False


def test_same_payment_id_again_moves_no_more_money(dormitory: Dormitory) -> None:
    before = balance(dormitory, LIN_YUE)
    first = dormitory.client_json(LIN_YUE, "pay", "101", "--payment-id", "0123456789abcdef0123456789abcdef")
    second = dormitory.client_json(LIN_YUE, "pay", "101", "--payment-id", "0123456789abcdef0123456789abcdef")
    assert first["receipt"] == second["receipt"]
    assert balance(dormitory, LIN_YUE) == before - 86_40


def test_unknown_customer_number_is_asked_for_with_a_form(dormitory: Dormitory) -> None:
    asked = dormitory.client(LIN_YUE, "--json", "bills", "103")
    assert asked.returncode == 1
    form = json.loads(asked.stdout)["prompt"]
    assert [field["name"] for field in form["fields"]] == ["customer_number"]
    bills = dormitory.client_json(LIN_YUE, "bills", "103", "--customer", "13800010001")["bills"]
    assert bills[0]["due"]["text"] == "39.00"
    assert dormitory.client_json(LIN_YUE, "bills", "103")["bills"] == bills, "the number is remembered"


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "99999999999999", "１２", "ten"])
def test_wrong_amounts_move_no_money(dormitory: Dormitory, amount: str) -> None:
    done = dormitory.client(LIN_YUE, "--json", "pay", "101", f"--amount={amount}")
    assert done.returncode in {1, 2}
    assert balance(dormitory, LIN_YUE) == 268_50


def test_wrong_payment_password_says_that_no_money_moved_and_locks(dormitory: Dormitory) -> None:
    codes = [_pay_with_wrong_pin(dormitory)["code"] for _ in range(5)]
    assert codes[:2] == ["wrong_pin", "wrong_pin"] and codes[-1] == "pin_locked"
    assert dormitory.client(LIN_YUE, "pay", "101").returncode == 1, "the right one is locked out as well"
    assert balance(dormitory, LIN_YUE) == 268_50


def _pay_with_wrong_pin(place: Dormitory) -> dict[str, Any]:
    done = place.client(LIN_YUE, "--json", "pay", "101", BILLBUDDY_PIN="907153")
    assert done.returncode == 1
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["money_moved"] is False
    return document


def test_bill_paid_by_somebody_else_in_between_is_not_charged_again(dormitory: Dormitory) -> None:
    before = balance(dormitory, WANG_LEI)
    dormitory.client_json(LIN_YUE, "pay", "101")
    done = dormitory.client(WANG_LEI, "--json", "pay", "101", "--customer", "88201402")
    assert done.returncode == 1
    assert balance(dormitory, WANG_LEI) == before


def test_chat_reaches_a_listening_member(dormitory: Dormitory) -> None:
    line = dormitory.client_line(WANG_LEI, "--json", "listen")
    listener = dormitory.start_client(line, dormitory.client_environment(WANG_LEI, "listen"))
    assert listener.stdout is not None
    events = (json.loads(text) for text in listener.stdout)
    assert next(event for event in events if event["event"] == "ready")
    dormitory.client_json(LIN_YUE, "send", str(WANG_LEI), "my half is 43.20 元")
    message = next(event for event in events if event["event"] == "message")
    assert message["sender"] == LIN_YUE and message["text"] == "my half is 43.20 元"


def test_listener_finds_the_server_again_after_a_restart(dormitory: Dormitory) -> None:
    line = dormitory.client_line(WANG_LEI, "--json", "listen")
    listener = dormitory.start_client(line, dormitory.client_environment(WANG_LEI, "listen"))
    assert listener.stdout is not None
    events = (json.loads(text) for text in listener.stdout)
    assert next(event for event in events if event["event"] == "ready")
    port = dormitory.port
    assert dormitory.stop_server() == 0
    dormitory.start(port)
    wait_until("the listener to be online", lambda: _presence(dormitory, WANG_LEI) == "online")
    dormitory.client_json(LIN_YUE, "send", str(WANG_LEI), "still there?")
    assert next(event for event in events if event["event"] == "message")["text"] == "still there?"


def _presence(place: Dormitory, member_id: int) -> str:
    groups = place.client_json(LIN_YUE, "contacts")["groups"]
    return next(str(row["presence"]) for group in groups for row in group["contacts"] if row["id"] == member_id)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"BILLBUDDY_PASSWORD": "not-the-password"}, "wrong_password"),
        ({}, "unknown_member"),
    ],
)
def test_each_failed_sign_in_has_its_own_message(dormitory: Dormitory, change: dict[str, str], code: str) -> None:
    arguments = dormitory.client_line(LIN_YUE, "--json", "whoami")
    if not change:
        arguments[arguments.index(str(LIN_YUE))] = "19999"
    done = dormitory.run_client(arguments, {**dormitory.client_environment(LIN_YUE), **change})
    assert done.returncode == 1 and json.loads(done.stdout)["code"] == code


def test_changed_server_key_stops_the_client_before_it_signs_in(dormitory: Dormitory) -> None:
    dormitory.client_json(LIN_YUE, "whoami")
    port = dormitory.port
    dormitory.stop_server()
    for file in (dormitory.data / "tls").iterdir():
        file.unlink()
    dormitory.start(port)
    old_invite = [line for line in dormitory.client_line(LIN_YUE, "--json", "whoami") if line != dormitory.invite]
    old_invite[old_invite.index("--invite")] = f"--server={dormitory.host}:{port}"
    done = dormitory.run_client(old_invite, dormitory.client_environment(LIN_YUE))
    assert done.returncode == 1 and json.loads(done.stdout)["code"] == "key_changed"


def test_port_in_use_and_unwritable_folder_are_said_plainly(dormitory: Dormitory) -> None:
    other = dormitory.folder / "other"
    taken = dormitory.try_server(other, "serve", "--listen", f"{dormitory.host}:{dormitory.port}")
    assert taken.returncode == 1 and str(dormitory.port) in taken.stderr
    unwritable = dormitory.try_server(dormitory.data / "im.db", "serve", "--listen", f"{dormitory.host}:0")
    assert unwritable.returncode == 1 and "cannot be written" in unwritable.stderr
