"""One member's load is his own: bounds and shares of what waits, cheap refusals before any seal is opened."""

from __future__ import annotations

import msgspec
import pytest

from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Refusal, Type
from payment import admission, inbox, verification
from payment.admission import Admission
from payment.contract import sealing
from payment.contract.messages import (
    AskPayment,
    Done,
    Envelope,
    Overview,
    OverviewIs,
    Paid,
    PaymentUnknown,
    Refused,
    SetPin,
)
from payment.inbox import SHARE_MAX, Inbox
from tests.payment.house import LIN, PIN, WANG, WRONG_PIN, House


def frame(member_id: int, body: bytes = b"", kind: int = Type.SEALED_REQUEST) -> Frame:
    return Frame(kind, 0, 1, member_id, PAYMENT_ID, body)


def test_a_turn_takes_a_share_of_each_member() -> None:
    box = Inbox()
    for _ in range(500):
        assert box.put(frame(LIN))
    assert box.put(frame(WANG))
    items, goes_on = box.take(may_wait=False)
    assert goes_on
    assert [item.sender_id for item in items[:3]] == [LIN, WANG, LIN]  # type: ignore[union-attr]
    assert len(items) == SHARE_MAX + 1


def test_who_sends_much_comes_after_who_sent_nothing_yet() -> None:
    box = Inbox()
    for member_id in range(LIN, LIN + 200):
        for _ in range(3):
            box.put(frame(member_id))
    seen = [item.sender_id for _ in range(5) for item in box.take(may_wait=False)[0]]  # type: ignore[union-attr]
    assert sorted(seen[:200]) == list(range(LIN, LIN + 200)) and len(seen) == 600


def test_what_waits_is_bounded_for_each_member_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAITING_MAX", inbox.WAITING_PER_MEMBER_MAX + 10)
    box = Inbox()
    assert sum(box.put(frame(LIN)) for _ in range(5_000)) == inbox.WAITING_PER_MEMBER_MAX
    assert sum(box.put(frame(WANG)) for _ in range(5_000)) == 10
    assert box.put(frame(0, kind=Type.PING))  # the link's own packets do not wait behind them
    assert box.take(may_wait=False)[0][0] == frame(0, kind=Type.PING)
    assert box.put(frame(WANG))
    large = Inbox()
    assert sum(large.put(frame(member, bytes(65_536))) for member in range(5_000)) == inbox.WAITING_BYTES_MAX // 65_536


def test_packets_of_a_link_that_is_lost_are_not_handled() -> None:
    box, calls = Inbox(), []
    box.put(frame(LIN))
    box.link_lost(lambda: calls.append("lost"))
    box.put(frame(WANG))
    first, second = box.take(may_wait=False)[0]
    first()  # type: ignore[operator]
    assert calls == ["lost"] and second == frame(WANG)


def test_an_inbox_that_stops_hands_out_what_is_there_and_takes_no_more() -> None:
    box = Inbox()
    for _ in range(3 * SHARE_MAX):
        box.put(frame(LIN))
    box.stop()
    assert not box.put(frame(LIN))
    taken, goes_on = 0, True
    while goes_on:
        items, goes_on = box.take(may_wait=True)
        taken += len(items)
    assert taken == 3 * SHARE_MAX


def test_a_copy_is_answered_without_opening_it_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    body, context = house.seal(LIN, house.order(LIN))
    first = context.open(house.relay([(LIN, body)])[0].body)
    assert isinstance(first, Paid)
    monkeypatch.setattr(sealing, "open_request", lambda *_: pytest.fail("opened once more"))
    for _ in range(20):
        assert context.open(house.relay([(LIN, body)])[0].body) == first


def test_no_password_is_kept_for_copies(house: House) -> None:
    house.ask(LIN, house.order(LIN, pin="271828"))
    kept = [msgspec.msgpack.decode(raw, type=Envelope).request for raw, _ in house.core.verifier._opened.values()]
    assert kept and all(getattr(request, "pin", None) is None for request in kept)


def test_useless_seals_of_one_member_are_refused_unopened_after_a_while(house: House) -> None:
    good, context = house.seal(LIN, Overview())
    broken = good[:-1] + bytes([good[-1] ^ 1])
    refusals = [house.refusal(LIN, broken) for _ in range(admission.USELESS_BURST + 50)]
    assert refusals[0].code == codes.BAD_SEAL
    assert refusals[-1].code == codes.RATE_LIMITED
    assert 0 < refusals[-1].retry_after_ms <= 1_000 and "nothing was charged under this packet" in refusals[-1].message
    assert isinstance(house.ask(WANG, Overview()), OverviewIs)
    assert isinstance(house.ask(WANG, house.order(WANG)), Paid)


