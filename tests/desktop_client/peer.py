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

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from desktop_client.profile import KnownServer
from im_protocol import codec, codes, packets
from im_protocol.codec import Frame
from im_protocol.connection import FrameReader
from im_protocol.packets import Flag, Type
from payment.contract import keys, messages, sealing
from payment.contract.messages import Amount
from payment.contract.receipts import sign_receipt

PIN = "123456"
PASSWORD = "correct horse"
ELECTRICITY, WATER = 101, 102
LIN, WANG = 10_001, 10_002
YEAR_MS = 365 * 86_400_000


def cny(minor: int) -> Amount:
    return Amount(minor, "CNY")


class Subsystem:
    """One account, two billers. Knows the payment contract and nothing of crashes or concurrency."""

    def __init__(self) -> None:
        self.root = Ed25519PrivateKey.generate()
        self.key_id = 1
        self.opening = keys.opening_key(1, secrets.token_bytes(32))
        self.balance = 26_850
        self.customers = {ELECTRICITY: "88201402"}
        self.due = {ELECTRICITY: 8_640, WATER: 410}
        self.rule = "exact"
        self.minimum = 8_640
        self.outcomes: dict[bytes, messages.Answer] = {}
        self.asked: list[messages.Request] = []
        self.wrong_left = 3

    @property
    def root_bytes(self) -> bytes:
        return self.root.public_key().public_bytes_raw()

    def key_config(self) -> bytes:
        now = int(time.time() * 1000)
        return keys.sign_key_configs(self.root, [self.opening.config(now - YEAR_MS, now + YEAR_MS)], now)

    def rotate(self) -> None:
        self.key_id += 1
        self.opening = keys.opening_key(self.key_id, secrets.token_bytes(32))

    def answer(self, body: bytes, member_id: int) -> bytes:
        """Raises SealError for what does not open."""
        envelope, sealer = sealing.open_request(self.opening, body, member_id)
        self.asked.append(envelope.request)
        return sealer.seal(self.decide(envelope.request, member_id))

    def decide(self, request: messages.Request, member_id: int) -> messages.Answer:
        if isinstance(request, messages.Overview):
            return messages.OverviewIs([self._account()], [self._state(b) for b in (ELECTRICITY, WATER)])
        if isinstance(request, messages.AskBill):
            return self._bills(request)
        if isinstance(request, messages.Pay):
            if request.payment_id not in self.outcomes:
                answer = self._pay(request, member_id)
                if isinstance(answer, messages.NotPaid) and not answer.final:
                    return answer
                self.outcomes[request.payment_id] = answer
            return self.outcomes[request.payment_id]
        if isinstance(request, messages.AskPayment):
            return self.outcomes.get(request.payment_id) or messages.PaymentUnknown(request.payment_id)
        if isinstance(request, messages.AskReceipts):
            found = [a.receipt for a in self.outcomes.values() if isinstance(a, messages.Paid)]
            return messages.ReceiptsAre(found[::-1], False)
        if request.old != PIN:
            return messages.Refused("wrong_pin", "The payment password is wrong.")
        return messages.Done("The payment password was changed.")

    def _account(self) -> messages.Account:
        return messages.Account("6200000000000234", "Wallet", cny(self.balance))

    def _state(self, biller: int) -> messages.BillerState:
        due = self.due[biller]
        number = self.customers.get(biller, "")
        if not number:
            return messages.BillerState(biller, "no_customer")
        if not due:
            return messages.BillerState(biller, "nothing_due", None, "", number, "Room 402", "2026-11-03")
        return messages.BillerState(biller, "due", cny(due), self.due_on(), number, "Room 402")

    @staticmethod
    def due_on() -> str:
        return (datetime.date.today() + datetime.timedelta(days=8)).isoformat()  # noqa: DTZ011

    def _bill(self, biller: int) -> messages.Bill:
        due = self.due[biller]
        lines = [messages.BillLine("Usage 144 kWh", cny(due - 576)), messages.BillLine("Late fee October", cny(576))]
        least = min(self.minimum, due)
        number = self.customers[biller]
        return messages.Bill(
            7, biller, number, "Electricity", "November 2026", lines, cny(due), cny(due), cny(least), self.due_on(), self.rule
        )  # fmt: skip

    def _bills(self, request: messages.AskBill) -> messages.Answer:
        number = request.customer_number or self.customers.get(request.biller_id)
        if number is None:
            field = messages.Field(
                "customer_number", "digits", "Customer number", "On your old bills", "[0-9]{8}", "Eight digits."
            )
            actions = [messages.Action("submit", "Show my bill")]
            return messages.Prompt("Which customer are you?", "Asked once.", [field], actions)
        if number == "00000000":
            return messages.Refused("no_such_customer", "There is no such customer.")
        self.customers[request.biller_id] = number
        bills = [self._bill(request.biller_id)] if self.due[request.biller_id] else []
        return messages.BillsAre(request.biller_id, number, "Room 402", bills, [self._account()])

    def _pay(self, request: messages.Pay, member_id: int) -> messages.Answer:
        if request.pin != PIN:
            self.wrong_left -= 1
            text = "The payment password is wrong. No money was moved."
            return messages.NotPaid("wrong_pin", text, False, 0, self.wrong_left)
        due = self.due[request.biller_id]
        if not due:
            return messages.NotPaid("already_paid", "Wang Lei paid this bill. You were not charged.")
        paid = request.amount.minor if request.amount is not None else due
        if paid > self.balance:
            return messages.NotPaid("not_enough_money", "Your balance is not enough. No money was moved.")
        self.balance -= paid
        self.due[request.biller_id] = due - paid
        number = len(self.outcomes) + 1
        receipt = messages.Receipt(
            "billbuddy-receipt-1", "payment", f"7F3K-92QD-XW{number:02}", request.payment_id, member_id, request.biller_id,
            "Electricity", self.customers[request.biller_id], "0234", 7, "Electricity November 2026", cny(due), cny(paid),
            cny(due - paid), cny(0), int(time.time() * 1000), number, 0, hashlib.sha256(b"chain").digest(),
        )  # fmt: skip
        return messages.Paid(sign_receipt(receipt, self.root), cny(self.balance), "Paid. No more is due.")


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
        self.refuse_sign_in = ""
        self.mailboxes: dict[int, list[packets.SyncEntry]] = {LIN: [], WANG: []}
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
        return codec.encode(packet_type, body, request_id=frame.request_id, flags=Flag.ANSWER)

    def refuse(self, frame: Frame, code: str) -> bytes:
        return self.reply(frame, Type.REFUSAL, packets.Refusal(code, "because"))

    def answer(self, frame: Frame) -> bytes:
        handler = getattr(self, f"on_{Type(frame.type).name.lower()}", None)
        return handler(frame) if handler else b""

    def on_ping(self, frame: Frame) -> bytes:
        return self.reply(frame, Type.PONG, None)

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
        signed_in = packets.SignedIn(self.member_id, "Lin Yue 林悦", last, int(time.time() * 1000))
        return self.reply(frame, Type.SIGNED_IN, signed_in)

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
        after = codec.decode_body(frame, packets.SyncRequest).after_sequence
        entries = self.peer.mailboxes[self.member_id][after:]
        return self.reply(frame, Type.SYNC_RESULT, packets.SyncResult(entries[:2], len(entries) > 2))

    def on_key_config_request(self, frame: Frame) -> bytes:
        if self.peer.payment_away:
            return self.refuse(frame, codes.PAYMENT_AWAY)
        body = self.peer.subsystem.key_config()
        return codec.encode_frame(Type.KEY_CONFIG, body, request_id=frame.request_id, flags=Flag.ANSWER)

    def on_sealed_request(self, frame: Frame) -> bytes:
        peer = self.peer
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
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(pem, key_pem)
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return context, hashlib.sha256(spki).digest()
