"""A command is kept from before it is sent until its outcome is printed; the same words again are the same command."""

from __future__ import annotations

import stat
from pathlib import Path

from host.kept import kept


def test_the_same_command_after_a_crash_has_its_id_and_its_passwords_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "commands"
    with kept(folder, b"top up", lambda: {"pin": "314159"}) as first:
        assert not first.again
    with kept(folder, b"top up", lambda: {"pin": "271828"}) as second:
        assert (second.id, second.secrets, second.again) == (first.id, {"pin": "314159"}, True)
        second.forget()
    with kept(folder, b"top up", dict) as third:
        assert third.id != first.id and not third.again
        third.forget()
    assert list(folder.iterdir()) == []


def test_other_words_are_another_command(tmp_path: Path) -> None:
    with kept(tmp_path, b"one", dict) as one, kept(tmp_path, b"two", dict) as two:
        assert one.id != two.id


def test_equal_commands_at_the_same_time_are_two(tmp_path: Path) -> None:
    with kept(tmp_path, b"top up", dict) as one, kept(tmp_path, b"top up", dict) as two:
        assert one.id != two.id and not two.again
        two.forget()
    with kept(tmp_path, b"top up", dict) as again:
        assert again.id == one.id


def test_a_file_that_was_never_whole_was_never_sent(tmp_path: Path) -> None:
    with kept(tmp_path, b"top up", dict) as one:
        one.path.write_bytes(b'{"id": "a')
    with kept(tmp_path, b"top up", dict) as two:
        assert not two.again


def test_only_the_owner_can_read_what_is_kept(tmp_path: Path) -> None:
    with kept(tmp_path / "a" / "b", b"x", lambda: {"pin": "314159"}) as one:
        for path in (one.path, one.path.parent, one.path.parent.parent, *one.path.parent.iterdir()):
            assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
