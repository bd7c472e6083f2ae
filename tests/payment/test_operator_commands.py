"""Every command of the operator, taken from the parser: once by id, within its ranges, told as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from im_protocol.limits import ID_MAX, REASON_CHARS_MAX
from payment import bill_import, imports
from payment.admin import Commands, Outcome
from payment.audit import Operator
from payment.contract.messages import Amount, AskReceipts, Paid, Receipt, ReceiptsAre
from payment.contract.receipts import verify_receipt
from payment.errors import OperatorError, OutcomeUnknown
from payment.operations import Operations
from tests.payment.house import ELECTRICITY, LIN, MOBILE, PIN, House
from tests.payment.operator_words import FILES, LEAVES, WORDS, WRITES


def run(house: House, path: tuple[str, ...], *more: str) -> Outcome:
    """The command with right arguments; files come from the house's folder."""
    words, stdin = WORDS.get(path, []), PIN if path[-1] in ("open", "reset") else ""
    if path[-1] == "import":
        file = house.path / f"{path[0]}.csv"
        file.write_text(FILES[path[0]], encoding="utf-8")
        words = [str(file)]
    return house.run(*path, *words, *more, stdin=stdin)


def id_option(path: tuple[str, ...]) -> str:
    return "--command-id" if path == ("biller", "add") else "--id"


def books(house: House) -> tuple[list[Any], ...]:
    """All that a command may change."""
    tables = ("transfer", "account", "biller", "customer", "binding", "bill", "result", "audit", "limit", "pin")
    return tuple(house.core.store.all(f'SELECT * FROM "{table}" ORDER BY 1, 2') for table in tables)


def test_every_command_is_known_to_this_test(house: House) -> None:
    assert {path for path in WRITES if path[-1] != "import"} <= set(WORDS)
    assert len(WRITES) >= 13


@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_the_same_command_under_the_same_id_is_done_once(house: House, path: tuple[str, ...]) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    first = run(house, path, id_option(path), "desk-1")
    assert first.status == 0, first.err
    after, keys = books(house), house.core.keystore.next_id
    again = run(house, path, id_option(path), "desk-1")
    assert (again.status, again.out) == (0, first.out)
    assert "is not done again" in again.err
    assert books(house) == after and house.core.keystore.next_id == keys
    house.restart()
    assert run(house, path, id_option(path), "desk-1").out == first.out
    assert books(house) == after
    house.check()


@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_an_id_of_another_command_is_refused(house: House, path: tuple[str, ...]) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    house.do("account", "top-up", "--member", str(LIN), "--amount", "2.00", "--id", "desk-1")
    before = books(house)
    outcome = run(house, path, id_option(path), "desk-1")
    assert outcome.status == 1 and "another command" in outcome.err and "no money moved" in outcome.err
    assert books(house) == before


def test_no_payment_password_is_in_what_is_stored_of_commands(house: House) -> None:
    run(house, ("account", "open"), "--id", "a")
    made = house.run("account", "open", "--member", "10008", "--name", "Qi", "--id", "b").out.split()[-1]
    run(house, ("account", "import"), "--id", "c")
    kept = str(house.core.store.all("SELECT * FROM operation"))
    assert not any(pin in kept for pin in (PIN, made, "161803"))


def numbers() -> Iterator[tuple[tuple[str, ...], str]]:
    for path, leaf in LEAVES.items():
        for action in leaf._actions:
            if getattr(action.type, "__qualname__", "").startswith("number."):
                yield path, action.option_strings[0] if action.option_strings else ""


OUT_OF_RANGE = (
    "9" * 20,
    str(ID_MAX + 1),
    "9" * 400,
    "-1",
    "-" + "9" * 20,
    "1_0",
    "１２",
    " 12",
    "1.5",
    "x",
    "",
    "0x10",
)


