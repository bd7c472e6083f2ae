"""A keyed hash on rows that cannot be recomputed from transfers, so that an edit of the file does not go unseen."""

from __future__ import annotations

import hmac
from typing import Any

import msgspec

SEAL_BYTES = 16

COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("id", "number", "kind", "normal", "owner_id", "name", "currency", "floor", "opened_at_ms"),
    "biller": ("id", "name", "icon", "rule", "currency", "number_rule", "number_hint", "account_id"),
    "customer": ("biller_id", "customer_number", "place"),
    "binding": ("member_id", "biller_id", "customer_number"),
    "bill": (
        *("id", "biller_id", "customer_number", "bill_ref", "title", "period", "lines"),
        *("total", "minimum", "currency", "due_on", "cancelled"),
    ),
    "result": ("member_id", "payment_id", "fingerprint", "transfer_no", "result", "at_ms"),
    "operation": ("id", "fingerprint", "at_ms", "who", "out"),
    "pin": ("account_id", "record_id", "salt", "hash", "set_at_ms", "set_by"),
    "attempt": ("member_id", "account_number", "tries", "locks", "locked_until_ms"),
    "unjudged": ("member_id", "account_number", "guesses"),
    "limit": ("account_id", "single_max", "daily_max", "per_minute_max"),
}
"""Table to the columns that its seal covers, in order."""

_ENCODER = msgspec.msgpack.Encoder()


class RowSealer:
    """Seals rows with a key that is in the data folder, but not in the database."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, table: str, values: tuple[Any, ...]) -> bytes:
        """The seal of a row whose covered columns have these values, in the order of COLUMNS."""
        return hmac.digest(self._key, _ENCODER.encode((table, values)), "sha256")[:SEAL_BYTES]

    def fits(self, table: str, values: tuple[Any, ...], seal: bytes) -> bool:
        """Whether the row is as this subsystem wrote it."""
        return hmac.compare_digest(self.seal(table, values), seal)
