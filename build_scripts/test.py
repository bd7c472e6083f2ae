"""Everything that must hold: lint, types, import rules, translations and all tests.

    python3 build_scripts/test.py [--bare-system] [pytest arguments]

Sets up what the tests need (virtual display, fonts, packages) by itself. The exit status is 0 only if all passed.
`--bare-system` also types README's commands on a bare Debian of each release (as root; some minutes each).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common

LINT_SECONDS_MAX = 300
WORKERS = ["-n", "2"]  # each with a virtual display, servers and folders of its own
SERIAL = {"-n", "-s", "--pdb", "--trace", "--collect-only"}  # with these pytest is left alone
TEST_SECONDS_MAX = 1_500  # the whole suite; each test has its own, shorter limit
BARE_SYSTEM = "--bare-system"
BARE_SYSTEM_SECONDS_MAX = 3_600


def steps(pytest_arguments: list[str]) -> list[tuple[str, list[str], int]]:
    """Name, command and time limit in seconds of every check, cheap ones first."""
    python = str(common.venv_program("python"))
    wants_bare_system = BARE_SYSTEM in pytest_arguments
    pytest_arguments = [argument for argument in pytest_arguments if argument != BARE_SYSTEM]
    workers = [] if SERIAL.intersection(pytest_arguments) else WORKERS
    checks = [
        ("lint (ruff)", [python, "-m", "ruff", "check", "--no-cache", "."], LINT_SECONDS_MAX),
        ("types (mypy)", [python, "-m", "mypy"], LINT_SECONDS_MAX),
        ("import rules (import-linter)", [str(common.venv_program("lint-imports"))], LINT_SECONDS_MAX),
        ("tests (pytest)", [python, "-m", "pytest", *workers, *pytest_arguments], TEST_SECONDS_MAX),
    ]
    if wants_bare_system:  # after the others, and one release after the other: README's server has one port
        line = [python, "-m", "pytest", "-n", "0", BARE_SYSTEM, "tests/bare_system"]
        checks.append(("README on a bare Debian (pytest)", line, BARE_SYSTEM_SECONDS_MAX))
    return checks


def check_all(pytest_arguments: list[str]) -> int:
    """Run every step, also after a failure, so that one run tells all; returns the exit status."""
    failed = []
    with common.virtual_display() as display:
        environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(common.ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        for name, line, seconds in steps(pytest_arguments):
            common.say(f"== {name}")
            started = time.monotonic()
            status = common.run(line, environment, may_fail=True, seconds=seconds)
            common.say(f"== {name}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - started:.1f} s\n")
            if status:
                failed.append(name)
    common.say(f"FAILED: {', '.join(failed)}" if failed else "All checks passed.")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="test.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument(BARE_SYSTEM, action="store_true", help="also README's commands on a bare Debian (as root)")
    parser.epilog = "All other arguments go to pytest, for example -m 'not slow', -n 0, or the path of a test."
    parser.parse_known_args()  # for --help: everything is read where it is used
    try:
        needs = [*common.PYTHON_NEEDS, *common.DISPLAY_NEEDS, *common.WINDOW_MANAGER_NEEDS, *common.FONT_NEEDS]
        common.ensure_system(needs)
        python = common.ensure_venv("test")
        common.enter_venv(Path(__file__).resolve(), python)
        return check_all(sys.argv[1:])
    except common.SetupError as error:
        common.say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
