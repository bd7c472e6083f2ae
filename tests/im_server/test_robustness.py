"""Slow peers, failing handlers, failing disks, and starting where one cannot."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from im_protocol import codes
from im_protocol.packets import ChatSend, Type
from im_server.app import Server
from im_server.data_folder import DataFolder
from im_server.errors import StartError
from im_server.supervisor import Supervisor
from tests.im_server.conftest import A, B, Lab
from tests.im_server.wire import body_of


def test_peer_that_does_not_read_is_dropped_and_nobody_else_waits(lab: Lab) -> None:
    server = lab.server(out_bytes_max=64 * 1024)
    alice, bob = lab.client(server, A), lab.client(server, B)
    bob.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    for _ in range(2_000):
        assert alice.chat(B, "x" * 4_000).type == Type.CHAT_ACCEPTED
        if B not in server.sessions.online:
            break
    assert B not in server.sessions.online
    assert body_of(lab.client(server).sign_in(B, "open sesame")).last_sequence > 16


def test_handler_that_fails_costs_only_its_own_packet(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    server = lab.server()
    alice, bob = lab.client(server, A), lab.client(server, B)

    def broken(*_args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(server.core.directory, "page", broken)
    assert body_of(alice.ask(Type.ROSTER_REQUEST)).code == codes.SERVER_ERROR
    assert alice.ask(Type.PING).type == Type.PONG
    assert bob.ask(Type.PING).type == Type.PONG


def test_failed_commit_acknowledges_nothing_and_the_next_one_counts_on(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    assert body_of(alice.chat(B, "one")).sequence == 1
    mailboxes = server.core.writer.mailboxes
    real = mailboxes.store

    def full_disk(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailboxes, "store", full_disk)
    assert body_of(alice.chat(B, "lost")).code == codes.SERVER_ERROR
    monkeypatch.setattr(mailboxes, "store", real)
    assert body_of(alice.chat(B, "two")).sequence == 2


def test_many_members_at_once_lose_and_repeat_nothing(lab: Lab) -> None:
    server = lab.server()
    pairs = [(lab.client(server, A), B), (lab.client(server, B), A)]
    each = 300

    def talk(client, receiver: int) -> None:  # type: ignore[no-untyped-def]
        for number in range(each):
            client.send(Type.CHAT_SEND, ChatSend(os.urandom(16), f"{number}"), receiver=receiver)

    threads = [threading.Thread(target=talk, args=pair) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client, _receiver in pairs:
        seen: list[int] = []
        texts: list[str] = []
        while len(seen) < 2 * each:
            frame = client.wait(lambda f: f.type in (Type.CHAT_ACCEPTED, Type.CHAT_EVENT))
            seen.append(body_of(frame).sequence)
            if frame.type == Type.CHAT_EVENT:
                texts.append(body_of(frame).message.text)
        assert sorted(seen) == list(range(1, 2 * each + 1))
        assert texts == [str(n) for n in range(each)]


def test_port_in_use_says_what_to_do(lab: Lab, tmp_path: Path) -> None:
    server = lab.server()
    with pytest.raises(StartError, match="--listen HOST:PORT"):
        Server(DataFolder(tmp_path / "other"), host="127.0.0.1", port=server.port, payment_argv=())


def test_second_server_on_one_data_folder_is_refused(lab: Lab) -> None:
    lab.server()
    with pytest.raises(StartError, match="already running"):
        Server(lab.folder, host="127.0.0.1", port=0, payment_argv=())


def test_data_folder_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StartError, match="--data"):
        Server(DataFolder(tmp_path / "file"), host="127.0.0.1", port=0, payment_argv=())


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_key_file_that_others_can_read_is_refused(lab: Lab) -> None:
    lab.stop(lab.server())
    key = lab.folder.tls / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        Server(lab.folder, host="127.0.0.1", port=0, payment_argv=())


def test_key_stays_the_same_over_restarts(lab: Lab) -> None:
    server = lab.server()
    pin = server.tls_pin
    lab.stop(server)
    assert lab.server().tls_pin == pin


def test_child_that_dies_is_started_again_until_stopped(tmp_path: Path) -> None:
    command = ["sh", "-c", f"echo started >> {tmp_path}/starts; exit 3"]
    supervisor = Supervisor(command, tmp_path / "out", 0.01, 0.05)
    supervisor.start()
    done = threading.Event()
    while supervisor.starts < 4 and not done.wait(0.01):
        pass
    supervisor.stop()
    supervisor.join(10)
    assert not supervisor.is_alive()
    assert supervisor.child_pid is None
    assert len((tmp_path / "starts").read_text().split()) >= 3


def test_last_words_of_a_child_are_told(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo starting; echo 'payment: the database is damaged' >&2; echo; exit 1"]
    supervisor = Supervisor(command, tmp_path / "out", 0.01, 0.05)
    told, enough = [], threading.Event()
    supervisor.on_ended = lambda words: (told.append(words), enough.set() if len(told) == 2 else None)
    supervisor.start()
    assert enough.wait(10)
    supervisor.stop()
    supervisor.join(10)
    assert told[:2] == ["payment: the database is damaged"] * 2


@pytest.mark.parametrize(("is_hung", "says"), [(True, "no sign of life"), (False, "ended by SIGKILL")])
def test_child_that_was_killed_is_not_told_with_what_it_printed_before(
    tmp_path: Path, is_hung: bool, says: str
) -> None:
    """What it printed last is of better days: "service ready" is no reason to end."""
    supervisor = Supervisor(["sh", "-c", "echo ready; exec cat"], tmp_path / "out", 0.01, 0.05)
    told, enough, turn = [], threading.Event(), threading.Event()
    supervisor.on_ended = lambda words: (told.append(words), enough.set())
    supervisor.start()
    while not (tmp_path / "out").exists() or "ready" not in (tmp_path / "out").read_text():
        turn.wait(0.01)
    pid = supervisor.child_pid
    assert pid is not None
    if is_hung:
        supervisor.kill_hung()
    else:
        os.kill(pid, signal.SIGKILL)
    assert enough.wait(10)
    supervisor.stop()
    supervisor.join(10)
    assert says in told[0]


def test_running_child_is_stopped_with_the_server(tmp_path: Path) -> None:
    supervisor = Supervisor(["cat"], tmp_path / "out", 0.01, 0.05)
    supervisor.start()
    waiting = threading.Event()
    while supervisor.child_pid is None and not waiting.wait(0.01):
        pass
    supervisor.stop()
    supervisor.join(10)
    assert supervisor.child_pid is None
    assert supervisor.starts == 1


def test_neither_texts_nor_passwords_reach_the_log(lab: Lab) -> None:
    from im_server.logs import start_logging

    start_logging(lab.folder.log)
    server = lab.server()
    alice = lab.client(server)
    alice.sign_in(A, "wrong-password-7")
    alice.sign_in(A, "open sesame")
    alice.chat(B, "a secret text")
    alice.send_raw(Type.SEALED_REQUEST, b"sealed order", 1)
    alice.ask(Type.PING)
    lab.stop(server)
    log = (lab.folder.log / "server.log").read_bytes()
    assert b"listening" in log
    for secret in (b"wrong-password-7", b"open sesame", b"a secret text", b"sealed order"):
        assert secret not in log
