"""Finds the links of a text, and tells where one really leads. No tkinter here."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

ADDRESS_CHARS_MAX = 2_000  # browsers take no longer ones
LINKS_MAX = 50  # of one text; further ones are plain text

# The host may have letters of other alphabets. Chinese and kindred ones only where it begins with one: in a sentence of
# theirs no space stands between an address and the next word. The path is ASCII, as browsers copy it.
_EAST = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W_{_EAST}]"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|[{_EAST}][\w{_EAST}.-]*|{_LETTER}+(?:[.-]+{_LETTER}+)*)"
_TAIL = r"(?::\d{1,5})?(?:[/?#][!-~]*)?"
_WEB = rf"https?://(?:[!-.0-;=?A-~]{{1,200}}@)?{_HOST}{_TAIL}"
_MAIL = r"mailto:[A-Za-z0-9.!#$%&'*+=?^_`{|}~-]+@[A-Za-z0-9.-]+(?:\?[!-~]*)?"
_LINK = rf"(?<![A-Za-z0-9@./-])(?:{_WEB}|{_MAIL})"
_SAFE = "%:/?#[]@!$&'()*+,;=-._~"  # what an address may hold as it is
_STOPS = ".,;:!?'\"*_~`<>\\^|"
_PAIRS = {")": "(", "]": "[", "}": "{"}


class Link(NamedTuple):
    """A link in a text: from `start` to `end`; `target` is what a browser is given, all ASCII."""

    start: int
    end: int
    target: str


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Made with the first text that may have a link: it takes longer than a window has to open."""
    return re.compile(_LINK, re.IGNORECASE)


@lru_cache(maxsize=256)
def find(text: str) -> tuple[Link, ...]:
    """The links of a text in order, without the stops and brackets of the sentence around them."""
    if "://" not in text and "mailto:" not in text.lower():
        return ()
    found: list[Link] = []
    for match in _pattern().finditer(text):
        address = _without_stops(match.group())
        target = _target(address)
        if target:
            found.append(Link(match.start(), match.start() + len(address), target))
        if len(found) == LINKS_MAX:
            break
    return tuple(found)


def shown_host(target: str) -> str:
    """Who is behind a link: its host as the network knows it (xn--…), or the address of a mail."""
    parts = urlsplit(target)
    return parts.path if parts.scheme == "mailto" else parts.hostname or ""


def _without_stops(address: str) -> str:
    while address:
        last = address[-1]
        if last in _STOPS or (last in _PAIRS and address.count(last) > address.count(_PAIRS[last])):
            address = address[:-1]
        else:
            break
    return address


def _target(address: str) -> str:
    """The address in ASCII; empty where it is none."""
    if len(address) > ADDRESS_CHARS_MAX:
        return ""
    try:
        parts = urlsplit(address)
        if parts.scheme.lower() == "mailto":
            return address if "@" in parts.path else ""
        host = (parts.hostname or "").encode("idna").decode("ascii") if not (parts.hostname or "").isascii() else ""
        if not parts.hostname or (parts.port is not None and not 0 < parts.port < 65_536):
            return ""
        return quote(address if not host else address.replace(_netloc_host(parts.netloc), host, 1), safe=_SAFE)
    except (ValueError, UnicodeError):
        return ""


def _netloc_host(netloc: str) -> str:
    """The host as it was written, without name, password and port."""
    host = netloc.rpartition("@")[2]
    return re.sub(r":\d*$", "", host)
