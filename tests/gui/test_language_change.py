"""After a change of language no window shows a text of the language before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_client.i18n import catalog_path, parse_po
from im_protocol.limits import PAYMENT_ID
from tests.desktop_client.peer import WANG, Peer
from tests.desktop_client.subsystem import ELECTRICITY, WATER
from tests.gui.conftest import Desk
from tests.gui.whole import Whole, whole

LETTERS_MIN = 4  # "{n}" and the like say nothing of a language
# What the small subsystem of these tests says in English whoever asks; the real one answers in the member's language.
OF_THE_SUBSYSTEM = ("Usage 144", "Late fee", "Electricity · November", "Customer number", "On your old", "Asked once")
TIMES = re.compile(r"\d{2}:\d{2} ✓|[\d.:/ -]+")


def patterns(place: int) -> list[re.Pattern[str]]:
    """What each text of one language looks like with anything in its places; 0 English, 1 Chinese."""
    found = []
    for pair in parse_po(catalog_path("zh_CN").read_text("utf-8")).items():
        if pair[0] != pair[1] and len(re.sub(r"\{.*?\}|\W", "", pair[place])) >= (LETTERS_MIN if place == 0 else 1):
            for form in pair[place].split("\0"):
                found.append(re.compile(re.sub(r"\\\{.*?\\\}", "(.+)", re.escape(form.strip())), re.DOTALL))
    return found


def shown_in(home: Whole, forms: list[re.Pattern[str]]) -> list[str]:
    """Texts of the open windows, and their parts, that are of a language."""
    texts = [t for window in home.windows.open_windows() for t in [*window.texts(), window.top.title()]]
    parts = {part.strip() for text in texts for part in [text, *re.split(r" · |—|\n", text)]}
    parts = {p for p in parts if not TIMES.fullmatch(p) and not p.startswith(OF_THE_SUBSYSTEM)}
    return sorted(p for p in parts if any(form.fullmatch(p) for form in forms))


@pytest.fixture
def home(desk: Desk, tmp_path: Path) -> Iterator[Whole]:
    with Peer() as peer, whole(desk.windows, peer, tmp_path) as made:
        yield made


def test_no_text_of_the_language_before_is_left(home: Whole) -> None:
    roster = home.sign_in()
    home.windows.on_language = lambda which: home.app.redraw()
    home.app.open_contact(ELECTRICITY)
    home.app.open_contact(WATER)
    home.app.open_contact(PAYMENT_ID)
    home.open_chat(WANG)
    home.app.conversations[WANG].send("hello")  # type: ignore[union-attr]
    home.app.conversations[WANG].send("123456")  # type: ignore[union-attr]
    home.driver.wait_until(lambda: home.app.conversations[ELECTRICITY]._bills, "the bill")  # type: ignore[union-attr]
    home.app.conversations[ELECTRICITY].act("bill-7", "pay")
    home.app.conversations[PAYMENT_ID].act("account-0234", "set-pin")
    english, chinese = patterns(0), patterns(1)
    for lang, left, wanted in (("zh_CN", english, chinese), ("en", chinese, english)):
        assert len(shown_in(home, left)) > 20, "there is something to change"
        roster.window.on_language(lang)
        home.driver.wait_until(lambda: not home.app.client.session._waiting)
        assert shown_in(home, left) == []
        assert len(shown_in(home, wanted)) > 20
