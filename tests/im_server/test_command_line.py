"""billbuddy-server as its operator meets it: real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from im_protocol.invite import parse_invite
from tests.im_server.wire import WireClient, pin_shown

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.integration


def command(data: Path, *argv: str) -> list[str]:
    return [sys.executable, "-m", "im_server", "--data", str(data), *argv]


def run(data: Path, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command(data, *argv), input=stdin, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60
    )


def started(data: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """A serving process and what it printed, by first word."""
    process = subprocess.Popen(
        command(data, "serve", "--listen", "127.0.0.1:0", *options), stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    said: dict[str, str] = {}
    for line in process.stdout:
        word, _, rest = line.strip().partition(" ")
        said[word] = rest.strip()
        if word == "ready":
            break
    return process, said


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    status = process.wait(30)
    assert process.stdout is not None
    process.stdout.close()
    return status


def test_server_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process, said = started(data, "--name", "Dorm 7")
    try:
        invite = parse_invite(said["invite"])
        assert invite.server_name == "Dorm 7"
        assert len(said["key"].removeprefix("words").split()) == 6
        client = WireClient(invite.port)
        assert pin_shown(client.sock) == invite.tls_pin
        client.close()
        while_running = run(data, "member", "add", "--name", "Alice", "--password-stdin", stdin="open sesame\n")
        assert while_running.returncode == 0, while_running.stderr
        assert "10001" in while_running.stdout
        assert "payment password" in while_running.stdout
        assert run(data, "invite").stdout.strip() == said["invite"]
        second = run(data, "serve", "--listen", "127.0.0.1:0")
        assert (second.returncode, "already running" in second.stderr) == (1, True)
    finally:
        assert ended(process) == 0
    assert run(data, "member", "list").stdout == "10001\tAlice\tMembers\n"
    assert run(data, "ledger", "check").returncode == 0


def test_members_are_imported_while_the_server_is_stopped(tmp_path: Path) -> None:
    data = tmp_path / "data"
    csv = tmp_path / "members.csv"
    csv.write_text("id,name,group,signature,password\n10005,曹操,Room 2,,open sesame\n,Bob,Room 1,hi,\n", "utf-8")
    done = run(data, "member", "import", str(csv))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "10005\t曹操"
    assert lines[1].startswith("10006\tBob\t")
    again = run(data, "member", "import", str(csv))
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    assert run(data, "member", "password", "10005", "--why=lost").stdout.startswith("login password")
    assert run(data, "member", "password", "77777").returncode == 1
    audit = run(data, "audit", "list").stdout.splitlines()
    assert "login passwords import 2 members" in audit[0]
    assert "login password set member 10005" in audit[-1] and "(lost)" in audit[-1]
    assert not any("77777" in line for line in audit)


def test_invite_before_the_first_start_is_the_one_that_the_server_prints_later(tmp_path: Path) -> None:
    early = run(tmp_path / "data", "invite", "--host", "127.0.0.1", "--port", "7000")
    assert early.returncode == 0, early.stderr
    process, said = started(tmp_path / "data")
    try:
        invite, later = parse_invite(early.stdout), parse_invite(said["invite"])
        assert (invite.tls_pin, invite.payment_fingerprint) == (later.tls_pin, later.payment_fingerprint)
    finally:
        assert ended(process) == 0


def test_listen_address_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "serve", "--listen", "127.0.0.1:99999")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1


def test_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(tmp_path / "file" / "data", "serve")
    assert (done.returncode, "--data" in done.stderr) == (1, True)
    assert len(done.stderr.strip().splitlines()) == 1


def test_member_whose_payment_password_is_refused_is_told_with_what_is_left_to_do(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "member", "add", "--name", "Bob", "--pin-stdin", stdin="111111\n")
    assert done.returncode == 1
    assert "account open --member 10001" in done.stderr
