"""What the commands share: system packages, the virtual environment, a virtual display, child processes.

Standard library only, because it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
INSTALL_SECONDS_MAX = 1_200  # a first installation over a slow line
DISPLAY_SECONDS_MAX = 15


class SetupError(Exception):
    """Something this machine lacks; the message says what to do about it."""


def say(text: str = "") -> None:
    print(text, flush=True)


def note(text: str) -> None:
    """Progress of the set-up: on standard error, so that `--json` output stays one document."""
    print(text, file=sys.stderr, flush=True)


# ---- system packages ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Need:
    """A Debian package and the check that tells whether what it brings is here. `soft`: only looks suffer without."""

    package: str
    present: Callable[[], bool]
    soft: bool = False


def _has_cjk_font() -> bool:
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout.strip())


def _has_python() -> bool:
    return find_python() is not None


def _has_windowless_python() -> bool:
    return find_python(needs_window=False) is not None


def _has_python_library() -> bool:
    """PyInstaller packs the interpreter as a shared library, which Debian keeps in a package of its own."""
    python = find_python()
    return python is not None and _prints(python, _LIBRARY_PROBE) == "yes"


VENV_NEEDS = (Need("python3-venv", _has_windowless_python),)
PYTHON_NEEDS = (Need("python3-venv", _has_python), Need("python3-tk", _has_python))
FONT_NEEDS = (
    Need("fontconfig", lambda: shutil.which("fc-list") is not None, soft=True),
    Need("fonts-noto-cjk", _has_cjk_font, soft=True),
)
DISPLAY_NEEDS = (Need("xvfb", lambda: shutil.which("Xvfb") is not None),)
WINDOW_MANAGER_NEEDS = (Need("openbox", lambda: shutil.which("openbox") is not None, soft=True),)
PACKAGER_NEEDS = (
    Need("binutils", lambda: shutil.which("objdump") is not None),
    Need(f"libpython{sys.version_info[0]}.{sys.version_info[1]}", _has_python_library),
)


def ensure_system(needs: Sequence[Need]) -> None:
    """Install what is missing with apt when that is possible; otherwise say the exact line and stop."""
    if platform.system() != "Linux":
        needs = PYTHON_NEEDS
    missing = [need for need in needs if not need.present()]
    if not missing:
        return
    line = "apt-get install -y --no-install-recommends " + " ".join(need.package for need in missing)
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        _without_apt(missing, line, has_apt=apt is not None)
        return
    note(f"Installing system packages: {' '.join(need.package for need in missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run([apt, "update", "-q"], environment, quiet=True, may_fail=True)
    run(line.split(), environment, quiet=True)
    still = [need.package for need in missing if not need.present() and not need.soft]
    if still:
        raise SetupError(f"{' '.join(still)} did not bring what is needed; please look at the output of:\n  {line}")


def _without_apt(missing: Sequence[Need], line: str, has_apt: bool) -> None:
    names = " ".join(need.package for need in missing)
    if all(need.soft for need in missing):
        note(f"Note: {names} would be good to have: sudo {line}.")
        return
    if has_apt:
        raise SetupError(f"This needs system packages. Please run this line, then start again:\n  sudo {line}")
    raise SetupError(f"This needs Python 3.11 or newer with venv and tkinter, and on Debian the packages: {names}")


# ---- the virtual environment -------------------------------------------------------------------------------------

_PROBE = "import sys, venv, ensurepip; print('yes' if sys.version_info >= (3, 11) else 'no')"
_WINDOW_PROBE = f"import tkinter; {_PROBE}"
_LIBRARY_PROBE = """
import ctypes, sys, sysconfig
names = [sysconfig.get_config_var("INSTSONAME"), "libpython%d.%d.so.1.0" % sys.version_info[:2]]
for name in names:
    try:
        ctypes.CDLL(name)
    except (OSError, TypeError):
        continue
    print("yes")
    break
"""


def _prints(python: str, code: str) -> str:
    """What a line of Python prints in another interpreter; nothing when it fails."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip()
    return ""


def _is_usable(python: str, *, needs_window: bool = True) -> bool:
    return _prints(python, _WINDOW_PROBE if needs_window else _PROBE) == "yes"


def find_python(*, needs_window: bool = True) -> str | None:
    """An interpreter that can make the environment and, where it `needs_window`, open windows.

    A pyenv build may lack tkinter, so several are tried.
    """
    names = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"]
    candidates = [sys.executable, "/usr/bin/python3", *(found for name in names if (found := shutil.which(name)))]
    usable = (p for p in dict.fromkeys(candidates) if p and _is_usable(p, needs_window=needs_window))
    return next(usable, None)


