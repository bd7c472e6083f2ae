"""Try out the packaged app as somebody who only unpacked it: no Python on the path, an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_scripts import common, x11
from build_scripts.dormitory import Dormitory, Programs

WINDOW_SECONDS_MAX = 60
FOLDER = "电费 " + "a long name " * 8  # of another script, longer than the name of a socket may be
MEMBER, FRIEND = 10001, 10002
BILLER = 101


def test_packaged(archive: Path) -> None:
    """Unpack `archive` elsewhere and use what is in it. Raises SetupError at the first thing that is wrong."""
    with tempfile.TemporaryDirectory(prefix="billbuddy-packaged-") as name:
        folder = Path(name) / FOLDER
        folder.mkdir()
        shutil.unpack_archive(archive, folder)
        with _running(folder) as place:
            _pay_without_a_window(place)
            _open_the_window(place)


def packaged_programs(folder: Path) -> Programs:
    """The unpacked programs with an environment that holds nothing but a home."""
    suffix = ".exe" if os.name == "nt" else ""
    home = folder / "home"
    home.mkdir()
    empty = folder / "no-programs"
    empty.mkdir()
    environment = {"HOME": str(home), "PATH": str(empty), "LC_ALL": "C"}  # which has no letter of FOLDER
    if os.name == "nt":
        environment["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    server, client, window = (
        (str(folder / "BillBuddy" / f"{name}{suffix}"),) for name in ("billbuddy-server", "billbuddy-cli", "billbuddy")
    )
    return Programs(server, client, window, environment)


@contextmanager
def _running(folder: Path) -> Iterator[Dormitory]:
    place = Dormitory(packaged_programs(folder), folder)
    try:
        place.start()
        common.say("packaged server: started, with its payment subsystem")
        place.load()
        common.say("packaged server: members, billers, bills and balances loaded")
        yield place
    finally:
        place.stop()


def _pay_without_a_window(place: Dormitory) -> None:
    me = place.client_json(MEMBER, "whoami")
    common.say(f"packaged billbuddy-cli: signed in as {me['name']}")
    before = place.client_json(MEMBER, "bills", str(BILLER))
    if not before["bills"]:
        raise common.SetupError(f"The demonstration bill is not there: {before}")
    place.client_json(MEMBER, "pay", str(BILLER))
    after = place.client_json(MEMBER, "bills", str(BILLER))
    if after["bills"]:
        raise common.SetupError(f"The bill is still open after the payment: {after}")
    common.say("packaged billbuddy-cli: bill paid, nothing due any more")
    place.admin("ledger", "check")
    common.say("packaged server: ledger check passed")


def _open_the_window(place: Dormitory) -> None:
    with common.virtual_display() as display:
        environment = {**place.client_environment(MEMBER, "window"), "DISPLAY": display}
        line = [*place.programs.window, "--invite", place.invite, "--as", str(MEMBER)]
        window = subprocess.Popen(line, cwd=place.folder, env=environment, text=True, stderr=subprocess.PIPE)
        try:
            titles = common.wait_until("the packaged window", WINDOW_SECONDS_MAX, lambda: _titles(window, display))
            common.say(f"packaged billbuddy: its window is there ({titles[0]})")
            common.wait_until("the packaged window to sign in", WINDOW_SECONDS_MAX, lambda: _is_online(place))
            common.say("packaged billbuddy: signed in; other members see it online")
        finally:
            common.stop(window)


def _is_online(place: Dormitory) -> bool:
    groups = place.client_json(FRIEND, "contacts")["groups"]
    return any(row["id"] == MEMBER and row["presence"] == "online" for group in groups for row in group["contacts"])


def _titles(window: subprocess.Popen[str], display: str) -> list[str]:
    if window.poll() is not None:
        said = window.stderr.read() if window.stderr else ""
        raise common.SetupError(f"The packaged window ended with status {window.returncode}: {said}")
    return [title for title in x11.window_titles(display) if "BillBuddy" in title]
