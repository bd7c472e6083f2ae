"""Imported first by each program: Ctrl-C while the rest is still being imported ends it without a traceback.

Nothing was sent at that time, and `console.run` takes signals over as soon as it runs.
"""

from __future__ import annotations

import signal
import sys
from pathlib import PurePath


def is_program() -> bool:
    """Whether this process is one of our programs, not a test or a tool that imports their modules."""
    package = getattr(sys.modules.get("__main__"), "__package__", None) or ""
    return package in ("payment", "im_server", "desktop_client") or PurePath(sys.argv[0]).name.startswith("billbuddy")


if is_program() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
