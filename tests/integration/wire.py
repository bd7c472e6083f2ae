"""A client of a few lines for whole-system tests: blocking, one packet at a time, everything that it sent is kept."""

from __future__ import annotations

import secrets
import socket
import ssl
import time
from collections import deque
from typing import TypeVar

from im_protocol import codec, limits
from im_protocol.connection import FrameReader
from im_protocol.packets import Body, Flag, Hello, Refusal, SignedIn, SignIn, Type, Welcome
from payment.contract.keys import KeyConfig, verify_key_configs
from payment.contract.messages import Answer, Envelope, Request
from payment.contract.sealing import ResponseContext, seal_request

SECONDS_MAX = 20
B = TypeVar("B", bound=Body)


class Refused(Exception):
    """The server answered with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.code = refusal.code


class WireClient:
    """One TLS connection. Does not check the server's key: other tests do."""

    def __init__(self, host: str, port: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection((host, port), timeout=SECONDS_MAX)
        self._socket = context.wrap_socket(plain, server_hostname=None)
        self._reader = FrameReader()
        self._frames: deque[codec.Frame] = deque()
        self._request_id = 0
        self._key: KeyConfig | None = None
        self.member_id = 0
        self.payment_root = b""
        self.sealed_bodies: list[bytes] = []

    def __enter__(self) -> WireClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send_bytes(self, data: bytes) -> None:
        self._socket.sendall(data)

    def next_frame(self) -> codec.Frame:
        """The next packet of the server. Raises ConnectionError when it hangs up instead."""
        while not self._frames:
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self._frames.extend(self._reader.receive_data(data))
        return self._frames.popleft()

    def ask_raw(self, kind: Type, body: bytes, receiver_id: int = 0) -> codec.Frame:
        """Send one packet and wait for its answer; pushes in between are dropped. Raises Refused."""
        return self.answer_to(self.start(kind, body, receiver_id))

    def start(self, kind: Type, body: bytes, receiver_id: int = 0) -> int:
        """Send one packet; returns its request id."""
        self._request_id += 1
        self.send_bytes(codec.encode_frame(kind, body, request_id=self._request_id, receiver_id=receiver_id))
        return self._request_id

    def answer_to(self, request_id: int) -> codec.Frame:
        while True:
            answer = self.next_frame()
            if answer.flags & Flag.ANSWER and answer.request_id == request_id:
                break
        if answer.type == Type.REFUSAL:
            raise Refused(codec.decode_body(answer, Refusal))
        return answer

    def ask(self, kind: Type, body: Body | None, expected: type[B], receiver_id: int = 0) -> B:
        raw = b"\x90" if body is None else codec.encode_body(body)
        return codec.decode_body(self.ask_raw(kind, raw, receiver_id), expected)

    def sign_in(self, member_id: int, password: str) -> SignedIn:
        self.payment_root = self.ask(Type.HELLO, Hello("wire test"), Welcome).payment_root
        sign_in = SignIn(member_id, password, secrets.token_bytes(16), "wire test")
        done = self.ask(Type.SIGN_IN, sign_in, SignedIn)
        self.member_id = member_id
        return done

    def ask_payment(self, request: Request) -> Answer:
        """Seal a request for the payment subsystem and open its answer."""
        return self.finish(self.start_payment(request))

    def start_payment(self, request: Request) -> tuple[int, ResponseContext]:
        """Seal and send; `finish` waits for the answer."""
        if self._key is None:
            self.fetch_key()
        assert self._key is not None
        envelope = Envelope(secrets.token_bytes(16), time.time_ns() // 1_000_000, "en", request)
        body, context = seal_request(self._key, envelope, self.member_id)
        self.sealed_bodies.append(body)
        return self.start(Type.SEALED_REQUEST, body, limits.PAYMENT_ID), context

    def fetch_key(self) -> None:
        """Get the subsystem's newest sealing key, which later requests use."""
        keys = self.ask_raw(Type.KEY_CONFIG_REQUEST, b"\x90", limits.PAYMENT_ID)
        self._key = verify_key_configs(keys.body, self.payment_root, time.time_ns() // 1_000_000)[0]

    def finish(self, started: tuple[int, ResponseContext]) -> Answer:
        request_id, context = started
        return context.open(self.answer_to(request_id).body)
