"""The service: what happens to each request, in turns of the one writing thread.

A turn takes everything that waits, opens and verifies it, answers reads at once, runs all writes and orders in one
transaction, and answers those after the commit. So a busy service commits many payments at once without anybody
waiting on purpose. See ARCHITECTURE.md for why opening is done in the same thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec

from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import AccountsChanged, Empty, Flag, Refusal, Type
from payment.contract import sealing
from payment.contract.messages import Answer, Envelope
from payment.core import Core
from payment.gate import PinGate, Slow
from payment.meter import METER
from payment.orders import Order
from payment.requests import Requests

GROUP_MAX = 128
"""Orders in one transaction: twice as many would save 3 % of a payment's work, and double the waiting."""

MEMBERS_PER_PACKET = 4_000

_FAILED_TEXT = "the payment service failed on this order; nothing was charged"
_FAILED = object()

log = logging.getLogger("payment.service")
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(slots=True)
class Asked:
    """An opened request on its way to its answer."""

    frame: Frame
    member_id: int
    envelope: Envelope
    sealer: sealing.ResponseSealer
    nonce: bytes = b""
    epoch: int = 0


class Service:
    """Requests in, answers out. One thread only: the one that made `core`.

    `send(packet)` puts bytes on the link; `slow` runs scrypt elsewhere (see gate.Slow).
    """

    def __init__(self, core: Core, send: Callable[[bytes], None], slow: Slow) -> None:
        self.core = core
        self._send = send
        self._slow = slow
        self._out: list[bytes] = []
        self._writes: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
        self._orders: list[tuple[Asked, Order]] = []
        self._changed: set[int] = set()
        self._changed_customers: set[tuple[int, str]] = set()
        self._flights: dict[tuple[int, bytes], list[Asked]] = {}
        self._again: list[Asked] = []
        self._epoch = 0
        gate = PinGate(core.credentials, self.write, slow, core.save_nonce, core.clock)
        self._requests = Requests(self, gate)

    @property
    def has_work(self) -> bool:
        """Whether another turn is needed even if nothing new arrives."""
        return bool(self._writes or self._orders or self._again)

    def turn(self, items: list[Frame | Callable[[], None]]) -> None:
        """Handles frames of the link, and calls that came back from other threads; then commits and answers.

        Raises OutcomeUnknown when the disk failed: the process must end, and answers nobody.
        """
        again, self._again = self._again, []
        for asked in again:
            self._requests.handle(asked)
        for item in items:
            if isinstance(item, Frame):
                self._frame(item)
            else:
                item()
        with METER.span("ledger"):
            self._commit()
        self.core.orders.promises_kept()
        self._flush()

    # ---- for the request handlers -----------------------------------------------------------------------------

    def write(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Runs `work` in this turn's transaction, and `then` with its result after the commit."""
        self._writes.append((work, then))

    def slow(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Runs `work` on another thread and `then` with its result in a later turn."""
        self._slow(work, then)

    def order(self, asked: Asked, order: Order) -> None:
        """Puts a verified order into this turn's group."""
        self._orders.append((asked, order))

    def answer(self, asked: Asked, answer: Answer) -> None:
        """Seals and sends an answer, at the end of the turn."""
        self.answer_encoded(asked, _ENCODER.encode(answer))

    def answer_encoded(self, asked: Asked, answer: bytes) -> None:
        """The same for an answer that is encoded already."""
        if asked.epoch == self._epoch:
            self._reply(asked.frame, Type.SEALED_ANSWER, asked.sealer.seal_encoded(answer))

    def link_lost(self) -> None:
        """The link broke: what was asked over it is not answered over the next one, whose request ids start anew.

        The server has told those who wait that the outcome is unknown; they ask again by payment id.
        """
        self._epoch += 1

    def take_off(self, key: tuple[int, bytes]) -> None:
        """A payment id is being decided: others that ask about it wait."""
        self._flights[key] = []

    def wait_for(self, key: tuple[int, bytes], asked: Asked) -> bool:
        """Lets a request wait for the payment id that is being decided; False when none is."""
        waiting = self._flights.get(key)
        if waiting is None:
            return False
        waiting.append(asked)
        return True

    def land(self, key: tuple[int, bytes]) -> None:
        """The payment id is decided, or given up: those that wait are handled in the next turn."""
        self._again += self._flights.pop(key, [])

    def changed(self, member_id: int) -> None:
        """This member's view changed."""
        self._changed.add(member_id)

    def customers_changed(self, customers: set[tuple[int, str]]) -> None:
        """What these customers owe changed: all members that share them are told."""
        self._changed_customers |= customers

    # ---- a turn -----------------------------------------------------------------------------------------------

    def _frame(self, frame: Frame) -> None:
        try:
            if frame.type == Type.SEALED_REQUEST:
                self._sealed(frame)
            elif frame.type == Type.KEY_CONFIG_REQUEST:
                self._reply(frame, Type.KEY_CONFIG, self.core.keystore.body(self.core.clock()))
            elif frame.type == Type.PING:
                self._reply(frame, Type.PONG, codec.encode_body(Empty()))
            elif frame.type not in (Type.LINK_READY, Type.REFUSAL, Type.PONG):
                self._refuse(frame, codes.UNKNOWN_TYPE, "the payment service does not take this packet")
        except apsw.Error:
            raise
        except Exception:  # one odd request must not stop the service for everybody
            log.exception("a request of packet type %#06x could not be handled", frame.type)
            self._refuse(frame, codes.SERVER_ERROR, "the payment service failed on this request; nothing was charged")

    def _sealed(self, frame: Frame) -> None:
        core, member_id = self.core, frame.sender_id
        try:
            with METER.span("open"):
                envelope, sealer = core.verifier.open(frame.body, member_id, core.clock())
        except sealing.EnvelopeError as error:
            nobody = Envelope(bytes(16), 0, "en", None)  # type: ignore[arg-type]
            self._requests.refuse(Asked(frame, member_id, nobody, error.sealer, epoch=self._epoch), "bad_request")
            return
        except sealing.SealError:
            self._refuse(frame, codes.BAD_SEAL, "the order could not be opened; nothing was charged")
            return
        self._requests.handle(Asked(frame, member_id, envelope, sealer, epoch=self._epoch))

    def _commit(self) -> None:
        while self._writes or self._orders:
            writes, self._writes = self._writes, []
            orders, self._orders = self._orders[:GROUP_MAX], self._orders[GROUP_MAX:]
            try:
                done, answers = self._transact(writes, [order for _, order in orders])
            except apsw.ConstraintError:
                # The database refused what the code let through. Nothing is kept; find the one it refuses.
                log.exception("a group of %d orders was refused by the database", len(orders))
                self.core.orders.undo()
                done, answers = self._one_by_one(writes, [order for _, order in orders])
            for (_, then), result in zip(writes, done, strict=True):
                if result is not _FAILED:
                    then(result)
            for (asked, order), answer in zip(orders, answers, strict=True):
                self._answer_order(asked, order, answer)

    def _transact(self, writes: list[Any], orders: list[Order]) -> tuple[list[Any], list[bytes | None]]:
        core = self.core
        answers: list[bytes | None] = []
        core.ledger.begin()
        with core.store.transaction():
            core.sweep()
            done = [work() for work, _ in writes]
            if orders:
                encoded, group = core.orders.apply(orders, core.clock())
                answers.extend(encoded)
                self._changed_customers |= group.customers
        return done, answers

    def _one_by_one(self, writes: list[Any], orders: list[Order]) -> tuple[list[Any], list[bytes | None]]:
        done: list[Any] = []
        answers: list[bytes | None] = []
        for write in writes:
            try:
                done += self._transact([write], [])[0]
            except apsw.ConstraintError:
                log.exception("a write was refused by the database")
                self.core.orders.undo()
                done.append(_FAILED)
        for order in orders:
            try:
                answers += self._transact([], [order])[1]
            except apsw.ConstraintError:
                log.exception("an order was refused by the database")
                self.core.orders.undo()
                answers.append(None)
        return done, answers

    def _answer_order(self, asked: Asked, order: Order, answer: bytes | None) -> None:
        self.land(order.key)
        if answer is None:
            self._refuse(asked.frame, codes.SERVER_ERROR, _FAILED_TEXT)
            return
        with METER.span("seal answers"):
            self.answer_encoded(asked, answer)

    def _reply(self, frame: Frame, kind: Type, body: bytes) -> None:
        self._out.append(
            codec.encode_frame(
                kind,
                body,
                request_id=frame.request_id,
                sender_id=PAYMENT_ID,
                receiver_id=frame.sender_id,
                flags=Flag.ANSWER,
            )
        )

    def _refuse(self, frame: Frame, code: str, message: str) -> None:
        self._reply(frame, Type.REFUSAL, codec.encode_body(Refusal(code, message)))

    def _flush(self) -> None:
        if self._changed_customers:
            self._changed |= self.core.arrears.members_of(sorted(self._changed_customers))
            self._changed_customers = set()
        if self._changed:
            members = sorted(self._changed)
            self._changed = set()
            for at in range(0, len(members), MEMBERS_PER_PACKET):
                body = AccountsChanged(members[at : at + MEMBERS_PER_PACKET])
                self._out.append(codec.encode(Type.ACCOUNTS_CHANGED, body, sender_id=PAYMENT_ID, flags=Flag.PUSH))
        if self._out:
            out, self._out = self._out, []
            self._send(b"".join(out))
