"""A message is unread until it can be seen, and says so in titles, in the roster and in the task bar."""

from __future__ import annotations

import os
import shutil
import subprocess
import tkinter
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_client.windows.driver import Hand
from desktop_client.windows.samples import SCREENS
from tests.desktop_client.peer import LIN, WANG, Peer
from tests.gui.conftest import Desk
from tests.gui.whole import Whole, is_urgent, states, whole

DEMANDS = "_NET_WM_STATE_DEMANDS_ATTENTION"


@pytest.fixture
def home(desk: Desk, tmp_path: Path) -> Iterator[Whole]:
    with Peer() as peer, whole(desk.windows, peer, tmp_path) as made:
        yield made


@pytest.fixture
def window_manager(display: str) -> Iterator[None]:
    """A small real one. It is not needed to use the program, so it may be missing here."""
    if shutil.which("openbox") is None:
        pytest.skip("openbox is not installed")
    process = subprocess.Popen(["openbox", "--sm-disable"], env=os.environ, stderr=subprocess.DEVNULL)
    yield
    process.terminate()
    process.wait()


def deliver(home: Whole, text: str) -> None:
    """A message of Wang comes, and is stored here."""
    assert home.app.client.member is not None
    history = home.app.client.member.history
    before = len(history.messages(WANG))
    home.peer.deliver(WANG, LIN, text)
    home.driver.wait_until(lambda: len(history.messages(WANG)) > before, "the message")
    home.driver.settle()


def is_told(home: Whole, roster: Hand, chat: Hand, count: int) -> bool:
    """Whether every sign says that so many messages are unread."""
    rows = [row for group in roster.window._groups for row in group.rows if row.contact_id == WANG]
    mark = f"({count}) " if count else ""
    return (
        home.unread(WANG) == count
        and rows[0].unread == count
        and chat.window.top.title() == f"{mark}Wang Lei"
        and roster.window.top.title() == f"{mark}BillBuddy"
        and is_urgent(chat.window) == bool(count)
    )


def test_a_message_in_the_chat_that_one_looks_at_is_read_at_once(home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    deliver(home, "split it?")
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")


def test_a_message_in_a_covered_chat_is_unread_until_the_chat_is_in_front(home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    cover = tkinter.Toplevel(home.windows.root)
    cover.geometry("1300x900+0+0")
    home.driver.wait_until(cover.winfo_viewable)
    cover.lift()
    home.driver.wait_until(lambda: not chat.window.can_be_seen(), "the chat behind another window")
    deliver(home, "one")
    deliver(home, "two")
    home.driver.wait_until(lambda: is_told(home, roster, chat, 2), "two unread")
    cover.destroy()
    chat.window.raise_window()
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")


def test_a_message_in_a_chat_without_the_focus_is_unread_until_it_has_it(home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    roster.window.top.focus_force()
    home.driver.wait_until(lambda: not chat.window.can_be_seen())
    deliver(home, "one")
    home.driver.wait_until(lambda: is_told(home, roster, chat, 1), "one unread")
    chat.window.widgets.composer.text.focus_force()
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")


def test_a_message_in_a_hidden_chat_is_unread_until_it_is_shown(home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    chat.window.top.withdraw()
    deliver(home, "one")
    home.driver.wait_until(lambda: is_told(home, roster, chat, 1), "one unread")
    chat.window.raise_window()
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")


def test_a_message_below_what_is_in_sight_is_unread_until_it_is_scrolled_to(home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    for number in range(30):
        home.peer.deliver(WANG, LIN, f"line {number}")
    home.driver.wait_until(lambda: chat.shows("line 29"))
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")
    chat.window.widgets.stream.see(0)
    chat.settle()
    deliver(home, "below")
    home.driver.wait_until(lambda: home.unread(WANG) == 1, "one unread")
    chat.window.widgets.stream.scroll_to_end()
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")


def test_a_minimised_chat_asks_the_window_manager_for_attention(window_manager: None, home: Whole) -> None:
    roster = home.sign_in()
    chat = home.open_chat(WANG)
    chat.window.top.iconify()
    home.driver.wait_until(lambda: not chat.window.top.winfo_viewable(), "minimised")
    deliver(home, "one")
    home.driver.wait_until(lambda: is_told(home, roster, chat, 1), "one unread")
    home.driver.wait_until(lambda: DEMANDS in states(chat.window), "attention")
    chat.window.raise_window()
    home.driver.wait_until(lambda: is_told(home, roster, chat, 0), "read")
    home.driver.wait_until(lambda: DEMANDS not in states(chat.window), "no attention")


def test_windows_that_open_with_unread_messages_do_not_ask_for_attention(desk: Desk) -> None:
    hand = desk.hold(SCREENS["roster"](desk.ui))
    desk.driver.wait_until(hand.window.can_be_seen)
    assert not is_urgent(hand.window)
