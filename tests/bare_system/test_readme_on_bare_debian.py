"""README's commands, typed one after the other on a Debian that has nothing, as an operator and as a member would.

Left out of the default run, because each release costs minutes: `test.py --bare-system` (what CI runs) brings it in.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from build_scripts import common, x11
from tests.bare_system.chroot import BareDebian, is_possible
from tests.style.test_readme import commands

RELEASES = ("bookworm", "trixie")
APT_LINE = re.compile(r"sudo (apt-get install .*)")
WINDOW_SECONDS_MAX = 600  # the demonstration installs what it needs first
CLOSE_SECONDS_MAX = 60

pytestmark = [pytest.mark.bare_system, pytest.mark.timeout(3_600)]


@pytest.fixture(scope="module", params=RELEASES)
def debian(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BareDebian:
    reason = is_possible()
    if reason:
        pytest.skip(reason)
    return BareDebian(tmp_path_factory.mktemp("debian") / request.param, request.param)


def opens_a_window(command: str) -> bool:
    return command in ("python3 build_scripts/demo.py", "billbuddy")


class Person:
    """Types README's commands in order and keeps what was printed that later ones need."""

    def __init__(self, debian: BareDebian, display: str) -> None:
        self._debian = debian
        self._display = display
        self._server: subprocess.Popen[str] | None = None
        self._said: dict[str, str] = {}
        self.answers: dict[str, str] = {}

    def types(self, command: str) -> None:
        if opens_a_window(command):
            self._opens_a_window(command)
        elif command.endswith(" serve"):
            self._serves(command)
        elif "test.py" in command:  # the set-up, lint and types as they stand; of the tests those that need a second
            words = [*shlex.split(command)[:2], "-q", "-n", "0", "tests/im_protocol"]
            self.answers[command] = self._debian.run(shlex.join(words))
        else:
            said = self._debian.run(self._with_what_was_told(command), **self._secrets())
            self.answers[command] = self._remember(said)

    def leaves(self) -> None:
        if self._server is not None:
            common.stop(self._server)

    def _with_what_was_told(self, command: str) -> str:
        return command.replace(" LINK ", f" '{self._said.get('invite', '')}' ")

    def _secrets(self) -> dict[str, str]:
        names = {"BILLBUDDY_PASSWORD": "login password", "BILLBUDDY_PIN": "payment password"}
        return {variable: self._said[name] for variable, name in names.items() if name in self._said}

    def _remember(self, out: str) -> str:
        for line in out.splitlines():
            for name in ("login password", "payment password", "invite"):
                if line.startswith(name):
                    self._said[name] = line.removeprefix(name).lstrip(": ").strip()
            if line.startswith("billbuddy://"):
                self._said["invite"] = line.strip()
        return out

    def _serves(self, command: str) -> None:
        line = self._debian.line(f"exec {command}")
        self._server = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._server.stdout is not None
        said = []
        for text in self._server.stdout:
            said.append(text)
            if text.startswith("ready"):
                break
        else:
            pytest.fail(f"the server ended: {''.join(said)}")
        self._remember("".join(said))
        self.answers[command] = "".join(said)

    def _opens_a_window(self, command: str) -> None:
        line = self._debian.line(f"exec {command}", DISPLAY=self._display)
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as window:
            try:
                titles = common.wait_until(
                    "its window", WINDOW_SECONDS_MAX, lambda: window.poll() is not None or self._titles()
                )
                assert isinstance(titles, list), window.communicate()[0]
                common.wait_until("its end", CLOSE_SECONDS_MAX, lambda: self._closes_all() or window.poll() is not None)
                said = window.communicate()[0]
                assert window.returncode == 0, said
            finally:
                window.kill()
        self.answers[command] = str(titles)

    def _closes_all(self) -> None:
        """As often as it takes: the window that was seen may have given way to the next one meanwhile."""
        for title in self._titles():
            x11.close_window(self._display, title)

    def _titles(self) -> list[str]:
        return [title for title in x11.window_titles(self._display) if "BillBuddy" in title]


@pytest.fixture
def person(debian: BareDebian) -> Iterator[Person]:
    with common.virtual_display() as display:
        somebody = Person(debian, display)
        yield somebody
        somebody.leaves()


def test_a_server_without_a_screen_needs_no_window_library(debian: BareDebian) -> None:
    debian.run("apt-get update -q && apt-get install -y -q --no-install-recommends python3")
    debian.run("python3 build_scripts/install.py --server")
    assert "serve" in debian.run("billbuddy-server --help")
    debian.run("! dpkg -s python3-tk")


def test_every_command_of_the_readme_works_as_written(person: Person) -> None:
    typed = commands()
    for command in typed:
        person.types(command)
    answers = {command: person.answers[command] for command in typed}
    paid = next(command for command in typed if " pay 101" in command)
    assert "24.60" in answers[paid]
    assert "24.60" in answers[next(command for command in typed if "receipts" in command)]


def test_a_member_who_is_not_root_installs_for_himself(debian: BareDebian) -> None:
    debian.run("apt-get update -q && apt-get install -y -q --no-install-recommends python3")
    debian.run("id lin || useradd --create-home lin")
    said = debian.run("python3 build_scripts/install.py || true", user="lin")
    if asked := APT_LINE.search(said):  # what the system lacks only root can install
        debian.run(asked[1])
        debian.run("python3 build_scripts/install.py", user="lin")
    assert "billbuddy-cli" in debian.run("billbuddy-cli --help", user="lin")
    debian.run("python3 build_scripts/install.py --remove", user="lin")
    debian.run("! test -e ~/.local/bin/billbuddy", user="lin")
