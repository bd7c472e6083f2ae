"""The client without a window: documents, exit statuses, and words that say whether money moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desktop_client import cli, cli_pay
from desktop_client.profile import Profile
from im_protocol.codec import encode
from im_protocol.invite import Invite
from im_protocol.packets import Flag, Refusal, Type
from im_protocol.words import key_words
from tests.desktop_client.peer import LIN, PASSWORD, WANG, Peer
from tests.desktop_client.subsystem import ELECTRICITY, PIN

DONE, REFUSED, USAGE, UNKNOWN = 0, 1, 2, 3
ID = "00112233445566778899aabbccddeeff"
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cli"
    monkeypatch.setenv("BILLBUDDY_HOME", str(folder))
    monkeypatch.setenv("BILLBUDDY_PASSWORD", PASSWORD)
    monkeypatch.setenv("BILLBUDDY_PIN", PIN)
    return folder


@pytest.fixture
def run(home: Path, peer: Peer, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with --json as a member who trusts the peer; gives its status and its document."""
    profile = Profile(home)
    profile.signed_in(profile.trust(peer.known()), LIN, True)

    def call(*arguments: str) -> tuple[int, Any]:
        capsys.readouterr()
        status = cli.main(["--json", "--lang", "en", *arguments])
        out = capsys.readouterr().out
        return status, json.loads(out) if out else None

    return call


def test_whoami_tells_member_and_server(run: Run, peer: Peer) -> None:
    status, document = run("whoami")
    assert status == DONE
    assert document == {
        "member_id": LIN,
        "name": "Lin Yue 林悦",
        "server": {"name": "Dorm 7", "address": f"127.0.0.1:{peer.port}"},
    }


def test_contacts_have_groups_and_states(run: Run) -> None:
    status, document = run("contacts")
    assert status == DONE
    rows = {row["id"]: row for group in document["groups"] for row in group["contacts"]}
    assert rows[ELECTRICITY]["due"] == {"minor": 8640, "currency": "CNY", "text": "86.40"}
    assert rows[WANG]["presence"] == "online"


@pytest.mark.parametrize("name", ["101", "electricity 电费", "ELEC"])
def test_biller_is_found_by_number_name_or_beginning(run: Run, name: str) -> None:
    status, document = run("bills", name)
    assert status == DONE
    assert document["bills"][0]["due"]["text"] == "86.40"


def test_unknown_biller_is_refused_with_the_names_that_exist(run: Run) -> None:
    status, document = run("pay", "gas")
    assert status == REFUSED
    assert "No money moved" in document["text"]
    assert "Electricity" in document["text"]


def test_pay_prints_the_receipt_and_paying_again_finds_nothing_due(run: Run, peer: Peer) -> None:
    status, document = run("pay", "electricity")
    assert status == DONE
    assert document["outcome"] == "paid"
    assert document["signature_verified"] is True
    assert document["receipt"]["remaining"]["minor"] == 0
    assert document["balance_after"]["text"] == "182.10"
    status, document = run("pay", "electricity")
    assert (status, document["code"], document["money_moved"]) == (REFUSED, "nothing_due", False)
    assert peer.subsystem.balance == 26_850 - 8_640


def test_same_payment_id_gives_the_same_receipt(run: Run, peer: Peer) -> None:
    first = run("pay", "electricity", "--payment-id", ID)
    second = run("pay", "electricity", "--payment-id", ID)
    assert first[0] == second[0] == DONE
    assert first[1]["receipt"] == second[1]["receipt"]
    assert peer.subsystem.balance == 26_850 - 8_640


