"""A picture of every screen with sample data: light and dark, English and Chinese, and a page to look at them.

    python3 build_scripts/gallery.py --out DIR

The real widgets on a virtual display that this starts itself (Xvfb); nothing is shown on the screen.
"""

from __future__ import annotations

import argparse
import html
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from build_scripts import common  # noqa: E402

MODES = ("light", "dark")
LANGUAGES = ("en", "zh_CN")
SCREEN = "1400x1000x24"
SETTLE_TURNS = 4  # turns of the event loop until all sizes are final

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>BillBuddy: every screen</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; background: #eef1f5; color: #1f2329 }}
h2 {{ margin: 2rem 0 .5rem }}
.row {{ display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: flex-start }}
figure {{ margin: 0 }} figcaption {{ color: #5f6875; font-size: .8rem; margin-top: .3rem }}
img {{ border-radius: 8px; box-shadow: 0 2px 14px rgba(0, 0, 0, .18); display: block }}
</style></head><body><h1>BillBuddy: every screen</h1>
{sections}
</body></html>
"""


def take_pictures(folder: Path, display: str) -> list[str]:
    """Save each screen as SCREEN-MODE-LANG.png; returns the names of the screens."""
    from PIL import ImageGrab

    from desktop_client.i18n import set_language
    from desktop_client.theme import Ui
    from desktop_client.windows.base import make_root
    from desktop_client.windows.samples import SCREENS

    root = make_root()
    for lang in LANGUAGES:
        set_language(lang)
        for mode in MODES:
            ui = Ui(root, mode)
            for name, make in SCREENS.items():
                window = make(ui)
                window.place(0, 0)
                for _turn in range(SETTLE_TURNS):
                    root.update()
                top = window.top
                left, upper = top.winfo_rootx(), top.winfo_rooty()
                area = (left, upper, left + top.winfo_width(), upper + top.winfo_height())
                ImageGrab.grab(bbox=area, xdisplay=display).save(folder / f"{name}-{mode}-{lang}.png")
                window.close()
    root.destroy()
    return list(SCREENS)


def write_page(folder: Path, names: list[str]) -> Path:
    """The page that shows all pictures, one section a screen."""
    sections = []
    for name in names:
        figures = "".join(
            f'<figure><img src="{name}-{mode}-{lang}.png" alt=""><figcaption>{mode}, {lang}</figcaption></figure>'
            for lang in LANGUAGES
            for mode in MODES
        )
        title = html.escape(name.replace("_", " "))
        sections.append(f'<section><h2>{title}</h2><div class="row">{figures}</div></section>')
    page = folder / "index.html"
    page.write_text(PAGE.format(sections="\n".join(sections)), encoding="utf-8")
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description="Save a picture of every screen.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the pictures and index.html")
    folder = parser.parse_args().out.absolute()
    try:
        common.ensure_system([*common.PYTHON_NEEDS, *common.FONT_NEEDS, *common.DISPLAY_NEEDS])
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv())
        folder.mkdir(parents=True, exist_ok=True)
        with common.virtual_display(SCREEN) as display:
            os.environ["DISPLAY"] = display
            names = take_pictures(folder, display)
    except common.SetupError as error:
        common.say(str(error))
        return 1
    page = write_page(folder, names)
    common.say(f"{len(names) * len(MODES) * len(LANGUAGES)} pictures; open {page}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
