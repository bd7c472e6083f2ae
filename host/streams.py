"""Standard output and error as streams that take every text and never raise.

CPython's own streams fail in four ways that have nothing to do with what a command did: a character that the terminal's
encoding does not have, a reader that is gone, a full disk, a descriptor that was closed before the start; and what was
still in their buffers fails once more at exit ("Exception ignored in …", status 120). Here texts are written at once,
characters that cannot be shown become visible escapes, and a failure is remembered instead of raised.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any

WRITE_WAIT_MS = 30_000
"""How long a non-blocking terminal or pipe may take no byte before it counts as failed."""


class SafeStream(io.TextIOBase):
    """Text out to one file descriptor. `failed` tells in words why something did not arrive ("" while all did)."""

    def __init__(self, descriptor: int, encoding: str, failed: str = "") -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._encoder = _encoder(encoding)
        self.failed = failed
        self.name = f"<{descriptor}>"

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        with contextlib.suppress(OSError):
            return os.isatty(self._descriptor)
        return False

    def flush(self) -> None:
        """Nothing is ever kept back."""

    def close(self) -> None:
        """A standard stream stays open until the process ends."""

    def write(self, text: str) -> int:
        """Never raises. What cannot be shown is shown as an escape; after a failure nothing more is tried."""
        if not self.failed:
            try:
                self._put(self._encoded(text if os.linesep == "\n" else text.replace("\n", os.linesep)))
            except OSError as error:
                self.failed = error.strerror or type(error).__name__
        return len(text)

    def _encoded(self, text: str) -> bytes:
        try:
            return self._encoder.encode(text)
        except UnicodeError:  # an encoding that refuses even escapes
            return text.encode("ascii", "backslashreplace")

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                _wait_until_writable(self._descriptor)


def _encoder(encoding: str) -> codecs.IncrementalEncoder:
    try:
        return codecs.getincrementalencoder(encoding)("backslashreplace")
    except LookupError:
        return codecs.getincrementalencoder("ascii")("backslashreplace")


def _wait_until_writable(descriptor: int) -> None:
    """Somebody made the descriptor non-blocking, which a shell's pipe may be. Raises TimeoutError."""
    poller = select.poll()
    poller.register(descriptor, select.POLLOUT)
    if not poller.poll(WRITE_WAIT_MS):
        raise TimeoutError(0, "it takes nothing any more")


def fill_closed_descriptors() -> list[int]:
    """Descriptors 0 to 2 that were closed before the start are opened, unwritable, on nothing; gives which they were.

    Otherwise the next file that is opened, a database perhaps, would get the number, and what a child process prints
    would go into it.
    """
    closed = []
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.append(descriptor)
            opened = os.open(os.devnull, os.O_RDONLY)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
    return closed


def make_streams_safe() -> Callable[[], None]:
    """sys.stdout and sys.stderr are safe from now on; gives what undoes it.

    Streams that somebody else put there (a test) stay as they are.
    """
    closed = fill_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 descriptor 0 has no path, and stays open
    sys.stdout = _safe(sys.stdout, sys.__stdout__, 1, closed)
    sys.stderr = _safe(sys.stderr, sys.__stderr__, 2, closed)

    def undo() -> None:
        sys.stdin, sys.stdout, sys.stderr = before

    return undo


def _safe(stream: Any, original: Any, descriptor: int, closed: list[int]) -> Any:
    if stream is None:
        return SafeStream(descriptor, "utf-8", "it was closed" if descriptor in closed else "there is none")
    if stream is not original or os.name != "posix":
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        return stream
    with contextlib.suppress(OSError, ValueError):
        stream.flush()  # written before we came; a failure shows again at our first write
    return SafeStream(descriptor, stream.encoding or "utf-8")


def failure_of(stream: object) -> str:
    """Why something printed on this stream did not arrive; "" when all did, as far as the system tells."""
    return stream.failed if isinstance(stream, SafeStream) else ""


def is_utf8(stream: object) -> bool:
    """Whether the stream shows every character. Where not, documents for programs (JSON) are written in ASCII."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with contextlib.suppress(LookupError):
        return codecs.lookup(encoding).name == "utf-8"
    return False
