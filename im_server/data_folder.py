"""The data folder: where each file is, who may read it, and the lock that keeps a second server out."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import IO

import msgspec

from host.files import write_private
from im_server.errors import StartError

try:
    import fcntl
except ImportError:  # Windows has no fcntl; msvcrt locks instead
    fcntl = None  # type: ignore[assignment]


PATH_BYTES_MAX = 440  # SQLite opens no path over 512 bytes; "/payment/payment.db-journal" and the like come behind


class ServerFacts(msgspec.Struct):
    """server.json: what the invite link and the next start need to know."""

    name: str = "BillBuddy"
    hosts: list[str] = []  # what the operator wants in the invite link; empty: this machine's own addresses
    port: int = 0
    payment_root_hex: str = ""


class DataFolder:
    """Paths inside one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "im.db"
        self.tls = self.path / "tls"
        self.facts_file = self.path / "server.json"
        self.log = self.path / "log"
        self.run = self.path / "run"
        self.link_socket = self.run / "link.sock"
        self.link_token = self.run / "link.token"
        self.admin_socket = self.run / "admin.sock"
        self.lock_file = self.run / "server.lock"
        self.payment = self.path / "payment"

    def prepare(self) -> None:
        """Make the folders. Raises StartError with what to do when that cannot be done."""
        if (size := len(os.fsencode(self.path))) > PATH_BYTES_MAX:
            raise StartError(
                f"The path of the data folder has {size} bytes, and the databases can open {PATH_BYTES_MAX} at most. "
                "Choose a shorter one with --data."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self.tls, self.log, self.run):
                folder.mkdir(mode=0o700, exist_ok=True)
            self.run.chmod(0o700)
            probe = self.run / f".probe-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise StartError(
                f"The data folder {self.path} cannot be written ({error.strerror}). "
                "Give this user the right to write there, or name another folder with --data."
            ) from error

    def facts(self) -> ServerFacts:
        """What server.json says; defaults where there is none yet."""
        try:
            return msgspec.json.decode(self.facts_file.read_bytes(), type=ServerFacts)
        except FileNotFoundError:
            return ServerFacts()
        except (OSError, msgspec.DecodeError) as error:
            raise StartError(f"{self.facts_file} cannot be read ({error}). Repair it, or delete it.") from error

    def save_facts(self, facts: ServerFacts) -> None:
        write_private(self.facts_file, msgspec.json.format(msgspec.json.encode(facts)), mode=0o644)

    def new_link_token(self) -> bytes:
        """A fresh secret that the payment subsystem must show on the link."""
        token = secrets.token_hex(32).encode()
        write_private(self.link_token, token)
        return token

    def lock(self) -> IO[bytes] | None:
        """The folder's exclusive lock (close it to let go); None when another process has it."""
        handle = self.lock_file.open("a+b")
        if try_lock(handle):
            return handle
        handle.close()
        return None


def try_lock(handle: IO[bytes]) -> bool:
    """Whether this process now has the exclusive lock of an open file."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def read_private(path: Path) -> bytes:
    """The content of a key file. Raises StartError when it cannot be read or others could read it as well."""
    try:
        status = path.stat()
        content = path.read_bytes()
    except OSError as error:
        raise StartError(
            f"The key file {path} cannot be read ({error.strerror}). Start the server as the user who owns it."
        ) from error
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        raise StartError(f"Other users can read the key file {path}. Run: chmod 600 {path}")
    return content
