"""Telling a damaged database or a failed disk from all other trouble, and finding damage before anybody is served."""

from __future__ import annotations

from pathlib import Path

import apsw
import msgspec

from im_protocol.packets import ChatSend

WHOLE_BYTES_MAX = 64 * 2**20
"""A database up to this size is checked whole at each start (about a second); of a larger one its pages, and not
whether each index has all of its rows (`check` does that)."""
FINDINGS_MAX = 20
ADVICE = "Stop here: put the newest backup of the whole data folder in its place. Nothing was changed in this one."

_FATAL = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)
_PLACES = """
SELECT m, count(*), max(s) FROM (
    SELECT sender_id AS m, sender_sequence AS s FROM message
    UNION ALL SELECT receiver_id, receiver_sequence FROM message WHERE receiver_id <> sender_id
) GROUP BY m HAVING count(*) <> max(s) OR min(s) <> 1 OR count(DISTINCT s) <> count(*) LIMIT ?
"""


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


def findings_at_start(connection: apsw.Connection, path: Path) -> list[str]:
    """What is wrong with the file, in sentences; empty when nothing is. The last bytes of a log that was cut off are
    nothing wrong: they were never acknowledged."""
    whole = path.stat().st_size <= WHOLE_BYTES_MAX
    return _pages(connection, whole=whole) or _mailboxes(connection)


def all_findings(path: Path) -> list[str]:
    """The same, and each index and each message. Reads only; a server may run meanwhile."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.setbusytimeout(10_000)
        connection.execute("BEGIN")  # one state of it all
        return _pages(connection, whole=True) or [*_mailboxes(connection), *_bodies(connection)]
    except (apsw.Error, UnicodeDecodeError) as error:
        return [f"the file cannot be read: {error}"]
    finally:
        connection.close(True)


def _pages(connection: apsw.Connection, *, whole: bool) -> list[str]:
    pragma = "integrity_check" if whole else "quick_check"
    rows = [" ".join(str(row[0]).split()) for row in connection.execute(f"PRAGMA {pragma}({FINDINGS_MAX})")]
    return [] if rows == ["ok"] else rows


def _mailboxes(connection: apsw.Connection) -> list[str]:
    """A mailbox is numbered 1, 2, 3, … without gaps: a hole is a lost message."""
    return [
        f"the mailbox of member {member} has {count} entries, and its last number is {last}"
        for member, count, last in connection.execute(_PLACES, (FINDINGS_MAX,))
    ]


def _bodies(connection: apsw.Connection) -> list[str]:
    decode = msgspec.msgpack.Decoder(ChatSend).decode
    found: list[str] = []
    for sender, sequence, message_id, body in connection.execute(
        "SELECT sender_id, sender_sequence, message_id, body FROM message"
    ):
        try:
            is_right = decode(body).message_id == message_id
        except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
            is_right = False
        if not is_right:
            found.append(f"message {sequence} of member {sender} cannot be read")
            if len(found) >= FINDINGS_MAX:
                break
    return found
