"""The power goes: unsynced writes are dropped, torn or reordered, at any moment, again while recovering.

Counted are the images: possible disks after a cut, each opened again and compared with what the members had heard.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.books import Books
from tests.faults.conftest import Luck, Tally
from tests.faults.house import Desk, House
from tests.faults.power import STYLES, Journal, JournalDisk, write_image
from tests.faults.work import let_go, one_turn, settle

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800), pytest.mark.slow]
TURNS = 8
CUTS_IN_A_ROW = 3


@pytest.fixture(autouse=True)
def frequent_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is folded back many times within the little work that is done here."""
    from payment import store

    monkeypatch.setitem(store.PRAGMAS, "wal_autocheckpoint", 20)


def work(house: House, path: Path, books: Books, luck: Luck) -> Journal:
    """Some turns of payments, with a clean stop in the middle or at the end now and then. Gives the disk's journal."""
    with JournalDisk(path) as disk:
        desk = Desk.open(house, path, vfs=disk.name)
        for _ in range(TURNS):
            one_turn(house, desk, books, luck, disk.journal.heard)
            if luck.random() < 0.1:
                desk.close()
                desk = Desk.open(house, path, vfs=disk.name)
        if luck.random() < 0.5:
            desk.close()
        else:
            disk.die()
            let_go(desk)
    return disk.journal


def as_known_at(books: Books, heard: set[bytes]) -> Books:
    """What the members knew when they had heard only of these payments."""
    paid = {payment_id: answer for payment_id, answer in books.paid.items() if payment_id in heard}
    not_paid = {payment_id: answer for payment_id, answer in books.not_paid.items() if payment_id in heard}
    return Books(books.house, dict(books.sent), paid, not_paid)


@pytest.mark.slow
def test_acknowledged_payments_survive_power_cuts(
    house: House, tmp_path: Path, luck: Luck, tally: Tally, is_long: bool
) -> None:
    images: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for _ in range(250 if is_long else 12):
        path, books = house.copy(tmp_path / "power-0"), Books(house)
        for again in range(1, CUTS_IN_A_ROW + 1):
            journal = work(house, path, books, luck)
            for style in STYLES:
                cut = luck.randint(0, len(journal.events))
                target = tmp_path / "look"
                write_image(journal.image(cut, style, luck), house.path, target)
                known = as_known_at(books, journal.heard_before(cut) | _settled_before(books, journal))
                outcomes += settle(house, target, known, luck)
                images[style] += 1
            path, books = _go_on_from(house, tmp_path / f"power-{again}", journal, books, luck)
    tally.say(images=sum(images.values()), styles=dict(images), open_payments_resolved=dict(outcomes))


def _settled_before(books: Books, journal: Journal) -> set[bytes]:
    """Payments that were heard of before this journal began."""
    return set(books.sent) - {e for e in books.sent if e in journal.heard_before(len(journal.events))}


def _go_on_from(house: House, target: Path, journal: Journal, books: Books, luck: Luck) -> tuple[Path, Books]:
    """Cuts the power once more; the work goes on from that image, so that its recovery is cut the next time."""
    cut = luck.randint(0, len(journal.events))
    write_image(journal.image(cut, luck.choice(STYLES), luck), house.path, target)
    return target, as_known_at(books, journal.heard_before(cut) | _settled_before(books, journal))


def test_images_of_a_disk_that_lies_are_found_out(house: House, tmp_path: Path, luck: Luck, tally: Tally) -> None:
    """The check itself is checked: were syncs ignored, acknowledged payments would be missed."""
    missed = 0
    for _ in range(20):
        path, books = house.copy(tmp_path / "power"), Books(house)
        journal = work(house, path, books, luck)
        lying = Journal(journal.before, [e for e in journal.events if type(e).__name__ != "Sync"])
        write_image(lying.image(len(lying.events), "nothing", luck), house.path, tmp_path / "look")
        try:
            books.check(tmp_path / "look")
        except AssertionError:
            missed += 1
    tally.say(lying_disks_found_out=missed, of=20)
    assert missed >= 15
