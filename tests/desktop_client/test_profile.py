"""The profile's file: read as far as it can be, never lost, and merged by all programs that write it."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop_client.config import Address
from desktop_client.profile import FILE_NAME, KnownServer, Profile
from desktop_client.profile_file import Stored, read, write

PIN, FINGERPRINT = "ab" * 32, "cd" * 32
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
SERVERS = st.builds(KnownServer, st.text("abc.", min_size=1), st.integers(1, 65_535), st.text(), HEX, HEX)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(["device_id", "servers", "last_server", "last_member", "remember", "settings", "later"])
SLOW_DISK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def server(host: str = "192.0.2.10", pin: str = PIN) -> KnownServer:
    return KnownServer(host, 7470, "Dorm 7", pin, FINGERPRINT)


@given(content=st.binary(max_size=200))
@SLOW_DISK
def test_whatever_the_file_holds_the_profile_opens_and_nothing_is_lost(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "p"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / FILE_NAME).write_bytes(content)
    _stored, whole = read(folder / FILE_NAME)
    profile = Profile(folder)
    assert len(profile.device_id) == 16
    assert (profile.set_aside is None) == whole
    if profile.set_aside is not None:
        assert profile.set_aside.read_bytes() == content
    again = Profile(folder)
    assert again.set_aside is None and again.device_id == profile.device_id


@given(raw=st.dictionaries(NAMES, ANY_JSON))
@SLOW_DISK
def test_json_of_any_shape_is_read_as_far_as_it_can_be(tmp_path: Path, raw: dict[str, object]) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(json.dumps(raw))
    stored, _whole = read(path)
    write(path, stored)
    assert read(path) == (stored, True)
    assert all(isinstance(value, str) for value in stored.settings.values())
    if "later" in raw:
        assert "later" in stored.unknown, "a later version's own things are kept"


@given(servers=st.lists(SERVERS, max_size=3), names=st.dictionaries(st.text(), st.text(), max_size=3))
@SLOW_DISK
def test_what_is_written_is_read_again(tmp_path: Path, servers: list[KnownServer], names: dict[str, str]) -> None:
    path = tmp_path / FILE_NAME
    stored = Stored("00" * 16, servers, "there", "10001", False, names)
    write(path, stored)
    assert read(path) == (stored, True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_of_an_editor_does_no_harm(tmp_path: Path, encoding: str) -> None:
    first = Profile(tmp_path)
    first.trust(server())
    path = tmp_path / FILE_NAME
    path.write_text(path.read_text("utf-8"), encoding)
    again = Profile(tmp_path)
    assert again.device_id == first.device_id and again.servers == first.servers
    assert again.set_aside is None


def test_each_damaged_file_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    Profile(tmp_path)
    kept = []
    for content in (b"one", b"two", b"\0\0\0"):
        (tmp_path / FILE_NAME).write_bytes(content)
        aside = Profile(tmp_path).set_aside
        assert aside is not None
        kept.append(aside)
    assert [path.read_bytes() for path in kept] == [b"one", b"two", b"\0\0\0"]


def test_two_programs_keep_each_others_changes(tmp_path: Path) -> None:
    one, two = Profile(tmp_path), Profile(tmp_path)
    one.set_setting("theme", "dark")
    two.set_setting("lang", "zh_CN")
    one.trust(server())
    two.trust(server("192.0.2.11", "ef" * 32))
    two.signed_in(server(), 10_001, True)
    one.set_setting("scale", "2")
    last = Profile(tmp_path)
    assert [last.setting(name) for name in ("theme", "lang", "scale")] == ["dark", "zh_CN", "2"]
    assert [known.host for known in last.servers] == ["192.0.2.10", "192.0.2.11"]
    assert last.last_member == "10001"


def test_programs_that_write_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = """
import pathlib, sys
from desktop_client.profile import Profile
profile = Profile(pathlib.Path(sys.argv[1]))
for number in range(25):
    profile.set_setting(f"{sys.argv[2]}{number}", str(number))
"""
    Profile(tmp_path)
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    last = Profile(tmp_path)
    assert all(last.setting(f"{name}{number}") == str(number) for name in "abc" for number in range(25))


def test_the_root_key_is_noted_of_a_trusted_server_only(tmp_path: Path) -> None:
    profile = Profile(tmp_path)
    profile.note_root(server(), b"root")
    assert profile.servers == []
    profile.trust(server())
    profile.note_root(server(), b"root")
    known = Profile(tmp_path).server_at(Address("192.0.2.10", 7470))
    assert known is not None and known.root_bytes == b"root"
