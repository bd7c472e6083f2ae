"""The service: what happens to each request, in turns of the one writing thread.

A turn takes everything that waits, opens and verifies it, answers reads at once, runs all writes and orders in one
transaction, and answers those after the commit. So a busy service commits many payments at once without anybody
waiting on purpose. See ARCHITECTURE.md for why opening is done in the same thread.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import AccountsChanged, Empty, Flag, Refusal, Type
from payment.admission import Admission
from payment.contract import sealing
from payment.contract.messages import Answer, Envelope
from payment.core import Core
from payment.gate import PinGate, Slow
from payment.group import Failure, GroupCommit
from payment.guard import ends_the_process, safely
from payment.meter import METER
from payment.orders import Order
from payment.requests import Requests

GROUP_MAX = 128
"""Orders in one transaction: twice as many would save 3 % of a payment's work, and double the waiting."""

MEMBERS_PER_PACKET = 4_000

_FAILED_TEXT = "the payment service failed on this order; nothing was charged"
_UNKNOWN_TEXT = "the payment service failed on this request; ask what became of an order by its payment id"

log = logging.getLogger("payment.service")
_ENCODER = msgspec.msgpack.Encoder()
_REFUSALS = {
    Failure.NOTHING_CHARGED: Refusal(codes.SERVER_ERROR, _FAILED_TEXT),
    Failure.OUTCOME_UNKNOWN: Refusal(codes.OUTCOME_UNKNOWN, _UNKNOWN_TEXT),
}


@dataclass(slots=True)
class Asked:
    """An opened request on its way to its answer."""

    frame: Frame
    member_id: int
    envelope: Envelope
    sealer: sealing.ResponseSealer
    nonce: bytes = b""
    epoch: int = 0


class _Write(NamedTuple):
    work: Callable[[], Any]
    then: Callable[[Any], None]
    failed: Callable[[], None]


class Service:
    """Requests in, answers out. One thread only: the one that made `core`.

    `send(packet)` puts bytes on the link; `slow` runs scrypt elsewhere (see gate.Slow).
    """

    def __init__(self, core: Core, send: Callable[[bytes], None], slow: Slow) -> None:
        self.core = core
        self._send = send
        self._slow = slow
        self._out: list[bytes] = []
        self._writes: list[_Write] = []
        self._orders: list[tuple[Asked, Order]] = []
        self._changed: set[int] = set()
        self._changed_customers: set[tuple[int, str]] = set()
        self._flights: dict[tuple[int, bytes], list[Asked]] = {}
        self._waiting: Counter[int] = Counter()
        self._again: list[Asked] = []
        self._epoch = 0
        self._group = GroupCommit(core)
        self._gate = PinGate(core.credentials, self.write, slow, core.save_nonce, core.clock)
        self._requests = Requests(self, self._gate)
        self._admission = Admission(lambda member_id: self._waiting[member_id] + self._gate.waiting(member_id))

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
            self._handle(asked)
        for item in items:
            if isinstance(item, Frame):
                self._frame(item)
            else:
                safely("a call on the writing thread", item)
        with METER.span("ledger"):
            self._commit()
        self.core.orders.promises_kept()
        self._flush()

    # ---- for the request handlers -----------------------------------------------------------------------------

    def write(
        self, work: Callable[[], Any], then: Callable[[Any], None], failed: Callable[[], None] | None = None
    ) -> None:
        """Runs `work` in this turn's transaction, and `then` with its result after the commit.

        `failed` is called instead when the database refused the work, and nothing of it was kept.
        """
        self._writes.append(_Write(work, then, failed or _nothing))

    def left_something(self, member_id: int) -> None:
        """An answer to this member leaves a row that stays for days; only so many are taken."""
        self._admission.left_something(member_id)

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
        """The same for an answer that is encoded already. What its reader could not read is not sent."""
        if asked.epoch != self._epoch:
            return
        try:
            sealing.check_answer(answer)
            sealed = asked.sealer.seal_encoded(answer)
        except ValueError:
            log.exception("an answer to member %d cannot be sent", asked.member_id)
            self.fail(asked)
            return
        self._reply(asked.frame, Type.SEALED_ANSWER, sealed)

    def fail(self, asked: Asked) -> None:
        """Says that something went wrong here, and nothing about what became of an order."""
        if asked.epoch == self._epoch:
            self._refuse(asked.frame, _REFUSALS[Failure.OUTCOME_UNKNOWN])

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
        self._waiting[asked.member_id] += 1
        return True

    def land(self, key: tuple[int, bytes]) -> None:
        """The payment id is decided, or given up: those that wait are handled in the next turn."""
        landed = self._flights.pop(key, [])
        self._again += landed
        if landed:
            self._waiting[key[0]] -= len(landed)
            if not self._waiting[key[0]]:
                del self._waiting[key[0]]

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
                self._refuse(frame, Refusal(codes.UNKNOWN_TYPE, "the payment service does not take this packet"))
        except Exception as error:  # one odd request must not stop the service for everybody
            if ends_the_process(error):
                raise
            log.exception("a request of packet type %#06x could not be handled", frame.type)
            self._refuse(frame, Refusal(codes.SERVER_ERROR, _UNKNOWN_TEXT))

    def _sealed(self, frame: Frame) -> None:
        core, member_id = self.core, frame.sender_id
        refusal = self._admission.refusal(member_id)
        if refusal is not None:
            self._refuse(frame, refusal)
            return
        try:
            with METER.span("open"):
                opened = core.verifier.open(frame.body, member_id, core.clock())
        except sealing.EnvelopeError as error:
            nobody = Envelope(bytes(16), 0, "en", None)  # type: ignore[arg-type]
            self._requests.refuse(Asked(frame, member_id, nobody, error.sealer, epoch=self._epoch), "bad_request")
            return
        except sealing.SealError:
            self._admission.was_useless(member_id)
            self._refuse(frame, Refusal(codes.BAD_SEAL, "the order could not be opened; nothing was charged"))
            return
        if opened.is_copy:
            self._admission.was_useless(member_id)
        self._handle(Asked(frame, member_id, opened.envelope, opened.sealer, epoch=self._epoch))

    def _handle(self, asked: Asked) -> None:
        if not safely("a request", self._requests.handle, asked):
            self.fail(asked)

    def _commit(self) -> None:
        while self._writes or self._orders:
            writes, self._writes = self._writes, []
            orders, self._orders = self._orders[:GROUP_MAX], self._orders[GROUP_MAX:]
            works, wanted = [write.work for write in writes], [order for _, order in orders]
            done, answers, customers = self._group.commit(works, wanted)
            self._changed_customers |= customers
            for write, result in zip(writes, done, strict=True):
                if isinstance(result, Failure):
                    safely("giving up a write", write.failed)
                else:
                    safely("what follows a write", write.then, result)
            for (asked, order), answer in zip(orders, answers, strict=True):
                self._answer_order(asked, order, answer)

    def _answer_order(self, asked: Asked, order: Order, answer: bytes | Failure) -> None:
        self.land(order.key)
        if order.left_a_row:
            self.left_something(order.member_id)
        if isinstance(answer, Failure):
            self._refuse(asked.frame, _REFUSALS[answer])
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

    def _refuse(self, frame: Frame, refusal: Refusal) -> None:
        self._reply(frame, Type.REFUSAL, codec.encode_body(refusal))

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


def _nothing() -> None:
    """A write that nobody waits for."""
