"""Calls that must not cost others anything when they fail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import apsw
from peewee import IntegrityError

from payment.errors import OutcomeUnknown

log = logging.getLogger("payment.guard")

ONE_STATEMENT = (
    *(apsw.ConstraintError, apsw.SQLError, apsw.MismatchError, apsw.TooBigError, apsw.RangeError, apsw.BindingsError),
    IntegrityError,
)
"""Errors of the database that are about one statement and its values, and say nothing of the disk."""


def ends_the_process(error: Exception) -> bool:
    """Whether nobody knows after this error what the disk holds: whoever catches all others lets it through."""
    return isinstance(error, OutcomeUnknown | apsw.Error) and not isinstance(error, ONE_STATEMENT)


def safely(what: str, call: Callable[..., Any], *values: Any) -> bool:
    """Calls it, and logs an error instead of passing it on. Whether it went well.

    Raises only what ends the process: one request's error is not the business of those that came with it.
    """
    try:
        call(*values)
    except Exception as error:  # whatever it is: see above
        if ends_the_process(error):
            raise
        log.exception("%s failed", what)
        return False
    return True
