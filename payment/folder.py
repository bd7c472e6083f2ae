"""The data folder: permissions, the lock that keeps it to one process, and the secrets in it."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from types import TracebackType

from payment.errors import FolderError, FolderInUse

try:
    import fcntl
except ImportError:  # Windows has no fcntl; msvcrt locks a byte of the file instead
    fcntl = None  # type: ignore[assignment]


class Folder:
    """Paths of one data folder. Makes it (0700) when missing; refuses one that others can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = path / "keys"
        for folder in (path, self.keys):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise FolderError(f"the folder {folder} cannot be made: {error.strerror}") from error
            _refuse_if_open_to_others(folder, "700")
        self.database = path / "payment.db"
        self.admin_socket = path / "admin.sock"
        self.lock_file = path / "lock"

    def secret(self, name: str, size_bytes: int = 32) -> bytes:
        """The secret in this file (relative to the folder), made at random on first use."""
        path = self.path / name
        if not path.exists():
            write_secret(path, secrets.token_bytes(size_bytes))
        return read_secret(path, size_bytes)


class FolderLock:
    """An exclusive hold on the folder, freed by the operating system when the process ends, however it ends."""

    def __init__(self, folder: Folder) -> None:
        self._file = folder.lock_file.open("a+b")
        folder.lock_file.chmod(0o600)
        try:
            _lock(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise FolderInUse(f"another payment process works on {folder.path}") from error

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


def _lock(fileno: int) -> None:
    if fcntl is not None:
        fcntl.flock(fileno, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    import msvcrt

    msvcrt.locking(fileno, msvcrt.LK_NBLCK, 1)


def write_secret(path: Path, content: bytes) -> None:
    """Writes a new 0600 file, whole or not at all, and syncs it. Raises FolderError."""
    draft = path.with_name(path.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise FolderError(f"the key file {path} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """A new name survives a power cut only when its folder is on the disk as well. Windows has no such call."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_secret(path: Path, size_bytes: int = 0) -> bytes:
    """Content of a key file. Raises FolderError when others can read it, or its size is not `size_bytes` (0: any)."""
    try:
        _refuse_if_open_to_others(path, "600")
        content = path.read_bytes()
    except OSError as error:
        raise FolderError(f"the key file {path} cannot be read: {error.strerror}") from error
    if size_bytes and len(content) != size_bytes:
        raise FolderError(f"the key file {path} has {len(content)} bytes where {size_bytes} belong")
    return content


def _refuse_if_open_to_others(path: Path, mode: str) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise FolderError(f"others can read {path}; run: chmod {mode} {path}")
