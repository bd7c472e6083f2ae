"""Operators' commands and results of any size go over the socket in packets, and come out as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from im_protocol import admin
from im_protocol.codec import encode
from im_protocol.connection import FrameReader
from im_protocol.errors import RemoteProtocolError
from im_protocol.packets import AdminCommand, AdminResult, Type

TEXT = st.builds(
    lambda part, times, end: part * times + end,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    st.sampled_from([0, 1, 7_000, 30_000]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
)


@settings(max_examples=25)
@given(TEXT, TEXT, st.sampled_from([0, 1, 2]))
def test_a_result_of_any_size_comes_back_whole(out: str, err: str, status: int) -> None:
    reader, pages = FrameReader(), admin.ResultReader()
    found = [
        pages.feed(frame)
        for page in admin.result_pages(status, out, err)
        for frame in reader.receive_data(encode(Type.ADMIN_RESULT, page))
    ]
    assert found[:-1] == [None] * (len(found) - 1)
    assert found[-1] == AdminResult(status, out, err)


@settings(max_examples=25)
@given(st.integers(0, 200_000), st.sampled_from(["", "token"]))
def test_a_command_of_any_size_comes_back_whole(size: int, token: str) -> None:
    command = AdminCommand(["bill", "import", "f.csv"], bytes(size), token=token, person="林")
    reader, pages = FrameReader(), admin.CommandReader()
    found = [
        pages.feed(frame)
        for page in admin.command_pages(command)
        for frame in reader.receive_data(encode(Type.ADMIN_COMMAND, page))
    ]
    assert found[-1] == command and not any(found[:-1])


def test_a_command_over_the_limit_is_refused_before_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "STDIN_BYTES_MAX", 100_000)
    pages = admin.CommandReader()
    with pytest.raises(RemoteProtocolError, match="at most"):
        for page in admin.command_pages(AdminCommand(["x"], bytes(300_000))):
            pages.feed(FrameReader().receive_data(encode(Type.ADMIN_COMMAND, page))[0])
