"""Conversations: cards and their buttons, forms and their rules, bubbles, the composer."""

from __future__ import annotations

from dataclasses import replace

from desktop_client.presenters.views import Bubble, Card, CardButton, FormCard, FormField, TimeMark
from desktop_client.windows import samples
from desktop_client.windows.driver import Hand
from tests.gui.conftest import Desk


def texts_of(hand: Hand) -> str:
    return "\n".join(hand.texts())


def test_a_card_button_calls_back_with_its_key(desk: Desk) -> None:
    hand = desk.open("bill")
    acts: list[tuple[str, str]] = []
    hand.window.on_card_action = lambda key, action: acts.append((key, action))
    hand.click_card_button("pay")
    hand.click_card_button("save_receipt")
    assert acts == [("bill", "pay"), ("receipt", "save_receipt")]


def test_card_buttons_are_reached_and_pressed_by_keys(desk: Desk) -> None:
    hand = desk.open("bill")
    acts: list[str] = []
    hand.window.on_card_action = lambda key, action: acts.append(action)
    hand.window.widgets.stream.canvas.focus_force()
    hand.press("Tab")
    hand.press("Return")
    hand.press("space")
    hand.press("Tab")
    hand.press("Return")
    assert acts == ["pay", "pay", "save_receipt"]


def test_a_disabled_card_button_does_nothing(desk: Desk) -> None:
    hand = desk.open("bill")
    acts: list[str] = []
    hand.window.on_card_action = lambda key, action: acts.append(action)
    card = samples.bill_card()
    hand.window.replace("bill", replace(card, buttons=(replace(card.buttons[0], enabled=False),)))
    hand.settle()
    hand.window.buttons()["pay"].invoke()
    assert acts == []


def test_replacing_a_card_puts_the_receipt_in_its_place(desk: Desk) -> None:
    hand = desk.open("bill")
    hand.window.show_entries([TimeMark("now"), samples.bill_card(), TimeMark("later")])
    assert hand.shows("Usage 144 kWh")
    hand.window.replace("bill", replace(samples.receipt_card(), key="bill"))
    assert not hand.shows("Usage 144 kWh") and hand.shows("7F3K-92QD-XW41")
    assert [type(e).__name__ for e in hand.window.widgets.stream.entries()] == ["TimeMark", "Card", "TimeMark"]


def test_a_form_holds_its_rules_before_it_is_handed_over(desk: Desk) -> None:
    hand = desk.open("bill_form")
    forms: list[tuple[str, dict[str, str]]] = []
    hand.window.on_form = lambda key, values: forms.append((key, values))
    assert hand.shows("The customer number has eight digits.")
    hand.type_into("customer_number", "8820140x2")
    assert hand.window.find("customer_number").get() == "88201402"
    hand.press("Return")
    assert forms == [("form", {"customer_number": "88201402"})]


def test_a_form_that_comes_back_keeps_values_and_forgets_secrets(desk: Desk) -> None:
    hand = desk.open("bill")
    fields = (FormField("account", "text", "Account"), FormField("pin", "pin", "Payment password"))
    form = FormCard("ask", "More is needed", "", fields, "Continue")
    hand.window.on_form = lambda key, values: hand.window.replace("ask", replace(form, error="Wrong password."))
    hand.window.show_entries([form])
    hand.type_into("account", "6001")
    hand.type_into("pin", "123456")
    assert "123456" not in texts_of(hand)
    hand.click("submit")
    assert hand.shows("Wrong password.")
    assert hand.window.find("account").get() == "6001"
    assert hand.window.find("pin").get() == ""


def test_typed_values_survive_scrolling_away(desk: Desk) -> None:
    hand = desk.open("bill_form")
    hand.type_into("customer_number", "8820")
    for number in range(40):
        hand.window.append(Bubble(f"b{number}", True, "Lin", f"message {number}"))
    hand.settle()
    assert "customer_number" not in [
        getattr(w, "action", "") for p in hand.window.widgets.stream.drawn().values() for w in p.widgets
    ]
    hand.window.widgets.stream.see(0)
    hand.settle()
    assert hand.window.find("customer_number").get() == "8820"


def test_a_long_history_draws_only_what_is_seen_and_opens_at_its_end(desk: Desk) -> None:
    hand = desk.open("chat")
    entries = [
        Bubble(str(n), n % 3 == 0, "Wang", f"message {n} " + "and more words " * (n % 9), "20:16") for n in range(5_000)
    ]
    hand.window.show_entries(entries)
    stream = hand.window.widgets.stream
    assert hand.shows("message 4999 ")
    assert len(stream.drawn()) < 25
    for _notch in range(60):
        stream.scroll(-120)
    hand.settle()
    assert not hand.shows("message 4999 ")
    drawn = sorted(stream.drawn())
    assert drawn == list(range(drawn[0], drawn[-1] + 1))
    tops = [min(stream.canvas.bbox(i)[1] for i in stream.drawn()[n].ids) for n in drawn]
    bottoms = [max(stream.canvas.bbox(i)[3] for i in stream.drawn()[n].ids) for n in drawn]
    assert all(bottom <= top for bottom, top in zip(bottoms, tops[1:], strict=False)), "entries overlap"


