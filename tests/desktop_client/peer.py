"""A small server for the client's tests: real sockets, real TLS 1.3, real sealing; everything else kept simple.

Each connection has one thread that both reads and writes. What it does wrong on purpose is switched by attributes.
"""

from __future__ import annotations

import datetime
import hashlib
import queue
import secrets
import socket
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from desktop_client.profile import KnownServer
from im_protocol import codec, codes, packets
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.packets import Flag, Type
from payment.contract import messages, sealing
from tests.desktop_client.decoration import decorated
from tests.desktop_client.subsystem import ELECTRICITY, WATER, Subsystem

PASSWORD = "correct horse"
LIN, WANG = 10_001, 10_002


class Peer:
    """The server. Use as a context manager; `port` is a free one."""

    def __init__(self, keepalive_seconds: int = 30) -> None:
        self.subsystem = Subsystem()
        self.keepalive_seconds = keepalive_seconds
        self.received: list[Frame] = []
        self.bytes_seen = 0
        self.connections = 0
        self.payment_away = False
        self.cut_on_pay = ""  # "before" or "after" the subsystem has decided
        self.silent_types: set[int] = set()
        self.refusals: list[packets.Refusal] = []  # of the next payment requests, in this order
        self.decoration = ""  # is in every text that a person or the operator chose
        self.refusing: dict[int, list[packets.Refusal]] = {}  # by type: each is given once, then it is answered
        self.refuse_sign_in = ""
        self.mailboxes: dict[int, list[packets.SyncEntry]] = {LIN: [], WANG: []}
        self.shown: dict[int, tuple[Any, str]] = {}  # presence and signature, as others see them
        self.stored: dict[bytes, int] = {}
        self._live: dict[int, list[_Connection]] = {}
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory()
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self.context, self.tls_pin = _tls(Path(self._folder.name))
        self._listener: socket.socket | None = None
        self.port = 0

    def __enter__(self) -> Peer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> None:
        """Listens, on the same port as before when it was stopped."""
        self._stopping = False
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen()
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def stop(self) -> None:
        """Closes the listener and all connections."""
        self._stopping = True
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def known(self) -> KnownServer:
        root = self.subsystem.root_bytes
        fingerprint = hashlib.sha256(root).hexdigest()
        return KnownServer("127.0.0.1", self.port, "Dorm 7", self.tls_pin.hex(), fingerprint, root.hex())

    def new_certificate(self) -> None:
        self.context, self.tls_pin = _tls(Path(self._folder.name))

    def push(self, member_id: int, data: bytes) -> None:
        with self._lock:
            for connection in self._live.get(member_id, []):
                connection.out.put(data)

    def types_received(self) -> list[int]:
        return [frame.type for frame in self.received]

    def deliver(self, sender: int, receiver: int, text: str) -> None:
        """Stores a chat message and pushes it to the receiver."""
        self._store(sender, receiver, packets.ChatSend(secrets.token_bytes(16), text))

    def _store(self, sender: int, receiver: int, message: packets.ChatSend) -> int:
        at = int(time.time() * 1000)
        own = 0
        for owner in (sender, receiver):
            box = self.mailboxes[owner]
            event = packets.ChatEvent(len(box) + 1, at, message)
            box.append(packets.SyncEntry(sender, receiver, event))
            if owner == sender:
                own = event.sequence
        event = self.mailboxes[receiver][-1].event
        frame = codec.encode(Type.CHAT_EVENT, event, sender_id=sender, receiver_id=receiver, flags=Flag.PUSH)
        self.push(receiver, frame)
        self.stored[message.message_id] = own
        return own

    def _spawn(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        listener = self._listener
        while not self._stopping:
            try:
                sock, _address = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._spawn(_Connection(self, sock).run)


class _Connection:
    def __init__(self, peer: Peer, sock: socket.socket) -> None:
        self.peer, self.sock = peer, sock
        self.out: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.member_id = 0

    def run(self) -> None:
        try:
            self.sock.settimeout(5)
            with self.peer.context.wrap_socket(self.sock, server_side=True) as tls:
                tls.settimeout(0.01)
                self._serve(tls)
        except (OSError, _Hangup):
            self.sock.close()
        finally:
            with self.peer._lock:
                live = self.peer._live.get(self.member_id, [])
                if self in live:
                    live.remove(self)

    def _serve(self, tls: ssl.SSLSocket) -> None:
        reader = FrameReader()
        while not self.peer._stopping:
            while not self.out.empty():
                tls.sendall(self.out.get())
            try:
                data = tls.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                return
            self.peer.bytes_seen += len(data)
            for frame in reader.receive_data(data):
                self.peer.received.append(frame)
                if frame.type not in self.peer.silent_types:
                    answer = self.answer(frame)
                    if answer:
                        tls.sendall(answer)

    def reply(self, frame: Frame, packet_type: Type, body: packets.Body | None) -> bytes:
        body = decorated(body, self.peer.decoration)
        return codec.encode(packet_type, body, request_id=frame.request_id, flags=Flag.ANSWER)

    def refuse(self, frame: Frame, code: str) -> bytes:
        return self.reply(frame, Type.REFUSAL, packets.Refusal(code, "because"))

    def answer(self, frame: Frame) -> bytes:
        if self.peer.refusing.get(frame.type):
            return self.reply(frame, Type.REFUSAL, self.peer.refusing[frame.type].pop(0))
        handler = getattr(self, f"on_{Type(frame.type).name.lower()}", None)
        return handler(frame) if handler else b""

    def on_ping(self, frame: Frame) -> bytes:
        return self.reply(frame, Type.PONG, packets.Pong(self.peer.subsystem.now_ms()))

    def on_hello(self, frame: Frame) -> bytes:
        root = self.peer.subsystem.root_bytes
        return self.reply(frame, Type.WELCOME, packets.Welcome("Dorm 7", "1", root, self.peer.keepalive_seconds))

    def on_sign_in(self, frame: Frame) -> bytes:
        body = codec.decode_body(frame, packets.SignIn)
        if self.peer.refuse_sign_in:
            return self.refuse(frame, self.peer.refuse_sign_in)
        if body.member_id not in self.peer.mailboxes:
            return self.refuse(frame, codes.UNKNOWN_MEMBER)
        if body.password != PASSWORD:
            return self.refuse(frame, codes.WRONG_PASSWORD)
        self.member_id = body.member_id
        with self.peer._lock:
            self.peer._live.setdefault(self.member_id, []).append(self)
        last = len(self.peer.mailboxes[self.member_id])
        signed_in = packets.SignedIn(self.member_id, "Lin Yue 林悦", last, self.peer.subsystem.now_ms())
        self.peer.shown[self.member_id] = (body.presence, self.peer.shown.get(self.member_id, ("", ""))[1])
        return self.reply(frame, Type.SIGNED_IN, signed_in) + self.own_presence()

    def own_presence(self) -> bytes:
        event = packets.PresenceEvent(self.member_id, *self.peer.shown[self.member_id])
        return codec.encode(Type.PRESENCE_EVENT, event, sender_id=self.member_id, flags=Flag.PUSH)

    def on_presence_set(self, frame: Frame) -> bytes:
        body = codec.decode_body(frame, packets.PresenceSet)
        self.peer.shown[self.member_id] = (body.presence, body.signature)
        return self.own_presence()

    def on_sign_out(self, frame: Frame) -> bytes:
        raise _Hangup

    def on_roster_request(self, frame: Frame) -> bytes:
        after = codec.decode_body(frame, packets.RosterRequest).after
        bills = [
            packets.Contact(ELECTRICITY, "biller", "Electricity 电费", "online", icon="bolt", verified=True),
            packets.Contact(WATER, "biller", "Water 水费", "online", icon="water"),
        ]
        mates = [packets.Contact(WANG, "member", "Wang Lei", "online", "my half of the power bill")]
        more = [packets.Contact(10_003, "member", "Zhao Min", "offline", last_seen_ms=1_700_000_000_000)]
        if not after:
            groups = [packets.Group("Roommates", "members", mates), packets.Group("Bills", "billpay", bills)]
            return self.reply(frame, Type.ROSTER, packets.Roster(groups, 5))
        return self.reply(frame, Type.ROSTER, packets.Roster([packets.Group("Roommates", "members", more)], 0))

    def on_chat_send(self, frame: Frame) -> bytes:
        message = codec.decode_body(frame, packets.ChatSend)
        if frame.receiver_id not in self.peer.mailboxes:
            return self.refuse(frame, codes.NO_SUCH_MEMBER)
        sequence = self.peer.stored.get(message.message_id)
        if sequence is None:
            sequence = self.peer._store(self.member_id, frame.receiver_id, message)
        accepted = packets.ChatAccepted(message.message_id, sequence, int(time.time() * 1000))
        return self.reply(frame, Type.CHAT_ACCEPTED, accepted)

    def on_sync_request(self, frame: Frame) -> bytes:
        asked = codec.decode_body(frame, packets.SyncRequest)
        after, box = asked.after_sequence, self.peer.mailboxes[self.member_id]
        if after > len(box) or (
            after and asked.message_id and box[after - 1].event.message.message_id != asked.message_id
        ):
            return self.refuse(frame, codes.MAILBOX_CHANGED)
        entries = self.peer.mailboxes[self.member_id][after:]
        return self.reply(frame, Type.SYNC_RESULT, packets.SyncResult(entries[:2], len(entries) > 2))

    def on_key_config_request(self, frame: Frame) -> bytes:
        if self.peer.refusals:
            return self.reply(frame, Type.REFUSAL, self.peer.refusals.pop(0))
        if self.peer.payment_away:
            return self.refuse(frame, codes.PAYMENT_AWAY)
        body = self.peer.subsystem.key_config()
        return codec.encode_frame(Type.KEY_CONFIG, body, request_id=frame.request_id, flags=Flag.ANSWER)

    def on_sealed_request(self, frame: Frame) -> bytes:
        peer = self.peer
        if peer.refusals:
            return self.reply(frame, Type.REFUSAL, peer.refusals.pop(0))
        if peer.payment_away:
            return self.refuse(frame, codes.PAYMENT_AWAY)
        before = len(peer.subsystem.outcomes)
        if peer.cut_on_pay == "before" and self._is_pay(frame):
            peer.cut_on_pay = ""
            raise _Hangup
        try:
            body = peer.subsystem.answer(frame.body, self.member_id)
        except sealing.SealError:
            return self.refuse(frame, codes.BAD_SEAL)
        if peer.cut_on_pay == "after" and len(peer.subsystem.outcomes) > before:
            peer.cut_on_pay = ""
            raise _Hangup
        return codec.encode_frame(Type.SEALED_ANSWER, body, request_id=frame.request_id, flags=Flag.ANSWER)

    def _is_pay(self, frame: Frame) -> bool:
        envelope, _sealer = sealing.open_request(self.peer.subsystem.opening, frame.body, self.member_id)
        return isinstance(envelope.request, messages.Pay)


class _Hangup(Exception):
    pass


def _tls(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Dorm 7")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pem, key_pem)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return context, hashlib.sha256(spki).digest()
