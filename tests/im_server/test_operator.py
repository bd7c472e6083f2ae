"""The operator's member commands: at size, with bad files, in odd locales, with printing that fails. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from im_protocol.limits import ID_MAX, NAME_CHARS_MAX
from im_protocol.packets import Type
from im_server.__main__ import main
from im_server.app import Server
from im_server.config import Settings
from im_server.data_folder import DataFolder
from im_server.passwords import is_made
from im_server.store.database import open_database
from im_server.store.members import password_hash_of
from tests.im_server.wire import WireClient

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
pytestmark = [pytest.mark.integration, pytest.mark.slow]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def line(data: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "im_server", "--data", str(data), *words]


def run(data: Path, *words: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        line(data, *words), input=stdin, capture_output=True, env={**ENVIRONMENT, **environment}, timeout=SECONDS
    )
    assert b"Traceback" not in done.stderr
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def here(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The same in this process, for what never comes as far as another one."""
    status = main(["--data", str(data), *words])
    said = capsys.readouterr()
    return subprocess.CompletedProcess(words, status, said.out, said.err)


def into_full(data: Path, *words: str) -> int:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            line(data, *words), stdout=full, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
    assert b"It was done" in done.stderr and b"without a payment account" not in done.stderr
    return done.returncode


def names(data: Path) -> list[str]:
    return [row.split("\t")[1] for row in run(data, "member", "list").stdout.splitlines()]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(DataFolder(tmp_path / "data"), host="127.0.0.1", port=0, settings=Settings(), payment_argv=())
    made.start()
    yield made
    made.stop()


def members_csv(folder: Path, rows: list[str], head: str = "id,name") -> str:
    file = folder / "members.csv"
    file.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("is_served", [False, True], ids=["stopped", "running"])
def test_an_import_adds_all_or_nobody(tmp_path: Path, is_served: bool, request: pytest.FixtureRequest) -> None:
    data = tmp_path / "data"
    if is_served:
        request.getfixturevalue("server")
    assert run(data, "member", "add", "--name=First", "--id=10500", "--no-account").returncode == 0
    file = members_csv(tmp_path, [f"{10_001 + at},Member {at}" for at in range(499)] + ["10500,Last"])
    done = run(data, "member", "import", file)
    assert done.returncode == 1 and done.stdout == ""
    assert "members.csv line 501, column id: member 10500 exists already" in done.stderr and "nobody" in done.stderr
    assert names(data) == ["First"]


def test_hundreds_of_members_with_long_names_are_added_listed_and_changed_while_it_runs(
    tmp_path: Path, server: Server
) -> None:
    data, long = tmp_path / "data", "名" * (NAME_CHARS_MAX - 4)
    file = members_csv(tmp_path, [f",{long}{at:04},{long}" for at in range(400)], "id,name,group")
    added = run(data, "member", "import", file)
    assert added.returncode == 0, added.stderr
    passwords = dict(row.split("\t")[::2] for row in added.stdout.splitlines())
    assert len(passwords) == 400
    listed = run(data, "member", "list")
    assert listed.returncode == 0 and len(listed.stdout.encode()) > 65_536
    assert names(data) == [f"{long}{at:04}" for at in range(400)]
    assert run(data, "member", "password", "10400").stdout.startswith("login password")
    client = WireClient(server.port)
    assert client.sign_in(10_007, passwords["10007"]).type == Type.SIGNED_IN
    client.close()


def test_a_password_that_was_made_is_stored_as_argon2_from_its_first_use_on(tmp_path: Path, server: Server) -> None:
    data = tmp_path / "data"
    shown = run(data, "member", "import", members_csv(tmp_path, [",Lin", ",Wang"])).stdout.split()
    for password, fits in ((shown[5], False), (shown[2], True), (shown[2], True), ("x" * 16, False)):
        client = WireClient(server.port)
        assert (client.sign_in(10_001, password).type == Type.SIGNED_IN) is fits
        client.close()
    server.core.writer.submit(lambda: None).result(30)
    database = open_database(DataFolder(data).database)
    stored = [password_hash_of(member) or "" for member in (10_001, 10_002)]
    database.close()
    assert stored[0].startswith("$argon2id$") and is_made(stored[1])


