"""A little work for a desk: random payments in a turn, and what the members hear of it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import apsw
from peewee import PeeweeException

from tests.faults.books import Books
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck
from tests.faults.house import Desk, House, open_answer


def one_turn(house: House, desk: Desk, books: Books, luck: Luck, heard: Callable[[bytes], None] | None = None) -> None:
    """One to three orders at once. What is sent before the service gives up counts as heard."""
    asked = {}
    for _ in range(luck.randint(1, 3)):
        member_id, due = luck.choice(house.members), luck.choice(house.bills)
        pay = house.order(luck.randbytes(16), member_id, due)
        books.send(member_id, pay)
        one = desk.ask(member_id, pay, luck.randbytes(16))
        asked[one.frame.request_id] = one
    try:
        desk.turn([one.frame for one in asked.values()])
    finally:
        for request_id, frame in desk.take_answers().items():
            payment_id = asked[request_id].request.payment_id
            books.hear(payment_id, open_answer(asked[request_id], frame))
            if heard is not None:
                heard(payment_id)


def let_go(desk: Desk) -> None:
    """What is left of a process that died: nothing. Its lock is free, whatever its files say."""
    with contextlib.suppress(apsw.Error, PeeweeException):
        desk.end()
    desk.core._lock.__exit__(None, None, None)


def settle(house: House, path: Path, books: Books, luck: Luck) -> Counter[str]:
    """With a sound disk again: the books agree, every open payment resolves, and the books agree still."""
    books.check(path)
    desk = Desk.open(house, path)
    outcomes = books.resolve(desk, [luck.randbytes(16) for _ in range(2 * len(books.open))])
    desk.close()
    assert not books.open
    books.check(path)
    ledger_check(path)
    return outcomes
