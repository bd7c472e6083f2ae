"""What a disk holds after a power cut: a VFS that keeps a journal of all writes, and images made from it.

A write is sure to be on the disk only once its file was synced. Until then an image may have it, lack it, have half of
it, or have it although earlier ones are missing. Creating and deleting files is sure once a file of the folder was
synced (SQLite syncs the folder together with a file that it made). Bytes are torn at sectors; bytes that nobody wrote
stay as they were, which is what SQLite expects of a disk (SQLITE_IOCAP_POWERSAFE_OVERWRITE).
"""

from __future__ import annotations

import itertools
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import apsw

SECTOR_BYTES = 512
SIDES = ("payment.db", "payment.db-wal", "payment.db-journal")
_names = itertools.count(1)

Style = Literal["nothing", "everything", "prefix", "subset", "shuffled", "torn"]
STYLES: tuple[Style, ...] = ("nothing", "everything", "prefix", "subset", "shuffled", "torn")


@dataclass(frozen=True)
class Write:
    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncate:
    inode: int
    size: int


@dataclass(frozen=True)
class Sync:
    inode: int


@dataclass(frozen=True)
class Link:
    """The name now means this inode (0: nothing, it was deleted)."""

    name: str
    inode: int
    is_synced: bool = False


@dataclass(frozen=True)
class Heard:
    """Somebody was told the outcome of a payment: from here on it must not be lost."""

    payment_id: bytes


Event = Write | Truncate | Sync | Link | Heard


@dataclass
class Journal:
    """All that happened to a folder's database since it was opened, and what was there before."""

    before: dict[str, bytes]
    events: list[Event] = field(default_factory=list)

    def heard(self, payment_id: bytes) -> None:
        self.events.append(Heard(payment_id))

    def heard_before(self, cut: int) -> set[bytes]:
        """Payments whose outcome was known to a member when the power went, before event number `cut`."""
        return {event.payment_id for event in self.events[:cut] if isinstance(event, Heard)}

    def image(self, cut: int, style: Style, dice: random.Random) -> dict[str, bytes]:
        """Name and content of the files that the disk may hold when the power goes before event number `cut`."""
        return _Platter(self.before, dice, style).replay(self.events[:cut])


class _Platter:
    """One possible disk: contents by inode as they surely are, and what may or may not have reached it."""

    def __init__(self, before: dict[str, bytes], dice: random.Random, style: Style) -> None:
        self._names = {name: -at - 1 for at, name in enumerate(before)}  # inodes from before the journal
        self._sure = {-at - 1: bytearray(content) for at, content in enumerate(before.values())}
        self._pending: dict[int, list[Write | Truncate]] = {}
        self._links: list[Link] = []
        self._dice = dice
        self._style = style

    def replay(self, events: list[Event]) -> dict[str, bytes]:
        current = dict(self._names)
        for event in events:
            if isinstance(event, Write | Truncate):
                self._pending.setdefault(event.inode, []).append(event)
            elif isinstance(event, Sync):
                self._apply(event.inode, self._pending.pop(event.inode, []))
                self._settle_names()
            elif isinstance(event, Link):
                current[event.name] = event.inode
                self._links.append(event)
                if event.is_synced:
                    self._settle_names()
        self._cut()
        return {name: bytes(self._sure.get(inode, b"")) for name, inode in self._names.items() if inode}

    def _settle_names(self) -> None:
        for link in self._links:
            self._names[link.name] = link.inode
        self._links = []

    def _cut(self) -> None:
        kept = 0 if self._style == "nothing" else len(self._links)
        if self._style not in ("nothing", "everything"):
            kept = self._dice.randint(0, len(self._links))  # a journalling file system keeps their order
        self._links = self._links[:kept]
        self._settle_names()
        for inode, pending in self._pending.items():
            self._apply(inode, self._chosen(pending))

    def _chosen(self, pending: list[Write | Truncate]) -> list[Write | Truncate]:
        dice, style = self._dice, self._style
        if style in ("nothing", "everything"):
            return pending if style == "everything" else []
        if style == "prefix":
            return pending[: dice.randint(0, len(pending))]
        chosen = [event for event in pending if dice.random() < dice.choice((0.2, 0.5, 0.9))]
        if style == "shuffled":
            dice.shuffle(chosen)
        if style == "torn":
            return [part for event in chosen for part in self._torn(event)]
        return chosen

    def _torn(self, event: Write | Truncate) -> list[Write | Truncate]:
        """Some of the sectors that a write touches."""
        if isinstance(event, Truncate):
            return [event]
        parts: list[Write | Truncate] = []
        at, end = event.offset, event.offset + len(event.data)
        while at < end:
            stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
            if self._dice.random() < 0.6:
                parts.append(Write(event.inode, at, event.data[at - event.offset : stop - event.offset]))
            at = stop
        return parts

    def _apply(self, inode: int, events: list[Write | Truncate]) -> None:
        content = self._sure.setdefault(inode, bytearray())
        for event in events:
            if isinstance(event, Truncate):
                del content[event.size :]
                continue
            if len(content) < event.offset:
                content.extend(bytes(event.offset - len(content)))
            content[event.offset : event.offset + len(event.data)] = event.data


class JournalDisk(apsw.VFS):
    """Passes everything to the real files and keeps a journal of it."""

    def __init__(self, folder: Path) -> None:
        self.name = f"journal-{next(_names)}"
        before = {name: (folder / name).read_bytes() for name in SIDES if (folder / name).exists()}
        self.journal = Journal(before)
        self.is_dead = False
        self._inodes = {str(folder / name): -at - 1 for at, name in enumerate(before)}
        self._next_inode = 1
        super().__init__(self.name, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.unregister()

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = str(name.filename() if isinstance(name, apsw.URIFilename) else name)
        file = _JournalFile(self, name, flags)
        if path not in self._inodes:
            self._inodes[path] = self._next_inode
            self.journal.events.append(Link(Path(path).name, self._next_inode))
            self._next_inode += 1
        file.inode = self._inodes[path]
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.refuse_when_dead()
        super().xDelete(filename, syncdir)
        if self._inodes.pop(filename, None) is not None:
            self.journal.events.append(Link(Path(filename).name, 0, bool(syncdir)))

    def die(self) -> None:
        """The process is gone: whatever SQLite does while it closes is not done."""
        self.is_dead = True

    def refuse_when_dead(self) -> None:
        if self.is_dead:
            raise apsw.exception_for(apsw.SQLITE_IOERR_WRITE)


class _JournalFile(apsw.VFSFile):
    inode: int

    def __init__(self, disk: JournalDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.refuse_when_dead()
        super().xWrite(data, offset)
        self._disk.journal.events.append(Write(self.inode, offset, bytes(data)))

    def xSync(self, flags: int) -> None:
        self._disk.refuse_when_dead()
        super().xSync(flags)
        self._disk.journal.events.append(Sync(self.inode))

    def xTruncate(self, newsize: int) -> None:
        self._disk.refuse_when_dead()
        super().xTruncate(newsize)
        self._disk.journal.events.append(Truncate(self.inode, newsize))


def write_image(image: dict[str, bytes], source: Path, target: Path) -> None:
    """A folder with the other files of `source` and the database files of the image."""
    shutil.rmtree(target, ignore_errors=True)
    skipped = shutil.ignore_patterns("payment.db*", "*.sock")
    shutil.copytree(source, target, ignore=skipped)
    for name, content in image.items():
        (target / name).touch(mode=0o600)
        (target / name).write_bytes(content)
