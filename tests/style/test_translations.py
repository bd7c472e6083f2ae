"""Every text of the interface exists in Chinese, and the compiled catalogs are those of the sources."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from tests.style import sources

CATALOGS = [
    ("desktop_client", "assets/locale/zh_CN/LC_MESSAGES/billbuddy.po"),
    ("payment", "payment/locale/zh_CN/LC_MESSAGES/billbuddy-payment.po"),
]
MARKERS = {"_", "gettext", "N_"}
PLURAL_MARKERS = {"ngettext"}
PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def read(po: str) -> Catalog:
    with (sources.ROOT / po).open("rb") as file:
        return read_po(file)


def texts_in_sources(package: str) -> dict[str, str]:
    """Each English text given to gettext, and one place where it stands."""
    found: dict[str, str] = {}
    for path in sources.modules(package):
        for call in sources.calls(path):
            if sources.called_name(call) in MARKERS | PLURAL_MARKERS and call.args:
                first = call.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value:
                    found.setdefault(first.value, sources.where(path, call))
    return found


def msgid(message_id: object) -> str:
    return str(message_id[0] if isinstance(message_id, list | tuple) else message_id)


@pytest.mark.parametrize(("package", "po"), CATALOGS)
def test_every_text_is_translated(package: str, po: str) -> None:
    translated = {msgid(message.id) for message in read(po) if message.id and message.string and not message.fuzzy}
    missing = {text: place for text, place in texts_in_sources(package).items() if text not in translated}
    assert missing == {}


@pytest.mark.parametrize(("package", "po"), CATALOGS)
def test_catalog_has_no_text_that_nobody_shows(package: str, po: str) -> None:
    used = texts_in_sources(package)
    assert [msgid(message.id) for message in read(po) if message.id and msgid(message.id) not in used] == []


@pytest.mark.parametrize(("package", "po"), CATALOGS)
def test_translations_keep_the_placeholders(package: str, po: str) -> None:
    wrong = []
    for message in read(po):
        if message.id and isinstance(message.string, str):
            wanted = set(PLACEHOLDER.findall(msgid(message.id)))
            if wanted != set(PLACEHOLDER.findall(message.string)):
                wrong.append(msgid(message.id))
    assert wrong == []


@pytest.mark.parametrize(("package", "po"), CATALOGS)
def test_compiled_catalog_is_up_to_date(package: str, po: str) -> None:
    mo = (sources.ROOT / po).with_suffix(".mo")
    with mo.open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        msgid(message.id)
        for message in read(po)
        if message.id and isinstance(message.string, str) and compiled.gettext(msgid(message.id)) != message.string
    ]
    assert stale == [], f"run python3 build_scripts/catalogs.py ({Path(po).name})"
