"""Gives memory back to the system (glibc; elsewhere nothing is done).

By default glibc keeps up to eight heaps for each core and gives back only what is at their ends, so a server keeps for
ever what one busy minute took.
"""

from __future__ import annotations

import ctypes
import sys
import threading

TRIM_SECONDS = 20.0
_ARENAS_MAX = 2
_MMAP_BYTES = 32 * 1_048_576  # Argon2id's blocks stay below: mapping each anew would stop all threads for a moment
_TRIM_BYTES = 64 * 1_048_576  # free bytes at a heap's end that may stay until the next trimming
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # <malloc.h>


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") and hasattr(library, "mallopt") else None


def give_back() -> None:
    """Set up the heaps of this process and trim them now and then, on a thread of its own: the interpreter's lock is
    not held meanwhile. For a program's main, once."""
    library = _glibc()
    if library is None:
        return
    library.mallopt(_M_ARENA_MAX, _ARENAS_MAX)
    library.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
    library.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
    threading.Thread(target=_trim, args=(library,), name="memory", daemon=True).start()


def _trim(library: ctypes.CDLL) -> None:
    never = threading.Event()
    while not never.wait(TRIM_SECONDS):
        library.malloc_trim(0)
