"""Texts are selected, copied and opened as in every other program."""

from __future__ import annotations

import tkinter
from typing import Any

import pytest

from desktop_client.presenters.views import Bubble, ConversationHead
from desktop_client.widgets.block import Block
from desktop_client.windows import link, samples
from desktop_client.windows.base import walk
from desktop_client.windows.driver import Hand
from desktop_client.windows.link import LinkWindow
from tests.gui.conftest import Desk
from tests.gui.strange import STRANGE


class Mouse:
    """Presses and drags over the texts of one canvas."""

    def __init__(self, hand: Hand, canvas: tkinter.Canvas) -> None:
        self.hand = hand
        self.canvas = canvas

    def at(self, block: Block, part: str, *, end: bool = False) -> tuple[int, int]:
        """The window place of a part of a text: of its left end, or of its right."""
        start = block.text.index(part)
        box = block.boxes(start, start + len(part))[-1 if end else 0]
        x = box[2] - 1 if end else box[0] + 1
        return round(x - self.canvas.canvasx(0)), round((box[1] + box[3]) / 2 - self.canvas.canvasy(0))

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        self.canvas.event_generate("<ButtonPress-1>", x=start[0], y=start[1])
        self.canvas.event_generate("<B1-Motion>", x=end[0], y=end[1])
        self.canvas.event_generate("<ButtonRelease-1>", x=end[0], y=end[1])
        self.hand.settle()

    def click(self, place: tuple[int, int], times: int = 1) -> None:
        for _n in range(times):
            self.canvas.event_generate("<ButtonPress-1>", x=place[0], y=place[1])
            self.canvas.event_generate("<ButtonRelease-1>", x=place[0], y=place[1])
        self.hand.settle()

    def copied(self) -> str:
        """What Ctrl+C puts into the clipboard."""
        self.canvas.clipboard_clear()
        self.canvas.event_generate("<Control-c>")
        self.hand.settle()
        try:
            return self.canvas.clipboard_get()
        except tkinter.TclError:
            return ""


class Chat:
    """A chat with these texts."""

    def __init__(self, desk: Desk, *texts: str) -> None:
        self.hand = desk.open("chat")
        self.window: Any = self.hand.window
        self.window.show_entries([Bubble(str(n), n % 2 == 1, "Wang", text) for n, text in enumerate(texts)])
        self.hand.settle()
        self.stream = self.window.widgets.stream
        self.mouse = Mouse(self.hand, self.stream.canvas)

    def block(self, index: int) -> Block:
        return self.stream.drawn()[index].selectable[0]


@pytest.fixture
def menus(monkeypatch: pytest.MonkeyPatch) -> list[tkinter.Menu]:
    """The menus that were opened, without the grab that a real one takes."""
    opened: list[tkinter.Menu] = []
    monkeypatch.setattr(tkinter.Menu, "tk_popup", lambda menu, *_a, **_k: opened.append(menu))
    return opened


def labels(menu: tkinter.Menu) -> list[str]:
    last = menu.index("end")
    return [menu.entrycget(n, "label") for n in range((last or 0) + 1) if menu.type(n) == "command"]


def test_a_drag_selects_and_ctrl_c_copies(desk: Desk) -> None:
    chat = Chat(desk, "the number is 88201402, thanks")
    block = chat.block(0)
    chat.mouse.drag(chat.mouse.at(block, "88201402"), chat.mouse.at(block, "88201402", end=True))
    assert chat.mouse.copied() == "88201402"
    assert chat.stream.canvas.find_withtag("selection"), "what is selected is seen"
    assert chat.stream.canvas.selection_get(selection="PRIMARY") == "88201402"


def test_two_clicks_take_the_word_and_three_the_text(desk: Desk) -> None:
    chat = Chat(desk, "电费 first 7F3K-92QD second\nline", "other")
    place = chat.mouse.at(chat.block(0), "second")
    chat.mouse.click((place[0] + 4, place[1]), 2)
    assert chat.mouse.copied() == "second"
    chat.mouse.click((place[0] + 4, place[1]), 3)
    assert chat.mouse.copied() == "电费 first 7F3K-92QD second\nline"


def test_a_drag_over_several_messages_copies_them_in_order(desk: Desk) -> None:
    chat = Chat(desk, "one two", "three", "four five")
    start, end = chat.mouse.at(chat.block(0), "two"), chat.mouse.at(chat.block(2), "four", end=True)
    chat.mouse.drag(start, end)
    assert chat.mouse.copied() == "two\nthree\nfour"
    chat.mouse.drag(end, start)
    assert chat.mouse.copied() == "two\nthree\nfour"


