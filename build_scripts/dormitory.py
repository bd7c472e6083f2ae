"""The demonstration dormitory: a real server in a folder, loaded through the operator's commands.

Used by the demo, the packaged app's smoke test and the whole-system tests.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from build_scripts import common

DEMO_FOLDER = common.ROOT / "assets" / "demo"
START_SECONDS_MAX = 40
COMMAND_SECONDS_MAX = 60
DUE_IN_DAYS = re.compile(r"^([+-]\d+)d$")
READY = re.compile(r"^ready \S+\n", re.MULTILINE)
INVITE = re.compile(r"billbuddy://\S+")


@dataclass(frozen=True)
class Programs:
    """How the three programs are started: from the checkout, or packaged."""

    server: tuple[str, ...]
    client: tuple[str, ...]
    window: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def from_checkout() -> Programs:
    environment = {**os.environ, "PYTHONPATH": str(common.ROOT), "PYTHONUNBUFFERED": "1"}
    for name in ("BILLBUDDY_PASSWORD", "BILLBUDDY_PIN", "BILLBUDDY_HOME"):
        environment.pop(name, None)
    python = sys.executable
    return Programs(
        (python, "-m", "im_server"), (python, "-m", "desktop_client.cli"), (python, "-m", "desktop_client"), environment
    )


@dataclass(frozen=True)
class DemoMember:
    """A member of the demonstration: all of it is made up, the passwords as well."""

    id: int
    name: str
    group: str
    password: str
    pin: str


def read_members(folder: Path = DEMO_FOLDER) -> list[DemoMember]:
    """The members with their payment passwords, which are in the accounts' file."""
    pins = {row["member_id"]: row["pin"] for row in _rows(folder / "accounts.csv")}
    return [
        DemoMember(int(row["id"]), row["name"], row["group"], row["password"], pins[row["id"]])
        for row in _rows(folder / "members.csv")
    ]


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def resolve_dates(source: Path, target: Path, today: date) -> Path:
    """Copy a CSV file with `+8d` turned into the date eight days from `today`, and `{month}` into this month's name."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = [[_resolved(cell, today) for cell in row] for row in csv.reader(file)]
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return target


def _resolved(cell: str, today: date) -> str:
    days = DUE_IN_DAYS.match(cell)
    if days:
        return (today + timedelta(days=int(days[1]))).isoformat()
    return cell.replace("{month}", today.strftime("%B %Y"))


class Dormitory:
    """One server with its data folder. `stop` ends everything that it started."""

    def __init__(self, programs: Programs, folder: Path, host: str = "127.0.0.1") -> None:
        self.programs = programs
        self.folder = folder
        self.data = folder / "data"
        self.host = host
        self.port = 0
        self.invite = ""
        self.members = {member.id: member for member in read_members()}
        self._server: subprocess.Popen[str] | None = None
        self._children: list[subprocess.Popen[str]] = []

    # ---- the server

    @property
    def server_pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def start(self, port: int = 0) -> None:
        """Start the server and wait until it tells its invite link. Raises SetupError with what it said instead."""
        output = self.folder / "server-output.txt"
        line = [*self.programs.server, "--data", str(self.data), "serve", "--listen", f"{self.host}:{port}"]
        with output.open("w", encoding="utf-8") as file:
            self._server = subprocess.Popen(
                line,
                cwd=self.folder,
                env=dict(self.programs.environment),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        said = common.wait_until("the server to start", START_SECONDS_MAX, lambda: self._started(output))
        found = INVITE.search(said)
        if found is None:
            raise common.SetupError(f"The server started without its payment subsystem and said:\n{said}{self._why()}")
        self.invite = found.group()
        self.port = int(self.invite.split("/#")[0].rsplit(":", 1)[1])

    def _why(self) -> str:
        """The end of what the payment subsystem printed."""
        log = self.data / "log" / "payment-output.log"
        return "\n".join(log.read_text(encoding="utf-8").splitlines()[-8:]) if log.exists() else ""

    def _started(self, output: Path) -> str:
        """What the server printed, once it says that it is ready."""
        assert self._server is not None
        text = output.read_text(encoding="utf-8")
        if READY.search(text):
            return text
        if self._server.poll() is not None:
            raise common.SetupError(f"The server ended with status {self._server.returncode} and said:\n{text}")
        return ""

    def stop_server(self) -> int:
        """Stop the server as a service manager does; returns its exit status."""
        assert self._server is not None
        common.stop(self._server, 20)
        return int(self._server.returncode)

    def kill_server(self) -> None:
        """As a crash would."""
        assert self._server is not None
        self._server.kill()
        self._server.wait()

    def stop(self) -> None:
        for child in reversed(self._children):
            common.stop(child)
        if self._server is not None:
            self.stop_server()

    def admin(self, *arguments: str, stdin: str = "") -> str:
        """An operator command of the server, as a person would type it; returns what it printed."""
        done = self.try_admin(*arguments, stdin=stdin)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise common.SetupError(f"billbuddy-server {' '.join(arguments)}: status {done.returncode}\n{said}")
        return done.stdout

    def try_admin(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return self.try_server(self.data, *arguments, stdin=stdin)

    def try_server(self, data: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The server's program on any data folder, to its end."""
        return self._run([*self.programs.server, "--data", str(data), *arguments], {}, stdin)

    # ---- the demonstration data

    def load(self, today: date | None = None) -> None:
        """Load assets/demo through the operator's commands: members, accounts, billers, customers, bills."""
        today = today or datetime.now().astimezone().date()
        bills = resolve_dates(DEMO_FOLDER / "bills.csv", self.folder / "bills.csv", today)
        self.admin("member", "import", str(DEMO_FOLDER / "members.csv"))
        for command, file in (
            ("account", DEMO_FOLDER / "accounts.csv"),
            ("biller", DEMO_FOLDER / "billers.csv"),
            ("customer", DEMO_FOLDER / "customers.csv"),
            ("bill", bills),
        ):
            self.admin(command, "import", str(file))

    # ---- clients

    def client_environment(self, member_id: int, device: str = "cli") -> dict[str, str]:
        """A device of a member: own settings folder, passwords as scripts give them."""
        member = self.members[member_id]
        home = self.folder / "clients" / f"{member_id}-{device}"
        home.mkdir(parents=True, exist_ok=True)
        secrets = {"BILLBUDDY_PASSWORD": member.password, "BILLBUDDY_PIN": member.pin, "BILLBUDDY_HOME": str(home)}
        return {**self.programs.environment, **secrets}

    def client_line(self, member_id: int, *arguments: str) -> list[str]:
        return [*self.programs.client, "--invite", self.invite, "--as", str(member_id), *arguments]

    def client(self, member_id: int, *arguments: str, **other: str) -> subprocess.CompletedProcess[str]:
        """billbuddy-cli to its end; `other` adds to its environment."""
        environment = {**self.client_environment(member_id), **other}
        return self._run(self.client_line(member_id, *arguments), environment)

    def run_client(self, line: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return self._run(line, environment)

    def client_json(self, member_id: int, *arguments: str) -> Any:
        """What `billbuddy-cli --json` printed. Raises SetupError unless its status is 0."""
        done = self.client(member_id, "--json", *arguments)
        if done.returncode:
            said = f"{done.stdout}{done.stderr}".strip()
            raise common.SetupError(f"billbuddy-cli {' '.join(arguments)}: status {done.returncode}\n{said}")
        return json.loads(done.stdout)

    def start_client(self, line: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """A client that goes on until `stop`; its standard output is a pipe."""
        child = subprocess.Popen(
            list(line),
            cwd=self.folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._children.append(child)
        return child

    def _run(
        self, line: Sequence[str], environment: Mapping[str, str], stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(line),
            cwd=self.folder,
            env=dict(environment or self.programs.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
