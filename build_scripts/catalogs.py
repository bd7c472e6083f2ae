"""Compile the translations: every .po of the checkout to the .mo beside it.

    python3 build_scripts/catalogs.py

The compiled catalogs are committed, so that a checkout runs without this step; a test fails when they are older.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from build_scripts import common


def catalogs() -> list[Path]:
    return sorted(path for room in ("assets", "payment") for path in (common.ROOT / room).rglob("*.po"))


def compile_catalog(po: Path) -> int:
    """Returns the number of texts in it."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with po.open("rb") as source:
        catalog = read_po(source)
    with po.with_suffix(".mo").open("wb") as target:
        write_mo(target, catalog)
    return len(catalog)


def main() -> int:
    argparse.ArgumentParser(prog="catalogs.py", description=__doc__.splitlines()[0]).parse_args()
    try:
        common.enter_venv(Path(__file__).resolve(), common.ensure_venv("test"))
    except common.SetupError as error:
        common.say(str(error))
        return 1
    for po in catalogs():
        common.say(f"{po.relative_to(common.ROOT)}: {compile_catalog(po)} texts")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