def usage_error(*argv: str) -> str:
    """What is said of a command line that is none: no service is asked for that."""
    outcome = Commands(None, lambda work: pytest.fail("it was done")).run(list(argv), "operator")  # type: ignore[arg-type]
    assert outcome.status == 2 and outcome.out == "" and outcome.err.count("\n") == 1, outcome
    return outcome.err


@pytest.mark.parametrize(("path", "option"), list(numbers()), ids=str)
def test_a_number_out_of_range_is_a_usage_error_that_says_the_range(path: tuple[str, ...], option: str) -> None:
    words = [word for word in WORDS.get(path, []) if not option or not word.startswith(option + "=")]
    for value in OUT_OF_RANGE:
        said = usage_error(
            *path, *(words if option else words[1:]), *([f"{option}={value}"] if option else ["--", value])
        )
        assert " from " in said and " to " in said


def texts() -> Iterator[tuple[tuple[str, ...], str]]:
    for path, leaf in LEAVES.items():
        for action in leaf._actions:
            if getattr(action.type, "__qualname__", "").startswith("words.") and action.option_strings:
                yield path, action.option_strings[0]


@pytest.mark.parametrize(("path", "option"), list(texts()), ids=str)
def test_a_text_that_could_not_be_carried_is_a_usage_error(path: tuple[str, ...], option: str) -> None:
    words = [word for word in WORDS.get(path, []) if not word.startswith(option + "=")]
    for value in ("x" * 401, "林" * 70_000, "a\nb", "a\x1b[2J", "\ud800", "a\u202eb", "\0"):
        usage_error(*path, *words, f"{option}={value}")


def test_the_longest_reason_is_in_a_receipt_that_can_be_read(house: House) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    house.do("refund", "--transfer", "3", "--amount", "1.00", "--why", "理" * REASON_CHARS_MAX)
    answer = house.ask(LIN, AskReceipts())
    assert isinstance(answer, ReceiptsAre)
    assert verify_receipt(answer.receipts[0], house.core.keystore.root_public).reason == "理" * REASON_CHARS_MAX
    house.check()


def test_a_receipt_that_nobody_could_read_is_never_signed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    real = msgspec.structs.replace
    monkeypatch.setattr(msgspec.structs, "replace", lambda struct, **new: real(struct, **{**new, "reason": "x" * 401}))
    outcome = house.run("refund", "--transfer", "3", "--amount", "1.00", "--why", "x")
    assert outcome.status == 1 and "no money moved" in outcome.err
    monkeypatch.undo()
    house.check()


def test_after_the_disk_failed_nothing_more_is_read_from_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OutcomeUnknown("the commit failed")

    monkeypatch.setattr(house.core.commands, "add", fails)
    read: list[str] = []
    monkeypatch.setattr(house.core.billing, "reload", lambda: read.append("billers"))
    monkeypatch.setattr(house.core.limits, "reload", lambda: read.append("limits"))
    with pytest.raises(OutcomeUnknown):
        house.run("account", "top-up", "--member", str(LIN), "--amount", "1.00", "--id", "a")
    assert read == []
    monkeypatch.undo()
    house.core.ledger.undo()


