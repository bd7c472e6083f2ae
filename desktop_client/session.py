"""Message processing: requests to packets, packets to answers and events. Lives on the user interface's thread.

Every request ends in exactly one call of its `done`: with the answer's frame, or with a Refusal (the server's own, or
one of the codes below for what happened on this side).
"""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from desktop_client.backoff import Backoff
from desktop_client.config import DRAIN_ITEMS_MAX, Timings
from desktop_client.events import ConnectionChanged, EventBus, SessionEnded, SessionReady
from desktop_client.guarded import call_guarded
from desktop_client.inbox import Inbox
from desktop_client.liveness import Mode
from desktop_client.transport import FIRST_FREE_REQUEST_ID, LOST, Arrived, Down, Target, Transport, Up
from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.errors import RemoteProtocolError
from im_protocol.limits import SERVER_ID
from im_protocol.packets import Body, Flag, Pong, Presence, Refusal, SignedIn, SignIn, Type

log = logging.getLogger(__name__)

NOT_CONNECTED = "not_connected"  # was not sent at all
TIMED_OUT = "timed_out"  # was sent; no answer in time
BAD_ANSWER = "bad_answer"  # was sent; the answer is not what the protocol says

Done = Callable[["Frame | Refusal"], None]
SENT_ANYHOW = frozenset({LOST, TIMED_OUT, BAD_ANSWER, codes.OUTCOME_UNKNOWN})
"""Codes after which the other side may have acted."""


@dataclass(frozen=True)
class Credentials:
    """Held in memory only, to sign in again after a cut."""

    member_id: int
    password: str
    device_id: bytes
    device_name: str

    def __repr__(self) -> str:
        return f"Credentials({self.member_id})"


