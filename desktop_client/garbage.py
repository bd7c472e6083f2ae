"""Cyclic garbage is collected on the Tk thread alone.

CPython collects on whichever thread happens to allocate. A picture or a window of Tk that the network's thread lets go
is destroyed there: Tcl then ends the program ("async handler deleted by the wrong thread"), or the thread waits for the
Tk thread while it holds a lock that the Tk thread wants.
"""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 20_000  # widgets make many small objects that live long; few collections, a faster start
OLDER_ROUNDS = 10  # as CPython's own thresholds of the two older generations


def only_when_asked() -> None:
    """No collection by itself from now on; the Tk thread calls `collect_if_due` in its turns."""
    gc.disable()


def collect_if_due() -> None:
    """What the interpreter would have collected by now. Call it on the Tk thread."""
    young, middle, old = gc.get_count()
    if young > YOUNG_OBJECTS:
        gc.collect(2 if old > OLDER_ROUNDS else 1 if middle > OLDER_ROUNDS else 0)
