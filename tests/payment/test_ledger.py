"""The ledger: what the database refuses, and what the check finds."""

from __future__ import annotations

import json

import apsw
import pytest

from payment.contract.messages import Paid
from payment.ledger import CEILING, TransferRow
from payment.schema import IMMUTABLE
from tests.payment.house import LIN, MOBILE, WATER, WRONG_PIN, House


@pytest.fixture
def used(house: House) -> House:
    """A house in which something of everything has happened."""
    house.bills(LIN, 101, "88201402")
    for order in (
        house.order(LIN),
        house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_500),
        house.order(LIN, biller_id=MOBILE, customer_number="13800000001", bill_id=3, minor=5_000),
    ):
        assert isinstance(house.ask(LIN, order), Paid)
    house.do("refund", "--transfer", "3", "--amount", "1.00", "--why", "test")
    house.do("limits", "set", "--single", "900.00", "--id", "limits-1")
    house.ask(LIN, house.order(LIN, minor=7))
    house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    house.restart()  # signs the chain's head
    house.check()
    return house


@pytest.mark.parametrize("table", IMMUTABLE)
@pytest.mark.parametrize(
    "verb", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "INSERT OR REPLACE INTO {0} SELECT * FROM {0}"]
)
def test_the_database_refuses_to_change_history(used: House, table: str, verb: str) -> None:
    column = used.core.store.one(f"SELECT name FROM pragma_table_info('{table}')")
    assert column is not None
    with pytest.raises(apsw.ConstraintError, match="never changed"):
        used.core.store.run(verb.format(table, column[0]))
    used.check()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE account SET balance = -1 WHERE kind = 'wallet'",
        "UPDATE account SET normal = 'debit' WHERE kind = 'wallet'",
        "UPDATE bill SET total = 1",
        "UPDATE bill SET paid = total + 1",
        "UPDATE customer SET credit = -1",
    ],
)
def test_the_database_refuses_what_cannot_be(used: House, sql: str) -> None:
    with pytest.raises(apsw.ConstraintError):
        used.core.store.run(sql)
    used.check()


TAMPERED = {
    "account": ["balance = balance + 1", "owner_id = 10002", "number = number || '0'", "floor = -100", "name = 'x'"],
    "biller": ["rule = 'up_to_due'", "name = 'Other'", "account_id = 1"],
    "customer": ["credit = credit + 1", "place = 'x'"],
    "binding": ["customer_number = '1'", "member_id = 10002"],
    "bill": ["paid = paid - 1", "minimum = 1", "due_on = '2030-01-01'", "total = total + 1", "cancelled = 1"],
    "transfer": ["amount = amount + 1", "member_id = 10002", "hash = zeroblob(32)", "reason = 'x'", "bill_id = 2"],
    "result": ["result = zeroblob(4)", "fingerprint = zeroblob(32)", "transfer_no = 0", "member_id = 10002"],
    "head": ["hash = zeroblob(32)", "at_ms = 1", "signature = zeroblob(64)"],
    "audit": ["why = 'x'", "who = 'nobody'", "hash = zeroblob(32)", "no = no + 1000"],
    "pin": ["hash = zeroblob(32)", "set_by = 'x'", "account_id = 99 + account_id"],
    "attempt": ["tries = 0", "locked_until_ms = 0, locks = 5"],
    '"limit"': ["single_max = 1", "daily_max = 1"],
}


ROWS = {
    "customer": "credit > 0",
    "bill": "id <= 2",
    "binding": "biller_id = 101",
    "result": "transfer_no > 0",
    "account": "kind = 'wallet' AND owner_id = 10001",
    "transfer": "no = 3",
}


@pytest.mark.parametrize(("table", "change"), [(t, c) for t, changes in TAMPERED.items() for c in changes])
def test_the_check_finds_a_changed_row_of_every_table(used: House, table: str, change: str) -> None:
    store = used.core.store
    for (name,) in store.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        store.run(f"DROP TRIGGER {name}")
    store.run("PRAGMA ignore_check_constraints = 1")
    store.run(f"UPDATE {table} SET {change} WHERE {ROWS.get(table, '1')}")
    assert used.core.store.connection.changes() >= 1
    outcome = used.run("ledger", "check", "--json")
    found = json.loads(outcome.out)
    assert outcome.status == 1 and not found["ok"] and found["wrong"]


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("transfer", "no = 3"),
        ("transfer", "no > 5"),
        ("result", "transfer_no > 0"),
        ("bill", "id = 1"),
        ("audit", "no = 2"),
        ("account", "kind = 'wallet' AND owner_id = 10001"),
        ("customer", "credit > 0"),
    ],
)
def test_the_check_finds_a_missing_row(used: House, table: str, where: str) -> None:
    store = used.core.store
    for (name,) in store.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        store.run(f"DROP TRIGGER {name}")
    store.run(f"DELETE FROM {table} WHERE {where}")
    outcome = used.run("ledger", "check")
    assert outcome.status == 1 and outcome.out.startswith("WRONG: ")


def test_a_rewritten_chain_is_found_by_its_signed_head(used: House) -> None:
    """Somebody with the file recomputes all hashes and balances: the signatures do not follow."""
    from payment.ledger import CHAIN_START, TRANSFER_COLUMNS, transfer_hash

    store = used.core.store
    for (name,) in store.all("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
        store.run(f"DROP TRIGGER {name}")
    store.run("UPDATE transfer SET reason = 'forged' WHERE no = 1")
    previous = CHAIN_START
    for values in store.all(f"SELECT {', '.join(TRANSFER_COLUMNS)} FROM transfer ORDER BY no"):
        previous = transfer_hash(previous, TransferRow(*values))
        store.run("UPDATE transfer SET hash = ? WHERE no = ?", (previous, values[0]))
    assert used.run("ledger", "check").status == 1


def test_the_check_prints_the_head(used: House) -> None:
    found = json.loads(used.do("ledger", "check", "--json"))
    no, digest = used.core.ledger.head
    assert (found["head_no"], found["head_hash"], found["ok"]) == (no, digest.hex(), True)


def test_books_are_empty_and_good_at_first(house: House) -> None:
    found = json.loads(house.do("ledger", "check", "--json"))
    assert found["transfers"] == 2 and found["ok"]


def test_an_account_holds_no_more_than_an_answer_can_name(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CEILING["wallet"] == 10**15
    monkeypatch.setitem(CEILING, "wallet", 20_100)
    assert house.run("account", "top-up", "--member", str(LIN), "--amount", "1.00").status == 0
    refused = house.run("account", "top-up", "--member", str(LIN), "--amount", "0.01")
    assert refused.status == 1 and "no money moved" in refused.err
    assert house.balance(LIN) == 20_100
    house.check()
