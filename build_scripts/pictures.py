"""Draws the bundled pictures anew: the application's icon (svg, png, ico) and the colour emoji of bill-pay contacts.

    python3 build_scripts/pictures.py [--font NotoColorEmoji.ttf]

Needed only when a picture is to change; the results are committed. Without --font only the icon and our own drawings.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common


def main() -> int:
    parser = argparse.ArgumentParser(prog="pictures.py", description=__doc__.splitlines()[0])
    parser.add_argument("--font", default="", help="the file of Noto Color Emoji")
    options = parser.parse_args()
    try:
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv())
    except common.SetupError as error:
        common.say(str(error))
        return 1
    from build_scripts import drawing

    drawing.write_icon()
    drawing.write_emoji(options.font)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