def test_new_messages_scroll_only_a_reader_who_is_at_the_end(desk: Desk) -> None:
    hand = desk.open("chat")
    hand.window.show_entries([Bubble(str(n), False, "Wang", f"message {n}") for n in range(200)])
    stream = hand.window.widgets.stream
    hand.window.append(Bubble("new", False, "Wang", "you see this"))
    assert hand.shows("you see this")
    stream.scroll(-2_000)
    hand.settle()
    hand.window.append(Bubble("newer", False, "Wang", "not this"))
    assert not hand.shows("not this")
    hand.window.append(Bubble("own", True, "Lin", "but one's own"))
    assert hand.shows("but one's own")


def test_long_words_and_rows_stay_inside_their_card(desk: Desk) -> None:
    hand = desk.open("bill")
    row = samples.receipt_card().rows[1]
    card = Card(
        "long",
        banner="A banner that is much longer than the card is wide, so it takes two lines",
        banner_tone="good",
        text="x" * 200,
        rows=(replace(row, label="Label " * 20, value="value " * 30),),
        buttons=(
            CardButton("one", "A long button"),
            CardButton("two", "Another long one", "outline"),
            CardButton("x", "…", "outline"),
        ),
    )
    hand.window.show_entries([card])
    hand.settle()
    stream = hand.window.widgets.stream
    boxes = [stream.canvas.bbox(item) for item in stream.drawn()[0].ids]
    background = max((box for box in boxes if box[2] - box[0] == 300), key=lambda box: box[3] - box[1])
    assert all(box[2] <= background[2] and box[3] <= background[3] for box in boxes)


def test_narrow_windows_wrap_the_stream_again(desk: Desk) -> None:
    hand = desk.open("chat")
    hand.window.top.geometry("400x500")
    hand.settle()
    stream = hand.window.widgets.stream
    width = stream.canvas.winfo_width()
    assert width <= 400
    assert all(stream.canvas.bbox(i)[2] <= width for pen in stream.drawn().values() for i in pen.ids)


def test_enter_sends_and_control_enter_begins_a_line(desk: Desk) -> None:
    hand = desk.open("chat")
    sent: list[str] = []
    hand.window.on_send_text = sent.append
    hand.type_into("message", "hello 你好")
    hand.press("Control-Return")
    hand.type_text("second line")
    assert sent == []
    hand.press("Return")
    assert sent == ["hello 你好\nsecond line"]
    hand.press("Return")
    assert len(sent) == 1, "an empty message is not sent"


def test_send_is_enabled_with_a_text_and_an_emoji_goes_into_it(desk: Desk) -> None:
    hand = desk.open("chat")
    sent: list[str] = []
    hand.window.on_send_text = sent.append
    hand.window.set_draft("")
    hand.settle()
    assert not hand.window.buttons()["send"].enabled
    hand.click("emoji")
    hand.click("emoji_thumbs_up")
    hand.click("send")
    assert sent == ["👍"]


def test_a_message_that_was_not_sent_can_be_sent_again(desk: Desk) -> None:
    hand = desk.open("chat")
    acts: list[tuple[str, str]] = []
    hand.window.on_card_action = lambda key, action: acts.append((key, action))
    hand.click_card_button("resend")
    assert acts == [("4", "resend")]


def test_escape_closes_and_tells(desk: Desk) -> None:
    hand = desk.open("chat")
    told: list[bool] = []
    hand.window.on_close = lambda: told.append(hand.is_open())
    hand.press("Escape")
    assert told == [False]


def test_older_messages_come_in_before_the_first_and_the_reader_keeps_the_place(desk: Desk) -> None:
    hand = desk.open("chat")
    older = [[Bubble(f"{page}-{n}", False, "Wang", f"page {page} message {n} " + "words " * n) for n in range(60)]
             for page in range(3)]  # fmt: skip
    asked: list[int] = []

    def on_older() -> None:
        asked.append(len(asked))
        if len(asked) <= 3:
            hand.window.insert(0, older[3 - len(asked)])

    hand.window.on_older = on_older
    hand.window.show_entries([Bubble(f"new-{n}", False, "Wang", f"newest {n}") for n in range(60)])
    hand.settle()
    stream = hand.window.widgets.stream
    assert asked == [], "only a reader who comes near the first message asks"
    for _notch in range(350):
        first = min(i for i in stream.drawn() if stream.place_of(i)[1] > 0)
        before = (stream.entries()[first].key, stream.place_of(first)[0])
        count = len(stream.entries())
        stream.scroll(-90)
        hand.settle()
        if len(stream.entries()) > count:
            place = [e.key for e in stream.entries()].index(before[0])
            assert abs(stream.place_of(place)[0] - (before[1] + 90)) <= 2, "the text does not jump under the reader"
    assert asked == [0, 1, 2, 3]
    assert hand.shows("page 0 message 0 ")
    assert len(stream.entries()) == 240 and len(stream.drawn()) < 30