def test_a_rotation_has_its_entry_before_its_files_change(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    before = house.core.keystore.next_id
    monkeypatch.setattr(house.core.audit, "add", _no_room)
    with pytest.raises(OutcomeUnknown):
        house.run("keys", "rotate", "--id", "r")
    assert house.core.keystore.next_id == before
    monkeypatch.undo()
    house.core.ledger.undo()
    assert house.run("keys", "rotate", "--id", "r").out == f"new key: {before}\n"
    assert house.run("keys", "rotate", "--id", "r").out == f"new key: {before}\n"
    assert house.core.keystore.has(before) and house.core.keystore.next_id == before + 1


def _no_room(*_: object) -> None:
    raise OutcomeUnknown("the disk is full")


def test_ids_of_billers_go_on_in_the_gaps_after_the_last(house: House) -> None:
    house.do("biller", "add", "--name", "Last", "--id", "9999")
    assert house.do("biller", "add", "--name", "Next") == "biller: 100\n"
    assert house.do("biller", "add", "--name", "Next") == "biller: 104\n"


def test_no_account_holds_more_than_an_answer_can_carry(house: House) -> None:
    house.core.store.run("UPDATE account SET balance = ? WHERE owner_id = ?", (10**15 - 100, LIN))
    assert house.run("account", "top-up", f"--member={LIN}", "--amount=1.00").status == 0
    outcome = house.run("account", "top-up", f"--member={LIN}", "--amount=0.01")
    assert outcome.status == 1 and "no money moved" in outcome.err
    house.core.store.run("UPDATE account SET balance = 20000 WHERE owner_id = ?", (LIN,))


def test_odd_but_right_names_are_taken(house: House) -> None:
    for at, name in enumerate(("-小明-", "张　三", "\U0001fae9 \U0001f468\u200d\U0001f469\u200d\U0001f467", "أحمد")):
        house.do("account", "open", f"--member={11_000 + at}", f"--name={name}", "--pin-stdin", stdin=PIN)
        assert name in house.do("account", "show", f"--member={11_000 + at}")


# ---- what files merge in silence ---------------------------------------------------------------------------------

HEAD = "biller_id,customer_number,period,title,line_text,line_amount,due_on,bill_ref,minimum,occurrence\n"
ROW = "101,88201499,2026-02,February,Usage,12.00,2026-02-20,E-9,,\n"


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("bill", HEAD + ROW.replace("E-9", "R" * 64 + "aa") + ROW.replace("E-9", "R" * 64 + "bb"), "bill_ref: has 66"),
        ("bill", HEAD + ROW + ROW, "line 3, column biller_id: repeats line 2"),
        ("bill", HEAD + ROW + ROW.replace("101,", "0101,"), "line 3, column biller_id: 0101 has zeros in front"),
        ("bill", HEAD + ROW + ROW.replace("12.00", "12"), "line 3, column line_amount: repeats line 2"),
        ("bill", HEAD + ROW.replace("Usage", "x" * 65), "line 2, column line_text: has 65"),
        ("bill", HEAD + ROW.replace("February", "x" * 65), "line 2, column title: has 65"),
        ("bill", HEAD + ROW.replace("12.00,2026", "12.00,20260"), "line 2, column due_on"),
        ("bill", HEAD + ROW.replace("2026-02-20", "20260220"), "line 2, column due_on"),
        ("bill", HEAD + ROW.replace("101,", "0,"), "line 2, column biller_id: 0 is not within 100 to 9999"),
        ("bill", HEAD + ROW.replace("101,", "9" * 20 + ","), "is not within 100 to 9999"),
        ("bill", HEAD + ROW.replace("E-9,,", "E-9,5,") + ROW.replace("Usage,12.00", "Fee,1").replace("E-9,,", "E-9,6,"),
         "line 3, column minimum: differs from line 2"),
        ("customer", "biller_id,customer_number,place\n101,1,Room 1\n101,1,Room 2\n", "line 3, column place: differs"),
        ("customer", f"biller_id,customer_number,place,member_id\n101,1,R,{LIN}\n101,2,R,{LIN}\n",
         "line 3, column member_id: member 10001 has a number of Electricity in line 2"),
        ("customer", "biller_id,customer_number,place\n101,1," + "x" * 65 + "\n", "line 2, column place: has 65"),
        ("account", "member_id,name,pin,balance\n10007,A,161803,0.0.0\n", "line 2, column balance"),
        ("account", "member_id,name,pin,balance\n0,A,161803,0\n", "line 2, column member_id: 0 is not within"),
        ("biller", "id,name\n0,Gas\n", "line 2, column id: 0 is not within"),
        ("biller", "id,name\n200,Gas\n200,Other\n", "line 3, column id: 200 stands in line 2 already"),
        ("biller", "id,name\n200,Gas\n0200,Other\n", "line 3, column id: 0200 has zeros in front; write it as 200"),
    ],
)  # fmt: skip
def test_nothing_in_a_file_is_merged_or_cut_in_silence(house: House, kind: str, content: str, says: str) -> None:
    file = house.path / "f.csv"
    file.write_text(content, encoding="utf-8")
    before = books(house)
    outcome = house.run(kind, "import", str(file))
    assert outcome.status == 1 and says in outcome.err and "nothing was loaded" in outcome.err, outcome.err
    assert books(house) == before


