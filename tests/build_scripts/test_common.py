"""The commands' set-up: what is said and done when this machine lacks something."""

from __future__ import annotations

import csv
import os
from datetime import date
from pathlib import Path

import pytest

from build_scripts import common, dormitory

MISSING = common.Need("python3-tk", lambda: False)
MISSING_FONT = common.Need("fonts-noto-cjk", lambda: False, soft=True)
PRESENT = common.Need("xvfb", lambda: True)


def test_nothing_missing_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "run", lambda *_a, **_k: pytest.fail("nothing has to be installed"))
    common.ensure_system([PRESENT])


def test_without_root_the_exact_line_is_said_and_everything_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(common.os, "geteuid", lambda: 1000)
    line = r"sudo apt-get install -y --no-install-recommends python3-tk fonts-noto-cjk"
    with pytest.raises(common.SetupError, match=line):
        common.ensure_system([MISSING, PRESENT, MISSING_FONT])


def test_missing_fonts_alone_stop_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(common.os, "geteuid", lambda: 1000)
    common.ensure_system([MISSING_FONT])
    assert "fonts-noto-cjk" in capsys.readouterr().err


def test_root_installs_by_itself_and_looks_whether_it_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []

    def run(line: list[str], *_a: object, **_k: object) -> int:
        if "install" in line:
            installed.extend(word for word in line if word in {"xvfb", "python3-tk"})
        return 0

    monkeypatch.setattr(common, "run", run)
    monkeypatch.setattr(common.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(common.os, "geteuid", lambda: 0)
    common.ensure_system([common.Need("xvfb", lambda: "xvfb" in installed)])
    assert installed == ["xvfb"]
    with pytest.raises(common.SetupError, match="python3-tk"):
        common.ensure_system([MISSING])


def test_interpreter_that_is_found_has_tkinter() -> None:
    python = common.find_python()
    assert python is not None
    assert common.run([python, "-c", "import tkinter, venv, ensurepip"]) == 0


def test_failing_command_shows_its_output() -> None:
    with pytest.raises(common.SetupError, match="the reason"):
        common.run(["sh", "-c", "echo the reason; exit 3"], quiet=True)


def test_wait_names_what_did_not_come() -> None:
    with pytest.raises(common.SetupError, match="the moon"):
        common.wait_until("the moon", 0, lambda: False)


def test_free_port_is_free() -> None:
    assert common.is_port_free(common.free_port())


def test_demonstration_dates_are_relative_to_today(tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("period,due_on,line\n{month},+8d,Usage 3 m³\n{month},-2d,+8d late\n", encoding="utf-8")
    dormitory.resolve_dates(source, target, date(2026, 11, 22))
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [["November 2026", "2026-11-30", "Usage 3 m³"], ["November 2026", "2026-11-20", "+8d late"]]


def test_every_demonstration_member_can_pay() -> None:
    members = dormitory.read_members()
    assert len(members) >= 8 and members[0].id == 10001
    assert all(len(member.pin) == 6 and len(member.password) >= 8 for member in members)


def test_virtual_display_ends_with_its_block() -> None:
    with common.virtual_display() as display:
        socket = Path("/tmp/.X11-unix") / f"X{display.removeprefix(':')}"
        assert socket.exists()
    assert not socket.exists()


def test_own_environment_variables_do_not_reach_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUDDY_PIN", "314159")
    assert "BILLBUDDY_PIN" not in dormitory.from_checkout().environment
    assert os.environ["BILLBUDDY_PIN"] == "314159"
