"""Texts in the member's language through gettext. The catalog is assets/locale/LANG/LC_MESSAGES/billbuddy.po.

The compiled .mo lies beside it, so that no msgfmt is needed to run; `python -m desktop_client.i18n` writes it anew.
"""

from __future__ import annotations

import ast
import gettext
import io
import locale
import os
import struct
from pathlib import Path

from desktop_client.assets_path import asset

DOMAIN = "billbuddy"
LANGUAGES = ("en", "zh_CN")
MO_MAGIC = 0x950412DE  # GNU gettext manual, "The Format of GNU MO Files"

_state: dict[str, gettext.NullTranslations] = {"catalog": gettext.NullTranslations()}
_language = {"now": "en"}


def _(message: str) -> str:
    """The text in the language that is set."""
    return _state["catalog"].gettext(message) if message else ""


def ngettext(one: str, many: str, count: int) -> str:
    """The form of a text that goes with a count."""
    return _state["catalog"].ngettext(one, many, count)


def language() -> str:
    """The language that is set: en or zh_CN."""
    return _language["now"]


def set_language(lang: str) -> str:
    """Choose the language of all texts from now on; one that we don't have is English. Returns what was chosen."""
    chosen = _known(lang)
    _state["catalog"] = _load(chosen)
    _language["now"] = chosen
    return chosen


def system_language() -> str:
    """The language that the system is set to, as one of LANGUAGES."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return _known(value.split(":")[0])
    try:
        return _known(locale.getlocale()[0] or "")
    except ValueError:
        return "en"


def _known(lang: str) -> str:
    return "zh_CN" if lang.lower().startswith(("zh", "chinese")) else "en"


def catalog_path(lang: str) -> Path:
    """The .po file of a language."""
    return asset("locale", lang, "LC_MESSAGES", f"{DOMAIN}.po")


def _load(lang: str) -> gettext.NullTranslations:
    source = catalog_path(lang)
    compiled = source.with_suffix(".mo")
    if compiled.exists():
        return gettext.GNUTranslations(io.BytesIO(compiled.read_bytes()))
    if source.exists():  # a checkout whose .mo was cleaned away
        return gettext.GNUTranslations(io.BytesIO(compile_po(source.read_text(encoding="utf-8"))))
    return gettext.NullTranslations()


def parse_po(text: str) -> dict[str, str]:
    """The messages of a .po file: msgid (singular, NUL, plural) to msgstr (forms joined by NUL); no fuzzy ones."""
    messages: dict[str, str] = {}
    for block in text.replace("\r\n", "\n").split("\n\n"):
        parts: dict[str, str] = {}
        key, fuzzy = "", False
        for line in block.split("\n"):
            if line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
            elif line.startswith('"'):
                parts[key] += ast.literal_eval(line)
            elif line.strip():
                key, quoted = line.split(" ", 1)
                parts[key] = ast.literal_eval(quoted)
        if "msgid" in parts and not fuzzy:
            msgid = "\0".join(parts[k] for k in ("msgid", "msgid_plural") if k in parts)
            forms = [value for k, value in sorted(parts.items()) if k.startswith("msgstr")]
            messages[msgid] = "\0".join(forms)
    return messages


def compile_po(text: str) -> bytes:
    """The .mo form of a .po text (little endian, no hash table), sorted, the same bytes for the same text."""
    messages = sorted((k.encode(), v.encode()) for k, v in parse_po(text).items() if v.strip("\0"))
    start = 7 * 4 + 16 * len(messages)
    table: tuple[list[bytes], list[bytes]] = ([], [])
    blob = b""
    for column in (0, 1):
        for message in messages:
            table[column].append(struct.pack("<II", len(message[column]), start + len(blob)))
            blob += message[column] + b"\0"
    head = struct.pack("<7I", MO_MAGIC, 0, len(messages), 28, 28 + 8 * len(messages), 0, 0)
    return head + b"".join(table[0]) + b"".join(table[1]) + blob


def compile_catalogs() -> list[Path]:
    """Write every .mo beside its .po; returns the files written."""
    written = []
    for source in sorted(asset("locale").glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        target = source.with_suffix(".mo")
        target.write_bytes(compile_po(source.read_text(encoding="utf-8")))
        written.append(target)
    return written


if __name__ == "__main__":
    compile_catalogs()
