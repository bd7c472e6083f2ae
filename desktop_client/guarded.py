"""The one way in which the client calls back many: a mistake of one must not cut the others off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


def call_guarded(what: str, call: Callable[..., object], *arguments: Any) -> Exception | None:
    """Calls it; an error is logged under the name of `what`, and given back for who wants to end for it."""
    try:
        call(*arguments)
    except Exception as error:  # whatever one callback does, the next ones are called
        log.exception("%s failed", what)
        return error
    return None
