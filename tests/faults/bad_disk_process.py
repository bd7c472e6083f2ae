"""The payment process on a failing disk: `python -m tests.faults.bad_disk_process NTH HOW DATA LINK TOKEN_FILE`.

It is the real process, `payment.__main__`, except that its database's files fail as planned.
"""

from __future__ import annotations

import random
import sys
from functools import partial

from payment import __main__ as program
from payment.core import Core
from tests.faults.disk import FailingDisk, Plan


def main() -> int:
    nth, how, data, link, token_file = sys.argv[1:]
    disk = FailingDisk(Plan(int(nth), how), random.Random(int(nth)))  # type: ignore[arg-type]
    program.Core = partial(Core, vfs=disk.name)  # type: ignore[misc,assignment]
    return program.main(["--data", data, "--link", link, "--link-token-file", token_file, "serve"])


if __name__ == "__main__":
    sys.exit(main())
