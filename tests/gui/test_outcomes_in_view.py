"""An outcome stands under its bill and is in view, wherever the conversation was scrolled to."""

from __future__ import annotations

import time
from datetime import date

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop_client.presenters import cards
from desktop_client.presenters.bill_stream import BillStream
from desktop_client.presenters.views import Card, CardRow, TimeMark
from desktop_client.windows.conversation import ConversationWindow
from payment.contract.messages import Amount, Bill, BillLine
from tests.gui.conftest import Desk


def bill_card(number: int, lines: int) -> Card:
    sum_due = Amount(1_000 + number, "CNY")
    parts = [BillLine(f"Line {at}", Amount(100, "CNY")) for at in range(lines)]
    bill = Bill(number, 101, "1", f"Bill {number}", "2026-01", parts, sum_due, sum_due, sum_due, "2026-01-20")
    return cards.bill_card(bill, "Electricity", date(2026, 1, 1), deciding=False, with_number=number == 0)


def outcome(number: int, rows: int) -> Card:
    lines = tuple(CardRow(f"Row {at}", "value") for at in range(rows))
    return Card(f"order-{number}", banner="✓ Paid — receipt", banner_tone="good", rows=lines)


@settings(
    max_examples=25, derandomize=True, database=None, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    bills=st.lists(st.integers(0, 6), min_size=1, max_size=30),
    steps=st.lists(st.tuples(st.integers(0, 29), st.integers(1, 8), st.floats(0, 1)), min_size=1, max_size=6),
)
def test_each_outcome_stands_under_its_bill_and_is_wholly_in_view(
    desk: Desk, bills: list[int], steps: list[tuple[int, int, float]]
) -> None:
    window = ConversationWindow(desk.ui, 101, "biller", desk.windows._own_face())
    hand = desk.hold(window)
    stream = BillStream(window)
    stream.begin([])
    for number, lines in enumerate(bills):
        stream.put(bill_card(number, lines))
    hand.settle()
    drawn = window.widgets.stream
    for order, (which, rows, place) in enumerate(steps):
        bill_id = which % len(bills)
        drawn._on_bar("moveto", str(place))
        hand.settle()
        stream.put_outcome(bill_id, outcome(order, rows))
        hand.settle()
        keys = [getattr(entry, "key", "mark") for entry in drawn.entries()]
        at, bill_at = keys.index(f"order-{order}"), keys.index(cards.bill_key(bill_id))
        between = drawn.entries()[bill_at + 1 : at]
        assert bill_at < at
        assert all(isinstance(entry, TimeMark) or entry.key.startswith("order-") for entry in between)
        top, bottom = drawn.place_of(at)
        assert top >= 0 and bottom <= drawn.canvas.winfo_height() + 1, (top, bottom)
        assert f"order-{order}" in {getattr(drawn.entries()[i], "key", "") for i in drawn.drawn()}
        tops = [min(drawn.canvas.bbox(i)[1] for i in pen.ids) for _at, pen in sorted(drawn.drawn().items())]
        assert tops == sorted(tops), "entries are drawn in another order"
    window.close()


def test_an_outcome_whose_bill_is_not_shown_comes_last_and_is_in_view(desk: Desk) -> None:
    hand = desk.open("bill")
    stream = BillStream(hand.window)
    stream.begin([bill_card(number, 4) for number in range(9)])
    hand.window.widgets.stream._on_bar("moveto", "0")
    stream.put_outcome(77, outcome(1, 5))
    assert hand.shows("✓ Paid — receipt")


def test_a_form_that_comes_into_view_takes_the_focus_and_keeps_it_when_other_entries_change(desk: Desk) -> None:
    hand = desk.open("bill")
    stream = BillStream(hand.window)
    stream.begin([bill_card(number, 3) for number in range(4)])
    hand.window.widgets.stream.canvas.focus_force()
    stream.put(cards.number_form("88201402", None))
    hand.window.see(cards.CHANGE_NUMBER)
    hand.settle()
    hand.type_text("123")
    assert hand.window.find("customer_number").get() == "123"
    stream.put(bill_card(7, 5))
    stream.drop(lambda entry: entry.key == cards.bill_key(1))
    hand.settle()
    hand.type_text("4")
    assert hand.window.find("customer_number").get() == "1234"


def test_who_reads_further_up_stays_there_when_an_entry_goes(desk: Desk) -> None:
    hand = desk.open("bill")
    stream, drawn = BillStream(hand.window), hand.window.widgets.stream
    stream.begin([bill_card(number, 3) for number in range(20)])
    drawn._on_bar("moveto", "0.4")
    hand.settle()
    at = drawn.index_at(0)
    key, top = drawn.entries()[at].key, drawn.place_of(at)[0]
    stream.drop(lambda entry: entry.key in (cards.bill_key(1), cards.bill_key(19)))
    hand.settle()
    place = next(i for i, entry in enumerate(drawn.entries()) if entry.key == key)
    assert abs(drawn.place_of(place)[0] - top) <= 1


def test_a_thousand_bills_are_shown_at_once_and_each_can_be_reached(desk: Desk) -> None:
    hand = desk.open("bill")
    stream, drawn = BillStream(hand.window), hand.window.widgets.stream
    stream.begin([])
    many = [bill_card(number, 2) for number in range(1_000)]
    took = []
    for _try in range(3):
        stream.drop(lambda entry: True)
        begin = time.thread_time()
        stream.put_all(many)
        hand.driver.pump()
        took.append(time.thread_time() - begin)
    assert min(took) < 1, took
    assert drawn.at_end()
    for number in (0, 500, 999):
        hand.window.see(cards.bill_key(number))
        assert hand.shows(f"Bill {number} ")


def test_a_form_that_is_there_before_its_window_was_drawn_has_the_focus_when_it_is(desk: Desk) -> None:
    window = ConversationWindow(desk.ui, 101, "biller", desk.windows._own_face())
    stream = BillStream(window)
    stream.begin([])
    stream.put(cards.number_form("", None))
    window.see(cards.CHANGE_NUMBER)
    hand = desk.hold(window)
    hand.type_text("8820")
    assert window.find("customer_number").get() == "8820"
