from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from payment.contract.messages import Amount, Receipt, SignedReceipt
from payment.contract.receipts import (
    ReceiptError,
    encode_receipt,
    parse_receipt_file,
    read_receipt_file,
    receipt_file_text,
    sign_receipt,
    verify_receipt,
    write_receipt_file,
)

ROOT = Ed25519PrivateKey.from_private_bytes(bytes(32))
PINNED = ROOT.public_key().public_bytes_raw()
CNY = "CNY"
RECEIPT = Receipt(
    *("billbuddy-receipt-1", "payment", "BB00000001", bytes(16), 10_001, 101, "Electricity 电费", "88201402"),
    *("6145", 1, "January"),
    *(Amount(8_640, CNY), Amount(8_640, CNY), Amount(0, CNY), Amount(0, CNY), 1_767_225_600_000, 1, 0),
    bytes(32),
)
SIGNED = sign_receipt(RECEIPT, ROOT)


def test_a_receipt_is_verified_without_any_server() -> None:
    assert verify_receipt(SIGNED, PINNED) == RECEIPT
    assert encode_receipt(RECEIPT) == SIGNED.receipt


def test_one_changed_byte_fails() -> None:
    for at in range(len(SIGNED.receipt)):
        changed = SIGNED.receipt[:at] + bytes([SIGNED.receipt[at] ^ 1]) + SIGNED.receipt[at + 1 :]
        with pytest.raises(ReceiptError):
            verify_receipt(SignedReceipt(changed, SIGNED.signature), PINNED)
    with pytest.raises(ReceiptError):
        verify_receipt(SIGNED, bytes(32))


def test_a_signed_thing_that_is_no_receipt_fails() -> None:
    raw = msgspec.msgpack.encode(["billbuddy-keys-1"])
    with pytest.raises(ReceiptError, match="not a receipt"):
        verify_receipt(SignedReceipt(raw, ROOT.sign(raw)), PINNED)


def test_a_receipt_file_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    write_receipt_file(file, SIGNED, PINNED)
    assert read_receipt_file(file) == (SIGNED, PINNED)
    assert "86.40 CNY" in file.read_text(encoding="utf-8")


def test_one_changed_character_of_a_receipt_file_fails() -> None:
    text = receipt_file_text(SIGNED, PINNED)
    for at in range(len(text)):
        with pytest.raises(ReceiptError):
            parse_receipt_file(text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :])
    for other in (text + " ", text[:-1], "", "{}", "[]", "null", "[" * 100_000):
        with pytest.raises(ReceiptError):
            parse_receipt_file(other)


def test_files_that_are_no_receipts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    for content in (b"\xff\xfe", b"x" * 70_000):
        file.write_bytes(content)
        with pytest.raises(ReceiptError):
            read_receipt_file(file)
