"""Which device a run of `billbuddy-cli` is: a new sign-in of one device ends its old one, so two runs must differ."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SLOTS_MAX = 128


@contextmanager
def device_slot(folder: Path) -> Iterator[str]:
    """A device name that no other running command of this profile has: the first free one, so that they stay few."""
    try:
        import fcntl
    except ImportError:  # Windows: no such locks; a device that is used once does no harm
        yield f"cli-{secrets.token_hex(8)}"
        return
    slots = folder / "cli-devices"
    slots.mkdir(exist_ok=True, mode=0o700)
    for number in range(SLOTS_MAX):
        handle = os.open(slots / str(number), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            continue
        try:
            yield f"cli-{number}"
        finally:
            os.close(handle)
        return
    yield f"cli-{secrets.token_hex(8)}"
