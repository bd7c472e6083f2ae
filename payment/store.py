"""The database: SQLite through APSW under Peewee, with one writer and group commit.

The thread that opened the store is the only one that writes. Other threads may read through `reader()`, each on a
connection of its own, and see whole transactions only (WAL).
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
from peewee import PeeweeException
from playhouse.apsw_ext import APSWDatabase

from payment.errors import FolderError, OutcomeUnknown
from payment.guard import ONE_STATEMENT
from payment.rowseal import COLUMNS, RowSealer
from payment.schema import INDEXES, MODELS, trigger_statements

FORMAT = "1"
PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",  # a commit is on disk before anybody hears of it
    "recursive_triggers": 1,  # so that INSERT OR REPLACE cannot get round the triggers that keep history
    "foreign_keys": 0,  # rows are never deleted, and the ledger check follows every reference
    "cache_size": -32_768,  # KiB
    "wal_autocheckpoint": 8_000,  # pages; larger means fewer, longer checkpoints
    "temp_store": "memory",
}
BUSY_MS = 5_000
WHOLE_BYTES_MAX = 64 * 2**20  # up to here every index is checked at each start, which takes about a second
DAMAGED_ADVICE = "Put the newest backup of the whole data folder in its place. Nothing was changed in this one."
KEYS_PER_QUERY = 64

log = logging.getLogger("payment.store")


class Store:
    """The open database of one data folder.

    `vfs` names a registered SQLite VFS ('' the system's): tests put a failing disk there.
    Raises FolderError when the file cannot be used.
    """

    def __init__(self, path: Path, sealer: RowSealer, *, vfs: str = "") -> None:
        self.path = path
        self.sealer = sealer
        self._vfs = vfs or None
        self._secure(path)
        pragmas = {**PRAGMAS, "busy_timeout": BUSY_MS}
        self.database = APSWDatabase(str(path), pragmas=pragmas, statementcachesize=256, vfs=self._vfs)
        try:
            self.database.connect()
            self.connection: apsw.Connection = self.database.connection()
            self._cursor = self.connection.cursor()
            self._refuse_damage()
            self._create()
        except (apsw.Error, PeeweeException) as error:
            self._give_up()
            reason = str(error) or type(error).__name__
            causes = (error, error.__cause__, error.__context__)  # Peewee wraps what the first statement finds
            if any(isinstance(cause, apsw.CorruptError | apsw.NotADBError) for cause in causes):
                raise FolderError(f"the database {path} is damaged ({reason}). {DAMAGED_ADVICE}") from error
            raise FolderError(f"the database {path} cannot be opened: {reason}") from error
        except BaseException:
            self._give_up()
            raise

    def _give_up(self) -> None:
        with suppress(apsw.Error, PeeweeException):  # the error that led here is the one to tell
            self.database.close()

    def _refuse_damage(self) -> None:
        """Raises FolderError for a file whose pages, or in one up to WHOLE_BYTES_MAX whose indexes, are not right, and
        for a ledger with a hole. `ledger check` looks at everything else."""
        whole = self.path.stat().st_size <= WHOLE_BYTES_MAX
        found = self.one("PRAGMA integrity_check(1)" if whole else "PRAGMA quick_check(1)")
        if found == ("ok",) and self.one("SELECT 1 FROM sqlite_master WHERE name = 'transfer'"):
            count, last = self.one("SELECT count(*), coalesce(max(no), 0) FROM transfer") or (0, 0)
            if count != last:
                found = (f"the ledger has {count} transfers, and the last one is number {last}",)
        if found != ("ok",):
            reason = " ".join(str(found[0]).split()) if found else "its pages cannot be read"
            raise FolderError(f"the database {self.path} is damaged ({reason}). {DAMAGED_ADVICE}")

    @staticmethod
    def _secure(path: Path) -> None:
        if not path.exists():
            path.touch(mode=0o600)
        elif os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise FolderError(f"others can read {path}; run: chmod 600 {path}")

    def _create(self) -> None:
        with self.bound(), self.transaction():
            self.database.create_tables(MODELS, safe=True)
            for statement in (*INDEXES, *trigger_statements()):
                self._cursor.execute(statement)
            self._cursor.execute("INSERT OR IGNORE INTO meta (key, value) VALUES ('format', ?)", (FORMAT,))
        found = self.one("SELECT value FROM meta WHERE key = 'format'")
        if found is None or found[0] != FORMAT:
            raise FolderError(f"the database {self.path} is of another format than this program's {FORMAT}")

    @contextmanager
    def bound(self) -> Iterator[None]:
        """Within it the models of `schema` mean this store. The writing thread only."""
        with self.database.bind_ctx(MODELS):
            yield

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One BEGIN IMMEDIATE … COMMIT. On an exception inside nothing is kept and the exception goes on.

        Raises OutcomeUnknown when the commit, or the roll-back of a failed disk, itself fails: the caller must end
        the process, because after a failed sync nobody knows what the disk holds.
        """
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
        except (apsw.Error, PeeweeException) as error:  # Peewee's own calls wrap APSW's errors
            self._roll_back()
            if isinstance(error, ONE_STATEMENT):
                raise
            raise OutcomeUnknown(f"the database failed: {error}") from error
        except BaseException:
            self._roll_back()
            raise
        try:
            self._cursor.execute("COMMIT")
        except apsw.Error as error:
            raise OutcomeUnknown(f"the commit failed: {error}") from error

    def _roll_back(self) -> None:
        try:
            if not self.connection.getautocommit():
                self._cursor.execute("ROLLBACK")
        except apsw.Error as error:
            raise OutcomeUnknown(f"the roll-back failed: {error}") from error

    def run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """One statement that gives no rows."""
        self._cursor.execute(sql, values)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """The same statement for every row."""
        self._cursor.executemany(sql, rows)

    def one(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return next(self._cursor.execute(sql, values), None)

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        return list(self._cursor.execute(sql, values))

    def rows_in(self, sql: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows of many keys at once. `sql` ends in "IN"; a key is a value or a tuple of values.

        The number of placeholders is rounded up to a power of two by repeating a key, so that only a few statements
        exist and all stay prepared.
        """
        found: list[tuple[Any, ...]] = []
        for at in range(0, len(keys), KEYS_PER_QUERY):
            part = list(keys[at : at + KEYS_PER_QUERY])
            size = 1 << (len(part) - 1).bit_length()
            part += part[:1] * (size - len(part))
            found += self._cursor.execute(*_in_clause(sql, part))
        return found

    def insert(self, table: str, **columns: Any) -> None:
        """Puts one row of a sealed table, with its seal; a row of the same key is replaced."""
        self._insert("INSERT OR REPLACE", table, columns)

    def insert_new(self, table: str, **columns: Any) -> None:
        """The same for a row that must not be there yet."""
        self._insert("INSERT", table, columns)

    def _insert(self, verb: str, table: str, columns: dict[str, Any]) -> None:
        columns["seal"] = self.sealer.seal(table, tuple(columns[name] for name in COLUMNS[table]))
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self._cursor.execute(f'{verb} INTO "{table}" ({names}) VALUES ({marks})', tuple(columns.values()))

    @contextmanager
    def reader(self) -> Iterator[apsw.Connection]:
        """A read-only connection with one snapshot, for the calling thread."""
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY, vfs=self._vfs)
        try:
            connection.setbusytimeout(BUSY_MS)
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close(True)

    def close(self) -> None:
        """Closes the database; SQLite folds the write-ahead log back into it."""
        self.database.close()


def _in_clause(sql: str, keys: list[Any]) -> tuple[str, tuple[Any, ...]]:
    if isinstance(keys[0], tuple):
        mark = "(" + ",".join("?" * len(keys[0])) + ")"
        return f"{sql} (VALUES {','.join([mark] * len(keys))})", tuple(v for key in keys for v in key)
    return f"{sql} ({','.join('?' * len(keys))})", tuple(keys)
