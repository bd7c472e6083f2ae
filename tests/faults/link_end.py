"""The chat server's end of the link, played by a test: a real socket with the real payment process behind it."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from build_scripts.common import ROOT
from im_protocol.codec import Frame, encode, encode_frame
from im_protocol.connection import FrameReader
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Flag, Type
from payment.contract.messages import Answer, Request
from payment.contract.sealing import ResponseContext
from tests.faults.house import House

SECONDS_MAX = 30
Line = Callable[[Path, Path], list[str]]


class Gone(Exception):
    """The payment process hung up before it answered."""


class LinkEnd:
    """Starts a payment process and talks to it as the chat server does. A context: ends the process."""

    def __init__(self, house: House, folder: Path, line: Line, output: Path) -> None:
        self._house = house
        self._ids = itertools.count(1)
        self._reader = FrameReader()
        self._frames: list[Frame] = []
        self._socket: socket.socket | None = None
        path = folder / "link.sock"
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(SECONDS_MAX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        token = folder / "link.token"
        token.write_bytes(b"token")
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *line(path, token)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
            )

    def __enter__(self) -> LinkEnd:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def accept(self) -> bool:
        """Waits for the process to connect; False when it ended instead."""
        self._listener.settimeout(0.05)
        while self.process.poll() is None:
            try:
                self._socket, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._socket.settimeout(SECONDS_MAX)
            try:
                hello = self._next()
            except Gone:
                return False
            assert hello.type == Type.LINK_HELLO
            self._socket.sendall(encode(Type.LINK_READY, flags=Flag.ANSWER, request_id=hello.request_id))
            return True
        return False

    def send(self, member_id: int, request: Request, nonce: bytes, made_at_ms: int = 0) -> tuple[int, ResponseContext]:
        """Seals a request and sends it. Raises Gone."""
        body, context = self._house.seal(member_id, request, nonce, made_at_ms)
        request_id = next(self._ids)
        packet = encode_frame(
            Type.SEALED_REQUEST, body, request_id=request_id, sender_id=member_id, receiver_id=PAYMENT_ID
        )
        assert self._socket is not None
        try:
            self._socket.sendall(packet)
        except OSError:
            raise Gone from None
        return request_id, context

    def ask(self, member_id: int, request: Request, nonce: bytes, made_at_ms: int = 0) -> Answer:
        """Sends a request and waits for its answer. Raises Gone."""
        request_id, context = self.send(member_id, request, nonce, made_at_ms)
        while True:
            frame = self._next()
            if frame.flags & Flag.ANSWER and frame.request_id == request_id:
                assert frame.type == Type.SEALED_ANSWER, frame
                return context.open(frame.body)

    def _next(self) -> Frame:
        assert self._socket is not None
        while not self._frames:
            try:
                data = self._socket.recv(65_536)
            except ConnectionResetError:
                raise Gone from None
            if not data:
                raise Gone
            self._frames += self._reader.receive_data(data)
        return self._frames.pop(0)

    def wait(self) -> int:
        """Waits until the process has ended by itself; gives its exit status."""
        return self.process.wait(SECONDS_MAX)

    def end(self) -> int:
        """Asks the process to end by closing its standard input; gives its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            status = self.process.wait(SECONDS_MAX)
        finally:
            self.process.kill()
            self.process.wait()
            for sock in (self._socket, self._listener):
                if sock is not None:
                    sock.close()
        return status