def venv_program(name: str) -> Path:
    """A program of the environment: `python`, or a console script."""
    if os.name == "nt":
        return VENV / "Scripts" / f"{name}.exe"
    return VENV / "bin" / name


def _stamp() -> str:
    """Changes whenever the environment has to be brought up to date."""
    text = [str(ROOT), *((ROOT / name).read_text(encoding="utf-8") for name in ("setup.cfg", "pyproject.toml"))]
    text += sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
    return hashlib.sha256("\0".join(text).encode()).hexdigest()


def _is_up_to_date(extras: str) -> bool:
    """An environment with more than is asked for will do."""
    if not venv_program("python").exists():
        return False
    files = VENV.glob(".installed-*") if not extras else [VENV / f".installed-{extras}"]
    return any(file.exists() and file.read_text(encoding="utf-8") == _stamp() for file in files)


def ensure_venv(extras: str = "") -> Path:
    """Make `.venv` and install the project into it, editable. A stamp makes the next start immediate.

    `extras` is a name in setup.cfg's options.extras_require. Returns the environment's interpreter.
    """
    python = venv_program("python")
    if _is_up_to_date(extras):
        return python
    if not (python.exists() and _is_usable(str(python))):
        base = find_python()
        if base is None:
            raise SetupError("No Python 3.11 or newer with venv and tkinter was found.")
        note("Making the virtual environment in .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        run([base, "-m", "venv", str(VENV)], quiet=True)
    note("Installing BillBuddy and its libraries into .venv (the first time takes a minute)")
    target = f".[{extras}]" if extras else "."
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--editable", target], quiet=True, seconds=INSTALL_SECONDS_MAX)
    (VENV / f".installed-{extras or 'plain'}").write_text(_stamp(), encoding="utf-8")
    return python


def enter_venv(script: Path, python: Path) -> None:
    """Run `script` again with the environment's interpreter, unless it is the one running. Does not return then."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return
    os.environ.pop("PYTHONHOME", None)
    os.environ["VIRTUAL_ENV"] = str(VENV)
    line = [str(python), str(script), *sys.argv[1:]]
    if os.name == "nt":
        raise SystemExit(subprocess.run(line, check=False).returncode)
    os.execv(line[0], line)


# ---- running things ----------------------------------------------------------------------------------------------


def run(
    line: Sequence[str],
    environment: dict[str, str] | None = None,
    *,
    quiet: bool = False,
    may_fail: bool = False,
    seconds: float = INSTALL_SECONDS_MAX,
) -> int:
    """Run a command in the checkout; SetupError if it fails, unless `may_fail`. `quiet`: show output only then."""
    streams: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    try:
        done = subprocess.run(
            list(line), cwd=ROOT, env=environment, text=True, check=False, timeout=seconds, **streams  # type: ignore[call-overload]
        )
    except subprocess.TimeoutExpired:
        raise SetupError(f"This did not end within {seconds:.0f} seconds: {' '.join(line)}") from None
    if done.returncode and not may_fail:
        output = f"\n{done.stdout}" if done.stdout else ""
        raise SetupError(f"This command failed (status {done.returncode}): {' '.join(line)}{output}")
    return int(done.returncode)


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return True
    return False


def wait_until(what: str, seconds: float, check: Callable[[], T | None]) -> T:
    """Ask `check` until it gives something true; SetupError names `what` was waited for after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise SetupError(f"Waited {seconds:.0f} seconds for {what}")
        time.sleep(0.05)


def stop(process: subprocess.Popen[str], seconds: float = 10) -> None:
    """Ask a child to end, and insist after `seconds`."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()


@contextmanager
def virtual_display(size: str = "1280x900x24") -> Iterator[str]:
    """An Xvfb of our own on a display number that it picks itself; yields the DISPLAY value."""
    reader, writer = os.pipe()
    line = ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(
        line, pass_fds=[writer], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    os.close(writer)
    try:
        yield f":{_read_display_number(reader)}"
    finally:
        os.close(reader)
        stop(process)


def _read_display_number(reader: int) -> str:
    os.set_blocking(reader, False)
    text = b""

    def read_more() -> bool:
        nonlocal text
        with suppress(BlockingIOError):
            text += os.read(reader, 32)
        return text.endswith(b"\n")

    wait_until("the virtual display (Xvfb)", DISPLAY_SECONDS_MAX, read_more)
    return text.decode("ascii").strip()


def display_works() -> bool:
    """Is there a display that Tk can open a window on?"""
    if platform.system() == "Linux" and not os.environ.get("DISPLAY"):
        return False
    code = "import tkinter; tkinter.Tk().destroy()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    return done.returncode == 0