def test_tokens_come_back_with_time() -> None:
    now = [0]
    gate = Admission(lambda member_id: 0, lambda: now[0])
    for _ in range(admission.USELESS_BURST):
        assert gate.refusal(LIN) is None
        gate.was_useless(LIN)
    refusal = gate.refusal(LIN)
    assert refusal is not None and gate.refusal(WANG) is None
    now[0] += refusal.retry_after_ms
    assert gate.refusal(LIN) is None


def test_requests_that_wait_for_one_payment_id_are_bounded(house: House) -> None:
    """The order is held up in its password check; what asks after it waits, and at last is not taken any more."""
    order = house.order(LIN)
    body, _ = house.seal(LIN, order)
    house.service.turn([frame(LIN, body)])
    house.sent.clear()
    for _ in range(admission.PARKED_MAX + 5):
        house.service.turn([frame(LIN, house.seal(LIN, AskPayment(order.payment_id))[0])])
    refused = [codec.decode_body(sent, Refusal).code for sent in house.sent if sent.type == Type.REFUSAL]
    assert refused == [codes.RATE_LIMITED] * 5
    house.service.turn([frame(WANG, house.seal(WANG, Overview())[0])])
    assert house.sent[-1].type == Type.SEALED_ANSWER
    house.relay([])
    assert isinstance(house.ask(LIN, AskPayment(order.payment_id)), Paid)


def test_one_member_cannot_use_up_the_memory_of_what_was_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "NONCES_PER_MEMBER_MAX", 5)
    answers = house.ask_all([(LIN, Overview())] * 8)
    crowded = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(crowded) == 3 and {answer.code for answer in crowded} == {"rate_limited"}
    assert isinstance(house.ask(WANG, Overview()), OverviewIs)
    order = house.order(LIN)
    body, context = house.seal(LIN, order)
    told = context.open(house.relay([(LIN, body)])[0].body)
    assert isinstance(told, Refused) and "No money was moved" in told.text
    house.restart()
    assert isinstance(context.open(house.relay([(LIN, body)])[0].body), Refused)  # and it stays so


def test_a_member_whose_id_no_database_holds_is_refused(house: House) -> None:
    body, _ = house.seal(LIN, Overview())
    for member_id in (0, 2**63, 2**64 - 1):
        house.sent.clear()
        house.service.turn([frame(member_id, body), frame(LIN, house.seal(LIN, Overview())[0])])
        assert [sent.type for sent in house.sent] == [Type.REFUSAL, Type.SEALED_ANSWER]


def test_guesses_of_one_member_take_one_thread_at_a_time(house: House) -> None:
    """However many accounts and packets he has, somebody else's first payment finds a thread free."""
    for _ in range(5):
        house.service.turn([frame(LIN, house.seal(LIN, house.order(LIN, pin=WRONG_PIN))[0])])
    house.service.turn([frame(WANG, house.seal(WANG, house.order(WANG))[0])])
    assert len(house.calls) == 2


def test_what_one_member_can_leave_in_the_database_is_limited(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer that no money moved leaves a row for days, or it would not stay true. So there are only so many."""
    now = [0]
    stored = admission.Buckets(3, admission.STORED_PER_SECOND, lambda: now[0])
    monkeypatch.setattr(house.service._admission, "_stored", stored)
    asked = [AskPayment(bytes([at]) * 16) for at in range(3)]
    assert all(isinstance(answer, PaymentUnknown) for answer in house.ask_all([(LIN, one) for one in asked]))
    body, _ = house.seal(LIN, Overview())
    refusal = house.refusal(LIN, body)
    assert refusal.code == codes.RATE_LIMITED and "nothing was charged under this packet" in refusal.message
    assert isinstance(house.ask(WANG, Overview()), OverviewIs)
    now[0] += refusal.retry_after_ms
    assert isinstance(house.ask(LIN, Overview()), OverviewIs)


def test_changes_of_one_password_take_one_thread_at_a_time(house: House) -> None:
    house.ask(LIN, house.order(LIN))  # the password is known, so that each change goes straight on
    for _ in range(20):
        house.service.turn([frame(LIN, house.seal(LIN, SetPin("805913", PIN))[0])])
    assert len(house.calls) == 1
    house.relay([])
    assert isinstance(house.ask(LIN, SetPin("290715", "805913")), Done)
