"""The subsystem's own `ledger check` on a folder where nothing runs."""

from __future__ import annotations

from pathlib import Path

from payment.checking import CheckResult, check
from payment.core import Core


def ledger_check(path: Path) -> CheckResult:
    """Opens the folder, checks it, and closes it again. Fails the test when a row is wrong."""
    core = Core(path)
    try:
        with core.store.reader() as reader:
            result = check(reader, core.sealer, core.keystore.root_public)
    finally:
        core.close()
    assert not result.wrong, result.wrong
    return result
