"""The disk fails: every write, sync and truncate in turn, once and for good, at work and while recovering; disk full.

For each point the same work is done until the service gives up; then the folder is opened again with a sound disk, and
every member's knowledge is compared with the books. Counted are the points until the work passes untouched.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from pathlib import Path

import apsw
import pytest
from peewee import PeeweeException

from payment.core import Core
from payment.errors import FolderError, OutcomeUnknown
from tests.faults.books import Books
from tests.faults.check import ledger_check
from tests.faults.conftest import Luck, Tally
from tests.faults.disk import FailingDisk, How, Plan
from tests.faults.house import Desk, House
from tests.faults.work import let_go, one_turn, settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800), pytest.mark.slow]
GAVE_UP = (OutcomeUnknown, apsw.Error, FolderError)
POINTS_MAX = 5_000


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is folded back many times within the little work that is done here."""
    from payment import store

    monkeypatch.setitem(store.PRAGMAS, "wal_autocheckpoint", 25)


def work(house: House, path: Path, disk: FailingDisk, books: Books, luck: Luck, turns: int) -> bool:
    """Some turns of payments over one opening of the folder. Whether the disk let it end in peace.

    Whatever the service sent before it gave up was heard by the members.
    """
    desk: Desk | None = None
    try:
        desk = Desk.open(house, path, vfs=disk.name)
        for _ in range(turns):
            one_turn(house, desk, books, luck)
        with contextlib.suppress(PeeweeException):  # SQLite itself is silent about a failed checkpoint while closing
            desk.close()
        return not disk.failed
    except GAVE_UP:
        assert disk.failed, "the service gave up although the disk was sound"
        return False
    finally:
        if disk.failed and desk is not None:
            disk.die()
            let_go(desk)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["once", "sticky", "full"])
def test_service_survives_a_failing_disk_at_every_point(
    house: House, tmp_path: Path, luck: Luck, tally: Tally, how: How, is_long: bool
) -> None:
    turns = 12 if is_long else 5
    outcomes: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for nth in range(1, POINTS_MAX):
        path = house.copy(tmp_path / "work")
        books = Books(house)
        with FailingDisk(Plan(nth, how), luck) as disk:
            is_through = work(house, path, disk, books, luck, turns)
        outcomes += settle(house, path, books, luck)
        failed.update(disk.failed[:1])
        if is_through:
            assert not disk.failed
            break
    else:
        pytest.fail("the work never got through")
    tally.say(points=nth - 1, how=how, failed=dict(failed), turns=turns, open_payments_resolved=dict(outcomes))


@pytest.mark.parametrize("how", ["once", "sticky", "full"])
def test_service_survives_a_failing_disk_while_it_recovers(
    house: House, tmp_path: Path, luck: Luck, tally: Tally, how: How
) -> None:
    crashed, books = crash(house, tmp_path, luck)
    outcomes: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for nth in range(1, POINTS_MAX):
        path = tmp_path / "work"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(crashed, path)
        known = Books(house, dict(books.sent), dict(books.paid), dict(books.not_paid))
        with FailingDisk(Plan(nth, how), luck) as disk:
            is_through = work(house, path, disk, known, luck, turns=12 if how == "full" else 1)
        outcomes += settle(house, path, known, luck)
        failed.update(disk.failed[:1])
        if is_through:
            break
    else:
        pytest.fail("the work never got through")
    tally.say(points=nth - 1, how=how, failed=dict(failed), open_payments_resolved=dict(outcomes))


@pytest.mark.parametrize("how", ["once", "sticky", "full"])
def test_first_start_on_a_failing_disk_says_so_and_the_next_one_works(
    tmp_path: Path, luck: Luck, tally: Tally, how: How
) -> None:
    for nth in range(1, POINTS_MAX):
        path = tmp_path / f"first-{nth}"
        with FailingDisk(Plan(nth, how), luck) as disk:
            core = None
            try:
                core = Core(path, vfs=disk.name)
            except (FolderError, OutcomeUnknown):
                assert disk.failed
            disk.die()
            if core is not None:
                with contextlib.suppress(PeeweeException):
                    core.abandon()
        ledger_check(path)
        if not disk.failed:
            break
    tally.say(points=nth - 1, how=how)


def crash(house: House, tmp_path: Path, luck: Luck) -> tuple[Path, Books]:
    """A folder that a killed service left behind: its write-ahead log waits to be recovered."""
    crashed = house.copy(tmp_path / "crashed")
    books = Books(house)
    with FailingDisk(Plan(), luck) as disk:
        desk = Desk.open(house, crashed, vfs=disk.name)
        for _ in range(6):
            one_turn(house, desk, books, luck)
        disk.die()
        let_go(desk)
    assert (crashed / "payment.db-wal").stat().st_size > 0
    return crashed, books
