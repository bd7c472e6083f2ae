"""A command's exit status tells the outcome, whatever becomes of the printing. Real processes, real descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from host.streams import SafeStream

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.host.program"]
TEXT = r"Lin \u6797\u60a6 \U0001f600 \u20ac \ud800"
LOCALES = [
    {"LANG": "zh_CN.GBK", "LC_ALL": "zh_CN.GBK"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX"},
    {"LC_ALL": "no_SUCH.locale"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "ascii:strict"},
    {"PYTHONIOENCODING": "gbk"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "utf-16"},
    {"PYTHONIOENCODING": "punycode"},
]


def start(*argv: str, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs the program; `shell` follows its command line in a shell."""
    settings = [f"{name}={value}" for name, value in environment.items()]
    line = " ".join(f"'{word}'" for word in ["env", *settings, *PROGRAM, *argv])
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    return subprocess.run(["bash", "-c", f"{line} {shell}"], env=env, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("locale", LOCALES, ids=str)
def test_output_never_fails_for_its_encoding(locale: dict[str, str]) -> None:
    done = start("done", TEXT, **locale)
    assert done.returncode == 0 and done.stderr == b""
    assert b"L" in done.stdout


def test_what_a_terminal_cannot_show_becomes_a_visible_escape() -> None:
    done = start("done", TEXT, PYTHONIOENCODING="gbk")
    shown = done.stdout.decode("gbk")
    assert shown == "Lin 林悦 \\U0001f600 \\u20ac \\ud800\n" or shown == "Lin 林悦 \\U0001f600 € \\ud800\n"


@pytest.mark.parametrize("shell", ["> /dev/full", ">&-", "| true; exit ${PIPESTATUS[0]}", ">&- <&-"])
def test_what_was_done_but_not_printed_has_a_status_of_its_own_and_one_line(shell: str) -> None:
    text = "x" * 100_000  # more than a pipe takes
    done = start("done", text, shell=shell)
    assert done.returncode == 4
    assert done.stderr.count(b"\n") == 1
    assert b"It was done, but it could not be printed" in done.stderr and b"--id 7" in done.stderr


@pytest.mark.parametrize(("verb", "status"), [("refused", 1), ("unknown", 3), ("nothing", 1)])
def test_a_failed_print_changes_no_other_outcome(verb: str, status: int) -> None:
    assert start(verb, "x", shell="> /dev/full").returncode == status


@pytest.mark.parametrize("shell", ["2> /dev/full", "2>&-", "> /dev/full 2>&1", ">&- 2>&- <&-"])
@pytest.mark.parametrize(("verb", "status"), [("refused", 1), ("unknown", 3), ("broken", 1)])
def test_a_failed_standard_error_changes_nothing(shell: str, verb: str, status: int) -> None:
    done = start(verb, shell=shell)
    assert done.returncode == status and done.stderr == b""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
@pytest.mark.parametrize(
    ("verb", "status", "says"),
    [
        ("unknown", 3, b"not known yet. Run it again with --id 7."),
        ("nothing", 1, b"Nothing was changed."),
        ("done-then-stopped", 4, b"It was done"),
        ("unknown-then-stopped", 3, b"not known yet. Run it again with --id 7."),
    ],
)
def test_a_signal_says_what_is_true_at_that_moment(name: str, verb: str, status: int, says: bytes) -> None:
    done = start(verb, TEST_SIGNAL=name)
    assert done.returncode == status
    assert says in done.stderr and done.stderr.count(b"\n") == 1


def test_an_error_of_the_program_is_one_line_and_no_traceback() -> None:
    done = start("broken")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"Traceback" not in done.stderr
    assert b"RuntimeError: first line second line" in done.stderr
    done = start("done-then-broken")
    assert done.returncode == 4 and b"It was done" in done.stderr


def test_a_file_opened_later_never_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    script = (
        "from host.console import run\nimport os, subprocess\n"
        "def command(console):\n"
        f"    with open({str(tmp_path / 'database')!r}, 'wb') as file:\n"
        "        subprocess.run(['sh', '-c', 'echo rubbish; echo rubbish >&2'])\n"
        "        return 0 if file.fileno() > 2 else 1\n"
        "raise SystemExit(run('program', command))\n"
    )
    line = ["bash", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, script]
    assert subprocess.run(line, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60).returncode in (0, 4)
    assert (tmp_path / "database").read_bytes() == b""


def test_a_pipe_that_takes_nothing_for_a_moment_gets_all(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    child = subprocess.Popen(
        [*PROGRAM, "done", "x" * 100_000], stdout=writing, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert len(pipe.read()) == 100_001
    assert child.wait(60) == 0


def test_a_safe_stream_takes_every_text() -> None:
    reading, writing = os.pipe()
    stream = SafeStream(writing, "ascii")
    for text in ("", "plain\n", "林", "\ud800", "\0", "\U0010ffff"):
        assert stream.write(text) == len(text)
    os.close(reading)
    assert stream.write("nobody reads") == 12 and stream.failed == "Broken pipe"
    os.close(writing)
