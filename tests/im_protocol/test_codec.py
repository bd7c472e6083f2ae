"""Bytes to packets and back, and the golden vectors that PROTOCOL.md shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from im_protocol import codes, limits
from im_protocol.codec import HEADER, Frame, decode_body, encode, encode_body, encode_frame, is_known_type, is_opaque
from im_protocol.connection import FrameReader
from im_protocol.errors import LocalProtocolError, RemoteProtocolError
from im_protocol.packets import BODIES, OPAQUE, ChatSend, Refusal, SignIn, Type

ROOT = Path(__file__).resolve().parents[2]
VECTORS: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors/packets.json").read_text("utf-8"))
ids = st.integers(0, 2**64 - 1)
frames = st.builds(
    Frame,
    type=st.integers(0, 2**16 - 1),
    flags=st.integers(0, 3),
    request_id=st.integers(0, 2**32 - 1),
    sender_id=ids,
    receiver_id=ids,
    body=st.binary(max_size=300),
)


def bytes_of(frame: Frame) -> bytes:
    return encode_frame(
        frame.type,
        frame.body,
        request_id=frame.request_id,
        sender_id=frame.sender_id,
        receiver_id=frame.receiver_id,
        flags=frame.flags,
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_golden_vector_reads_back_to_its_fields(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    (frame,) = FrameReader().receive_data(data)
    assert frame[:5] == tuple(vector[k] for k in ("type", "flags", "request_id", "sender_id", "receiver_id"))
    assert bytes_of(frame) == data
    if not is_opaque(frame.type):
        body = decode_body(frame, BODIES[Type(frame.type)])
        again = decode_body(frame._replace(body=encode_body(body)), BODIES[Type(frame.type)])
        assert again == body


def test_every_packet_of_a_client_has_a_golden_vector_and_the_page_shows_all() -> None:
    page = (ROOT / "im_protocol/PROTOCOL.md").read_text("utf-8")
    for vector in VECTORS:
        assert f"{vector['name']}\n{vector['hex'][:64]}\n{vector['hex'][64:]}" in page
    named = {v["name"] for v in VECTORS}
    assert {t.name for t in Type if t < 0x0300} <= named


def test_page_names_every_type_and_every_refusal_code() -> None:
    page = (ROOT / "im_protocol/PROTOCOL.md").read_text("utf-8")
    for kind in Type:
        assert kind.name in page
        assert f"0x{kind:04x}" in page
    for name in dir(codes):
        if name.isupper():
            assert f"`{getattr(codes, name)}`" in page


def test_every_type_has_a_body_or_is_opaque() -> None:
    assert set(BODIES) | set(OPAQUE) == set(Type)
    assert not set(BODIES) & set(OPAQUE)


@given(st.lists(frames, max_size=6), st.data())
def test_frames_survive_any_split_of_the_stream(sent: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(bytes_of(f) for f in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    got: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.receive_data(stream[start:end])
    assert got == sent
    assert not reader.has_partial


@given(st.binary(min_size=32, max_size=200))
def test_random_bytes_give_frames_or_a_remote_error_and_nothing_else(data: bytes) -> None:
    reader = FrameReader()
    try:
        reader.receive_data(data)
    except RemoteProtocolError as error:
        assert error.fatal
        with pytest.raises(RemoteProtocolError):
            reader.receive_data(b"")


@given(st.binary(max_size=64))
def test_random_bodies_decode_or_are_a_bad_body(body: bytes) -> None:
    for kind, expected in BODIES.items():
        try:
            decode_body(Frame(kind, 0, 5, 0, 0, body), expected)
        except RemoteProtocolError as error:
            assert (error.code, error.fatal, error.request_id) == (codes.BAD_BODY, False, 5)


@given(st.binary(min_size=16, max_size=16), st.text(min_size=1, max_size=200))
def test_chat_body_round_trips(message_id: bytes, text: str) -> None:
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return
    (frame,) = FrameReader().receive_data(encode(Type.CHAT_SEND, ChatSend(message_id, text), receiver_id=10_002))
    assert decode_body(frame, ChatSend) == ChatSend(message_id, text)


def test_frames_before_a_malformed_header_are_delivered_first() -> None:
    reader = FrameReader()
    good = encode(Type.PING, request_id=1)
    assert len(reader.receive_data(good + b"\0" * 32)) == 1
    assert reader.broken is not None
    with pytest.raises(RemoteProtocolError) as caught:
        reader.receive_data(b"")
    assert caught.value.code == codes.BAD_MAGIC


def test_oversized_body_is_refused_from_its_header_alone() -> None:
    reader = FrameReader()
    head = HEADER.pack(0x4242, 1, 0, Type.CHAT_SEND, 0, limits.BODY_BYTES_MAX + 1, 3, 0, 0)
    assert reader.receive_data(head[:31]) == []
    with pytest.raises(RemoteProtocolError) as caught:
        reader.receive_data(head[31:])
    assert (caught.value.code, caught.value.request_id) == (codes.BODY_TOO_LARGE, 3)


def test_body_may_have_fields_of_a_newer_version() -> None:
    frame = Frame(Type.REFUSAL, 1, 1, 0, 0, b"\x94\xa1x\xa1y\x00\xa3new")
    assert decode_body(frame, Refusal) == Refusal("x", "y", 0)


def test_defaults_may_be_left_out() -> None:
    body = b"\x93\xcd\x27\x11\xa1p\xc4\x10" + bytes(16)
    assert decode_body(Frame(Type.SIGN_IN, 0, 1, 0, 0, body), SignIn).presence == "online"


def test_own_body_over_the_limit_is_a_local_error() -> None:
    with pytest.raises(LocalProtocolError):
        encode_frame(Type.CHAT_SEND, bytes(limits.BODY_BYTES_MAX + 1))


def test_unknown_types_are_known_as_such() -> None:
    assert is_known_type(Type.PING)
    assert not is_known_type(0xBEEF)
