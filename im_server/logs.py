"""Logging to DATA/log, rotated. No body, password or key is ever passed to a logger: events name ids and types."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
from pathlib import Path

LOG_BYTES_MAX = 4 * 1024 * 1024
LOG_FILES = 5


def start_logging(folder: Path) -> None:
    """Send this process's log to folder/server.log."""
    handler = logging.handlers.RotatingFileHandler(
        folder / "server.log", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("im_server")
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    root.propagate = False


def no_core_dumps() -> None:
    """A crash writes no memory to the disk: it holds login passwords while it checks them."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
