"""What README tells people to type is there, with these options."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.style import sources

README = sources.ROOT / "README.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PROGRAMS = {"billbuddy-server": "im_server", "billbuddy-cli": "desktop_client.cli", "billbuddy": "desktop_client"}


def commands() -> list[str]:
    text = README.read_text(encoding="utf-8")
    return [line for block in BLOCK.findall(text) for line in block.splitlines() if line.strip()]


def help_of(words: list[str], home: Path) -> str:
    """What the same command says with --help in the place of its last option."""
    program, *rest = words
    if program == "python3":
        line = [sys.executable, str(sources.ROOT / rest[0])]
        rest = []
    else:
        line = [sys.executable, "-m", PROGRAMS[program]]
    environment = {"PYTHONPATH": str(sources.ROOT), "HOME": str(home), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    done = subprocess.run(
        [*line, *rest, "--help"], cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr}"
    return done.stdout


HELPLESS = ("python3 build_scripts/test.py", "apt-get")  # the whole command is typed on a bare system


@pytest.mark.parametrize("command", [line for line in commands() if not line.startswith(HELPLESS)])
def test_command_of_the_readme_exists(command: str, tmp_path: Path) -> None:
    words = shlex.split(command.replace("/srv/billbuddy", str(tmp_path / "data")))
    said = help_of(words, tmp_path)
    general = help_of(words[:1], tmp_path) if words[0] in PROGRAMS else ""
    missing = [word for word in words if word.startswith("--") and word not in said + general]
    assert missing == []


def test_links_of_the_pages_lead_somewhere() -> None:
    pages = [sources.ROOT / name for name in ("README.md", "ARCHITECTURE.md", "im_protocol/PROTOCOL.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_pages_name_only_files_that_exist() -> None:
    named = re.compile(rf"`((?:{'|'.join(sources.PACKAGES)})/[\w./]*)`")
    missing = [
        f"{page}: {name}"
        for page in ("README.md", "ARCHITECTURE.md")
        for name in named.findall((sources.ROOT / page).read_text(encoding="utf-8"))
        if not (sources.ROOT / name).exists()
    ]
    assert missing == []
