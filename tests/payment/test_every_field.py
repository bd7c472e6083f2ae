"""Every field of every sealed request at its edges and one beyond, made from the types, into the real service.

Whatever comes: the service goes on, the answer is sealed and says something, and who came in the same turn notices
nothing.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from im_protocol.packets import Type
from payment.contract import sealing
from payment.contract.messages import (
    NESTING_MAX,
    Answer,
    AskBill,
    AskPayment,
    AskReceipts,
    Envelope,
    NotPaid,
    Overview,
    OverviewIs,
    Paid,
    Pay,
    PaymentUnknown,
    Prompt,
    Refused,
    Request,
    SetPin,
)
from payment.contract.nesting import depth_of
from tests.payment.house import ELECTRICITY, LIN, PIN, WANG, WATER, House

INT_MIN, INT_MAX = -(2**63), 2**64 - 1  # what MessagePack has
GROUP = 20
RAW_SURROGATE = msgspec.Raw(b"\xa3\xed\xa0\x80")
STRANGE = (None, True, 1.5, float("nan"), "x", b"x", [], [[]], {}, {1: 2}, -1, 0, INT_MAX, INT_MIN, RAW_SURROGATE)


def edges(kind: inspect.Type) -> Iterator[Any]:
    """Values of a type at its limits and one beyond, and values of every other type."""
    yield from STRANGE
    yield msgspec.Raw(b"\xd9\xff")  # cut off
    if isinstance(kind, inspect.UnionType):
        for one in kind.types:
            yield from edges(one)
    elif isinstance(kind, inspect.IntType):
        around = (kind.ge or 0, kind.le or 0, 2**31, 2**32, 2**53, 2**62, 2**63 - 1, 2**63)
        yield from {value + step for value in around for step in (-1, 0, 1)}
    elif isinstance(kind, inspect.StrType):
        most = kind.max_length or 0
        yield from (one * n for one in ("7", "水", "😀", "\0", "\u202e") for n in (most - 1, most, most + 1))
        yield from ("", "7\0", "\0" + "7" * (most - 1), " 7", "7\n")
    elif isinstance(kind, inspect.BytesType):
        least, most = kind.min_length or 0, kind.max_length or 0
        yield from (bytes(n) for n in {0, max(0, least - 1), least, most, most + 1})
    elif isinstance(kind, inspect.StructType):
        yield from edges_of_parts(kind)


def edges_of_parts(kind: inspect.StructType) -> Iterator[Any]:
    good = {"minor": 1_000, "currency": "CNY", "receipt": b"none", "signature": bytes(64)}
    for at, field in enumerate(kind.fields):
        for value in edges(field.type):
            values: list[Any] = [good[f.name] for f in kind.fields]
            values[at] = value
            yield values


def nested(depth: int) -> msgspec.Raw:
    return msgspec.Raw(b"\x91" * depth + b"\xc0")


def good_values(house: House) -> dict[type, list[Any]]:
    """A request of each kind that is as it should be, as an array."""
    pay = house.order(LIN, biller_id=WATER, customer_number="40200402", bill_id=2, minor=1_000)
    requests = (Overview(), AskBill(WATER, "40200402"), pay, AskPayment(secrets.token_bytes(16)), AskReceipts())
    return {type(r): msgspec.to_builtins(r, builtin_types=(bytes,)) for r in (*requests, SetPin("805913", PIN))}


def envelopes(house: House) -> Iterator[tuple[str, list[Any]]]:
    """Every envelope to try, with a word that says which."""
    now_ms = house.clock()
    for kind, good in good_values(house).items():
        fields = inspect.type_info(kind).fields  # type: ignore[union-attr]
        for at, field in enumerate(fields, start=1):
            for value in edges(field.type):
                array = list(good)
                array[at] = value
                if kind is Pay and field.name != "payment_id":
                    array[1] = secrets.token_bytes(16)
                yield f"{kind.__name__}.{field.name} = {value!r:.60}", [secrets.token_bytes(16), now_ms, "en", array]
        for size in range(len(good)):
            yield f"{kind.__name__} of {size}", [secrets.token_bytes(16), now_ms, "en", good[:size]]
        for depth in (1, NESTING_MAX - 2, NESTING_MAX - 1, 1_000, 15_000):
            array = [*good, nested(depth)]
            yield f"{kind.__name__} + {depth} deep", [secrets.token_bytes(16), now_ms, "en", array]
    for at, field in enumerate(inspect.type_info(Envelope).fields):  # type: ignore[union-attr]
        for value in edges(field.type) if field.name != "request" else STRANGE:
            envelope: list[Any] = [secrets.token_bytes(16), now_ms, "en", ["Overview"]]
            envelope[at] = value
            yield f"Envelope.{field.name} = {value!r:.60}", envelope


def seal_raw(house: House, member: int, raw: bytes) -> tuple[int, bytes, sealing.ResponseContext]:
    return member, *sealing.seal_request(house.config(), msgspec.Raw(raw), member)  # type: ignore[arg-type]


def answers_of(house: House, sealed: list[tuple[int, bytes, sealing.ResponseContext]]) -> list[Answer]:
    frames = house.relay([(member, body) for member, body, _ in sealed])
    assert len(frames) == len(sealed)
    assert all(frame.type == Type.SEALED_ANSWER for frame in frames), frames
    return [context.open(frame.body) for (_, _, context), frame in zip(sealed, frames, strict=True)]


def test_every_field_at_its_edges_is_answered_and_touches_nobody_else(house: House) -> None:
    house.do("limits", "set", "--per-minute", "10000", "--daily", "1000000.00")
    rows = "102,40200402,2026-02,Water,Usage,5000.00,2026-02-15\n"
    house.load("biller_id,customer_number,period,title,line_text,line_amount,due_on\n" + rows)
    tried = 0
    for group in batched(encodable(envelopes(house)), GROUP):
        odd = [seal_raw(house, LIN, raw) for _, raw in group]
        order = house.order(WANG, biller_id=WATER, customer_number="40200402", bill_id=4, minor=1)
        others = [(WANG, *house.seal(WANG, request)) for request in (Overview(), order)]
        overview, paid, *answers = answers_of(house, others + odd)
        assert isinstance(overview, OverviewIs) and isinstance(paid, Paid), group
        for (what, _), answer in zip(group, answers, strict=True):
            assert not isinstance(answer, PaymentUnknown) or what.startswith("AskPayment"), what
            if isinstance(answer, Refused | NotPaid):
                assert answer.code not in ("server_error", "outcome_unknown"), what
        tried += len(group)
        house.do("pin", "reset", "--member", str(LIN), "--pin-stdin", "--why", "test", stdin=PIN)
    assert tried > 500
    house.check()


def encodable(given: Iterator[tuple[str, list[Any]]]) -> Iterator[tuple[str, bytes]]:
    for what, envelope in given:
        yield what, msgspec.msgpack.encode(envelope)


def batched(given: Iterator[tuple[str, bytes]], size: int) -> Iterator[list[tuple[str, bytes]]]:
    while batch := list(itertools.islice(given, size)):
        yield batch


@pytest.mark.parametrize("name", ["bill_id", "biller_id"])
def test_an_id_beyond_the_store_is_a_bad_request(house: House, name: str) -> None:
    order = list(msgspec.to_builtins(house.order(LIN), builtin_types=(bytes,)))
    order[{"biller_id": 2, "bill_id": 4}[name]] = 2**63
    raw = msgspec.msgpack.encode([secrets.token_bytes(16), house.clock(), "en", order])
    (answer,) = answers_of(house, [seal_raw(house, LIN, raw)])
    assert isinstance(answer, Refused) and answer.code == "bad_request" and "No money was moved" in answer.text


def test_what_is_appended_may_be_nested_up_to_the_limit_and_no_deeper(house: House) -> None:
    def ask(depth: int) -> Answer:
        raw = msgspec.msgpack.encode([secrets.token_bytes(16), house.clock(), "en", ["Overview", None, nested(depth)]])
        assert depth_of(raw) == depth + 2
        return answers_of(house, [seal_raw(house, LIN, raw)])[0]

    assert isinstance(ask(NESTING_MAX - 2), OverviewIs)
    for depth in (NESTING_MAX - 1, 1_000, 20_000):
        answer = ask(depth)
        assert isinstance(answer, Refused) and answer.code == "bad_request"


def test_the_types_leave_no_number_and_no_text_without_a_limit() -> None:
    """What decodes can be stored and computed with: 64 bits, signed, are what the database has."""

    def walk(kind: inspect.Type, where: str) -> Iterator[str]:
        if (
            isinstance(kind, inspect.IntType)
            and not (kind.ge is not None and kind.le is not None and kind.ge >= -(2**63) and kind.le <= 2**63 - 1)
        ) or (isinstance(kind, inspect.StrType | inspect.BytesType) and kind.max_length is None):
            yield where
        elif isinstance(kind, inspect.StructType):
            for field in kind.fields:
                yield from walk(field.type, f"{where}.{field.name}")
        elif isinstance(kind, inspect.UnionType):
            for one in kind.types:
                yield from walk(one, where)

    kinds = (*get_args(Request), Envelope)
    assert [place for kind in kinds for place in walk(inspect.type_info(kind), kind.__name__)] == []


def test_strange_values_do_not_reach_the_books(house: House) -> None:
    assert isinstance(house.ask(LIN, house.order(LIN, amount=None)), Prompt)
    assert house.bills(LIN, ELECTRICITY, "88201402").bills
    house.check()
