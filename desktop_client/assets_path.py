"""Where the bundled files are: beside the packages in a checkout, in the bundle's folder in a frozen app."""

from __future__ import annotations

import sys
from pathlib import Path

ASSETS = Path(getattr(sys, "_MEIPASS", Path(__file__).resolve().parent.parent)) / "assets"


def asset(*parts: str) -> Path:
    """The path of one bundled file, for example asset("emoji", "water.png")."""
    return ASSETS.joinpath(*parts)
