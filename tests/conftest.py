"""For all tests: none leaves a process behind, none touches the person's own files, and what they count is printed."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bare-system", action="store_true", help="also type README's commands on a bare Debian")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that build whole operating systems are for those who ask for them."""
    if config.getoption("--bare-system"):
        return
    left_out = [item for item in items if item.get_closest_marker("bare_system")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, histories and pinned keys of a test go to a folder that is thrown away."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANGUAGE", "en")
    return home


@pytest.fixture(autouse=True, scope="session")
def no_process_left_behind() -> object:
    """Whatever the tests started must be gone when they end."""
    yield
    left = []
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            child.wait(5)
        except psutil.TimeoutExpired:
            left.append(" ".join(child.cmdline()))
            child.kill()
        except psutil.NoSuchProcess:
            continue
    assert not left, f"processes left behind: {left}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests noted as `counted` (kills, failed writes, …), with the seed that replays each."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    lines = [
        f"{report.nodeid.rsplit('/', 1)[-1]}: {text}"
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, text in report.user_properties
        if name == "counted"
    ]
    if lines:
        terminalreporter.section("counted")
        for line in lines:
            terminalreporter.write_line(line)
