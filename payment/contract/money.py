"""Money: reading, writing and adding amounts. An amount is an int of minor units; there is no float anywhere."""

from __future__ import annotations

import re

from payment.contract.messages import Amount

CURRENCIES: dict[str, int] = {"CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "JPY": 0, "KRW": 0, "SGD": 2, "TWD": 2, "USD": 2}
"""ISO 4217 code to exponent: how many decimals one unit of the currency has."""

SIGNS: dict[str, str] = {
    "CNY": "¥",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "JPY": "JP¥",
    "KRW": "₩",
    "SGD": "S$",
    "TWD": "NT$",
    "USD": "$",
}

AMOUNT_MINOR_MAX = 10**12
"""Largest amount that anybody may type or import, in minor units: far over any bill, far under 64 bits."""

_AMOUNT_CHARS_MAX = 40
_AMOUNT = re.compile(r"[0-9]+(?:\.([0-9]+))?|\.([0-9]+)", re.ASCII)

_WORDS = {
    "empty": "Type an amount, for example 86.40.",
    "not_a_number": "An amount is digits with at most one dot, for example 86.40.",
    "not_positive": "The amount must be more than zero.",
    "too_many_decimals": "The amount has more decimals than the currency has.",
    "too_large": "The amount is too large.",
}


class AmountError(ValueError):
    """Text that is no amount. `code` is for programs, `message` a sentence in English."""

    def __init__(self, code: str) -> None:
        super().__init__(_WORDS[code])
        self.code = code
        self.message = _WORDS[code]


class CurrencyError(ValueError):
    """Amounts of two currencies, or of a currency that is not known, were mixed."""


def exponent_of(currency: str) -> int:
    """Decimals of a currency. Raises CurrencyError for one that is not in the table."""
    try:
        return CURRENCIES[currency]
    except KeyError:
        raise CurrencyError(f"currency {currency!r} is not known here") from None


def parse_amount(text: str, currency: str) -> Amount:
    """What a person typed, as a positive amount. Raises AmountError (and CurrencyError for an unknown currency).

    ASCII digits and at most one dot: no sign, exponent, grouping or full-width digits, because a text that could
    be read in two ways must not become money.
    """
    exponent = exponent_of(currency)
    text = text.strip(" ")
    if not text:
        raise AmountError("empty")
    if text.startswith("-") and len(text) <= _AMOUNT_CHARS_MAX and _AMOUNT.fullmatch(text[1:]):
        raise AmountError("not_positive")
    if not _AMOUNT.fullmatch(text):
        raise AmountError("not_a_number")
    whole, _, decimals = text.partition(".")
    whole = whole.lstrip("0")
    if len(decimals) > exponent:  # also of zeros: "1.000" may mean a thousand to who typed it
        raise AmountError("too_many_decimals")
    if len(whole) > len(str(AMOUNT_MINOR_MAX)):
        raise AmountError("too_large")
    minor = int((whole or "0") + decimals.ljust(exponent, "0"))
    if minor > AMOUNT_MINOR_MAX:
        raise AmountError("too_large")
    if minor <= 0:
        raise AmountError("not_positive")
    return Amount(minor, currency)


def format_amount(amount: Amount) -> str:
    """Digits as printed on a bill: "86.40", "-3.00". No grouping, so it can be typed back."""
    exponent = exponent_of(amount.currency)
    sign = "-" if amount.minor < 0 else ""
    if not exponent:
        return f"{sign}{abs(amount.minor)}"
    whole, rest = divmod(abs(amount.minor), 10**exponent)
    return f"{sign}{whole}.{rest:0{exponent}}"


def with_sign(amount: Amount) -> str:
    """The amount with its currency's sign: "¥ 86.40"."""
    return f"{SIGNS.get(amount.currency, amount.currency)} {format_amount(amount)}"


def add(a: Amount, b: Amount) -> Amount:
    """The sum. Raises CurrencyError unless both are of one currency."""
    _same_currency(a, b)
    return Amount(a.minor + b.minor, a.currency)


def sub(a: Amount, b: Amount) -> Amount:
    """The difference, which may be negative. Raises CurrencyError unless both are of one currency."""
    _same_currency(a, b)
    return Amount(a.minor - b.minor, a.currency)


def _same_currency(a: Amount, b: Amount) -> None:
    if a.currency != b.currency:
        raise CurrencyError(f"{a.currency} and {b.currency} cannot be added")