@pytest.mark.slow
def test_ten_thousand_members_are_added_in_a_minute(tmp_path: Path) -> None:
    file = members_csv(tmp_path, [f",Member {at}" for at in range(10_000)])
    began = time.monotonic()
    done = run(tmp_path / "data", "member", "import", file)
    assert done.returncode == 0 and done.stdout.count("\n") == 10_000
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "words", [["add", "--name=林悦 \U0001fae9"], ["import", "FILE"], ["password", "10001"]], ids=str
)
def test_passwords_are_not_lost_with_the_printing_and_nobody_is_added_twice(tmp_path: Path, words: list[str]) -> None:
    data = tmp_path / "data"
    assert run(data, "member", "add", "--name=First", "--no-account").returncode == 0
    file = members_csv(tmp_path, [",A", ",B"])
    words = ["member", *(file if word == "FILE" else word for word in words)]
    assert into_full(data, *words) == 4
    members = names(data)
    again = run(data, *words)
    assert again.returncode == 0 and "not a second one" in again.stderr
    assert names(data) == members
    database = open_database(DataFolder(data).database)
    newest = again.stdout.split()[-1] if "add" not in words else again.stdout.split("login password")[1].split()[0]
    from im_server.passwords import PasswordChecker

    member = 10_001 if "password" in words else 10_000 + len(members)
    assert PasswordChecker().is_right(password_hash_of(member), newest)
    database.close()
    assert "payment password" in again.stdout or "add" not in words
    assert not list((data / "run" / "commands").iterdir()) and not list((data / "payment" / "commands").iterdir())


def test_passwords_go_to_a_file_that_was_open_before_the_first_row(tmp_path: Path) -> None:
    data, file = tmp_path / "data", members_csv(tmp_path, [",A", ",B"])
    for where in (tmp_path / "none" / "x", tmp_path / "members.csv"):
        refused = run(data, "member", "import", file, "--passwords", str(where))
        assert refused.returncode == 1 and "nobody was added" in refused.stderr
    assert names(data) == []
    done = run(data, "member", "import", file, "--passwords", str(tmp_path / "slips"))
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    assert [row.split("\t")[1] for row in (tmp_path / "slips").read_text().splitlines()] == ["A", "B"]
    assert (tmp_path / "slips").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("head", "rows", "says"),
    [
        ("id,name,password", ["10001,Wang, Lei,secret pass"], "line 2, column 4"),
        ("id, name, password", ["10001, Lin, secret pass"], "line 2, column password: begins or ends with a blank"),
        ("id,name", ['10001,"Lin', "10002,Wang"], "line 2, column 2: a quote is opened and not closed"),
        ("id,name", ["0,Lin"], "line 2, column id"),
        ("id,name", ["99999999999999999999,Lin"], "line 2, column id"),
        ("id,name", [f"{ID_MAX},Lin"], "line 2, column id"),
        ("id,name", ["10001,A", "10001,B"], "line 3, column id: 10001 stands in line 2 already"),
        ("id,name", ["10001,A", "010001,B"], "line 3, column id: 010001 has zeros in front; write it as 10001"),
        ("id,name", [",Wang Wei", ",Wang Wei"], "line 3, column id: repeats line 2 word for word"),
        ("id,name", ["," + "x" * 65], "line 2, column name"),
        ("id,name,group", [",A," + "x" * 65], "line 2, column group"),
        ("id,name,\u200bgroup", [",A,B"], "line 1, column 3: its name has a character that cannot be seen"),
        ("id,name,\x1b[31mred", [",A,B"], "line 1, column 3: its name has a character that cannot be seen"),
        ("id,name", [",\u200d\u200d"], "line 2, column name: The name is blank"),
        ("id,name", [",\u3164"], "line 2, column name: The name is blank"),
        ("id,name,pasword", [",A,secret pass"], "line 1, column pasword: is not known; is password meant?"),
        ("id,name,password", [",A,short"], "line 2, column password"),
    ],
)
def test_a_bad_row_refuses_the_whole_file_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, rows: list[str], says: str
) -> None:
    done = here(capsys, tmp_path / "data", "member", "import", members_csv(tmp_path, rows, head))
    assert done.returncode == 1 and says in done.stderr and "nobody was added" in done.stderr, done.stderr
    assert here(capsys, tmp_path / "data", "member", "list").stdout == ""


def test_blanks_after_the_commas_of_the_first_line_are_no_part_of_the_columns(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "member", "import", members_csv(tmp_path, ["10077, Lin"], "\ufeffid, name"))
    assert done.returncode == 0 and done.stdout.startswith("10077\tLin\t")


