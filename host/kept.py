"""A command that changes something is kept on the disk, with its id, until its outcome is printed.

So the same command line given again after "not known yet", a kill, a full disk or a power cut is the same command, not
a second one: it is sent under the id that was kept, and whoever carries it out does it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from host.files import write_private

try:
    import fcntl
except ImportError:  # Windows: two equal commands at the very same time are taken for one
    fcntl = None  # type: ignore[assignment]

AT_ONCE_MAX = 64
"""Equal command lines that may be under way at the same time, each a command of its own."""

ID_BYTES = 8


@dataclass
class Kept:
    """One command. `secrets` are passwords that were made for it; `again`: it was left from an earlier try."""

    path: Path
    id: str
    at_s: int
    secrets: dict[str, str]
    again: bool

    def forget(self) -> None:
        """Its outcome is known and was printed."""
        self.path.unlink(missing_ok=True)

    def when(self) -> str:
        """When it was first given, in local time."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at_s))


@contextlib.contextmanager
def kept(
    folder: Path, contents: bytes, make_secrets: Callable[[], dict[str, str]], command_id: str = ""
) -> Iterator[Kept]:
    """Keeps a command under a new id, or finds the one that was left. `contents` tells equal commands from others.

    `command_id` is one that somebody chose; it belongs to the contents then.

    Raises OSError: then nothing may be sent.
    """
    for part in (folder.parent, folder):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(contents).hexdigest()[:32]
    for number in range(AT_ONCE_MAX):
        path = folder / f"{name}-{number}.json"
        with path.with_suffix(".lock").open("a") as lock:
            path.with_suffix(".lock").chmod(0o600)
            if not _locked(lock):
                continue
            try:
                yield _found(path) or _new(path, make_secrets(), command_id)
            finally:
                if not path.exists():
                    path.with_suffix(".lock").unlink(missing_ok=True)
            return
    raise OSError(f"{AT_ONCE_MAX} such commands are under way already")


def _locked(lock: IO[str]) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    # Who was before us may have removed the name while we waited for nothing: then the lock is on a file without one.
    with contextlib.suppress(OSError):
        return os.fstat(lock.fileno()).st_ino == Path(lock.name).stat().st_ino
    return False


def _found(path: Path) -> Kept | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        return Kept(path, str(value["id"]), int(value["at_s"]), dict(value["secrets"]), True)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none, or one that was never whole and therefore never sent


def _new(path: Path, made: dict[str, str], command_id: str) -> Kept:
    new = Kept(path, command_id or secrets.token_hex(ID_BYTES), int(time.time()), made, False)
    value = {"id": new.id, "at_s": new.at_s, "secrets": new.secrets}
    write_private(path, json.dumps(value).encode())
    return new
