"""What a biller's rule does with an amount. One function for both sides, so that a sheet promises only what is done."""

from __future__ import annotations

from dataclasses import dataclass

from payment.contract.messages import Rule
from payment.contract.money import AMOUNT_MINOR_MAX


@dataclass(frozen=True)
class Split:
    """Where a payment goes: to the bill, and over it to the customer's credit (minor units)."""

    cleared: int
    credit: int


def least_of(rule: Rule, due: int, minimum: int) -> int:
    """The smallest amount that may be paid now, in minor units, of a bill with `due` open and this `minimum`."""
    return due if rule == "exact" else max(1, min(minimum, due))


def most_of(rule: Rule, due: int) -> int:
    """The largest amount that may be paid now, in minor units."""
    return AMOUNT_MINOR_MAX if rule == "over_is_credit" else due


def split_of(rule: Rule, due: int, minimum: int, minor: int) -> Split | None:
    """How the rule divides a payment of `minor`; None when it does not allow that amount."""
    if not least_of(rule, due, minimum) <= minor <= min(most_of(rule, due), AMOUNT_MINOR_MAX):
        return None
    cleared = min(minor, due)
    return Split(cleared, minor - cleared)
