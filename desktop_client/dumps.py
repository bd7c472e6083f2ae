"""What a crash leaves behind: nothing of what was typed."""

from __future__ import annotations

import contextlib


def no_core_dumps() -> None:
    """A crash writes no memory to the disk: it holds the passwords that were typed."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
