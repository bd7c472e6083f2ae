"""The payment password: counting, locking, changing, resetting."""

from __future__ import annotations

import pytest

from payment import credentials
from payment.contract.messages import Done, NotPaid, Overview, OverviewIs, Paid, Prompt, Refused, SetPin
from payment.credentials import is_pin, is_weak, new_pin
from tests.payment.house import LIN, PIN, WANG, WRONG_PIN, House

NEW_PIN = "805913"


WEAK = ("000000", "123456", "654321", "121212", "123123", "112233", "890123", "159357", "520520")


@pytest.mark.parametrize("pin", WEAK)
def test_weak_passwords_are_refused(house: House, pin: str) -> None:
    assert is_weak(pin)
    answer = house.ask(LIN, SetPin(pin, PIN))
    assert isinstance(answer, Refused) and answer.code == "weak_pin"


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "３１４１５９", "31415a", "314 59"])
def test_what_is_not_six_digits_is_refused(house: House, pin: str) -> None:
    assert not is_pin(pin)
    assert isinstance(house.ask(LIN, SetPin(pin, PIN)), Refused)


def test_generated_passwords_are_good() -> None:
    assert all(is_pin(pin) and not is_weak(pin) for pin in (new_pin() for _ in range(200)))


def test_three_wrong_guesses_lock_and_time_frees(house: House) -> None:
    left = []
    for _ in range(3):
        answer = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
        assert isinstance(answer, NotPaid) and answer.code == "wrong_pin" and not answer.final
        left.append(answer.attempts_left)
    assert left == [2, 1, 0] and answer.retry_at_ms == house.clock() + 15 * 60_000
    locked = house.ask(LIN, house.order(LIN))
    assert isinstance(locked, NotPaid) and locked.code == "pin_locked" and "No money was moved" in locked.text
    house.restart()
    assert isinstance(house.ask(LIN, house.order(LIN)), NotPaid)
    house.clock.forward(15 * 60)
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_every_further_lock_is_longer(house: House) -> None:
    for minutes in (15, 60, 24 * 60, 24 * 60):
        for _ in range(3):
            answer = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
        assert isinstance(answer, NotPaid) and answer.retry_at_ms - house.clock() == minutes * 60_000
        house.clock.forward(minutes * 60)


def test_the_third_guess_may_be_right_and_ends_the_count(house: House) -> None:
    for _ in range(2):
        house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    answer = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert isinstance(answer, NotPaid) and answer.attempts_left == 2


def test_a_hundred_wrong_guesses_at_once_count_as_the_limit_says(house: House) -> None:
    answers = house.ask_all([(LIN, house.order(LIN, pin=WRONG_PIN)) for _ in range(100)])
    codes = [answer.code for answer in answers if isinstance(answer, NotPaid)]
    assert codes.count("wrong_pin") == 3 and codes.count("pin_locked") == 97
    house.restart()
    answer = house.ask(LIN, house.order(LIN))
    assert isinstance(answer, NotPaid) and answer.code == "pin_locked"


def test_a_stranger_locks_only_himself(house: House) -> None:
    for _ in range(4):
        house.ask(WANG, house.order(WANG, account=house.account(LIN), pin=WRONG_PIN))
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)


def test_a_guess_is_committed_before_it_is_checked(house: House) -> None:
    body, _ = house.seal(LIN, house.order(LIN, pin=WRONG_PIN))
    house.service._slow = lambda work, then: None  # the process dies while scrypt runs
    from im_protocol.codec import Frame
    from im_protocol.packets import Type
    from payment.gate import PinGate
    from payment.requests import Requests

    gate = PinGate(
        house.core.credentials, house.service.write, lambda work, then: None, house.core.save_nonce, house.clock
    )
    house.service._requests = Requests(house.service, gate)
    house.service.turn([Frame(Type.SEALED_REQUEST, 0, 1, LIN, 1, body)])
    house.restart()
    answer = house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert isinstance(answer, NotPaid) and answer.attempts_left == 1


