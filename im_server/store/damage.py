"""Telling a damaged database or a failed disk from all other trouble, and finding damage before anybody is served."""

from __future__ import annotations

import apsw

_FATAL = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)


def is_disk_failure(error: BaseException) -> bool:
    """Whether the disk may hold something else than was written, as after a failed sync.

    A full disk is none, and neither is a write that was refused: SQLite undoes those, and the next one may succeed.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _FATAL):
            return getattr(seen, "extendedresult", 0) != apsw.SQLITE_IOERR_WRITE
        seen = seen.__cause__ or seen.__context__
    return False
