"""A member who pays all the time while processes are killed, and finds out about every payment that was cut off."""

from __future__ import annotations

import random
import secrets
import threading
from collections import Counter

from im_protocol import codes
from payment.contract.messages import AskPayment, NotPaid, Paid, Pay, PaymentUnknown
from payment.contract.messages import Refused as RefusedSealed
from tests.faults.books import Books
from tests.faults.house import EXACT
from tests.faults.town import Town
from tests.integration.wire import Refused, WireClient

NOT_CHARGED = {codes.PAYMENT_AWAY, codes.RATE_LIMITED}
CUT_OFF = (ConnectionError, OSError)
RETRY_SECONDS = 0.02
UNKNOWN_STAYS = 0.5
"""How often a payment that never arrived is given up. It must not arrive later."""


class Payer(threading.Thread):
    """One member's thread. `books` are its own; `fault` is what went wrong, if anything did."""

    def __init__(self, town: Town, member_id: int, seed: int) -> None:
        super().__init__(name=f"payer {member_id}", daemon=True)
        self.books = Books(town.house)
        self.seen: Counter[str] = Counter()
        self.fault: BaseException | None = None
        self._town = town
        self._member_id = member_id
        self._dice = random.Random(seed)
        self._stopping = threading.Event()
        self._client: WireClient | None = None

    def stop(self) -> None:
        """No new payments; the open ones are still resolved."""
        self._stopping.set()

    def run(self) -> None:
        try:
            while not self._stopping.is_set() or self.books.open:
                self._guarded()
        except BaseException as error:  # noqa: BLE001 the test that started the thread fails with it
            self.fault = error
        finally:
            self._hang_up()

    def _guarded(self) -> None:
        """One step; a connection that is cut is made anew."""
        try:
            client = self._connected()
            if self.books.open:
                self._ask(client, self.books.open[0])
            else:
                self._pay(client, self._new_order())
        except CUT_OFF:
            self.seen["connections cut"] += 1
            self._hang_up()
            threading.Event().wait(RETRY_SECONDS)
        except Refused as refused:
            self.seen[refused.code] += 1
            assert refused.code in NOT_CHARGED | {codes.OUTCOME_UNKNOWN}, refused
            threading.Event().wait(RETRY_SECONDS)

    def _connected(self) -> WireClient:
        if self._client is None:
            self._client = self._town.client(self._member_id)
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.__exit__()
            self._client = None

    def _new_order(self) -> Pay:
        bills = self._town.house.bills
        due = self._dice.choice(bills)
        minor = None if due.biller_id == EXACT else self._dice.randint(1, 9)
        return self._town.house.order(secrets.token_bytes(16), self._member_id, due, minor)

    def _pay(self, client: WireClient, pay: Pay, *, again: bool = False) -> None:
        self.books.send(self._member_id, pay)
        try:
            answer = client.ask_payment(pay)
        except Refused as refused:
            if refused.code in NOT_CHARGED and not again:
                del self.books.sent[pay.payment_id]  # so it must not be in the ledger either
            raise
        if isinstance(answer, RefusedSealed) and answer.code == "asked_before":
            self.seen["asked before"] += 1
            return
        assert isinstance(answer, Paid | NotPaid), answer
        self.books.hear(pay.payment_id, answer)
        self.seen[type(answer).__name__] += 1

    def _ask(self, client: WireClient, payment_id: bytes) -> None:
        answer = client.ask_payment(AskPayment(payment_id))
        self.seen[f"resolved {type(answer).__name__}"] += 1
        if isinstance(answer, PaymentUnknown):
            if self._dice.random() < UNKNOWN_STAYS:
                del self.books.sent[payment_id]
            else:
                self._pay(client, self.books.sent[payment_id][1], again=True)
            return
        assert isinstance(answer, Paid | NotPaid), answer
        self.books.hear(payment_id, answer)


def merged(payers: list[Payer]) -> Books:
    """What all of them know together."""
    books = Books(payers[0].books.house)
    for payer in payers:
        books.sent |= payer.books.sent
        books.paid |= payer.books.paid
        books.not_paid |= payer.books.not_paid
    return books
