"""A program with one command, for the tests of what becomes of its outcome when printing fails or a signal comes.

`python -m tests.host.program COMMAND [TEXT]`; its command waits at "wait" for a signal that it sends itself.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

from host.console import DONE, REFUSED, UNKNOWN, Console, run


def command(console: Console) -> int:
    verb, text = sys.argv[1], (sys.argv[2].encode("latin-1").decode("unicode_escape") if len(sys.argv) > 2 else "")
    if verb == "unknown":
        console.sent("Run it again with --id 7.")
    if verb in ("done", "done-then-broken", "done-then-stopped"):
        console.decided(DONE, "Run it again with --id 7.")
    if verb == "unknown-then-stopped":
        console.decided(UNKNOWN, "Run it again with --id 7.")
    if text:
        print(text)
    if verb in ("unknown", "nothing", "done-then-stopped", "unknown-then-stopped"):
        os.kill(os.getpid(), getattr(signal, os.environ.get("TEST_SIGNAL", "SIGTERM")))
        signal.pause()
    if verb in ("broken", "done-then-broken"):
        raise RuntimeError("first line\nsecond line")
    if verb == "exit":
        sys.exit("words")
    return REFUSED if verb == "refused" else DONE


def last_blow() -> None:
    """Signals that come when all was said, while the interpreter ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)


if __name__ == "__main__":
    atexit.register(last_blow)
    sys.exit(run("program", command))
