from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment.contract.messages import Amount
from payment.contract.money import (
    AMOUNT_MINOR_MAX,
    CURRENCIES,
    AmountError,
    CurrencyError,
    add,
    format_amount,
    parse_amount,
    sub,
    with_sign,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("0", "not_positive"),
        ("0.00", "not_positive"),
        ("-1", "not_positive"),
        ("0.001", "too_many_decimals"),
        ("1.000", "too_many_decimals"),
        ("99999999999999", "too_large"),
        ("9" * 5_000, "too_large"),
        ("１２", "not_a_number"),
        ("1e5", "not_a_number"),
        ("+1", "not_a_number"),
        ("1,000", "not_a_number"),
        ("1.2.3", "not_a_number"),
        ("1.", "not_a_number"),
        (".", "not_a_number"),
        ("1 2", "not_a_number"),
        ("1\n", "not_a_number"),
        ("0x10", "not_a_number"),
        ("٣", "not_a_number"),
        ("NaN", "not_a_number"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_code(text: str, code: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, "CNY")
    assert caught.value.code == code and caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("text", "minor"), [("86.40", 8_640), ("86.4", 8_640), (".5", 50), ("0012", 1_200), (" 7 ", 700)]
)
def test_amounts_are_read(text: str, minor: int) -> None:
    assert parse_amount(text, "CNY") == Amount(minor, "CNY")


def test_a_currency_without_decimals_takes_none() -> None:
    assert parse_amount("500", "JPY") == Amount(500, "JPY")
    with pytest.raises(AmountError):
        parse_amount("500.0", "JPY")


@given(st.integers(1, AMOUNT_MINOR_MAX), st.sampled_from(sorted(CURRENCIES)))
def test_what_is_printed_is_read_back(minor: int, currency: str) -> None:
    amount = Amount(minor, currency)
    assert parse_amount(format_amount(amount), currency) == amount


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_a_clear_refusal(text: str) -> None:
    try:
        assert 0 < parse_amount(text, "CNY").minor <= AMOUNT_MINOR_MAX
    except AmountError as error:
        assert error.message


def test_amounts_are_printed() -> None:
    assert with_sign(Amount(8_640, "CNY")) == "¥ 86.40"
    assert format_amount(Amount(-305, "CNY")) == "-3.05"
    assert format_amount(Amount(7, "JPY")) == "7"


def test_only_one_currency_is_added() -> None:
    assert add(Amount(1, "CNY"), Amount(2, "CNY")) == Amount(3, "CNY")
    assert sub(Amount(1, "CNY"), Amount(2, "CNY")) == Amount(-1, "CNY")
    with pytest.raises(CurrencyError):
        add(Amount(1, "CNY"), Amount(1, "USD"))
    with pytest.raises(CurrencyError):
        parse_amount("1", "XXX")
