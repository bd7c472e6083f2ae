"""Writing with emoji: each is a picture and one sign for the cursor; what is sent is what was written."""

from __future__ import annotations

import time
from typing import Any

import pytest
from PIL import ImageTk

from desktop_client.widgets.emoji_text import EmojiText
from desktop_client.windows.driver import Hand
from tests.gui.conftest import Desk
from tests.gui.strange import STRANGE

FAMILY = "👨\u200d👩\u200d👧\u200d👦"


class Writing:
    """A chat's input with the focus in it."""

    def __init__(self, desk: Desk, text: str = "") -> None:
        self.hand: Hand = desk.open("chat")
        self.window: Any = self.hand.window
        self.sent: list[str] = []
        self.window.on_send_text = self.sent.append
        self.window.set_draft(text)
        self.text: EmojiText = self.window.widgets.composer.text
        self.text.focus_force()
        self.text.mark_set("insert", "end-1c")
        self.hand.settle()

    def get(self) -> str:
        return str(self.window.widgets.composer.get())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.hand.press(key)
        self.hand.settle()

    def pictures(self) -> int:
        return len(self.text.image_names())

    def drawn(self) -> str:
        """The characters that Tk draws: those that are not hidden."""
        shown, hidden = "", False
        for kind, value, _index in self.text.dump("1.0", "end-1c", text=True, tag=True):
            if kind == "tagon" and value == "emoji":
                hidden = True
            elif kind == "tagoff" and value == "emoji":
                hidden = False
            elif kind == "text" and not hidden:
                shown += value
        return shown


def test_emoji_are_pictures_while_they_are_written(desk: Desk) -> None:
    writing = Writing(desk, f"a😀b{FAMILY} ❤\ufe0f c")
    assert writing.get() == f"a😀b{FAMILY} ❤\ufe0f c"
    assert writing.pictures() == 3
    assert writing.drawn() == "ab  c"


def test_what_is_sent_is_what_was_written(desk: Desk) -> None:
    writing = Writing(desk)
    writing.hand.type_text(f"see {FAMILY}👍🏽 at 8")
    assert writing.pictures() == 2
    writing.press("Return")
    assert writing.sent == [f"see {FAMILY}👍🏽 at 8"]
    assert writing.get() == "" and writing.pictures() == 0


def test_the_cursor_steps_over_an_emoji_as_one_sign(desk: Desk) -> None:
    writing = Writing(desk, f"a{FAMILY}")
    writing.press("Left")
    writing.hand.type_text("x")
    assert writing.get() == f"ax{FAMILY}"
    writing.press("Right")
    writing.hand.type_text("y")
    assert writing.get() == f"ax{FAMILY}y"
    writing.press("Home", "Right", "Right", "Right")
    writing.hand.type_text("z")
    assert writing.get() == f"ax{FAMILY}zy"


def test_a_key_deletes_an_emoji_whole(desk: Desk) -> None:
    writing = Writing(desk, f"a{FAMILY}🇨🇳")
    writing.press("BackSpace")
    assert writing.get() == f"a{FAMILY}" and writing.pictures() == 1
    writing.press("Left", "Delete")
    assert writing.get() == "a" and writing.pictures() == 0


def test_undo_brings_emoji_back_and_redo_takes_them_again(desk: Desk) -> None:
    writing = Writing(desk)
    writing.hand.type_text("hi ")
    writing.hand.click("emoji")
    writing.hand.click("emoji_thumbs_up")
    writing.hand.click("emoji_heart")
    assert writing.get() == "hi 👍❤️"
    writing.press("BackSpace", "BackSpace")
    assert writing.get() == "hi "
    writing.press("Control-z")
    assert writing.get() == "hi 👍" and writing.pictures() == 1
    writing.press("Control-z")
    assert writing.get() == "hi 👍❤️" and writing.pictures() == 2
    writing.press("Control-y")
    assert writing.get() == "hi 👍" and writing.pictures() == 1


def test_a_selection_is_copied_with_its_emoji_and_replaced_by_a_paste(desk: Desk) -> None:
    writing = Writing(desk, f"a{FAMILY}b")
    writing.press("Control-a")
    writing.press("Control-c")
    assert writing.text.clipboard_get() == f"a{FAMILY}b"
    writing.text.clipboard_clear()
    writing.text.clipboard_append("🎉!")
    writing.press("Control-v")
    assert writing.get() == "🎉!" and writing.pictures() == 1


@pytest.mark.parametrize("name", ["emoji", "families", "flags", "halves of flags", "keycaps", "one endless family"])
def test_a_full_draft_of_emoji_is_dressed_at_once(desk: Desk, name: str) -> None:
    writing = Writing(desk)
    begun = time.process_time()
    writing.window.set_draft(STRANGE[name])
    assert time.process_time() - begun < 5.0  # 0.5 is usual
    assert writing.get() == STRANGE[name]
    assert writing.drawn().strip(" \u200d") == ""


def test_a_tick_is_seen_on_a_dark_ground_and_a_black_heart_stays_black(desk: Desk) -> None:
    def darkest(key: str, color: str) -> int:
        picture = desk.ui.paint.sign(key, 32, color=color)
        pixels = ImageTk.getimage(picture).convert("RGBA").get_flattened_data()
        return max(max(p[:3]) for p in pixels if p[3] > 200)

    assert darkest("✔", desk.ui.c.text) < 100
    desk.ui.use("dark")
    assert darkest("✔", desk.ui.c.text) > 200
    assert darkest("🖤", desk.ui.c.text) < 100