def test_a_verified_member_pays_again_without_scrypt(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN)), Paid)
    monkeypatch.setattr(house.core.credentials, "_hash", lambda *_: pytest.fail("scrypt ran"))
    again = house.ask(LIN, house.order(LIN, biller_id=102, customer_number="40200402", bill_id=2, minor=4_000))
    assert isinstance(again, Paid)


def test_the_memory_of_a_verified_password_ends(house: House) -> None:
    house.ask(LIN, house.order(LIN))
    check = house.core.credentials.is_verified
    account = house.account(LIN)
    assert check(LIN, account, PIN, house.clock())
    assert not check(LIN, account, WRONG_PIN, house.clock())
    assert not check(WANG, account, PIN, house.clock())
    house.clock.forward(credentials.VERIFIED_MS // 1000)
    assert not check(LIN, account, PIN, house.clock())


def test_a_wrong_guess_ends_the_memory(house: House) -> None:
    house.ask(LIN, house.order(LIN))
    house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert not house.core.credentials.is_verified(LIN, house.account(LIN), PIN, house.clock())


def test_the_password_is_changed_with_the_old_one_only(house: House) -> None:
    house.ask(LIN, house.order(LIN))
    without = house.ask(LIN, SetPin(NEW_PIN))
    wrong = house.ask(LIN, SetPin(NEW_PIN, WRONG_PIN))
    assert isinstance(without, Refused) and isinstance(wrong, Refused) and wrong.attempts_left == 2
    assert isinstance(house.ask(LIN, SetPin(NEW_PIN, PIN)), Done)
    order = house.order(LIN, biller_id=102, customer_number="40200402", bill_id=2, minor=4_000)
    assert isinstance(house.ask(LIN, order), NotPaid)
    changed = house.order(LIN, biller_id=102, customer_number="40200402", bill_id=2, minor=4_000, pin=NEW_PIN)
    assert isinstance(house.ask(LIN, changed), Paid)


def test_the_operator_resets_a_password_and_the_member_is_told(house: House) -> None:
    for _ in range(3):
        house.ask(LIN, house.order(LIN, pin=WRONG_PIN))
    assert house.run("pin", "reset", "--member", str(LIN)).status == 2
    pin = house.do("pin", "reset", "--member", str(LIN), "--why", "forgot it").split()[-1]
    assert isinstance(house.ask(LIN, house.order(LIN, pin=pin)), Paid)
    overview = house.ask(LIN, Overview())
    assert isinstance(overview, OverviewIs) and "reset" in overview.notices[0]
    assert isinstance(house.ask(LIN, SetPin(NEW_PIN, pin)), Done)
    overview = house.ask(LIN, Overview())
    assert isinstance(overview, OverviewIs) and not overview.notices
    assert "forgot it" in house.do("audit", "list") and pin not in house.do("audit", "list")


def test_guesses_at_many_accounts_leave_nothing_behind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """No password is checked for an account that is not the member's own, so none of them counts, or costs anything."""
    monkeypatch.setattr(house.core.credentials, "_hash", lambda *_: pytest.fail("scrypt ran"))
    orders = [(LIN, house.order(LIN, account=str(10**11 + at), pin=WRONG_PIN)) for at in range(40)]
    answers = house.ask_all(orders)
    assert {answer.code for answer in answers if isinstance(answer, NotPaid)} == {"no_account"}
    for table in ("attempt", "unjudged"):
        assert house.core.store.all(f"SELECT * FROM {table}") == []


def test_the_stored_password_cannot_be_checked_without_the_pepper(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "_SCRYPT_N", 2**14)
    record = house.core.credentials.prepare(PIN)
    assert house.core.credentials.check(record, PIN)
    assert not house.core.credentials.check(record, WRONG_PIN)
    assert not house.core.credentials.check(None, PIN)
    other = credentials.Credentials(house.core.store, bytes(32))
    assert not other.check(record, PIN)


def test_a_missing_password_is_asked_for(house: House) -> None:
    answer = house.ask(LIN, house.order(LIN, pin=None))
    assert isinstance(answer, Prompt) and answer.fields[0].kind == "pin"