def test_what_scrolled_away_while_it_was_selected_is_copied_too(desk: Desk) -> None:
    chat = Chat(desk, *(f"message {n}" for n in range(120)))
    chat.stream.see(0)
    chat.hand.settle()
    last = "message 119"
    chat.stream.canvas.focus_force()
    chat.stream.selecting.select(((0, 0), 0), ((119, 0), len(last)))
    assert chat.mouse.copied() == "\n".join(f"message {n}" for n in range(120))


def test_emoji_are_selected_whole_and_copied_as_they_were_sent(desk: Desk) -> None:
    family = "👨\u200d👩\u200d👧\u200d👦"
    chat = Chat(desk, f"we {family} go ❤\ufe0f home")
    block = chat.block(0)
    chat.mouse.drag(chat.mouse.at(block, family), chat.mouse.at(block, "❤\ufe0f", end=True))
    assert chat.mouse.copied() == f"{family} go ❤\ufe0f"
    assert chat.stream.canvas.selection_get(selection="PRIMARY") == f"{family} go ❤\ufe0f"


def test_right_to_left_text_is_copied_in_its_own_order(desk: Desk) -> None:
    chat = Chat(desk, "المبلغ 86.40 שלום")
    block = chat.block(0)
    box = block.boxes(0, len("المبلغ"))[0]
    canvas = chat.stream.canvas
    y = round((box[1] + box[3]) / 2 - canvas.canvasy(0))
    chat.mouse.drag((round(box[2]) - 1, y), (round(box[0]) + 1, y))
    assert chat.mouse.copied() == "المبلغ"


def test_whatever_was_sent_comes_whole_out_of_the_clipboard(desk: Desk) -> None:
    chat = Chat(desk, "x")
    for name, text in STRANGE.items():
        if "\0" in text:
            continue  # no clipboard carries a zero
        chat.window.show_entries([Bubble("1", False, "Wang", text)])
        chat.stream.selecting._select_entry((0, 0))
        assert chat.stream.selecting.text() == text, name


