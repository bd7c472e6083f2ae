"""Replays, stale requests, swapped members, retired keys."""

from __future__ import annotations

from im_protocol import codes
from payment.contract.messages import NotPaid, Overview, OverviewIs, Paid, Pay, Refused, SetPin
from payment.verification import FRESH_MS
from tests.payment.house import ELECTRICITY, LIN, WANG, WRONG_PIN, House


def test_a_replayed_order_moves_no_money_at_once_after_a_restart_and_after_the_window(house: House) -> None:
    body, context = house.seal(LIN, house.order(LIN))
    first = context.open(house.relay([(LIN, body)])[0].body)
    assert isinstance(first, Paid)
    assert context.open(house.relay([(LIN, body)])[0].body) == first
    house.restart()
    assert context.open(house.relay([(LIN, body)])[0].body) == first
    house.clock.forward(2 * FRESH_MS // 1000)
    assert context.open(house.relay([(LIN, body)])[0].body) == first
    assert house.balance(LIN) == 20_000 - 8_640
    house.check()


def test_a_replayed_wrong_guess_is_not_counted_again(house: House) -> None:
    body, context = house.seal(LIN, house.order(LIN, pin=WRONG_PIN))
    house.relay([(LIN, body)])
    for restart in (False, True):
        if restart:
            house.restart()
        answer = context.open(house.relay([(LIN, body)])[0].body)
        assert isinstance(answer, Refused) and answer.code == "replayed"
    answer = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert isinstance(answer, NotPaid) and answer.attempts_left == 1


def test_a_stale_order_moves_no_money(house: House) -> None:
    for seconds in (FRESH_MS // 1000 + 1, -2 * FRESH_MS // 1000):
        body, context = house.seal(LIN, house.order(LIN))
        house.clock.forward(seconds)
        answer = context.open(house.relay([(LIN, body)])[0].body)
        assert isinstance(answer, Refused) and answer.code == "stale"
    assert house.balance(LIN) == 20_000


def test_a_replay_from_the_future_stays_known_until_it_is_stale(house: House) -> None:
    house.clock.forward(FRESH_MS // 1000)
    body, context = house.seal(LIN, Overview())
    house.clock.forward(-FRESH_MS // 1000)
    assert isinstance(context.open(house.relay([(LIN, body)])[0].body), OverviewIs)
    house.clock.forward(2 * FRESH_MS // 1000)
    answer = context.open(house.relay([(LIN, body)])[0].body)
    assert isinstance(answer, Refused) and answer.code == "replayed"


def test_a_swapped_member_is_a_bad_seal(house: House) -> None:
    body, _ = house.seal(LIN, house.order(LIN))
    assert house.refusal(WANG, body).code == codes.BAD_SEAL
    assert house.balance(LIN) == 20_000


def test_answers_swapped_by_the_relay_are_not_opened(house: House) -> None:
    import pytest

    from payment.contract.sealing import SealError

    mine, context = house.seal(LIN, Overview())
    theirs, _ = house.seal(WANG, Overview())
    _, other = house.relay([(LIN, mine), (WANG, theirs)])
    with pytest.raises(SealError):
        context.open(other.body)


def test_rotation_keeps_the_old_key_for_a_while(house: House) -> None:
    body, context = house.seal(LIN, house.order(LIN))
    old = house.config().key_id
    house.do("keys", "rotate", "--overlap-hours", "1")
    assert house.config().key_id == old + 1
    assert isinstance(context.open(house.relay([(LIN, body)])[0].body), Paid)
    house.clock.forward(2 * 3_600)
    assert isinstance(house.ask(LIN, Overview()), OverviewIs)
    house.restart()
    assert isinstance(house.ask(LIN, Overview()), OverviewIs)


def test_a_retired_key_is_a_bad_seal(house: House) -> None:
    body, _ = house.seal(LIN, house.order(LIN))
    house.do("keys", "rotate", "--overlap-hours", "0")
    house.clock.forward(6 * 60)
    assert house.refusal(LIN, body).code == codes.BAD_SEAL
    house.do("keys", "rotate", "--overlap-hours", "0")
    assert len(list(house.core.folder.keys.glob("sealing-*.key"))) == 2


def test_every_broken_seal_gets_the_same_refusal(house: House) -> None:
    body, _ = house.seal(LIN, house.order(LIN))
    refusals = {
        house.refusal(LIN, broken)
        for broken in (b"", body[:-1], b"\xff" + body[1:], body[:1] + b"\xff" + body[2:], body + b"\0", bytes(1_655))
    }
    assert len(refusals) == 1 and refusals.pop().code == codes.BAD_SEAL


def test_a_replayed_password_change_is_refused(house: House) -> None:
    body, context = house.seal(LIN, SetPin("805913", "314159"))
    house.relay([(LIN, body)])
    house.restart()
    answer = context.open(house.relay([(LIN, body)])[0].body)
    assert isinstance(answer, Refused) and answer.code == "replayed"
    assert isinstance(house.ask(LIN, house.order(LIN, pin="805913")), Paid)


def test_an_order_that_waited_for_a_limit_cannot_be_replayed(house: House) -> None:
    house.do("limits", "set", "--daily", "1.00")
    order: Pay = house.order(LIN)
    body, context = house.seal(LIN, order)
    assert isinstance(context.open(house.relay([(LIN, body)])[0].body), NotPaid)
    house.do("limits", "set", "--daily", "1000.00")
    house.restart()
    assert isinstance(context.open(house.relay([(LIN, body)])[0].body), Refused)
    assert house.bills(LIN, ELECTRICITY, "88201402").bills
    assert isinstance(house.ask(LIN, order), Paid)


def test_key_made_while_the_clock_was_ahead_is_in_force_when_it_was_put_right(house: House) -> None:
    house.clock.forward(3_600)
    house.do("keys", "rotate", "--overlap-hours", "0")
    house.clock.forward(-3_600)
    house.restart()
    assert house.config().not_before_ms == house.clock()
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_a_key_that_was_retired_stays_so_when_the_clock_is_put_back(house: House) -> None:
    """Told that nothing was charged, the member may have paid under another id."""
    body, _ = house.seal(LIN, house.order(LIN))
    house.do("keys", "rotate", "--overlap-hours", "1")
    house.clock.forward(2 * 3_600)
    assert house.refusal(LIN, body).code == codes.BAD_SEAL
    house.clock.forward(-2 * 3_600)
    assert house.refusal(LIN, body).code == codes.BAD_SEAL
    house.restart()
    assert house.refusal(LIN, body).code == codes.BAD_SEAL
    assert house.balance(LIN) == 20_000
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