def test_two_equal_lines_are_taken_when_they_are_numbered(house: House) -> None:
    file = house.path / "f.csv"
    file.write_text(HEAD + ROW.replace(",,\n", ",0,1\n") + ROW.replace(",,\n", ",0.00,2\n").replace("0.00,2", "0,2"))
    assert house.do("bill", "import", str(file)) == "bills: 1 new, 0 known already\n"
    assert house.bills(LIN, ELECTRICITY, "88201499").bills[0].total == Amount(2_400, "CNY")


def test_credit_is_used_for_new_bills_in_their_order(house: House) -> None:
    order = house.order(LIN, biller_id=MOBILE, customer_number="13800000001", bill_id=3, minor=5_000)
    assert isinstance(house.ask(LIN, order), Paid)  # 30.00 were due
    file = house.path / "f.csv"
    row = "103,13800000001,2026-02,February,Plan,15.00,2026-02-10,M-2,,\n"
    other = row.replace("13800000001", "13800000002").replace("M-2", "M-4")
    file.write_text(HEAD + row + other + row.replace("M-2", "M-3"))
    assert house.do("bill", "import", str(file)) == "bills: 3 new, 0 known already\n"
    bills = house.bills(LIN, MOBILE, "13800000001")
    assert [bill.due.minor for bill in bills.bills] == [1_000] and bills.credit is None
    house.check()


def test_a_plan_that_came_too_late_stores_nothing(house: House) -> None:
    wanted = bill_import.wanted_bills(house.core.billing.billers, _records(house, ROW))
    made = bill_import.plan(house.core, wanted)
    file = house.path / "f.csv"
    file.write_text(HEAD + ROW.replace("E-9", "E-8"))
    house.do("bill", "import", str(file))
    with pytest.raises(OperatorError, match="nothing was loaded"), house.core.store.transaction():
        bill_import.store_bills(Operations(house.core, Operator("operator")), made)
    house.check()


def _records(house: House, rows: str) -> list[imports.Record]:
    return imports.read_csv("f.csv", (HEAD + rows).encode(), imports.BILL_COLUMNS)[0]


def test_columns_that_are_not_used_are_told(house: House) -> None:
    file = house.path / "f.csv"
    file.write_text("biller_id,customer_number,place,remark\n103,13900000000,R,hello\n")
    outcome = house.run("customer", "import", str(file))
    assert outcome.status == 0 and "not used: remark" in outcome.err
    assert house.core.arrears.customer(MOBILE, "13900000000") == ("R", 0)


def test_a_whole_audit_in_chinese_is_listed(house: House) -> None:
    for at in range(300):
        house.do("audit", "record", "--action", "审计" * 40, "--subject", f"成员 {at}", "--why", "理由" * 100)
    listed = house.do("audit", "list", "--last", "500")
    assert len(listed.encode()) > 200_000
    assert all(f"成员 {at} " in listed for at in range(300))


def test_a_receipt_type_still_carries_what_the_parser_allows() -> None:
    fields = {field.name: field.type for field in msgspec.structs.fields(Receipt)}
    assert msgspec.convert("x" * REASON_CHARS_MAX, fields["reason"])


def test_files_of_the_demonstration_are_read(house: House) -> None:
    folder = Path(__file__).parents[2] / "assets" / "demo"
    for kind in ("account", "biller", "customer"):
        outcome = house.run(kind, "import", str(folder / f"{kind}s.csv"))
        assert outcome.status == 0 or "already" in outcome.err or "there is no biller" in outcome.err, outcome.err
