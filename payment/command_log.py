"""Commands of operators that were carried out, by id: the same one again is answered, not done a second time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from payment.audit import Operator
from payment.errors import OperatorError
from payment.rowseal import RowSealer
from payment.store import Store


@dataclass(frozen=True)
class DoneBefore:
    """What was printed then, without passwords, and when (Unix milliseconds)."""

    out: str
    at_ms: int


class CommandLog:
    """The table `operation` of one store. Its rows are written in the transaction of what they tell."""

    def __init__(self, store: Store, sealer: RowSealer) -> None:
        self._store = store
        self._sealer = sealer

    def fingerprint(self, contents: list[Any]) -> bytes:
        """A keyed hash of what a command asks for. It covers no payment password: six digits are soon guessed."""
        return self._sealer.seal("operation contents", tuple(contents))

    def known(self, command_id: str, fingerprint: bytes) -> DoneBefore | None:
        """What became of this id. Raises OperatorError when it belongs to another command."""
        row = self._store.one("SELECT fingerprint, out, at_ms FROM operation WHERE id = ?", (command_id,))
        if row is None:
            return None
        if row[0] != fingerprint:
            raise OperatorError(
                f"the id {command_id} belongs to another command that was carried out; nothing was changed and no "
                "money moved"
            )
        return DoneBefore(row[1], row[2])

    def add(self, command_id: str, fingerprint: bytes, operator: Operator, out: str, now_ms: int) -> None:
        """Inside the command's own transaction. `out` is without passwords."""
        self._store.insert_new(
            "operation", id=command_id, fingerprint=fingerprint, at_ms=now_ms, who=operator.user, out=out
        )