def test_paid_id_stays_paid_when_nobody_can_be_asked(run: Run, peer: Peer) -> None:
    first = run("pay", "electricity", "--payment-id", ID)[1]
    peer.payment_away = True
    asked = [("pay", "electricity", "--payment-id", ID), ("payment-status", ID)]
    asked += [("pay", "101", "--amount", "86.40", "--payment-id", ID.upper())]
    for is_server_up in (True, False):
        if not is_server_up:
            peer.stop()
        for arguments in asked:
            status, document = run(*arguments)
            assert (status, document["outcome"], document["money_moved"]) == (DONE, "paid", True)
            assert document["receipt"] == first["receipt"] and document["signature_verified"] is True
        for other in (("pay", "electricity", "--amount", "1"), ("pay", "water")):
            status, document = run(*other, "--payment-id", ID)
            assert status == REFUSED and "money_moved" not in document


def test_id_that_another_device_may_have_paid_is_not_known_while_nobody_can_be_asked(
    run: Run, peer: Peer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("pay", "electricity", "--payment-id", ID)
    elsewhere = Profile(home.parent / "elsewhere")
    elsewhere.signed_in(elsewhere.trust(peer.known()), LIN, True)
    monkeypatch.setenv("BILLBUDDY_HOME", str(elsewhere.folder))
    peer.payment_away = True
    for arguments in (("pay", "electricity", "--payment-id", ID), ("payment-status", ID)):
        status, document = run(*arguments)
        assert (status, document["outcome"], document["money_moved"]) == (UNKNOWN, "deciding", None)
    peer.payment_away = False
    assert run("pay", "electricity", "--payment-id", ID)[1]["outcome"] == "paid"
    assert peer.subsystem.balance == 26_850 - 8_640


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "99999999999999", "１２", "", "1e3", "12,50"])
def test_bad_amount_is_a_usage_error_that_moves_no_money(run: Run, peer: Peer, amount: str) -> None:
    status, document = run("pay", "electricity", f"--amount={amount}")
    assert status == USAGE
    assert "No money moved" in document["text"]
    assert peer.connections == 0


@pytest.mark.parametrize("payment_id", ["12", "z" * 32, ID + "00"])
def test_bad_payment_id_is_a_usage_error(run: Run, payment_id: str) -> None:
    assert run("pay", "electricity", "--payment-id", payment_id)[0] == USAGE
    assert run("payment-status", payment_id)[0] == USAGE