def test_a_new_selection_ends_the_one_before(desk: Desk) -> None:
    chat = Chat(desk, "one two")
    bill = desk.open("bill")
    chat.mouse.click(chat.mouse.at(chat.block(0), "one"), 3)
    canvas = bill.window.widgets.stream.canvas
    Mouse(bill, canvas).click((canvas.winfo_width() // 2, 20), 3)
    bill.window.widgets.stream.selecting._select_entry((1, 0))
    assert not chat.stream.canvas.find_withtag("selection")


def test_escape_ends_the_selection_before_it_closes_the_window(desk: Desk) -> None:
    chat = Chat(desk, "one two")
    chat.mouse.click(chat.mouse.at(chat.block(0), "one"), 3)
    chat.hand.press("Escape")
    assert chat.hand.is_open() and chat.stream.selecting.text() == ""
    chat.hand.press("Escape")
    assert not chat.hand.is_open()


def test_numbers_and_receipts_on_cards_are_copied(desk: Desk, menus: list[tkinter.Menu]) -> None:
    bill = desk.open("bill")
    stream = bill.window.widgets.stream
    mouse = Mouse(bill, stream.canvas)
    number = next(b for _place, b in stream.selectable() if b.text == "7F3K-92QD-XW41")
    mouse.click(mouse.at(number, "92QD"), 3)
    assert mouse.copied() == "7F3K-92QD-XW41"
    x, y = mouse.at(number, "92QD")
    stream.canvas.event_generate("<ButtonPress-3>", x=x, y=y)
    bill.settle()
    assert labels(menus[-1]) == ["Copy", "Copy all", "Select all", "Save receipt"]
    menus[-1].invoke("Copy all")
    assert "Receipt: 7F3K-92QD-XW41" in stream.canvas.clipboard_get()


def test_the_menu_key_opens_the_menu_of_the_selection(desk: Desk, menus: list[tkinter.Menu]) -> None:
    chat = Chat(desk, "one", "two https://example.com/a", "three")
    chat.mouse.click(chat.mouse.at(chat.block(1), "two"), 3)
    chat.stream.canvas.event_generate("<Shift-F10>")
    assert labels(menus[-1])[:2] == ["Copy", "Copy all"]
    menus[-1].invoke("Copy all")
    assert chat.stream.canvas.clipboard_get() == "two https://example.com/a"


def test_names_ids_and_words_outside_of_conversations_are_copied(desk: Desk) -> None:
    chat = Chat(desk, "x")
    chat.window.show_head(ConversationHead(samples.WANG, "member", "Wang 🦊 Lei", "room 402", "online"))
    chat.hand.settle()
    mouse = Mouse(chat.hand, chat.window.widgets.head)
    mouse.click(mouse.at(chat.window._texts[0], "Wang"), 3)
    assert mouse.copied() == "Wang 🦊 Lei"
    roster = desk.open("roster")
    header = roster.window.widgets.header
    mouse = Mouse(roster, header)
    mouse.click(mouse.at(header._texts[2], "10234"), 2)
    assert mouse.copied() == "10234"
    bill = desk.open("bill_outcomes")
    banner = bill.window.widgets.banner
    mouse = Mouse(bill, banner)
    mouse.click(mouse.at(banner._block, "Reconnecting"), 2)
    assert mouse.copied() == "Reconnecting"


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was asked to open."""
    asked: list[str] = []
    monkeypatch.setattr(link.webbrowser, "open", lambda target: asked.append(target) or True)
    return asked


def test_a_link_opens_only_after_it_was_shown_where_it_leads(
    desk: Desk, browser: list[str], menus: list[tkinter.Menu]
) -> None:
    chat = Chat(desk, "see (https://аpple.com/pay?x=1), ok?")
    block = chat.block(0)
    place = chat.mouse.at(block, "pay")
    chat.mouse.click(place)
    window = next(w for w in chat.window._opened if isinstance(w, LinkWindow))
    asking = desk.hold(window)
    assert browser == []
    assert "xn--pple-43d.com" in asking.texts()
    assert asking.shows("https://xn--pple-43d.com/pay?x=1")
    asking.click("cancel")
    assert browser == [] and not asking.is_open()
    chat.mouse.click(place)
    asking = desk.hold(next(w for w in chat.window._opened if w.is_open()))
    asking.click("open_link")
    assert browser == ["https://xn--pple-43d.com/pay?x=1"]
    chat.stream.canvas.event_generate("<ButtonPress-3>", x=place[0], y=place[1])
    chat.hand.settle()
    assert labels(menus[-1])[:2] == ["Open link…", "Copy link"]
    menus[-1].invoke("Copy link")
    assert chat.stream.canvas.clipboard_get() == "https://xn--pple-43d.com/pay?x=1"


def test_selecting_over_a_link_does_not_open_it(desk: Desk, browser: list[str]) -> None:
    chat = Chat(desk, "see https://example.com/pay now")
    block = chat.block(0)
    chat.mouse.drag(chat.mouse.at(block, "https"), chat.mouse.at(block, "pay", end=True))
    assert chat.mouse.copied() == "https://example.com/pay"
    assert chat.window._opened == [] and browser == []


def test_a_contact_is_copied_from_the_menu_of_its_row(desk: Desk, menus: list[tkinter.Menu]) -> None:
    roster = desk.open("roster")
    rows = roster.window.widgets.list
    index = rows.index_of_name("Wang Lei")
    rows._select(index)
    rows.canvas.event_generate("<Shift-F10>")
    assert labels(menus[-1]) == ["Open", "Copy name", "Copy number", "Copy “my half of the power bill”"]
    menus[-1].invoke("Copy number")
    assert rows.canvas.clipboard_get() == "10001"
    top, bottom = rows.place_of(rows.index_of_name("Electricity 电费"))
    rows.canvas.event_generate("<ButtonPress-3>", x=100, y=(top + bottom) // 2)
    menus[-1].invoke("Copy name")
    assert rows.canvas.clipboard_get() == "Electricity 电费"
    menus[-1].invoke("Copy “¥ 86.40”")
    assert rows.canvas.clipboard_get() == "¥ 86.40"


def test_the_words_of_a_key_are_selected_and_copied(desk: Desk) -> None:
    trust = desk.open("trust")
    canvas = next(w for w in walk(trust.window.top) if isinstance(w, tkinter.Canvas) and len(w.find_all()) > 5)
    trust.settle()
    canvas.focus_force()
    canvas.event_generate("<Control-a>")
    assert Mouse(trust, canvas).copied() == "river\ncandle\norbit\nmaple\nseven\nharbor"


def test_what_is_typed_after_a_selection_goes_into_the_input(desk: Desk) -> None:
    chat = Chat(desk, "one two")
    chat.window.set_draft("")
    chat.mouse.click(chat.mouse.at(chat.block(0), "two"), 2)
    assert chat.mouse.copied() == "two"
    chat.hand.press("x")
    assert chat.window.widgets.composer.get() == "x"


def test_a_notice_is_copied_from_its_menu(desk: Desk, menus: list[tkinter.Menu]) -> None:
    chat = Chat(desk, "one")
    chat.window.toast("Wang 🦊: saved to /tmp/receipt.json", "good")
    chat.hand.settle()
    chat.window._toasts["toast"].event_generate("<ButtonPress-3>", x=5, y=5)
    menus[-1].invoke("Copy")
    assert chat.stream.canvas.clipboard_get() == "Wang 🦊: saved to /tmp/receipt.json"
