"""Build the packaged app on the system where this runs, and try it out.

    python3 build_scripts/package.py [--no-smoke-test | --only-smoke-test]

Result: `dist/BillBuddy/` with billbuddy (the window), billbuddy-cli, billbuddy-server and billbuddy-payment, and an
archive of it. The smoke test runs the packaged programs alone, with an empty environment and no Python on the path,
and pays a bill through them.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common

BUILD_SECONDS_MAX = 1_200
FOLDER = common.ROOT / "dist" / "BillBuddy"
SPEC = common.ROOT / "build_scripts" / "billbuddy.spec"
PLAIN_FILES = ("README.md", "LICENSE", "CHANGELOG.md")


def build() -> Path:
    """Run PyInstaller; returns the folder."""
    work = common.ROOT / "build"
    work.mkdir(exist_ok=True)
    line = [str(common.venv_program("python")), "-m", "PyInstaller", "--noconfirm", "--clean", "--log-level", "WARN"]
    line += ["--distpath", str(FOLDER.parent), "--workpath", str(work), str(SPEC)]
    common.run(line, quiet=True, seconds=BUILD_SECONDS_MAX)
    for name in PLAIN_FILES:
        shutil.copy(common.ROOT / name, FOLDER / name)
    return FOLDER


def archive_file() -> Path:
    """`BillBuddy-VERSION-linux-x86_64.tar.gz`, or .zip on Windows; unpack and run."""
    name = f"BillBuddy-{_version()}-{platform.system().lower()}-{platform.machine().lower()}"
    return FOLDER.parent / (name + (".zip" if os.name == "nt" else ".tar.gz"))


def build_and_archive() -> None:
    started = time.monotonic()
    folder, target = build(), archive_file()
    base = str(target).removesuffix(".zip").removesuffix(".tar.gz")
    kind = "zip" if target.suffix == ".zip" else "gztar"
    shutil.make_archive(base, kind, root_dir=folder.parent, base_dir=folder.name)
    common.say(f"Built {folder} ({megabytes(folder)}) in {time.monotonic() - started:.0f} s")
    common.say(f"Archive {target} ({megabytes(target)})")


def _version() -> str:
    lines = (common.ROOT / "setup.cfg").read_text(encoding="utf-8").splitlines()
    return next(line.split("=")[1].strip() for line in lines if line.startswith("version"))


def megabytes(path: Path) -> str:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return f"{sum(file.stat().st_size for file in files) / 1_000_000:.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="package.py", description="Build the packaged app and try it out.")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--no-smoke-test", action="store_true", help="only build")
    only.add_argument("--only-smoke-test", action="store_true", help="only try out what was built before")
    arguments = parser.parse_args()
    try:
        needs = [*common.PYTHON_NEEDS, *common.PACKAGER_NEEDS]
        common.ensure_system(needs if arguments.no_smoke_test else [*needs, *common.DISPLAY_NEEDS])
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv("package"))
        if not arguments.only_smoke_test:
            build_and_archive()
        if not arguments.no_smoke_test:
            from build_scripts import smoke

            smoke.test_packaged(archive_file())
    except common.SetupError as error:
        common.say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
