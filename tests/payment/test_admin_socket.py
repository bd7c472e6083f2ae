"""The administration socket: who may speak to it, answers of any size, and what silence means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host import local_socket
from im_protocol.packets import AdminCommand
from payment import admin_socket
from payment.admin import Outcome
from payment.admin_socket import AdminSocket, ask
from payment.errors import FolderError, OutcomeUnknown
from payment.operations import Changes

pytestmark = pytest.mark.slow

Run = Callable[[list[str], str, bytes], Outcome]


def nothing() -> None:
    """Nobody to tell."""


@pytest.fixture(params=["unix", "loopback"])
def serve(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Run], Path]]:
    if request.param == "loopback":
        monkeypatch.setattr(local_socket, "HAS_UNIX_SOCKETS", False)
    made: list[AdminSocket] = []

    def start(run: Run) -> Path:
        made.append(AdminSocket(tmp_path / "admin.sock", run))
        made[-1].start()
        return tmp_path / "admin.sock"

    yield start
    for one in made:
        one.stop()


def test_an_answer_of_any_size_comes_whole_and_a_command_of_any_size_goes(serve: Callable[[Run], Path]) -> None:
    text = "审计 \U0001f600 " * 100_000
    path = serve(lambda argv, user, stdin: Outcome(0, text, f"{len(stdin)} {argv}", Changes()))
    result = ask(path, AdminCommand(["a", "b"], bytes(300_000)), nothing)
    assert (result.status, result.out, result.err) == (0, text, "300000 ['a', 'b']")


def test_who_does_not_know_the_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_socket, "HAS_UNIX_SOCKETS", False)
    done: list[str] = []
    socket = AdminSocket(tmp_path / "admin.sock", lambda argv, user, stdin: pytest.fail(str(done.append("x"))))
    socket.start()
    assert (tmp_path / "admin.sock").stat().st_mode & 0o077 == 0
    address, _ = (tmp_path / "admin.sock").read_text().split()
    for token in ("0" * 64, "x", "é"):
        (tmp_path / "stranger.sock").write_text(f"{address} {token}")
        result = ask(tmp_path / "stranger.sock", AdminCommand(["account", "top-up"]), nothing)
        assert result.status == 1 and "wrong token" in result.err
    socket.stop()
    assert done == []


def test_where_nobody_listens_nothing_was_sent(tmp_path: Path) -> None:
    for content in (None, b"", b"rubbish"):
        if content is not None:
            (tmp_path / "admin.sock").write_bytes(content)
        with pytest.raises(FolderError):
            ask(tmp_path / "admin.sock", AdminCommand(["x"]), lambda: pytest.fail("it was sent"))


def test_one_at_work_is_waited_for_and_one_that_says_nothing_is_not(
    serve: Callable[[Run], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_socket, "SILENCE_SECONDS_MAX", 1)
    go, hung = threading.Event(), threading.Event()

    def run(argv: list[str], user: str, stdin: bytes) -> Outcome:
        hung.set()
        go.wait(2.5)
        return Outcome(0, "done", "", Changes())

    monkeypatch.setattr(admin_socket, "STILL_SECONDS", 0.2)
    assert ask(serve(run), AdminCommand(["x"]), nothing).out == "done"
    monkeypatch.setattr(admin_socket, "STILL_SECONDS", 60)
    with pytest.raises(OutcomeUnknown, match="says nothing"):
        ask(serve(run), AdminCommand(["x"]), nothing)
    go.set()


def test_a_long_command_keeps_no_other_operator_waiting(serve: Callable[[Run], Path]) -> None:
    go, begun = threading.Event(), threading.Event()

    def run(argv: list[str], user: str, stdin: bytes) -> Outcome:
        if argv == ["slow"]:
            begun.set()
            assert go.wait(30)
        return Outcome(0, argv[0], "", Changes())

    path, slow = serve(run), []
    thread = threading.Thread(target=lambda: slow.append(ask(path, AdminCommand(["slow"]), nothing).out))
    thread.start()
    assert begun.wait(30)
    assert ask(path, AdminCommand(["quick"]), nothing).out == "quick"
    go.set()
    thread.join(30)
    assert slow == ["slow"]
