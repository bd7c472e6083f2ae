"""A disk that fails on purpose: SQLite VFS shims over the system's own.

`FailingDisk` fails the Nth write, sync or truncate, once or from then on, or is full from the Nth growing write on.
A disk is registered under a name of its own while it is used as a context.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import apsw

_names = itertools.count(1)

How = Literal["once", "sticky", "full"]
Operation = Literal["write", "sync", "truncate"]
_ERRORS = {
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
}


@dataclass(frozen=True)
class Plan:
    """Which operation fails: the `nth` (from 1; 0: none) of all that are counted, and how."""

    nth: int = 0
    how: How = "once"


class FailingDisk(apsw.VFS):
    """Counts what is done to the files of a database and fails as planned. Everything else goes to the real files.

    A failed write may leave its first half, as real ones do; `dice` decides.
    """

    def __init__(self, plan: Plan, dice: random.Random) -> None:
        self.name = f"failing-{next(_names)}"
        self.plan = plan
        self.counted = 0
        self.failed: list[Operation] = []
        self.is_dead = False
        self._dice = dice
        super().__init__(self.name, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _FailingFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._refuse_when_dead("write")
        super().xDelete(filename, syncdir)

    def die(self) -> None:
        """The process is gone: nothing more is written, whatever SQLite tries while it closes."""
        self.is_dead = True

    def fails(self, operation: Operation, *, grows: bool = False) -> bool:
        """Whether this operation is to fail; counts it."""
        self._refuse_when_dead(operation)
        plan = self.plan
        if plan.how == "full" and not grows:
            return False
        self.counted += 1
        if not plan.nth or self.counted < plan.nth or (plan.how == "once" and self.counted > plan.nth):
            return False
        self.failed.append(operation)
        return True

    def leaves_half(self) -> bool:
        return self._dice.random() < 0.5

    def error(self, operation: Operation) -> Exception:
        return apsw.exception_for(apsw.SQLITE_FULL if self.plan.how == "full" else _ERRORS[operation])

    def _refuse_when_dead(self, operation: Operation) -> None:
        if self.is_dead:
            raise apsw.exception_for(_ERRORS[operation])


class _FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.fails("write", grows=offset + len(data) > self.xFileSize()):
            if self._disk.leaves_half():
                super().xWrite(bytes(data[: len(data) // 2]), offset)
            raise self._disk.error("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.fails("sync"):
            raise self._disk.error("sync")
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:
        if self._disk.fails("truncate"):
            raise self._disk.error("truncate")
        super().xTruncate(newsize)
