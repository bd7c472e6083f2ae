"""Operators' commands: money, imports, audit, and clear refusals."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from im_protocol.limits import CONTACTS_PER_PACKET_MAX
from payment.contract.messages import AskReceipts, Overview, OverviewIs, Paid, ReceiptsAre
from payment.contract.receipts import verify_receipt
from payment.core import Core
from payment.errors import FolderError
from tests.payment.house import ELECTRICITY, LIN, MOBILE, House

HEAD = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref\n"
ROW = "101,88201499,2026-02,Electricity February,Usage,12.00,2026-02-20,E-9\n"


def refused(house: House, *argv: str) -> str:
    outcome = house.run(*argv)
    assert outcome.status == 1 and outcome.out == ""
    assert outcome.err.count("\n") == 1
    house.check()
    return outcome.err


def load(house: House, content: bytes) -> str:
    file = house.path / "bills.csv"
    file.write_bytes(content)
    outcome = house.run("bill", "import", str(file))
    return outcome.out if outcome.status == 0 else outcome.err


def paid_transfer(house: House, **changes: object) -> int:
    answer = house.ask(LIN, house.order(LIN, **changes))
    assert isinstance(answer, Paid)
    return verify_receipt(answer.receipt, house.core.keystore.root_public).transfer_no


def test_a_refund_is_a_transfer_with_a_receipt_of_its_own_and_never_more_than_was_paid(house: House) -> None:
    number = str(paid_transfer(house))
    house.do("refund", "--transfer", number, "--amount", "20.00", "--why", "meter was wrong")
    err = refused(house, "refund", "--transfer", number, "--amount", "66.41", "--why", "more")
    assert "66.40" in err and "no money moved" in err
    house.do("refund", "--transfer", number, "--amount", "66.40", "--why", "the rest")
    assert "no money moved" in refused(house, "refund", "--transfer", number, "--amount", "0.01", "--why", "x")
    assert house.balance(LIN) == 20_000
    answer = house.ask(LIN, AskReceipts())
    assert isinstance(answer, ReceiptsAre)
    receipts = [verify_receipt(signed, house.core.keystore.root_public) for signed in answer.receipts]
    assert [r.kind for r in receipts] == ["refund", "refund", "payment"]
    assert receipts[1].refunded_transfer_no == int(number) and receipts[1].reason == "meter was wrong"
    assert (receipts[1].paid.minor, receipts[1].remaining.minor) == (2_000, 6_640)
    house.check()


def test_a_refund_takes_back_credit_first(house: House) -> None:
    number = paid_transfer(house, biller_id=MOBILE, customer_number="13800000001", bill_id=3, minor=5_000)
    house.do("refund", "--transfer", str(number), "--amount", "25.00", "--why", "typing error")
    assert house.bills(LIN, MOBILE, "13800000001").credit is None
    house.check()


@pytest.mark.parametrize("number", ["1", "999"])
def test_only_payments_are_refunded(house: House, number: str) -> None:
    assert "no money moved" in refused(house, "refund", "--transfer", number, "--amount", "1", "--why", "x")


@pytest.mark.parametrize("amount", ["0", "0.001", "99999999999999", "１２", "x", ""])
def test_odd_amounts_move_no_money(house: House, amount: str) -> None:
    assert "no money moved" in refused(house, "account", "top-up", "--member", str(LIN), "--amount", amount)
    assert house.run("account", "top-up", "--member", str(LIN), "--amount", "-1").status != 0
    assert house.balance(LIN) == 20_000


def test_an_unknown_member_gets_a_clear_refusal(house: House) -> None:
    assert "19999" in refused(house, "account", "show", "--member", "19999")
    assert "no money moved" in refused(house, "account", "top-up", "--member", "19999", "--amount", "1")


def test_a_wrong_command_line_is_a_usage_error(house: House) -> None:
    for argv in (["nonsense"], ["account"], ["bill", "cancel", "1"], ["refund", "--transfer", "1", "--amount", "1"]):
        outcome = house.run(*argv)
        assert outcome.status == 2 and outcome.err
    assert house.run("--help").status == 0


def test_limits_without_a_figure_change_nothing_and_leave_no_entry(house: House) -> None:
    before = house.run("audit", "list").out
    assert house.run("limits", "set").status == 2
    assert house.run("audit", "list").out == before


def test_the_same_file_may_be_loaded_again(house: House) -> None:
    assert load(house, (HEAD + ROW).encode()) == "bills: 1 new, 0 known already\n"
    assert load(house, b"\xef\xbb\xbf" + (HEAD + ROW).encode()) == "bills: 0 new, 1 known already\n"
    assert len(house.bills(LIN, ELECTRICITY, "88201499").bills) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (HEAD + ROW + ROW.replace("12.00", "0").replace("E-9", "E-8"), "line 3, column line_amount"),
        (HEAD + ROW + ROW.replace("12.00", "１２"), "line 3, column line_amount"),
        (HEAD + ROW.replace("101", "999"), "line 2, column biller_id"),
        (HEAD + ROW.replace("88201499", "abc"), "line 2, column customer_number"),
        (HEAD + ROW.replace("2026-02-20", "20.2.2026"), "line 2, column due_on"),
        (HEAD + ROW + "101,1\n", "line 3"),
        (HEAD + ROW + ROW.replace("Electricity February", "Other"), "line 3, column title"),
        ("biller_id,title\n", "column customer_number is missing"),
        (HEAD + ROW.replace("12.00", "13.00").replace("E-9", "E-1"), "column bill_ref"),
        ("", "line 1"),
    ],
)
def test_a_bad_row_refuses_the_whole_file_and_says_where(house: House, content: str, says: str) -> None:
    err = load(house, content.encode())
    assert says in err and "nothing was loaded" in err
    assert house.core.arrears.customer(ELECTRICITY, "88201499") is None
    house.check()


def test_a_file_that_is_not_utf_8_is_refused(house: House) -> None:
    assert "line 2 is not UTF-8" in load(house, HEAD.encode() + b"\xff\n")
    assert "cannot be read" in house.run("bill", "import", str(house.path / "none.csv")).err


def test_billers_beyond_what_one_packet_to_the_server_holds_are_refused(house: House) -> None:
    wanted = range(200, 200 + CONTACTS_PER_PACKET_MAX - len(house.core.billing.billers))
    file = house.path / "billers.csv"
    file.write_text("id,name\n" + "".join(f"{biller_id},Biller {biller_id}\n" for biller_id in wanted))
    house.do("biller", "import", str(file))
    house.do("biller", "import", str(file))
    assert f"no more than {CONTACTS_PER_PACKET_MAX}" in refused(house, "biller", "add", "--name", "One more")
    assert len(house.core.billing.billers) == CONTACTS_PER_PACKET_MAX
    answer = house.ask(LIN, Overview())
    assert isinstance(answer, OverviewIs) and len(answer.billers) == CONTACTS_PER_PACKET_MAX


def test_accounts_billers_and_customers_are_imported(house: House) -> None:
    accounts = house.path / "accounts.csv"
    accounts.write_text("member_id,name,pin,balance\n10003,Li Na 李娜,161803,75.25\n10004,Zhao,271828,0\n")
    house.do("account", "import", str(accounts))
    assert house.balance(10_003) == 7_525 and house.balance(10_004) == 0
    assert "column member_id" in refused(house, "account", "import", str(accounts))
    billers = house.path / "billers.csv"
    billers.write_text("id,name,icon,rule\n104,Property 物业费,property,up_to_due\n")
    house.do("biller", "import", str(billers))
    house.do("biller", "import", str(billers))
    assert "104 Property 物业费" in house.do("biller", "list")
    customers = house.path / "customers.csv"
    customers.write_text("biller_id,customer_number,place,member_id\n104,70040201,Room 402,10003\n")
    house.do("customer", "import", str(customers))
    assert house.core.arrears.bound_number(10_003, 104) == "70040201"
    house.check()


def test_every_operator_action_is_in_the_audit_log(house: House) -> None:
    number = str(paid_transfer(house))
    house.do("refund", "--transfer", number, "--amount", "1.00", "--why", "meter was wrong")
    house.do("keys", "rotate")
    log = house.do("audit", "list")
    for action in ("account open", "account top-up", "biller add", "bill import", "refund", "keys rotate"):
        assert f"operator: {action}" in log
    assert "meter was wrong" in log


def test_a_second_process_is_kept_out(house: House) -> None:
    with pytest.raises(FolderError, match="another payment process"):
        Core(house.path)


def test_files_are_private_and_refused_when_others_can_read_them(house: House) -> None:
    house.close()
    secret = [path for path in house.path.rglob("*") if path.suffix != ".csv"]
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in secret)
    for path in (house.path / "pepper", house.path / "keys" / "root.key", house.path / "payment.db", house.path):
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(mode | 0o044)
        with pytest.raises(FolderError, match=rf"run: chmod {mode:o} .*{path.name}"):
            Core(house.path)
        path.chmod(mode)
    house.open()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be made"):
        Core(tmp_path / "file" / "payment")
