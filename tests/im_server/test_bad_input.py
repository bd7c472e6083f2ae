"""Rubbish on the wire: a typed refusal, the connection dropped, and nobody else notices."""

from __future__ import annotations

import os
import random
import socket
import ssl

import pytest

from im_protocol import codes, limits
from im_protocol.codec import HEADER, MAGIC, VERSION, encode, encode_body
from im_protocol.packets import ChatSend, Hello, Type
from tests.im_server.conftest import A, B, Lab
from tests.im_server.wire import WireClient, body_of, tls_socket

pytestmark = pytest.mark.slow


def header(
    *, magic: int = MAGIC, version: int = VERSION, flags: int = 0, kind: int = 2, zero: int = 0, size: int = 0
) -> bytes:
    return HEADER.pack(magic, version, flags, kind, zero, size, 7, 0, 0)


def refusal_then_end(client: WireClient) -> str:
    frames = client.until_closed()
    assert [f.type for f in frames][-1:] == [Type.REFUSAL], frames
    return str(body_of(frames[-1]).code)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", codes.BAD_MAGIC),
        (header(magic=0x4243), codes.BAD_MAGIC),
        (header(version=2), codes.BAD_VERSION),
        (header(flags=0x80), codes.BAD_HEADER),
        (header(zero=1), codes.BAD_HEADER),
        (header(size=2**32 - 1), codes.BODY_TOO_LARGE),
        (header(kind=Type.SIGN_IN, size=limits.BODY_BYTES_MAX_BEFORE_SIGN_IN + 1), codes.BODY_TOO_LARGE),
        (header(kind=0xBEEF), codes.UNKNOWN_TYPE),
        (header(kind=Type.SIGN_IN, size=0), codes.BAD_BODY),
    ],
    ids=["http", "magic", "version", "flags", "reserved", "size 2**32-1", "size over limit", "type", "empty body"],
)
def test_malformed_packet_before_sign_in_is_refused_and_dropped(lab: Lab, data: bytes, code: str) -> None:
    server = lab.server()
    neighbour = lab.client(server, B)
    client = lab.client(server)
    client.sock.sendall(data)
    assert refusal_then_end(client) == code
    assert neighbour.ask(Type.PING).type == Type.PONG


def test_random_bytes_never_hurt_anybody_else(lab: Lab) -> None:
    server = lab.server()
    neighbour = lab.client(server, B)
    rng = random.Random(20_06)
    for _ in range(30):
        client = WireClient(server.port, hello=False)
        client.sock.sendall(rng.randbytes(rng.randint(32, 3_000)))
        assert refusal_then_end(client) == codes.BAD_MAGIC
        client.close()
    assert neighbour.ask(Type.PING).type == Type.PONG


def test_bytes_that_are_not_tls_are_dropped(lab: Lab) -> None:
    server = lab.server()
    with socket.create_connection(("127.0.0.1", server.port), 10) as plain:
        plain.sendall(b"not a TLS handshake at all, whatever it says" * 20)
        received = b""
        try:
            while data := plain.recv(1_000):
                received += data
        except ConnectionResetError:
            pass
        assert len(received) < 100
    assert lab.client(server, A).ask(Type.PING).type == Type.PONG


def test_tls_1_2_is_not_spoken(lab: Lab) -> None:
    server = lab.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", server.port), 10) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


def test_half_a_header_and_then_silence_is_too_slow(lab: Lab) -> None:
    server = lab.server(sign_in_seconds_max=0.4)
    client = WireClient(server.port, hello=False)
    client.sock.sendall(header()[:16])
    assert refusal_then_end(client) == codes.TOO_SLOW
    client.close()


def test_silence_before_the_handshake_is_dropped(lab: Lab) -> None:
    server = lab.server(sign_in_seconds_max=0.4)
    with socket.create_connection(("127.0.0.1", server.port), 10) as plain:
        assert plain.recv(100) == b""


def test_signed_in_peer_that_is_silent_too_long_is_dropped(lab: Lab) -> None:
    server = lab.server(silence_seconds_max=0.4)
    client = lab.client(server, A)
    assert refusal_then_end(client) == codes.TOO_SLOW