def test_wrong_payment_password_is_refused_with_the_tries_left(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUDDY_PIN", "000000")
    status, document = run("pay", "electricity")
    assert status == REFUSED
    assert (document["code"], document["attempts_left"], document["money_moved"]) == ("wrong_pin", 2, False)


def test_payment_password_that_is_none_is_not_sent(run: Run, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUDDY_PIN", "12345")
    status, document = run("pay", "electricity")
    assert (status, document["code"]) == (REFUSED, "bad_pin")
    assert not peer.subsystem.outcomes


def test_missing_customer_number_is_a_prompt_in_the_document(run: Run) -> None:
    status, document = run("pay", "water")
    assert status == REFUSED
    assert document["prompt"]["fields"][0]["name"] == "customer_number"
    assert run("pay", "water", "--customer", "12345678")[0] == DONE


def test_away_payment_service_charges_nothing(run: Run, peer: Peer) -> None:
    peer.payment_away = True
    status, document = run("pay", "electricity")
    assert status == REFUSED
    assert "Nothing was charged" in document["text"]


def test_service_that_is_away_for_a_moment_is_waited_for_and_said_so(
    run: Run, peer: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.refusals = [Refusal("payment_away", "", 30), Refusal("rate_limited", "", 30)]
    assert cli.main(["--lang", "en", "pay", "electricity"]) == DONE
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "The payment service is away. Trying again in 1 s…",
        "The payment service is busy. Trying again in 1 s…",
    ]


def test_outcome_that_is_not_known_has_its_own_status_and_blocks_a_second_payment(
    run: Run, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_pay, "DECIDING_SECONDS", 0.0)
    peer.cut_on_pay = "after"
    status, document = run("pay", "electricity", "--payment-id", ID)
    assert (status, document["outcome"], document["money_moved"]) == (UNKNOWN, "deciding", None)
    peer.payment_away = True
    assert run("payment-status", ID)[0] == UNKNOWN
    assert run("pay", "electricity")[1]["code"] in ("payment_away", "still_deciding")
    peer.stop()
    for arguments in (("payment-status", ID), ("pay", "electricity", "--payment-id", ID)):
        status, document = run(*arguments)
        assert (status, document["outcome"], document["money_moved"]) == (UNKNOWN, "deciding", None)
    assert run("pay", "electricity", "--payment-id", ID[::-1])[0] == REFUSED
    peer.start()
    peer.payment_away = False
    status, document = run("payment-status", ID)
    assert (status, document["outcome"]) == (DONE, "paid")


def test_payment_id_that_never_arrived_is_not_paid(run: Run) -> None:
    status, document = run("payment-status", ID)
    assert (status, document["outcome"], document["code"]) == (REFUSED, "not_paid", "never_arrived")


def test_receipt_is_saved_and_verified_without_a_server(run: Run, peer: Peer, tmp_path: Path) -> None:
    number = run("pay", "electricity")[1]["receipt"]["receipt_no"]
    peer.stop()
    file = tmp_path / "receipt.json"
    assert run("receipt", "save", number, str(file))[0] == DONE
    status, document = run("receipt", "verify", str(file))
    assert (status, document["valid"]) == (DONE, True)
    text = file.read_text("utf-8")
    for old, new in (("86.40", "86.41"), ("10001", "10002"), (number, number[:-1] + "Z")):
        file.write_text(text.replace(old, new), "utf-8")
        status, document = run("receipt", "verify", str(file))
        assert (status, document["valid"]) == (REFUSED, False)


def test_receipt_of_another_payment_key_is_not_trusted(run: Run, tmp_path: Path) -> None:
    run("pay", "electricity")
    file = tmp_path / "receipt.json"
    number = run("receipts")[1]["receipts"][0]["receipt_no"]
    run("receipt", "save", number, str(file))
    status, document = run("receipt", "verify", str(file), "--root", "00" * 32)
    assert (status, document["valid"]) == (REFUSED, False)
    assert run("receipt", "verify", str(file), "--root", "xyz")[0] == USAGE


def test_balance_shows_the_accounts(run: Run) -> None:
    assert run("balance")[1]["accounts"][0]["balance"]["text"] == "268.50"


def test_balance_tells_the_operators_notices(run: Run, peer: Peer) -> None:
    peer.subsystem.notices.append("The operator reset your payment password.")
    assert run("balance")[1]["notices"] == ["The operator reset your payment password."]


def test_contacts_tell_people_the_amounts_and_not_the_names_of_states(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--lang", "en", "contacts"]) == DONE
    out = capsys.readouterr().out
    assert "¥ 86.40 · due " in out
    assert "customer number needed" in out
    assert "no_customer" not in out


def test_invite_that_is_no_link_is_not_taken_for_an_address(run: Run) -> None:
    status, document = run("--invite", "xyz", "whoami")
    assert (status, document["code"]) == (USAGE, "bad_invite")


def test_message_is_sent_and_six_digits_are_caught(run: Run, peer: Peer) -> None:
    assert run("send", str(WANG), "hello")[0] == DONE
    assert peer.mailboxes[WANG][0].event.message.text == "hello"
    status, document = run("send", str(WANG), PIN)
    assert (status, document["code"]) == (REFUSED, "looks_like_pin")
    assert run("send", str(WANG), "402402", "--anyway")[0] == DONE
    assert run("send", "77777", "hello")[0] == REFUSED
    assert run("send", "wang", "hello")[0] == USAGE


def test_payment_password_is_changed_with_the_old_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLBUDDY_NEW_PIN", "271828")
    assert run("pin", "change")[0] == DONE
    monkeypatch.setenv("BILLBUDDY_PIN", "000000")
    assert run("pin", "change")[0] == REFUSED


@pytest.mark.parametrize(
    ("arguments", "variables", "status", "code"),
    [
        ((), {"BILLBUDDY_PASSWORD": "wrong"}, REFUSED, "wrong_password"),
        (("--as", "99999"), {}, REFUSED, "unknown_member"),
        (("--as", "lin"), {}, USAGE, "bad_member_id"),
        (("--invite", "billbuddy://nonsense"), {}, USAGE, "bad_invite"),
        (("--server", "no port:here:there"), {}, USAGE, "bad_address"),
    ],
)
def test_each_failed_sign_in_has_its_own_code(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    status: int,
    code: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found, document = run(*arguments, "whoami")
    assert (found, document["code"]) == (status, code)


def test_changed_key_stops_before_the_password(run: Run, peer: Peer) -> None:
    peer.stop()
    peer.new_certificate()
    peer.start()
    status, document = run("whoami")
    assert (status, document["code"]) == (REFUSED, "key_changed")
    assert document["trusted_words"] != document["shown_words"]
    assert Type.SIGN_IN not in peer.types_received()


def test_first_connection_wants_the_right_words(
    home: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--server", f"127.0.0.1:{peer.port}", "--as", str(LIN), "whoami"]
    monkeypatch.setenv("BILLBUDDY_TRUST_WORDS", "one two three four five six")
    assert cli.main(command) == REFUSED
    assert Type.SIGN_IN not in peer.types_received()
    known = peer.known()
    monkeypatch.setenv("BILLBUDDY_TRUST_WORDS", " ".join(key_words(known.pin_bytes, known.fingerprint_bytes)))
    assert cli.main(command) == DONE
    monkeypatch.delenv("BILLBUDDY_TRUST_WORDS")
    assert cli.main(["whoami"]) == DONE
    assert "Lin Yue" in capsys.readouterr().out


def test_listen_prints_one_document_a_line_in_a_process_of_its_own(home: Path, peer: Peer) -> None:
    known = peer.known()
    link = Invite("127.0.0.1", peer.port, "Dorm 7", known.pin_bytes, known.fingerprint_bytes).link()
    command = [sys.executable, "-m", "desktop_client.cli", "--invite", link, "--as", str(LIN), "--json", "listen"]
    root = Path(__file__).parents[2]
    variables = {**os.environ, "PYTHONPATH": str(root)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env=variables) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "ready"
        peer.deliver(WANG, LIN, "split it? 👍")
        line = json.loads(process.stdout.readline())
        peer.subsystem.notices.append("The operator reset your payment password.")
        peer.push(LIN, encode(Type.PAYMENT_NOTICE, flags=Flag.PUSH))
        both = [json.loads(process.stdout.readline()) for _turn in range(2)]
        notice, pushed = sorted(both, key=lambda event: str(event["event"]))  # which is first is a matter of luck
        process.terminate()
    assert (line["event"], line["sender"], line["text"]) == ("message", WANG, "split it? 👍")
    assert (pushed["event"], notice["event"]) == ("payment_notice", "notice")
    assert "reset" in notice["text"]


def test_commands_at_the_same_time_are_different_devices(run: Run, home: Path, peer: Peer) -> None:
    from desktop_client.cli_device import device_slot

    with device_slot(home) as first, device_slot(home) as second:
        assert first != second
    with device_slot(home) as again:
        assert again == first


def test_bill_of_which_a_receipt_is_held_is_not_paid_again_unless_one_says_so(
    run: Run, peer: Peer, capsys: pytest.CaptureFixture[str]
) -> None:
    number = run("pay", "electricity")[1]["receipt"]["receipt_no"]
    subsystem = peer.subsystem
    subsystem.due[ELECTRICITY], subsystem.balance, subsystem.outcomes = 8_640, 26_850, {}  # an older copy
    status, document = run("pay", "electricity")
    assert (status, document["code"], document["money_moved"]) == (REFUSED, "receipt_held", False)
    assert document["receipt_no"] == number
    assert subsystem.balance == 26_850
    cli.main(["--lang", "en", "bills", "electricity"])
    assert f"You hold receipt {number} for this bill" in capsys.readouterr().out
    assert run("pay", "electricity", "--again")[0] == DONE
