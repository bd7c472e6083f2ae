"""Opens the member's database; a damaged one is set aside, never deleted, and what it still tells is carried over.

Messages and receipts come again from the server. Orders that are still being decided, and messages that were not sent
yet, are on this device alone: they are read out of the damaged file as far as it can be read, and whoever opens the
store is told whether that was all.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from desktop_client.store import FILE_NAME, SCHEMA, SCHEMA_VERSION, Store
from host.locks import exclusive

if TYPE_CHECKING:
    import apsw

log = logging.getLogger(__name__)

LOCK_NAME = "client.lock"
NO_STORE = "no_store"  # signed in, but what belongs to the member cannot be stored on this device
ASIDE_MAX = 1_000  # damaged files that are kept; more are nobody's accident
SIDE_FILES = ("", "-wal", "-shm")
MAGIC = b"SQLite format 3\0"
HEAD_BYTES = 20
FORMATS = {1, 2}  # SQLite's file format, 1.3.3: who may write and who may read; a later one is opened for reading only
FOREIGN = ("no such table", "no such column", "table messages has no column", "unsupported file format")  # not our make
CHECK_BYTES_MAX = 32 * 1024 * 1024  # of a larger file not every page is looked at first: windows wait meanwhile
# What only this device knows: table, and which of its rows.
CARRIED = (("orders", "1"), ("receipts", "1"), ("messages", "state = 'sending'"))


class StoreError(Exception):
    """The member's database cannot be used; the message says why. It is not damaged: nothing was set aside."""


@dataclass(frozen=True)
class Damage:
    """The database was damaged. `kept` is the damaged file; `whole` tells whether every order could be read."""

    kept: Path
    whole: bool


def open_store(folder: Path) -> tuple[Store, Damage | None]:
    """The store of this folder. Raises StoreError."""
    from peewee import PeeweeException

    try:
        with exclusive(folder / LOCK_NAME):
            store = _open(folder)
            if store is not None:
                return store, None
            kept = _set_aside(folder)
            store = Store(folder)
            return store, Damage(kept, _carry_over(kept, store))
    except (OSError, PeeweeException) as error:
        raise StoreError(str(error)) from error


def _open(folder: Path) -> Store | None:
    """The store, or None where it is damaged. Raises OSError and Peewee's errors for everything else."""
    from peewee import DatabaseError

    if not _looks_good(folder / FILE_NAME):
        return None
    try:
        return Store(folder)
    except DatabaseError as error:
        if type(error) is not DatabaseError and not str(error).startswith(FOREIGN):
            raise
        log.warning("the member's database is damaged, or of another program: %s", error)
        return None


def _looks_good(path: Path) -> bool:
    """Looks at every page without writing any: the file has to stay as it is where it is set aside. Raises OSError."""
    import apsw

    with suppress(FileNotFoundError):
        if path.is_file() and path.stat().st_size > 0:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
            if not head.startswith(MAGIC) or not set(head[18:20]) <= FORMATS:
                return False
            try:
                with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as database:
                    if path.stat().st_size <= CHECK_BYTES_MAX:
                        good = list(database.execute("PRAGMA quick_check(1)")) == [("ok",)]
                    else:
                        good = True
                    good = good and _has_its_tables(database)
                    if good and list(database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'orders'")):
                        for _row in database.execute("SELECT * FROM orders"):
                            pass  # SQLite does not look into texts: what is no UTF-8 shows when it is read
                    return good
            except (apsw.CorruptError, apsw.NotADBError, UnicodeDecodeError) as error:
                log.warning("the member's database is damaged: %s", error)
                return False
            except apsw.Error as error:
                log.info("the member's database could not be looked at: %s", error)
    return True


def _has_its_tables(database: apsw.Connection) -> bool:
    """Whether tables and columns have the names that this version gave them, which nothing in SQLite compares."""
    import apsw

    def columns(of: apsw.Connection) -> set[tuple[str, str]]:
        named = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'"
        return set(of.execute(named))

    if next(database.execute("PRAGMA user_version"))[0] != SCHEMA_VERSION:
        return True  # of another version, or not made yet
    with closing(apsw.Connection(":memory:")) as fresh:
        fresh.execute(SCHEMA)
        return columns(fresh) <= columns(database)


def _set_aside(folder: Path) -> Path:
    """Gives the damaged file and its side files a name that is free. Raises OSError."""
    for number in range(ASIDE_MAX):
        kept = folder / (f"{FILE_NAME}.damaged" + (f"-{number + 1}" if number else ""))
        if not kept.exists():
            for side in reversed(SIDE_FILES):
                with suppress(FileNotFoundError):
                    (folder / f"{FILE_NAME}{side}").rename(f"{kept}{side}")
            return kept
    raise OSError(f"there are {ASIDE_MAX} damaged files in {folder}")


def _carry_over(kept: Path, store: Store) -> bool:
    """Reads out of the damaged file what only it knows; whether that was every order there. Raises OSError."""
    whole = False
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:  # reading may write: the kept file stays as it was
        copy = Path(folder, FILE_NAME)
        for side in SIDE_FILES[:2]:
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{kept}{side}", f"{copy}{side}")
        for table, which in CARRIED:
            columns = [str(row[1]) for row in store.rows(f"PRAGMA table_info({table})")]
            rows = list(_rows(copy, table, which, columns))
            marks = ",".join("?" * len(columns))
            for row in rows:
                if row is not None:
                    store.rows(f"INSERT OR IGNORE INTO {table} ({','.join(columns)}) VALUES ({marks})", *row)
            if table == "orders":
                whole = None not in rows and _is_sound(copy, table)
    return whole


def _is_sound(copy: Path, table: str) -> bool:
    """Whether the pages of this table are as SQLite wrote them: rows that a torn page hides are no error when read."""
    import apsw

    try:
        with closing(apsw.Connection(str(copy))) as damaged:
            return list(damaged.execute(f"PRAGMA integrity_check({table})")) == [("ok",)]
    except apsw.Error:
        return False


def _rows(copy: Path, table: str, which: str, columns: list[str]) -> Iterator[tuple[Any, ...] | None]:
    """Rows from the front, and where reading breaks off, those from the back; a None says that it broke off."""
    import apsw

    for order in ("ASC", "DESC"):
        try:
            with closing(apsw.Connection(str(copy))) as damaged:
                sql = f"SELECT {','.join(columns)} FROM {table} NOT INDEXED WHERE {which} ORDER BY rowid {order}"
                yield from damaged.execute(sql)
                if order == "ASC":
                    return
        except (apsw.Error, UnicodeDecodeError) as error:  # a damaged text is no text any more
            log.info("the damaged database could not be read further: %s", error)
            yield None
