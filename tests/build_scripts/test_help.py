"""`--help` of a build script does nothing but help, also with a Python that has none of our packages."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.style import sources

SCRIPTS = [
    path.name
    for path in sorted((sources.ROOT / "build_scripts").glob("*.py"))
    if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
]


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the scripts are made of, without an environment."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("build_scripts", "benchmarks"):
        shutil.copytree(sources.ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_does_nothing_but_help(checkout: Path, tmp_path: Path, script: str) -> None:
    before = files(checkout)
    bare = [sys.executable, "-B", "-S", "-E"]  # -S: without the packages of this environment
    done = subprocess.run(
        [*bare, str(checkout / "build_scripts" / script), "--help"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    assert files(checkout) == before and list(tmp_path.iterdir()) == []
