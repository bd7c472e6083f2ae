"""The demonstration command itself, as a newcomer types it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

from build_scripts import common, x11
from tests.integration.processes import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.slow]
DEMO = common.ROOT / "build_scripts" / "demo.py"
SECONDS_MAX = 100


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


@pytest.mark.gui
@pytest.mark.timeout(SECONDS_MAX + 10)
def test_headless_demonstration_does_every_step(tmp_path: Path) -> None:
    done = run_demo("--headless", "--screenshots", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = sorted(tmp_path.glob("*.png"))
    assert len(pictures) >= 8
    for picture in pictures:
        with Image.open(picture) as image:
            assert len(image.convert("RGB").getcolors(maxcolors=1 << 24) or []) > 50, picture.name


@pytest.mark.gui
@pytest.mark.timeout(SECONDS_MAX + 10)
def test_closing_the_window_stops_everything() -> None:
    with common.virtual_display() as display:
        demo = subprocess.Popen(
            [sys.executable, str(DEMO), "--lang", "en"],
            env={**os.environ, "DISPLAY": display},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_until("the roster", lambda: "BillBuddy" in x11.window_titles(display), SECONDS_MAX)
            started = psutil.Process(demo.pid).children(recursive=True)
            assert len(started) >= 4, "server, payment subsystem, the member who answers, the window"
            assert x11.close_window(display, "BillBuddy")
            said, _ = demo.communicate(timeout=30)
        finally:
            common.stop(demo)
    assert demo.returncode == 0, said
    assert "moon-harbour-21" in said and "Wang Lei" in said
    assert [process.pid for process in started if process.is_running()] == []


def test_missing_display_is_said_and_headless_offered() -> None:
    done = run_demo(DISPLAY="")
    assert done.returncode == 1
    assert "no display" in done.stdout and "--headless" in done.stdout


def test_screenshots_without_headless_are_refused() -> None:
    assert run_demo("--screenshots", "out").returncode == 2
