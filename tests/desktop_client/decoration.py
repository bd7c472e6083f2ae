"""Puts something into every text of a packet or an answer that somebody chose."""

from __future__ import annotations

from typing import Any

import msgspec

from payment.contract.messages import Action, Field

CHOSEN = {"name", "signature", "title", "text", "place", "period", "label", "hint", "error", "server_name", "reason"}
CHOSEN |= {"biller_name", "bill_title", "notices", "detail", "message"}


def decorated(value: Any, decoration: str, is_chosen: bool = False) -> Any:
    """A copy of `value` in which each such text ends with `decoration`."""
    if not decoration:
        return value
    if isinstance(value, str):
        return value + decoration if is_chosen and value else value
    if isinstance(value, list | tuple):
        return type(value)(decorated(item, decoration, is_chosen) for item in value)
    if isinstance(value, msgspec.Struct):
        chosen = CHOSEN - ({"name"} if isinstance(value, Field | Action) else set())  # the names of elements
        changed = {
            name: decorated(getattr(value, name), decoration, name in chosen) for name in value.__struct_fields__
        }
        return type(value)(**changed)
    return value
