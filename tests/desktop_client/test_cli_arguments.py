"""Odd arguments of the command line: taken, or told in one sentence before anything is connected."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop_client import cli
from desktop_client.cli_parser import EXIT_STATUSES
from desktop_client.profile import Profile
from payment.contract.receipts import ReceiptError, read_receipt_file
from tests.desktop_client.peer import LIN, PASSWORD, Peer
from tests.desktop_client.subsystem import PIN

DONE, REFUSED, USAGE = 0, 1, 2
ID = "00112233445566778899aabbccddeeff"


@pytest.fixture
def run(tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    for name, value in (("HOME", str(tmp_path / "cli")), ("PASSWORD", PASSWORD), ("PIN", PIN)):
        monkeypatch.setenv(f"BILLBUDDY_{name}", value)
    profile = Profile(tmp_path / "cli")
    profile.signed_in(profile.trust(peer.known()), LIN, True)

    def call(*arguments: str) -> tuple[int, Any, str]:
        capsys.readouterr()
        status = cli.main(["--json", "--lang", "en", *arguments])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else None, said.err

    return call


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--as", "9" * 20, "whoami"), "bad_member_id", "at most 18 digits"),
        (("--as", "10000", "whoami"), "bad_member_id", "10001 or higher"),
        (("--as", "１０００１", "whoami"), "bad_member_id", "digits only"),
        (("send", "9" * 20, "hi"), "bad_member_id", "at most 18 digits"),
        (("send", "0", "hi"), "bad_member_id", "10001 or higher"),
        (("send", "10002", ""), "bad_text", "1 to"),
        (("send", "10002", "x" * 4_001), "bad_text", "4000"),
        (("send", "10002", "\udcff"), "bad_argument", "\\udcff"),
        (("pay", "101", "--customer", "9" * 33), "bad_customer_number", "32"),
        (("pay", "101", "--payment-id", ""), "bad_payment_id", "32 hexadecimal"),
        (("payment-status", ""), "bad_payment_id", "32 hexadecimal"),
        (("pay", "101", "--payment-id", "00 11 22 33 44 55 66 77 88 99 aa"), "bad_payment_id", "32 hexadecimal"),
        (("pay", "101", "--amount", ""), "empty", "Type an amount"),
        (("receipt", "verify", "/"), "no_file", "cannot be read"),
        (("receipt", "verify", "/dev/null", "--root", "zz"), "bad_root", "64 hexadecimal"),
        (("--server", "host:99999", "whoami"), "bad_address", "99999"),
    ],
)
def test_value_out_of_its_range_is_a_usage_error_that_says_the_range(
    run: Any, peer: Peer, arguments: tuple[str, ...], code: str, says: str
) -> None:
    status, document, said = run(*arguments)
    assert (status, document["code"]) == (USAGE, code)
    assert says in document["text"] and says in said
    assert peer.connections == 0


def test_number_with_zeros_before_it_is_the_same_member(run: Any, peer: Peer) -> None:
    peer.cut_on_pay = "after"
    run("pay", "101", "--payment-id", ID)
    peer.stop()
    status, document, _said = run("--as", "00010001", "pay", "101", "--payment-id", ID)
    assert document["code"] != "program_error" and status in (DONE, 3), "its open or paid order is found"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["pay", "payment-status", "send", "bills", "receipt verify", "receipt save"]),
    st.lists(st.text(max_size=40).filter(lambda t: "\0" not in t and not t.startswith("-")), min_size=2, max_size=2),
)
def test_no_argument_is_an_error_of_the_program(run: Any, peer: Peer, command: str, values: list[str]) -> None:
    if command == "receipt save":
        values[1] = "/dev/null/" + values[1]  # nothing is written
    count = 1 if command in ("payment-status", "bills", "pay", "receipt verify") else 2
    if command == "bills":
        peer.payment_away = True
    status, document, said = run(*command.split(), *values[:count])
    assert status in (DONE, REFUSED, USAGE, 3)
    assert document["code"] != "program_error", said
    assert said.count("\n") == 1


@pytest.mark.parametrize("command", [(), ("pay",), ("payment-status",), ("listen",), ("receipt", "verify")])
def test_help_names_the_exit_statuses(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*command, "--help"]) == DONE
    said = " ".join(capsys.readouterr().out.split())
    assert EXIT_STATUSES in said
    for status in "01234":
        assert f"{status} " in EXIT_STATUSES
    assert "4 done" in " ".join((Path(__file__).parents[2] / "README.md").read_text("utf-8").split())


def test_receipt_file_with_a_byte_order_mark_or_other_line_ends_is_genuine(run: Any, tmp_path: Path) -> None:
    number = run("pay", "electricity")[1]["receipt"]["receipt_no"]
    file = tmp_path / "receipt.json"
    assert run("receipt", "save", number, str(file))[0] == DONE
    raw = file.read_bytes()
    for changed in (b"\xef\xbb\xbf" + raw, raw.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n")):
        file.write_bytes(changed)
        status, document, _said = run("receipt", "verify", str(file))
        assert (status, document["valid"]) == (DONE, True)
    for changed in (raw.decode().encode("utf-16"), raw + b"\n", b"\xef\xbb\xbf" * 2 + raw, b"", b"[" * 5_000):
        file.write_bytes(changed)
        status, document, said = run("receipt", "verify", str(file))
        assert (status, document["valid"]) == (REFUSED, False) and said.count("\n") == 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_file_is_a_receipt_or_a_sentence(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(raw)
    with pytest.raises(ReceiptError, match="receipt"):
        read_receipt_file(file)


def test_what_modules_log_is_not_printed(tmp_path: Path) -> None:
    script = (
        "import logging\nfrom desktop_client import cli\n"
        f"cli.main(['--profile', {str(tmp_path)!r}, '--lang', 'en', 'whoami'])\n"
        "logging.getLogger('desktop_client').error('boom\\nA: Paid')\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "billbuddy-cli: Say who you are: --as MEMBER_ID\n")
