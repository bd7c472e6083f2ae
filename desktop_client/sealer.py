"""Security processing: payment elements into an envelope, the envelope into a sealed packet, and answers opened.

The keys to seal to come from the server, signed by the payment root key that this device has pinned: a server that
hands out its own keys is found out here, before anything is sealed.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from desktop_client.events import TryingAgain
from desktop_client.session import BAD_ANSWER, NOT_CONNECTED, TIMED_OUT, Session
from desktop_client.transport import LOST
from im_protocol import codes
from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID, SERVER_ID
from im_protocol.packets import Refusal, Type
from payment.contract.messages import Answer, Envelope, Pay, Refused, Request

if TYPE_CHECKING:
    from payment.contract.keys import KeyConfig

log = logging.getLogger(__name__)

PAYMENT_KEY_CHANGED = "payment_key_changed"
STEP_BACK_MS_MAX = 4 * 60_000  # requests may be five minutes off (PROTOCOL.md)
RETRY_SECONDS_MIN = 0.1
PATIENCE_SECONDS_MAX = 10.0  # for all waits of one request: as long as a person looks at "Paying…" without a doubt
CLOCK_WRONG = "clock_wrong"  # no payment key is valid at the time that this device believes it is
KEYS_FOR_SECONDS = 300  # how long a fetched key is used without asking again; a retired one is noticed anyway

AnswerDone = Callable[["Answer | Refusal"], None]


class Sealer:
    """Seals the requests of one member to the payment subsystem whose root key has `fingerprint` (SHA-256)."""

    def __init__(
        self,
        session: Session,
        member_id: int,
        fingerprint: bytes,
        lang: Callable[[], str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = b""
        self.patient_codes = frozenset({codes.RATE_LIMITED})  # refusals after which a request waits and tries again
        self.clock_offset_ms = 0  # server time minus ours, so that a wrong clock here does not make orders stale
        self._session = session
        self._member_id = member_id
        self._fingerprint = fingerprint
        self._lang = lang
        self._clock = clock
        self._config: KeyConfig | None = None
        self._fetched_at = 0.0
        self._last_made_at_ms = 0

    def ask(self, request: Request, done: AnswerDone, sealed: Callable[[int], None] | None = None) -> None:
        """Sends one sealed request; `done` gets the opened answer, or a Refusal.

        `sealed` is told the time (Unix milliseconds, the server's) that the request bears, before it is sent.
        """
        waited = 0.0

        def on_answer(answer: Answer | Refusal) -> None:
            nonlocal waited
            wait = self._wait_before_trying_again(answer, waited)
            if not wait or not isinstance(answer, Refusal):
                done(answer)
                return
            waited += wait
            self._session.bus.publish(TryingAgain(answer.code, wait))
            self._session.call_after(wait, once)

        def once() -> None:
            self._with_config(lambda config: self._send(config, request, on_answer, sealed, retry=True), on_answer)

        once()

    def _wait_before_trying_again(self, answer: Answer | Refusal, waited: float) -> float:
        """Seconds, when the server says that trying again will help; 0 when it is not worth it, or too long already.

        Such a refusal says that the request went nowhere, and an order keeps its id: trying again risks nothing.
        """
        if not isinstance(answer, Refusal) or answer.code not in self.patient_codes or answer.retry_after_ms <= 0:
            return 0.0
        wait = max(RETRY_SECONDS_MIN, answer.retry_after_ms / 1000)
        return wait if waited + wait <= PATIENCE_SECONDS_MAX else 0.0

    def _with_config(self, use: Callable[[KeyConfig], None], failed: Callable[[Refusal], None]) -> None:
        config = self._config
        if config is not None and 0 <= self._clock() - self._fetched_at < KEYS_FOR_SECONDS:
            use(config)
            return

        def on_answer(answer: Frame | Refusal) -> None:
            result = answer if isinstance(answer, Refusal) else self._accept_keys(answer)
            if isinstance(result, Refusal):
                failed(_never_sent(result))
            else:
                use(result)

        self._session.request(Type.KEY_CONFIG_REQUEST, None, on_answer, receiver_id=PAYMENT_ID)

    def _accept_keys(self, frame: Frame) -> KeyConfig | Refusal:
        from payment.contract.keys import (  # here: HPKE takes a while to import
            KeyConfigError,
            NoKeyNowError,
            verify_key_configs,
        )

        if frame.type != Type.KEY_CONFIG:
            return Refusal(BAD_ANSWER, "the server answered with something that is no key")
        root = self.root or _root_in(frame.body)
        if not _fits(root, self._fingerprint):
            return Refusal(PAYMENT_KEY_CHANGED, "the payment service's key is not the pinned one")
        try:
            configs = verify_key_configs(frame.body, root, self.now_ms())
        except NoKeyNowError as error:
            return Refusal(CLOCK_WRONG, str(error))
        except KeyConfigError as error:
            return Refusal(PAYMENT_KEY_CHANGED, str(error))
        self.root, self._config, self._fetched_at = root, configs[0], self._clock()
        return configs[0]

    def _send(
        self,
        config: KeyConfig,
        request: Request,
        done: AnswerDone,
        sealed: Callable[[int], None] | None,
        *,
        retry: bool,
    ) -> None:
        from payment.contract.sealing import seal_request

        envelope = Envelope(
            nonce=secrets.token_bytes(16),
            made_at_ms=self._made_at_ms(),
            lang=self._lang(),
            request=request,
        )
        if sealed is not None:
            sealed(envelope.made_at_ms)
        body, context = seal_request(config, envelope, self._member_id)

        def on_answer(answer: Frame | Refusal) -> None:
            if isinstance(answer, Refusal):
                if answer.code == codes.BAD_SEAL and retry:
                    self._again(request, done, sealed)
                    return
                done(answer)
                return
            opened = _opened(context, answer)
            if retry and isinstance(opened, Refused) and opened.code == "stale":
                self._stale(request, done, sealed, opened, envelope.made_at_ms)
                return
            done(opened)

        self._session.request(Type.SEALED_REQUEST, body, on_answer, receiver_id=PAYMENT_ID)

    def set_server_time(self, at_ms: int) -> None:
        """The server's clock as it was told just now, Unix milliseconds."""
        self.clock_offset_ms = at_ms - int(self._clock() * 1000)

    def now_ms(self) -> int:
        """The server's time as far as it is known here, Unix milliseconds."""
        return int(self._clock() * 1000) + self.clock_offset_ms

    def _made_at_ms(self) -> int:
        """Larger each time, since a question, or a refusal, makes the orders dead that were sealed before it.

        With a clock that was put back by much, holding on to its old time would make every request stale.
        """
        now_ms, last_ms = self.now_ms(), self._last_made_at_ms
        self._last_made_at_ms = last_ms + 1 if now_ms <= last_ms <= now_ms + STEP_BACK_MS_MAX else now_ms
        return self._last_made_at_ms

    def _stale(
        self, request: Request, done: AnswerDone, sealed: Callable[[int], None] | None, answer: Refused, made_at_ms: int
    ) -> None:
        """A clock was put right: take the time anew and seal the same request afresh, once.

        Not an order that would now bear an earlier time: it died with the refusal, which says that no money moved.
        """

        def on_time(_pong: Frame | Refusal) -> None:
            config = self._config
            if config is None or (isinstance(request, Pay) and self.now_ms() <= made_at_ms):
                done(answer)
            else:
                self._send(config, request, done, sealed, retry=False)

        self._session.request(Type.PING, None, on_time, receiver_id=SERVER_ID)

    def _again(self, request: Request, done: AnswerDone, sealed: Callable[[int], None] | None) -> None:
        """The key was retired: fetch the new one and seal the same request afresh, once."""
        self._config = None
        self._with_config(lambda config: self._send(config, request, done, sealed, retry=False), done)


def _never_sent(refusal: Refusal) -> Refusal:
    """Without a key nothing was sealed, so nothing was sent: whatever went wrong, it moved no money."""
    if refusal.code in (PAYMENT_KEY_CHANGED, CLOCK_WRONG, codes.PAYMENT_AWAY, codes.RATE_LIMITED):
        return refusal
    if refusal.code in (NOT_CONNECTED, LOST, TIMED_OUT):  # the network's fault, not the payment service's
        return Refusal(NOT_CONNECTED, refusal.message)
    return Refusal(codes.PAYMENT_AWAY, refusal.message, refusal.retry_after_ms)


def _opened(context: Any, frame: Frame) -> Answer | Refusal:
    from payment.contract.sealing import SealError

    if frame.type != Type.SEALED_ANSWER:
        return Refusal(BAD_ANSWER, "the server answered with something that is no sealed answer")
    try:
        return context.open(frame.body)
    except SealError as error:
        log.warning("a sealed answer does not open")
        return Refusal(BAD_ANSWER, str(error))


def _fits(root: bytes, fingerprint: bytes) -> bool:
    from payment.contract.keys import root_fingerprint

    return len(root) == 32 and root_fingerprint(root) == fingerprint


def _root_in(body: bytes) -> bytes:
    """The root key that a KEY_CONFIG says it is signed by; empty when it is malformed."""
    import msgspec

    from payment.contract.keys import KeyConfigSet, SignedKeyConfigs

    try:
        signed = msgspec.msgpack.decode(body, type=SignedKeyConfigs)
        return msgspec.msgpack.decode(signed.payload, type=KeyConfigSet).root_public_key
    except msgspec.DecodeError:
        return b""
