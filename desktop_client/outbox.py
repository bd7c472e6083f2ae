"""Orders, stored before they are sent, until their outcome is known. The payment password is never stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from desktop_client.store import Store
from payment.contract.messages import Amount

State = Literal["deciding", "paid", "not_paid"]
_COLUMNS = (
    "payment_id, biller_id, biller_name, customer_number, bill_id, title, minor, currency, account, made_at_ms,"
    " state, code, text, settled_at_ms"
)
_NEW = ", ".join(f"excluded.{name.strip()}" for name in _COLUMNS.split(","))


@dataclass(frozen=True)
class Order:
    """One payment that somebody asked for. `state` is one of the three outcomes that there are."""

    payment_id: bytes
    biller_id: int
    biller_name: str
    customer_number: str
    bill_id: int
    title: str
    amount: Amount
    account: str
    made_at_ms: int
    state: State = "deciding"
    code: str = ""
    text: str = ""
    settled_at_ms: int = 0


class Outbox:
    """The orders of one member on this device."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, order: Order) -> None:
        """Stores the order durably, before anything of it is sent; a retry of the same id takes its place.

        What was paid stays paid: such a row is never changed again, whatever a later try of its id brings.
        """
        a = order.amount
        self._store.rows(
            f"INSERT INTO orders ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            f" ON CONFLICT DO UPDATE SET ({_COLUMNS}) = ({_NEW}) WHERE state != 'paid'",
            order.payment_id,
            order.biller_id,
            order.biller_name,
            order.customer_number,
            order.bill_id,
            order.title,
            a.minor,
            a.currency,
            order.account,
            order.made_at_ms,
            order.state,
            order.code,
            order.text,
            order.settled_at_ms,
        )

    def settle(self, payment_id: bytes, state: State, code: str, text: str, now_ms: int) -> Order | None:
        """Notes the outcome; returns the order, or None when there is none of this id here."""
        order = self.get(payment_id)
        if order is None or order.state == "paid":
            return order
        settled = replace(order, state=state, code=code, text=text, settled_at_ms=now_ms)
        self.put(settled)
        return settled

    def atomic(self) -> Any:
        """A context in which what is stored, of orders and of receipts, becomes one transaction."""
        return self._store.atomic()

    def get(self, payment_id: bytes) -> Order | None:
        found = self._store.rows(f"SELECT {_COLUMNS} FROM orders WHERE payment_id = ?", payment_id)
        return _order(found[0]) if found else None

    def deciding(self, biller_id: int = 0) -> list[Order]:
        """Orders whose outcome is not known yet, oldest first; of one biller, or of all (0)."""
        sql = f"SELECT {_COLUMNS} FROM orders WHERE state = 'deciding' AND (biller_id = ? OR ? = 0) ORDER BY made_at_ms"
        return [_order(row) for row in self._store.rows(sql, biller_id, biller_id)]


def _order(row: tuple) -> Order:
    payment_id, biller, name, customer, bill, title, minor, currency, tail, made, state, code, text, settled = row
    amount = Amount(minor, currency)
    return Order(
        bytes(payment_id), biller, name, customer, bill, title, amount, tail, made, state, code, text, settled
    )
