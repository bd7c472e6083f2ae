"""A plain blocking client on a real TLS socket, and a stand-in for the payment subsystem on the real link."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import threading
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from im_protocol.codec import Frame, decode_body, encode, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.packets import BODIES, Body, ChatSend, Contact, Flag, Hello, LinkHello, SignIn, Type
from im_server.data_folder import DataFolder

SECONDS = 10.0


def tls_socket(port: int) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), SECONDS))


def pin_shown(sock: ssl.SSLSocket) -> bytes:
    der = sock.getpeercert(binary_form=True)
    assert der is not None
    key = x509.load_der_x509_certificate(der).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


class WireClient:
    """Sends packets and reads frames; `kept` holds frames read while waiting for another one."""

    def __init__(self, port: int, *, hello: bool = True) -> None:
        self.sock = tls_socket(port)
        self.reader = FrameReader()
        self.kept: list[Frame] = []
        self.next_request = 0
        self.member_id = 0
        if hello:
            self.ask(Type.HELLO, Hello("tests"))

    def send(self, kind: Type, body: Body | None = None, *, receiver: int = 0, sender: int = 0) -> int:
        self.next_request += 1
        self.sock.sendall(encode(kind, body, request_id=self.next_request, sender_id=sender, receiver_id=receiver))
        return self.next_request

    def send_burst(self, messages: list[ChatSend], receiver: int) -> list[int]:
        """Chat messages in one piece, as a client sends them that does not wait for answers."""
        first = self.next_request + 1
        self.next_request += len(messages)
        requests = list(range(first, first + len(messages)))
        pairs = zip(requests, messages, strict=True)
        packets = [encode(Type.CHAT_SEND, message, request_id=r, receiver_id=receiver) for r, message in pairs]
        self.sock.sendall(b"".join(packets))
        return requests

    def send_raw(self, kind: int, body: bytes, receiver: int = 0) -> int:
        self.next_request += 1
        self.sock.sendall(encode_frame(kind, body, request_id=self.next_request, receiver_id=receiver))
        return self.next_request

    def ask(self, kind: Type, body: Body | None = None, *, receiver: int = 0, sender: int = 0) -> Frame:
        return self.answer_to(self.send(kind, body, receiver=receiver, sender=sender))

    def answer_to(self, request_id: int) -> Frame:
        return self.wait(lambda f: f.request_id == request_id and bool(f.flags & Flag.ANSWER))

    def push(self, kind: Type) -> Frame:
        return self.wait(lambda f: f.type == kind and bool(f.flags & Flag.PUSH))

    def wait(self, wanted: Any) -> Frame:
        for at, frame in enumerate(self.kept):
            if wanted(frame):
                return self.kept.pop(at)
        while True:
            frames = self.read()
            assert frames, "the server closed the connection"
            for at, frame in enumerate(frames):
                if wanted(frame):
                    self.kept += frames[:at] + frames[at + 1 :]
                    return frame
            self.kept += frames

    def read(self) -> list[Frame]:
        """Whole frames; an empty list at the end of the stream."""
        while True:
            try:
                data = self.sock.recv(65_536)
            except (ConnectionResetError, ssl.SSLEOFError):
                return []
            if not data:
                return []
            if frames := self.reader.receive_data(data):
                return frames

    def until_closed(self) -> list[Frame]:
        """Everything that still comes, until the server closes."""
        frames, self.kept = self.kept, []
        while more := self.read():
            frames += more
        return frames

    def sign_in(self, member_id: int, password: str, device: bytes = b"", presence: Any = "online") -> Frame:
        answer = self.ask(Type.SIGN_IN, SignIn(member_id, password, device or os.urandom(16), "test", presence))
        if answer.type == Type.SIGNED_IN:
            self.member_id = member_id
        return answer

    def chat(self, receiver: int, text: str, message_id: bytes = b"") -> Frame:
        return self.ask(Type.CHAT_SEND, ChatSend(message_id or os.urandom(16), text), receiver=receiver)

    def close(self) -> None:
        self.sock.close()


def body_of(frame: Frame) -> Any:
    return decode_body(frame, BODIES[Type(frame.type)])


class FakePayment:
    """Connects to the link as the subsystem does, and hands every request to a function of the test."""

    def __init__(self, folder: DataFolder, billers: tuple[Contact, ...] = ()) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(folder.link_socket))
        self.reader = FrameReader(1 << 20)
        self.frames: list[Frame] = []
        self._send_lock = threading.Lock()
        self.hello(folder.link_token.read_bytes(), billers)

    def hello(self, token: bytes, billers: tuple[Contact, ...] = ()) -> None:
        self.write(encode(Type.LINK_HELLO, LinkHello(token, bytes(range(32)), list(billers)), request_id=1))
        frame = self.next_frame()
        assert frame.type == Type.LINK_READY

    def write(self, data: bytes) -> None:
        with self._send_lock:
            self.sock.sendall(data)

    def next_frame(self) -> Frame:
        while not self.frames:
            data = self.sock.recv(65_536)
            assert data, "the link was closed"
            self.frames += self.reader.receive_data(data)
        return self.frames.pop(0)

    def answer(self, request: Frame, kind: Type, body: bytes) -> None:
        self.write(
            encode_frame(
                kind,
                body,
                request_id=request.request_id,
                sender_id=1,
                receiver_id=request.sender_id,
                flags=Flag.ANSWER,
            )
        )

    def close(self) -> None:
        self.sock.close()