class Session:
    """One member's conversation with one server."""

    def __init__(
        self,
        transport: Transport,
        inbox: Inbox,
        bus: EventBus,
        timings: Timings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus = bus
        self.timings = timings
        self.me: SignedIn | None = None
        self.up: Up | None = None
        self.signed_in = False
        self.on_server_time: Callable[[int], None] = lambda server_ms: None  # Unix milliseconds, told now and then
        self.presence: Presence = "online"  # with which every sign-in is made, the first and those after a cut
        self.on_sooner: Callable[[], None] = lambda: None  # something is due earlier than what was due first
        self._transport = transport
        transport.mode = self._mode
        self._inbox = inbox
        self._clock = clock
        self._epoch = 0
        self._next_id = FIRST_FREE_REQUEST_ID
        self._sign_in_backoff = Backoff(timings.repeat_first_seconds, timings.repeat_max_seconds)
        self._waiting: dict[int, Done] = {}
        self._deadlines: list[tuple[float, int]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._errors: list[Exception] = []
        self._pushes: dict[int, Callable[[Frame], None]] = {}
        self._greeted: Callable[[Up | Down], None] | None = None
        self._check_up: Callable[[Up], str] = lambda up: ""
        self._credentials: Credentials | None = None
        self._sign_in_done: Callable[[SignedIn | Refusal], None] | None = None

    # -- connecting

    def open(self, target: Target, done: Callable[[Up | Down], None]) -> None:
        """Connects and greets; `done` gets the first Up or Down."""
        self._forget(Refusal(LOST, "the connection was left"))
        self._greeted = done
        self._credentials = None
        self._epoch = self._transport.open(target)
        self.bus.publish(ConnectionChanged("connecting"))

    def sign_in(
        self,
        credentials: Credentials,
        check_up: Callable[[Up], str],
        done: Callable[[SignedIn | Refusal], None],
    ) -> None:
        """Signs in on the open connection; later connections are signed in by themselves.

        `check_up` looks at each later greeting and returns the code of a hard stop, or nothing.
        """
        self._credentials, self._check_up, self._sign_in_done = credentials, check_up, done
        self._send_sign_in()

    def sign_out(self) -> None:
        """Says goodbye and leaves."""
        if self.signed_in:
            self.post(Type.SIGN_OUT)
        self._credentials = None
        self._forget(Refusal(LOST, "the connection was left"))
        self._transport.leave()
        self._epoch = -1
        self.bus.publish(ConnectionChanged("offline"))

    def retry_now(self) -> None:
        """Does not wait for the next attempt to reconnect."""
        self._transport.retry_now()

    # -- requests

    def request(
        self,
        packet_type: Type,
        body: Body | bytes | None,
        done: Done,
        *,
        receiver_id: int = SERVER_ID,
        seconds: float = 0,
    ) -> None:
        """Sends a packet and calls `done` with its answer. `seconds` 0: the usual time."""
        request_id = self._take_id()
        if self.up is None or not self._send(packet_type, body, request_id, receiver_id):
            done(Refusal(NOT_CONNECTED, "there is no connection to the server"))
            return
        self._waiting[request_id] = done
        due = self._clock() + (seconds or self.timings.request_seconds)
        heapq.heappush(self._deadlines, (due, request_id))
        if self._deadlines[0][1] == request_id:
            self.on_sooner()

    def post(self, packet_type: Type, body: Body | None = None, *, receiver_id: int = SERVER_ID) -> bool:
        """Sends a packet that has no answer."""
        return self.up is not None and self._send(packet_type, body, 0, receiver_id)

    def on_push(self, packet_type: Type, handler: Callable[[Frame], None]) -> None:
        """Hands every unasked packet of this type to `handler`."""
        self._pushes[int(packet_type)] = handler

    def call_after(self, seconds: float, work: Callable[[], None]) -> None:
        """Calls `work` from a later `pump`."""
        self._timer_count += 1
        heapq.heappush(self._timers, (self._clock() + seconds, self._timer_count, work))
        if self._timers[0][1] == self._timer_count:
            self.on_sooner()

    def cancel_timers(self) -> None:
        """Forgets all work of `call_after`: whoever wanted it is gone."""
        self._timers.clear()

    def _mode(self) -> Mode:
        """What the transport goes by when nothing comes; asked by its thread, so it only looks."""
        if not self.signed_in:
            return "signing_in" if self._credentials is not None else "idle"
        return "waiting" if self._waiting else "idle"

    # -- the loop's part

    def pump(self) -> int:
        """Handles what has come and what is over time; returns how many items there were.

        Raises the first error of a callback, after everything was handled.
        """
        items = self._inbox.drain(DRAIN_ITEMS_MAX)
        for item in items:
            self._call("what the network brought", self._handle, item)
        self._expire()
        errors, self._errors = self._errors, []
        if errors:
            raise errors[0]
        return len(items)

    def _call(self, what: str, call: Callable[..., object], *arguments: object) -> None:
        """Calls back; what fails is raised by `pump`, after all others were called."""
        error = call_guarded(what, call, *arguments)
        if error is not None:
            self._errors.append(error)

    def seconds_to_next(self) -> float | None:
        """How long until `pump` has something to do by the clock; None when nothing is waited for."""
        while self._deadlines and self._deadlines[0][1] not in self._waiting:
            heapq.heappop(self._deadlines)  # answered in time
        due = [heap[0][0] for heap in (self._deadlines, self._timers) if heap]
        return max(0.0, min(due) - self._clock()) if due else None

    def _handle(self, item: object) -> None:
        if isinstance(item, Arrived):
            self._on_arrived(item)
        elif isinstance(item, Up):
            self._on_up(item)
        elif isinstance(item, Down):
            self._on_down(item)

    def _expire(self) -> None:
        now = self._clock()
        while self._deadlines and self._deadlines[0][0] <= now:
            _, request_id = heapq.heappop(self._deadlines)
            done = self._waiting.pop(request_id, None)
            if done is not None:
                self._call("a request's end", done, Refusal(TIMED_OUT, "the server did not answer in time"))
        last = self._timer_count  # what is due calls for more work, which is of a later turn
        while self._timers and self._timers[0][0] <= now and self._timers[0][1] <= last:
            self._call("work that was due", heapq.heappop(self._timers)[2])

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id = taken + 1 if taken < 0xFFFF_FFFF else FIRST_FREE_REQUEST_ID
        return taken

    def _send(self, packet_type: Type, body: Body | bytes | None, request_id: int, receiver_id: int) -> bool:
        assert self.up is not None
        if isinstance(body, bytes):
            data = codec.encode_frame(packet_type, body, request_id=request_id, receiver_id=receiver_id)
        else:
            data = codec.encode(packet_type, body, request_id=request_id, receiver_id=receiver_id)
        return self._transport.send(self.up.generation, data)

    def _on_up(self, up: Up) -> None:
        if up.epoch != self._epoch:
            return
        self.up = up
        if self._greeted is not None:
            greeted, self._greeted = self._greeted, None
            greeted(up)
            return
        stop = self._check_up(up)
        if stop:
            self._end(stop, "")
        elif self._credentials is not None:
            self._send_sign_in()

    def _on_down(self, down: Down) -> None:
        if down.epoch != self._epoch:
            return
        self._forget(Refusal(LOST, down.message))
        state: ConnectionChanged
        if down.retry_in_seconds >= 0:
            state = ConnectionChanged("reconnecting", down.message, down.retry_in_seconds)
        else:
            state = ConnectionChanged("offline", down.message)
        self.bus.publish(state)
        if self._greeted is not None:
            greeted, self._greeted = self._greeted, None
            greeted(down)
        elif down.retry_in_seconds < 0 and self.me is not None:
            self._end(down.code, down.message)

    def _send_sign_in(self) -> None:
        c = self._credentials
        assert c is not None
        body = SignIn(c.member_id, c.password, c.device_id, c.device_name, self.presence)
        self.request(Type.SIGN_IN, body, self._on_sign_in)

    def _on_sign_in(self, answer: Frame | Refusal) -> None:
        result = typed(answer, SignedIn)
        done, self._sign_in_done = self._sign_in_done, None
        if isinstance(result, SignedIn):
            again = done is None
            self.me, self.signed_in = result, True
            self._sign_in_backoff.reset()
            self._transport.keep()
            self.bus.publish(ConnectionChanged("connected"))
            if done is not None:
                self._call("the end of signing in", done, result)
            member_id, name, last, at_ms = result.member_id, result.name, result.last_sequence, result.server_time_ms
            self.bus.publish(SessionReady(member_id, name, last, again, at_ms))
        elif done is not None:
            self._credentials = None
            done(result)
        elif result.code in (codes.WRONG_PASSWORD, codes.UNKNOWN_MEMBER):
            self._end(result.code, result.message)
        elif result.code != LOST and self._credentials is not None:
            self.call_after(self._sign_in_backoff.wait(result.retry_after_ms), self._sign_in_if_up)

    def _sign_in_if_up(self) -> None:
        if self.up is not None and not self.signed_in and self._credentials is not None:
            self._send_sign_in()

    def _end(self, code: str, message: str) -> None:
        self._credentials = None
        self._forget(Refusal(LOST, message))
        self._transport.leave()
        self._epoch = -1
        self.bus.publish(ConnectionChanged("offline", message))
        self.bus.publish(SessionEnded(code, message))

    def _forget(self, refusal: Refusal) -> None:
        """The connection is gone: all that wait are told."""
        self.up, self.signed_in = None, False
        waiting, self._waiting = self._waiting, {}
        self._deadlines.clear()
        for done in waiting.values():
            self._call("a request's end", done, refusal)

    def _on_arrived(self, item: Arrived) -> None:
        if self.up is None or item.generation != self.up.generation:
            return
        frame = item.frame
        if frame.type == Type.PONG:
            self._note_time(frame)
        if frame.flags & Flag.ANSWER:
            done = self._waiting.pop(frame.request_id, None)
            if done is not None:
                done(_refusal_of(frame) or frame)
            return
        refusal = _refusal_of(frame)
        if refusal is not None:
            self._on_notice(refusal)
            return
        handler = self._pushes.get(frame.type)
        if handler is None:
            log.info("a packet of type %#06x that nobody here knows", frame.type)
            return
        try:
            handler(frame)
        except RemoteProtocolError as error:
            log.warning("the server sent a bad packet: %s", error.message)

    def _note_time(self, frame: Frame) -> None:
        pong = typed(frame, Pong)
        if isinstance(pong, Pong) and pong.server_time_ms:
            self.on_server_time(pong.server_time_ms)

    def _on_notice(self, refusal: Refusal) -> None:
        log.warning("the server says %s: %s", refusal.code, refusal.message)
        if refusal.code == codes.SIGNED_IN_ELSEWHERE:
            self._end(refusal.code, refusal.message)


_B = TypeVar("_B", bound=Body)


def typed(answer: Frame | Refusal, expected: type[_B]) -> _B | Refusal:
    """The answer's body, or the refusal in its place."""
    if isinstance(answer, Refusal):
        return answer
    try:
        return codec.decode_body(answer, expected)
    except RemoteProtocolError as error:
        return Refusal(BAD_ANSWER, error.message)


def _refusal_of(frame: Frame) -> Refusal | None:
    if frame.type != Type.REFUSAL:
        return None
    try:
        return codec.decode_body(frame, Refusal)
    except RemoteProtocolError:
        return Refusal(BAD_ANSWER, "the server's refusal cannot be read")