@pytest.mark.parametrize("kind", [t for t in Type if t is not Type.HELLO], ids=lambda t: t.name)
def test_packet_of_every_type_before_hello_is_refused(lab: Lab, kind: Type) -> None:
    server = lab.server()
    client = WireClient(server.port, hello=False)
    client.sock.sendall(encode(kind, request_id=9))
    assert refusal_then_end(client) == codes.NOT_NOW
    client.close()


@pytest.mark.parametrize("kind", [t for t in Type if t not in (Type.SIGN_IN, Type.PING)], ids=lambda t: t.name)
def test_packet_of_every_type_between_hello_and_sign_in_is_refused(lab: Lab, kind: Type) -> None:
    server = lab.server()
    client = lab.client(server)
    client.sock.sendall(encode(kind, request_id=9))
    assert refusal_then_end(client) == codes.NOT_NOW


def test_signed_in_member_keeps_the_connection_after_a_wrong_packet(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    for kind, code in ((0xBEEF, codes.UNKNOWN_TYPE), (Type.HELLO, codes.NOT_NOW), (Type.LINK_HELLO, codes.NOT_NOW)):
        assert body_of(alice.answer_to(alice.send_raw(kind, b"\x90"))).code == code
    for body in (b"", b"\x90", b"\xc1", b"\x92\xc4\x10" + bytes(16), os.urandom(40)):
        assert body_of(alice.answer_to(alice.send_raw(Type.CHAT_SEND, body, B))).code == codes.BAD_BODY
    assert alice.chat(B, "still here").type == Type.CHAT_ACCEPTED


def test_invalid_utf8_in_a_chat_text_is_a_bad_body(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    body = encode_body(ChatSend(bytes(16), "abcd")).replace(b"abcd", b"ab\xff\xfe")
    assert body_of(alice.answer_to(alice.send_raw(Type.CHAT_SEND, body, B))).code == codes.BAD_BODY


def test_text_over_the_limit_is_a_bad_body(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    assert alice.chat(B, "x" * limits.TEXT_CHARS_MAX).type == Type.CHAT_ACCEPTED
    too_long = ChatSend(bytes(16), "x" * (limits.TEXT_CHARS_MAX + 1))
    assert body_of(alice.ask(Type.CHAT_SEND, too_long, receiver=B)).code == codes.BAD_BODY


def test_forged_sender_is_refused(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    message = ChatSend(os.urandom(16), "I am Bob")
    assert body_of(alice.ask(Type.CHAT_SEND, message, receiver=B, sender=B)).code == codes.FORGED_SENDER
    assert alice.ask(Type.CHAT_SEND, message, receiver=B, sender=A).type == Type.CHAT_ACCEPTED


def test_body_over_the_limit_after_sign_in_is_refused_and_dropped(lab: Lab) -> None:
    alice = lab.client(lab.server(), A)
    alice.sock.sendall(header(kind=Type.CHAT_SEND, size=limits.BODY_BYTES_MAX + 1))
    assert refusal_then_end(alice) == codes.BODY_TOO_LARGE


def test_packets_sent_byte_by_byte_are_understood(lab: Lab) -> None:
    client = WireClient(lab.server().port, hello=False)
    for byte in encode(Type.HELLO, Hello("slow"), request_id=1):
        client.sock.sendall(bytes([byte]))
    assert client.answer_to(1).type == Type.WELCOME
    client.close()


def test_connections_over_the_limit_are_told_so(lab: Lab) -> None:
    server = lab.server(connections_max=2)
    lab.client(server, A)
    lab.client(server, B)
    client = WireClient(server.port, hello=False)
    assert refusal_then_end(client) == codes.TOO_MANY_CONNECTIONS
    client.close()


def test_one_address_cannot_take_all_unsigned_connections(lab: Lab) -> None:
    server = lab.server(connections_per_address_unsigned_max=2)
    alice = lab.client(server, A)
    held = [tls_socket(server.port) for _ in range(2)]
    client = WireClient(server.port, hello=False)
    assert refusal_then_end(client) == codes.TOO_MANY_CONNECTIONS
    assert alice.ask(Type.PING).type == Type.PONG
    for sock in (*held, client.sock):
        sock.close()
