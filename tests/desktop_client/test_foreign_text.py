"""Texts of others on the command line: shown on one line each, whatever is in them, and they do nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop_client import cli
from desktop_client.cli_listen import Listener
from desktop_client.cli_printer import Printer
from desktop_client.cli_runner import LiveMessages
from desktop_client.events import ChatChanged, PaymentNoticed, RosterChanged
from desktop_client.history import ChatMessage
from desktop_client.profile import Profile
from host.text import one_line
from im_protocol.codec import encode
from im_protocol.invite import Invite
from im_protocol.packets import Contact, Flag, Group, Type
from payment.contract.messages import OverviewIs
from tests.desktop_client.peer import LIN, PASSWORD, WANG, Peer
from tests.desktop_client.subsystem import PIN, Subsystem

NASTY = "\nA: Paid\r\n\x1b[2J\x1b]0;t\x07\u202e\u2028\x85\x9b31m\t\x00\u2066"
COMMANDS = [
    ("whoami",),
    ("contacts",),
    ("bills",),
    ("bills", "101"),
    ("pay", "101"),
    ("receipts",),
    ("balance",),
    ("pay", "102"),
    ("bills", "nobody"),
]
ANY_TEXT = st.one_of(st.text(max_size=20), st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp"]), max_size=6))


def is_harmless(line: str) -> bool:
    return not [c for c in line if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066"]


def output(
    peer: Peer, folder: Path, decoration: str, capsys: pytest.CaptureFixture[str], mp: pytest.MonkeyPatch
) -> str:
    """What all commands print, of a member with a new profile."""
    peer.subsystem = Subsystem()
    peer.decoration = peer.subsystem.decoration = decoration
    peer.subsystem.notices = ["The operator reset your payment password."]
    mp.setenv("BILLBUDDY_HOME", str(folder))
    profile = Profile(folder)
    profile.signed_in(profile.trust(peer.known()), LIN, True)
    capsys.readouterr()
    for arguments in COMMANDS:
        cli.main(["--lang", "en", *arguments])
    said = capsys.readouterr()
    return said.out + said.err


def test_no_text_of_others_makes_or_changes_a_line_of_any_command(
    peer: Peer, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLBUDDY_PASSWORD", PASSWORD)
    monkeypatch.setenv("BILLBUDDY_PIN", PIN)
    plain, marked = (output(peer, tmp_path / str(at), text, capsys, monkeypatch) for at, text in enumerate(("", NASTY)))
    lines = marked.splitlines()
    assert len(lines) == plain.count("\n") == marked.count("\n")
    assert all(is_harmless(line) for line in lines)
    assert marked.count(one_line(NASTY)) > 25


@contextmanager
def listener(capsys: pytest.CaptureFixture[str], name: str, text: str) -> Iterator[Listener]:
    contact = Contact(WANG, "member", name, "online")
    roster = SimpleNamespace(
        groups=[Group("", "members", [])], name_of=lambda member_id: name, contact=lambda member_id: contact
    )
    overview = OverviewIs([], [], [text])
    payments = SimpleNamespace(refresh_overview=lambda done: done(overview))
    store = LiveMessages()
    store.add_message(ChatMessage(bytes(16), WANG, False, text, 1_700_000_000_000, 1, "received", WANG))
    made = Listener(
        SimpleNamespace(  # type: ignore[arg-type]
            client=SimpleNamespace(options=SimpleNamespace(chat_store=store)),
            terminal=Printer(json=False),
            member=SimpleNamespace(roster=roster, payments=payments),
        )
    )
    capsys.readouterr()
    yield made


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=ANY_TEXT, text=ANY_TEXT)
def test_one_event_is_one_line_whatever_is_in_it(capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    with listener(capsys, name, text) as made:
        made.on_chat(ChatChanged(WANG, bytes(16), True, WANG))
        made.on_presence(RosterChanged(WANG))
        made.on_payment_notice(PaymentNoticed())  # two: itself, and the operator's notice
    out = capsys.readouterr().out
    assert out.count("\n") == 4 and len(out.splitlines()) <= 4
    assert all(is_harmless(line) for line in out.split("\n"))


# -- listen and its reader


@pytest.fixture
def listening(tmp_path: Path, peer: Peer) -> Iterator[subprocess.Popen[bytes]]:
    known = peer.known()
    link = Invite("127.0.0.1", peer.port, "Dorm 7", known.pin_bytes, known.fingerprint_bytes).link()
    root = Path(__file__).parents[2]
    variables = {"PYTHONPATH": str(root), "BILLBUDDY_HOME": str(tmp_path / "home"), "BILLBUDDY_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "desktop_client.cli", "--lang", "en", "--invite", link, "--as", str(LIN), "listen"]
    with subprocess.Popen(
        command, cwd=root, env={**os.environ, **variables}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"Listening. Ctrl+C ends.\n"
        yield process
        process.kill()


def test_listen_ends_when_its_reader_is_gone_although_nothing_is_printed(
    listening: subprocess.Popen[bytes],
) -> None:
    assert listening.stdout is not None and listening.stderr is not None
    listening.stdout.close()
    assert listening.wait(20) == 0
    assert listening.stderr.read() == b""


def test_listen_says_that_an_event_could_not_be_printed(listening: subprocess.Popen[bytes], peer: Peer) -> None:
    assert listening.stdout is not None and listening.stderr is not None
    listening.stdout.close()
    peer.deliver(WANG, LIN, "still there?")
    peer.push(LIN, encode(Type.PAYMENT_NOTICE, flags=Flag.PUSH))
    assert listening.wait(20) in (0, 4)
    assert b"Traceback" not in listening.stderr.read()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_listen_ends_cleanly_at_a_signal(listening: subprocess.Popen[bytes], name: str) -> None:
    listening.send_signal(getattr(signal, name))
    assert listening.communicate(timeout=20) == (b"", b"")
    assert listening.returncode == 0


def test_forged_line_is_seen_as_what_it_is(listening: subprocess.Popen[bytes], peer: Peer) -> None:
    assert listening.stdout is not None
    peer.deliver(WANG, LIN, "hi\nElectricity 电费: Paid ¥ 80.64")
    lines = [listening.stdout.readline().decode()]
    assert lines[0].startswith("Wang Lei: hi⏎Electricity")
