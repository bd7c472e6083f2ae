"""Every operator's command as a process of its own, where printing fails: its status tells what is in the ledger."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from payment import credentials
from payment.contract.messages import Paid
from tests.payment.house import LIN, PIN, House
from tests.payment.operator_words import FILES, LEAVES, WORDS, WRITES

ROOT = Path(__file__).parents[2]
SECONDS = 60
FULL_PRICE = credentials._SCRYPT_N  # of the processes
pytestmark = [pytest.mark.integration, pytest.mark.slow]

LOCALES = (
    {"LC_ALL": "zh_CN.GBK", "PYTHONIOENCODING": "gbk"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii:strict"},
)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command has something to work on. Nothing runs on it."""
    house = House(tmp_path_factory.mktemp("furnished") / "payment")
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    house.do("account", "open", "--member=10020", "--name=\U0001fae9 林悦 أحمد", "--pin-stdin", stdin=PIN)
    house.close()
    for kind, content in FILES.items():
        (house.path / f"{kind}.csv").write_text(content, encoding="utf-8")
    return house.path


@pytest.fixture
def folder(furnished: Path, tmp_path: Path) -> Iterator[Path]:
    """One of its own for each test."""
    made = tmp_path / "payment"
    shutil.copytree(furnished, made)
    yield made


def line(folder: Path, path: tuple[str, ...]) -> list[str]:
    words = [str(folder / f"{path[0]}.csv")] if path[-1] == "import" else WORDS.get(path, [])
    return [sys.executable, "-m", "payment", "--data", str(folder), *path, *words]


def run(folder: Path, path: tuple[str, ...], shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = ["bash", "-c", f'"$@" {shell}', "bash", "env", *(f"{k}={v}" for k, v in environment.items())]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    return subprocess.run(
        [*command, *line(folder, path)], input=PIN.encode(), capture_output=True, env=env, timeout=SECONDS, check=False
    )


def done(folder: Path) -> tuple[int, int]:
    """How many commands were carried out, and how many entries the audit log has."""
    house = House(folder, furnish=False)
    counts = [house.core.store.one(f"SELECT count(*) FROM {table}") for table in ("operation", "audit")]
    house.check()
    house.close()
    return tuple(row[0] for row in counts if row)  # type: ignore[return-value]


@pytest.mark.parametrize("path", WRITES, ids=" ".join)
def test_what_was_done_and_not_printed_is_told_and_given_again_it_is_not_done_twice(
    folder: Path, path: tuple[str, ...]
) -> None:
    shell = ("> /dev/full", ">&-", ">&- 2>&-")[WRITES.index(path) % 3]
    before = done(folder)
    first = run(folder, path, shell)
    says_something = path != ("audit", "record")
    assert first.returncode == (4 if says_something else 0), first
    assert b"Traceback" not in first.stderr and b"Exception" not in first.stderr
    if "2>&-" not in shell and says_something:
        assert b"It was done, but it could not be printed" in first.stderr and b"not done twice" in first.stderr
    after = done(folder)
    assert after[0] == before[0] + 1 and after[1] > before[1]
    if not says_something:
        return
    again = run(folder, path)
    assert again.returncode == 0 and b"is not done again" in again.stderr and again.stdout
    assert done(folder) == after
    if path[-1] in ("open", "reset"):
        assert PIN.encode() not in again.stdout
    third = run(folder, path)  # printed by now, so this is a command of its own
    assert third.returncode in (0, 1) and b"not a second one" not in third.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", list(LEAVES), ids=" ".join)
def test_no_locale_makes_a_command_fail(folder: Path, path: tuple[str, ...]) -> None:
    locale = LOCALES[list(LEAVES).index(path) % len(LOCALES)]
    found = run(folder, path, **locale)
    assert found.returncode == 0, found
    assert b"Traceback" not in found.stderr


@pytest.mark.parametrize("path", [("account", "open"), ("pin", "reset")], ids=" ".join)
def test_a_payment_password_that_was_made_is_not_lost_with_the_printing(
    folder: Path, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word for word in line(folder, path) if word != "--pin-stdin"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(words, stdout=full, env=env, timeout=SECONDS, check=False).returncode == 4
    assert len(list((folder / "commands").glob("*.json"))) == 1
    shown = subprocess.run(words, capture_output=True, text=True, env=env, timeout=SECONDS, check=False)
    assert shown.returncode == 0, shown.stderr
    pin = shown.stdout.split("payment password: ")[1].strip()
    assert list((folder / "commands").iterdir()) == []
    house = House(folder, furnish=False)
    monkeypatch.setattr(credentials, "_SCRYPT_N", FULL_PRICE)
    member = 10_009 if path[-1] == "open" else LIN
    record = house.core.credentials.record_of(member, house.account(member))
    assert house.core.credentials.check(record, pin)
    house.close()


@pytest.mark.parametrize(
    "words", [["--help"], *(["--help"] if not path else [*path, "--help"] for path in LEAVES)], ids=str
)
def test_help_does_nothing_but_help(tmp_path: Path, words: list[str]) -> None:
    from payment.__main__ import main

    assert main(["--data", str(tmp_path / "none"), *words]) == 0
    assert not (tmp_path / "none").exists()
