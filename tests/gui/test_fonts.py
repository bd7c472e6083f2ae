"""Missing fonts are told in words that can be read without them, and on standard error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from build_scripts.common import wait_until
from build_scripts.x11 import close_window, window_titles
from desktop_client import fonts

INSTALL = "apt-get install fonts-noto-cjk"
START_SECONDS = 30


def configuration(folder: Path, files: list[str]) -> Path:
    """A fontconfig that knows these files only."""
    (folder / "fonts").mkdir()
    for file in files:
        shutil.copy(file, folder / "fonts")
    path = folder / "fonts.conf"
    path.write_text(
        f'<?xml version="1.0"?><fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>'
    )
    return path


def latin_font() -> str:
    """A font of this machine without Chinese."""

    def files(pattern: str) -> set[str]:
        told = subprocess.run(["fc-list", pattern, "file"], capture_output=True, text=True, check=True).stdout
        return {line.rstrip(": ") for line in told.splitlines()}

    found = sorted(f for f in files(":lang=en") - files(":lang=zh-cn") if f.endswith((".ttf", ".otf")))
    if not found:
        pytest.skip("all fonts here have Chinese characters")
    return found[0]


@contextmanager
def program(display: str, config: Path, home: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "DISPLAY": display, "FONTCONFIG_FILE": str(config), "LANG": "zh_CN.UTF-8"}
    environment.pop("LANGUAGE", None)
    environment.pop("LC_ALL", None)
    line = [sys.executable, "-m", "desktop_client", "--home", str(home)]
    started = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def test_no_font_at_all_is_told_as_a_picture(display: str, tmp_path: Path) -> None:
    with program(display, configuration(tmp_path, []), tmp_path / "home") as started:
        wait_until("the picture", START_SECONDS, lambda: "BillBuddy" in window_titles(display))
        close_window(display, "BillBuddy")
        assert started.wait(START_SECONDS) == 1
        assert started.stderr is not None
        told = started.stderr.read()
        assert INSTALL in told and "没有任何字体" in told and "display" not in told


def test_no_chinese_font_is_told_in_words_that_can_be_read(display: str, tmp_path: Path) -> None:
    code = """
import sys
from desktop_client import __main__ as program
from desktop_client.windows import application
run = application.TkWindows.run
def shown(windows):
    windows.root.update()
    print([text for window in windows.open_windows() for text in window.texts()])
    windows.quit()
application.TkWindows.run = shown
sys.exit(program.main(sys.argv[1:]))
"""
    config = configuration(tmp_path, [latin_font()])
    environment = {**os.environ, "DISPLAY": display, "FONTCONFIG_FILE": str(config), "LANG": "zh_CN.UTF-8"}
    environment.update(LANGUAGE="zh_CN", PYTHONIOENCODING="utf-8")
    line = [sys.executable, "-c", code, "--home", str(tmp_path / "home")]
    for is_first in (True, False):
        told = subprocess.run(line, env=environment, capture_output=True, encoding="utf-8", timeout=60, check=False)
        assert told.returncode == 0 and INSTALL in told.stderr and "没有中文字体" in told.stderr
        assert "Sign in" in told.stdout and told.stdout.isascii()
        assert (INSTALL in told.stdout) == is_first, "in the window once, on standard error each time"


def test_fonts_of_this_machine_are_found() -> None:
    found = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=True).stdout
    assert fonts.look() == ("good" if found.strip() else "no_chinese")