@pytest.mark.parametrize(
    "name", ["-小明-", "张　三", "\U0001fae9", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "أحمد"]
)
def test_odd_but_right_names_are_taken_in_any_locale(tmp_path: Path, name: str) -> None:
    done = run(tmp_path / "data", "member", "add", f"--name={name}", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "payment password" in done.stdout
    assert names(tmp_path / "data") == [name]


@pytest.mark.parametrize(
    "words",
    [
        ["member", "add", "--name=x", "--id=" + "9" * 20],
        ["member", "add", "--name=x", "--id=1"],
        ["member", "add", "--name=" + "x" * 65],
        ["member", "add", "--name=a\nb"],
        ["member", "add", "--name=　"],
        ["member", "password", "9" * 20],
        ["member", "password", "--", "-1"],
        ["invite", "--port=70000"],
        ["serve", "--name=" + "x" * 65],
        ["account", "top-up", "--member=" + "9" * 20, "--amount=1"],
    ],
    ids=lambda words: " ".join(words)[:40],
)  # fmt: skip
def test_what_is_out_of_range_is_a_usage_error_and_makes_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert here(capsys, tmp_path / "data", *words).returncode == 2
    assert not (tmp_path / "data").exists()


HELP = [
    [], ["serve"], ["invite"], ["words"], ["member"], ["member", "add"], ["member", "import"], ["member", "list"],
    ["member", "password"], ["biller"], ["account", "top-up"], ["refund"], ["ledger", "check"],
]  # fmt: skip


@pytest.mark.parametrize("words", HELP, ids=" ".join)
def test_help_does_nothing_but_help(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    for folder in ([], ["--data", "none"]):
        assert main([*folder, *words, "--help"]) == 0
        assert capfd.readouterr().out.startswith("usage: billbuddy-server")
    assert list(tmp_path.iterdir()) == []


def test_the_person_behind_sudo_is_in_the_audit_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(data, "limits", "set", "--single=900.00", SUDO_USER="alice")
    run(data, "limits", "set", "--single=800.00", SUDO_USER="a\nb")
    entries = run(data, "audit", "list").stdout.splitlines()
    assert " alice as " in entries[0] and len(entries) == 2 and "a as" not in entries[1]


def wait_until(check: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        threading.Event().wait(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_to_the_outer_program_tells_what_the_inner_one_knows(tmp_path: Path, number: signal.Signals) -> None:
    data = tmp_path / "data"
    assert run(data, "account", "open", "--member=10001", "--name=Lin").returncode == 0
    service = subprocess.Popen(
        [sys.executable, "-m", "payment", "--data", str(data / "payment"), "--log-level=error", "serve"],
        stdin=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    words = ["account", "top-up", "--member=10001", "--amount=5.00"]
    try:
        wait_until(lambda: (data / "payment" / "admin.sock").exists())
        service.send_signal(signal.SIGSTOP)
        command = subprocess.Popen(line(data, *words), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        wait_until(lambda: list((data / "payment" / "commands").glob("*.json")))
        threading.Event().wait(0.5)  # it is sent a moment later; the service, stopped, cannot tell
        command.send_signal(number)
        _, err = command.communicate(timeout=SECONDS)
        assert command.returncode == 3 and "not known yet" in err and "not done twice" in err
        service.send_signal(signal.SIGCONT)
        again = run(data, *words)
        assert again.returncode == 0 and again.stdout == "balance: ¥ 5.00\n"
    finally:
        service.send_signal(signal.SIGCONT)
        service.terminate()
        service.communicate(timeout=SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_member_is_added_once_whatever_becomes_of_the_server_meanwhile(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    served = subprocess.Popen(
        line(data, "serve", "--listen=127.0.0.1:0", "--chat-only"), stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert served.stdout is not None
    while not served.stdout.readline().startswith("ready"):
        assert served.poll() is None
    words = ["member", "add", "--name=Lin", "--no-account"]
    served.send_signal(signal.SIGSTOP)
    command = subprocess.Popen(line(data, *words), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    wait_until(lambda: list((data / "run" / "commands").glob("*.json")))
    threading.Event().wait(0.7)  # it is sent a moment later; the server, stopped, cannot tell
    if number == signal.SIGKILL:
        served.kill()
    else:
        command.send_signal(number)
    _, err = command.communicate(timeout=SECONDS)
    served.kill()
    served.communicate(timeout=SECONDS)
    assert command.returncode == 3 and "not known yet" in err and "not done twice" in err
    again = run(data, *words)
    assert again.returncode == 0 and "not a second one" in again.stderr
    assert names(data) == ["Lin"]


def test_ctrl_c_does_not_wait_for_thousands_of_passwords(tmp_path: Path) -> None:
    file = members_csv(tmp_path, [f",Member {at},secret pass {at}" for at in range(5_000)], "id,name,password")
    command = subprocess.Popen(
        line(tmp_path / "data", "member", "import", file), stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    wait_until(lambda: list((tmp_path / "data" / "payment").glob("payment.db")))
    threading.Event().wait(1)
    began = time.monotonic()
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=SECONDS)
    assert time.monotonic() - began < 30 and command.returncode == 1 and b"Nothing was changed" in err
    assert names(tmp_path / "data") == []
