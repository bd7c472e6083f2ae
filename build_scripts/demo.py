"""BillBuddy in one command: a server, a payment subsystem, a dormitory full of bills, and the desktop app signed in.

    python3 build_scripts/demo.py                                  opens the window; closing it stops everything
    python3 build_scripts/demo.py --headless [--screenshots DIR]   drives the same windows on a virtual display

The first run makes `.venv` and installs what is missing; later runs start in seconds. Everything lives in a new
temporary folder that is removed at the end (--keep keeps it).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common
from build_scripts.dormitory import Dormitory, from_checkout

DEFAULT_PORT = 7470
SIGNED_IN_MEMBER = 10001
ANSWERING_MEMBER = 10002
SCREEN = "960x720x24"
NO_DISPLAY = """There is no display here that a window could open on.
  With a screen elsewhere: set DISPLAY, or run this in a desktop session.
  Without one:  python3 build_scripts/demo.py --headless --screenshots out/demo"""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.py", description="BillBuddy in one command.")
    parser.add_argument("--headless", action="store_true", help="drive the windows on a virtual display")
    parser.add_argument("--screenshots", metavar="DIR", type=Path, help="save a picture of each step (with --headless)")
    parser.add_argument("--lang", choices=["en", "zh_CN"], help="language of the window (default: the system's)")
    parser.add_argument("--keep", action="store_true", help="keep the data folder")
    options = parser.parse_args(arguments)
    if options.screenshots and not options.headless:
        parser.error("--screenshots needs --headless")
    if options.screenshots:
        options.screenshots = options.screenshots.absolute()
    return options


@contextmanager
def data_folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="billbuddy-demo-"))
    try:
        yield folder
    finally:
        if keep:
            common.say(f"The data is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def dormitory(folder: Path) -> Iterator[Dormitory]:
    """The demonstration server, loaded, with one other member online who answers."""
    place = Dormitory(from_checkout(), folder)
    try:
        place.start(DEFAULT_PORT if common.is_port_free(DEFAULT_PORT) else 0)
        place.load()
        yield place
    finally:
        place.stop()


def print_sign_ins(place: Dormitory) -> None:
    common.say(f"\nThe server listens on {place.host}:{place.port}; its data is in {place.data}")
    common.say(f"Invite link: {place.invite}\n")
    common.say(f"  {'member':8} {'password':20} {'payment password':18} name")
    for member in place.members.values():
        common.say(f"  {member.id:<8} {member.password:20} {member.pin:18} {member.name}")
    common.say()


def show_window(place: Dormitory, lang: str | None) -> int:
    """The desktop app as the member would start it, signed in; returns when its window is closed."""
    member = place.members[SIGNED_IN_MEMBER]
    line = [*place.programs.window, "--invite", place.invite, "--as", str(member.id)]
    if lang:
        line += ["--lang", lang]
    common.say(f"Opening the app as {member.name}, payment password {member.pin}. Closing its window stops everything.")
    environment = place.client_environment(member.id, "window")
    del environment["BILLBUDDY_PIN"]
    return subprocess.run(line, cwd=place.folder, env=environment, check=False).returncode


def run_demo(options: argparse.Namespace) -> int:
    started = time.monotonic()
    from build_scripts.buddy import AnsweringBuddy

    with data_folder(options.keep) as folder, dormitory(folder) as place:
        print_sign_ins(place)
        buddy = AnsweringBuddy(place, ANSWERING_MEMBER)
        buddy.start()
        common.say(f"{place.members[ANSWERING_MEMBER].name} is online and answers what you write.")
        common.say(f"Ready after {time.monotonic() - started:.1f} s.")
        if not options.headless:
            return show_window(place, options.lang)
        from build_scripts import walkthrough

        return walkthrough.run(place, SIGNED_IN_MEMBER, ANSWERING_MEMBER, options.screenshots, options.lang or "en")


def main() -> int:
    options = parse(sys.argv[1:])
    try:
        needs = [*common.PYTHON_NEEDS, *common.FONT_NEEDS]
        common.ensure_system([*needs, *common.DISPLAY_NEEDS] if options.headless else needs)
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv())
        if options.headless:
            with common.virtual_display(SCREEN) as display:
                os.environ["DISPLAY"] = display
                return run_demo(options)
        if not common.display_works():
            raise common.SetupError(NO_DISPLAY)
        return run_demo(options)
    except common.SetupError as error:
        common.say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
