"""Install BillBuddy from this folder: the window, the windowless client and the server, as commands of this system.

    python3 build_scripts/install.py             as root: for everybody; otherwise: for this person alone
    python3 build_scripts/install.py --server    the server and the windowless client only: no window, no fonts
    python3 build_scripts/install.py --remove    take the programs away again; nobody's data is touched

The programs get a virtual environment of their own, because Debian keeps the system's Python for itself (PEP 668). A
new version is installed beside the old one and takes its place when it is whole; servers that run go on with the old
one until they are started again.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common

PROGRAMS = ("billbuddy-server", "billbuddy-cli", "billbuddy")
WINDOWLESS = PROGRAMS[:2]
LEFT_OUT = (".*", "build", "dist", "out", "tests", "*.egg-info", "__pycache__")
ICON = common.ROOT / "assets" / "icon" / "billbuddy-256.png"
DESKTOP_ENTRY = """[Desktop Entry]
Type=Application
Name=BillBuddy
Comment=Chat, and pay your bills
Comment[zh_CN]=聊天与缴费
Exec="{program}"
Icon={icon}
Categories=Network;InstantMessaging;
StartupWMClass=BillBuddy
"""


@dataclass(frozen=True)
class Places:
    """`home` holds the environments, `programs` the links that people call, `share` what menus read."""

    home: Path
    programs: Path
    share: Path

    @property
    def entry(self) -> Path:
        return self.share / "applications" / "billbuddy.desktop"

    @property
    def icon(self) -> Path:
        return self.share / "icons" / "hicolor" / "256x256" / "apps" / "billbuddy.png"


def places(*, is_root: bool, home: Path) -> Places:
    """Root installs for everybody (FHS 3.0, sections 3.13 and 4.9), anybody else in the home folder."""
    if is_root:
        return Places(Path("/opt/billbuddy"), Path("/usr/local/bin"), Path("/usr/local/share"))
    share = home / ".local" / "share"
    return Places(share / "billbuddy-app", home / ".local" / "bin", share)


def install(where: Places, programs: tuple[str, ...]) -> None:
    """Make the new environment, then let the programs' names mean it. Raises SetupError; the old one then stays."""
    where.home.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="venv-", dir=where.home))
    folder.chmod(0o755)
    try:
        _fill(folder, needs_window="billbuddy" in programs)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    where.programs.mkdir(parents=True, exist_ok=True)
    for name in programs:
        _link(where.programs / name, folder / "bin" / name)
    if "billbuddy" in programs:
        _menu_entry(where)
    for old in where.home.glob("venv-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)


def _fill(folder: Path, *, needs_window: bool) -> None:
    base = common.find_python(needs_window=needs_window)
    if base is None:
        raise common.SetupError("No Python 3.11 or newer with venv" + (" and tkinter" if needs_window else "") + ".")
    common.note(f"Making the programs' environment in {folder}")
    common.run([base, "-m", "venv", str(folder)], quiet=True)
    common.note("Installing BillBuddy and its libraries (a minute)")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    with tempfile.TemporaryDirectory(prefix="billbuddy-install-") as name:
        # Building writes beside the sources, which may be somebody else's, and would bring along what an older version
        # left there.
        sources = Path(name) / "sources"
        shutil.copytree(common.ROOT, sources, ignore=shutil.ignore_patterns(*LEFT_OUT))
        common.run([*pip, str(sources)], quiet=True, seconds=common.INSTALL_SECONDS_MAX)


def _link(link: Path, target: Path) -> None:
    """Points `link` at `target` in one step, so that there is never a moment without the program."""
    if link.exists() and not link.is_symlink():
        raise common.SetupError(f"{link} is there and was not made by this script; move it away and start again.")
    draft = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
    draft.symlink_to(target)
    draft.replace(link)


def _menu_entry(where: Places) -> None:
    for file in (where.icon, where.entry):
        file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ICON, where.icon)
    text = DESKTOP_ENTRY.format(program=where.programs / "billbuddy", icon=where.icon)
    where.entry.write_text(text, encoding="utf-8")


def remove(where: Places) -> None:
    """Takes away what `install` made."""
    for name in PROGRAMS:
        link = where.programs / name
        if link.is_symlink() and link.readlink().is_relative_to(where.home):
            link.unlink()
    for file in (where.entry, where.icon):
        file.unlink(missing_ok=True)
    shutil.rmtree(where.home, ignore_errors=True)


def _say_what_next(where: Places, programs: tuple[str, ...]) -> None:
    common.say(f"Installed in {where.programs}: {', '.join(programs)}")
    if str(where.programs) not in os.environ.get("PATH", "").split(os.pathsep):
        common.say(f"That folder is not among those where your shell looks for commands; sign in again, or type:\n"
                   f'  export PATH="{where.programs}:$PATH"')


def main() -> int:
    parser = argparse.ArgumentParser(prog="install.py", description="Install BillBuddy from this folder.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--server", action="store_true", help="without the window: for a machine that has no screen")
    what.add_argument("--remove", action="store_true", help="take the programs away again; data stays")
    options = parser.parse_args()
    where = places(is_root=os.geteuid() == 0, home=Path.home())
    programs = WINDOWLESS if options.server else PROGRAMS
    try:
        if options.remove:
            remove(where)
            common.say("Removed. Data folders and settings are where they were.")
            return 0
        common.ensure_system(common.VENV_NEEDS if options.server else [*common.PYTHON_NEEDS, *common.FONT_NEEDS])
        install(where, programs)
    except (common.SetupError, OSError) as error:
        common.say(str(error))
        return 1
    _say_what_next(where, programs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
