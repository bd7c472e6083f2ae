"""A damaged database is found before anybody is served, and a disk that failed is not written to again."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from im_protocol import codes
from im_protocol.packets import ChatSend, Type
from im_server.app import Server
from im_server.errors import StartError
from im_server.store import database as database_module
from im_server.store.damage import all_findings, is_disk_failure
from im_server.store.models import Message
from tests.im_server.conftest import A, B, C, Lab
from tests.im_server.wire import body_of

pytestmark = pytest.mark.slow

PAGE_BYTES = 4_096


def talk(lab: Lab, server: Server, count: int = 300) -> None:
    alice = lab.client(server, A)
    chance = random.Random(7)
    messages = [ChatSend(chance.randbytes(16), f"{n} " + "x" * chance.randrange(400)) for n in range(count)]
    for receiver in (B, C):
        for request in alice.send_burst(messages[receiver - B :: 2], receiver):
            assert alice.answer_to(request).type == Type.CHAT_ACCEPTED


def refused(lab: Lab) -> str:
    with pytest.raises(StartError) as error:
        lab.server()
    return str(error.value)


@pytest.mark.parametrize("seed", range(6))
def test_page_that_was_overwritten_is_refused_in_words(lab: Lab, seed: int) -> None:
    server = lab.server()
    talk(lab, server)
    lab.stop(server)
    content = bytearray(lab.folder.database.read_bytes())
    at = random.Random(seed).randrange(1, len(content) // PAGE_BYTES) * PAGE_BYTES
    content[at : at + PAGE_BYTES] = bytes(PAGE_BYTES) if seed % 2 else random.Random(seed).randbytes(PAGE_BYTES)
    lab.folder.database.write_bytes(content)
    said = refused(lab)
    assert "is damaged" in said
    assert "backup" in said
    assert lab.folder.database.read_bytes() == content


def test_copy_whose_log_is_of_another_moment_is_refused(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database_module._PRAGMAS, "wal_autocheckpoint", 20)
    server = lab.server()
    talk(lab, server, 100)
    early = tmp_path / "early.db"
    shutil.copy(lab.folder.database, early)
    talk(lab, server, 600)
    log = lab.folder.database.with_name("im.db-wal")
    late = tmp_path / "late-wal"
    shutil.copy(log, late)
    lab.stop(server)
    shutil.copy(early, lab.folder.database)
    shutil.copy(late, log)
    assert "is damaged" in refused(lab)


def test_mailbox_with_a_hole_is_refused(lab: Lab) -> None:
    server = lab.server()
    talk(lab, server, 20)
    lab.stop(server)
    with apsw.Connection(str(lab.folder.database)) as connection:
        connection.execute("DELETE FROM message WHERE sender_sequence = 7")
    assert f"the mailbox of member {A} has 19 entries, and its last number is 20" in refused(lab)


def test_number_of_a_mailbox_cannot_be_given_twice(lab: Lab) -> None:
    server = lab.server()
    talk(lab, server, 4)
    lab.stop(server)
    with apsw.Connection(str(lab.folder.database)) as connection:
        for sender, receiver, mine, theirs in ((A, 99, 2, 1), (98, B, 1, 1)):
            row = (sender, receiver, mine, theirs, bytes(16), 1, b"")
            columns = "sender_id, receiver_id, sender_sequence, receiver_sequence, message_id, sent_at_ms, body"
            with pytest.raises(apsw.ConstraintError):
                connection.execute(f"INSERT INTO message ({columns}) VALUES (?,?,?,?,?,?,?)", row)


def test_database_of_the_first_version_gets_its_unique_places(lab: Lab) -> None:
    server = lab.server()
    talk(lab, server, 4)
    lab.stop(server)
    with apsw.Connection(str(lab.folder.database)) as connection:
        for who in ("sender", "receiver"):
            connection.execute(f"DROP INDEX message_{who}_id_{who}_sequence")
            connection.execute(f"CREATE INDEX message_{who}_id_{who}_sequence ON message ({who}_id, {who}_sequence)")
        connection.execute("PRAGMA user_version = 1")
    lab.stop(lab.server())
    with apsw.Connection(str(lab.folder.database)) as connection:
        unique = [row[1] for row in connection.execute("PRAGMA index_list(message)") if row[2]]
    assert len(unique) == len(Message._meta.indexes)  # type: ignore[attr-defined]


def test_check_command_tells_what_is_damaged_and_what_is_whole(lab: Lab) -> None:
    server = lab.server()
    talk(lab, server, 20)

    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "im_server", "--data", str(lab.folder.path), "check"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    running = check()
    assert (running.returncode, running.stdout) == (0, "The chat messages are whole.\n")
    lab.stop(server)
    with apsw.Connection(str(lab.folder.database)) as connection:
        connection.execute("UPDATE message SET body = x'c1' WHERE sender_sequence = 3")
    assert all_findings(lab.folder.database) == [f"message 3 of member {A} cannot be read"]
    damaged = check()
    assert damaged.returncode == 1
    assert "cannot be read" in damaged.stderr
    assert "Traceback" not in damaged.stderr


def test_after_a_failed_sync_nothing_is_written_and_the_server_has_to_end(lab: Lab, monkeypatch: Any) -> None:
    server = lab.server()
    ended = threading.Event()
    server.on_disk_failed = ended.set
    alice = lab.client(server, A)
    alice.chat(B, "one")
    mailboxes = server.core.writer.mailboxes
    real = mailboxes.store

    def failed_sync(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        error = apsw.IOError("disk I/O error")
        error.extendedresult = apsw.SQLITE_IOERR_FSYNC
        raise error

    monkeypatch.setattr(mailboxes, "store", failed_sync)
    assert body_of(alice.chat(B, "two")).code == codes.SERVER_ERROR
    assert ended.wait(10)
    monkeypatch.setattr(mailboxes, "store", real)
    assert body_of(alice.chat(B, "three")).code == codes.SERVER_ERROR
    lab.stop(server)
    assert body_of(lab.client(lab.server(), A).chat(B, "four")).sequence == 2


def test_job_whose_error_undoes_everything_fails_the_whole_group(lab: Lab) -> None:
    server = lab.server()
    writer = server.core.writer
    go = threading.Event()
    writer.submit(lambda: go.wait(10))

    def undo() -> None:
        server._database.execute_sql("ROLLBACK")
        raise ValueError("as SQLite does it after some errors")

    before = writer.submit(lambda: server._database.execute_sql("UPDATE member SET signature = 'lost'"))
    undoing = writer.submit(undo)
    go.set()
    assert undoing.exception(10) is not None
    assert before.exception(10) is not None
    assert lab.client(server, A).chat(B, "goes on").type == Type.CHAT_ACCEPTED


def test_full_disk_is_no_failed_disk() -> None:
    refused_write, failed_sync = apsw.IOError(), apsw.IOError()
    refused_write.extendedresult = apsw.SQLITE_IOERR_WRITE
    failed_sync.extendedresult = apsw.SQLITE_IOERR_FSYNC
    for error, is_failure in (
        (apsw.FullError(), False),
        (apsw.ConstraintError(), False),
        (refused_write, False),
        (failed_sync, True),
        (apsw.CorruptError(), True),
        (OSError(28, "No space left on device"), False),
    ):
        assert is_disk_failure(error) is is_failure
