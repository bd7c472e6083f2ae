"""Folders whose names the locale has no characters for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from desktop_client.assets_path import ASSETS

OPEN_A_WINDOW = """
import sys
from pathlib import Path
from desktop_client import assets_path
assets_path.ASSETS = Path(sys.argv[1])
from desktop_client.windows import base
root = base.make_root()
base.set_icon(type("Ui", (), {"root": root})())
root.destroy()
"""


def test_the_window_opens_from_a_chinese_folder_in_a_locale_without_chinese(display: str, tmp_path: Path) -> None:
    folder = tmp_path / "电费 盒" / "assets"
    shutil.copytree(ASSETS / "icon", folder / "icon")
    # As the packaged program starts: Python speaks UTF-8, Tcl the locale's ASCII.
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "1", "DISPLAY": display}
    done = subprocess.run(
        [sys.executable, "-c", OPEN_A_WINDOW, str(folder)],
        env={**os.environ, **locale},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
