"""The largest and strangest texts that the wire allows, in every place of a window where texts of others stand."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from desktop_client.presenters.views import (
    Bubble,
    Card,
    CardButton,
    CardRow,
    ConversationHead,
    FormCard,
    FormField,
    Me,
    RosterGroup,
    RosterRow,
    TimeMark,
)
from desktop_client.theme import Ui
from desktop_client.widgets import paint
from desktop_client.windows import samples
from tests.gui.conftest import Desk
from tests.gui.strange import STRANGE

pytestmark = pytest.mark.slow

DRAW_SECONDS_MAX = 5.0  # of processor time for one text in all places; 0.2 is usual, minutes were possible


class Sizes:
    """Notes the size of every picture that is drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.highest = self.widest = 0
        drawn = paint.ImageTk.PhotoImage

        def noting(image: paint.Image.Image, **options: object) -> object:
            self.widest, self.highest = max(self.widest, image.width), max(self.highest, image.height)
            return drawn(image, **options)

        monkeypatch.setattr(paint.ImageTk, "PhotoImage", noting)


def card_of(text: str) -> Card:
    rows = (CardRow(text, text), CardRow("Amount", text, strong=True), *(CardRow(text[:9], "1") for _ in range(40)))
    buttons = (CardButton("pay", text), CardButton("other", text, "outline"))
    return Card("card", text, "good", text, text, text, "danger", rows, buttons, text)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_no_text_that_the_wire_allows_harms_a_window(desk: Desk, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ui = Ui(desk.windows.root, "light", scale)
    sizes = Sizes(monkeypatch)
    chat, bill, roster = desk.hold(samples.chat(ui)), desk.hold(samples.bill(ui)), desk.hold(samples.roster(ui))

    def head(text: str) -> None:
        chat.window.show_head(ConversationHead(samples.WANG, "member", text, text, "online"))
        bill.window.show_head(ConversationHead(100, "biller", text, text, "online", text, text, text))

    places: list[Callable[[str], None]] = [
        lambda t: chat.window.show_entries(
            [TimeMark(t), Bubble("1", False, t, t), Bubble("2", True, "me", t, t, failed=True)]
        ),
        lambda t: bill.window.show_entries(
            [card_of(t), FormCard("f", t, t, (FormField("a", "text", t, t[:64], "", t, t[:64]),), t, t)]
        ),
        head,
        lambda t: chat.window.show_banner(t, "warning"),
        lambda t: roster.window.show_groups(
            [RosterGroup("g", t, t, (RosterRow(1, "member", t, t, "online", trailing=t),))]
        ),
        lambda t: roster.window.show_me(Me(1, t, "online", t, "¥ 1.00")),
        lambda t: roster.window.show_toast(t, "danger"),
    ]
    for name, text in STRANGE.items():
        begun = time.process_time()
        for show in places:
            show(text)
        desk.driver.pump()
        assert time.process_time() - begun < DRAW_SECONDS_MAX, name
        stream = chat.window.widgets.stream
        assert stream._tops[-1] < ui.px(2_000), f"{name}: the bubbles fill several screens"
        assert bill.window.widgets.stream._tops[-1] < ui.px(4_000), f"{name}: the card fills many screens"
        chat.window.show_banner("", "plain")
    assert sizes.highest <= paint.HEIGHT_PX_MAX and sizes.widest <= paint.WIDTH_PX_MAX
    assert chat.is_open() and bill.is_open() and roster.is_open()


def test_a_long_message_is_folded_and_can_be_read_to_its_end(desk: Desk) -> None:
    chat = desk.open("chat")
    text = "\n".join(f"line {n}" for n in range(600))
    chat.window.show_entries([Bubble("1", False, "Wang", text)])
    assert chat.shows("line 3") and not chat.shows("line 599")
    assert chat.window.widgets.stream._tops[-1] < 600
    chat.click_card_button("show_all")
    reader = desk.hold(chat.window._opened[0])
    assert reader.shows("line 3")
    reader.window.widgets.view.scroll_to_end()
    assert reader.shows("line 599")
    reader.window.top.focus_force()
    reader.press("Escape")
    assert not reader.is_open() and chat.is_open()


def test_a_folded_card_shows_all_that_it_says(desk: Desk) -> None:
    bill = desk.open("bill")
    rows = tuple(CardRow(f"Line {n} 电费", f"¥ {n}.00") for n in range(300))
    bill.window.show_entries([Card("c", headline="November", rows=rows)])
    assert bill.shows("Line 29 电费") and bill.window.widgets.stream._tops[-1] < 1_400
    assert not bill.shows("Line 299 电费")
    bill.click_card_button("show_all")
    reader = desk.hold(bill.window._opened[0])
    reader.window.widgets.view.scroll_to_end()
    assert reader.shows("Line 299 电费: ¥ 299.00")


def test_a_short_message_has_nothing_to_show_all_of(desk: Desk) -> None:
    chat = desk.open("chat")
    chat.window.show_entries([Bubble("1", False, "Wang", "short\ntext")])
    chat.settle()
    assert "show_all" not in chat.window.buttons()
