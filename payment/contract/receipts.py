"""Receipts: signed by the subsystem's root key, verified anywhere with no server.

A receipt's canonical bytes are its MessagePack array as `encode_receipt` makes it (shortest forms, fields in order);
the signature is Ed25519 (RFC 8032) over exactly those bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from payment.contract.messages import Receipt, SignedReceipt
from payment.contract.money import CurrencyError, format_amount

FILE_FORMAT = "billbuddy-receipt-file-1"
FILE_BYTES_MAX = 65_536  # a receipt is about one KiB; nothing near this is one

_ENCODER = msgspec.msgpack.Encoder()
_RECEIPT = msgspec.msgpack.Decoder(Receipt)


class ReceiptError(ValueError):
    """Not a receipt, or not one that this root key signed. Says which."""


def encode_receipt(receipt: Receipt) -> bytes:
    """The canonical bytes."""
    return _ENCODER.encode(receipt)


def sign_receipt(receipt: Receipt, root: Ed25519PrivateKey) -> SignedReceipt:
    """The receipt with the subsystem's signature. Raises ReceiptError for one that its reader would not take."""
    raw = encode_receipt(receipt)
    try:
        _RECEIPT.decode(raw)
    except msgspec.DecodeError as error:
        raise ReceiptError(f"this would be no receipt: {error}") from None
    return SignedReceipt(raw, root.sign(raw))


def verify_receipt(signed: SignedReceipt, root_public_key: bytes) -> Receipt:
    """The receipt, when the root (raw 32-byte Ed25519 public key) signed it. Raises ReceiptError otherwise."""
    try:
        Ed25519PublicKey.from_public_bytes(root_public_key).verify(signed.signature, signed.receipt)
        return _RECEIPT.decode(signed.receipt)
    except InvalidSignature:
        raise ReceiptError("the signature does not fit: this receipt was changed or is from somewhere else") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ReceiptError(f"this is not a receipt: {error}") from None


def receipt_unless_known(
    signed: SignedReceipt, root_public_key: bytes, hash_of: Callable[[int], bytes]
) -> Receipt | None:
    """A genuine receipt whose transfer is not in the chain of which `hash_of` gives the hash at a number.

    None when the chain has it, and for what is no receipt of this root key: that shows nothing.
    """
    try:
        receipt = _RECEIPT.decode(signed.receipt)
        if hash_of(receipt.transfer_no) == receipt.chain_hash:
            return None
        return verify_receipt(signed, root_public_key)
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
        return None


def receipt_file_text(signed: SignedReceipt, root_public_key: bytes) -> str:
    """A receipt as the text of a file: JSON with base64 fields, and the same in readable words under `says`.

    Raises ReceiptError unless the root key signed it.
    """
    fields = {
        "format": FILE_FORMAT,
        "says": _readable(verify_receipt(signed, root_public_key)),
        "receipt": base64.b64encode(signed.receipt).decode(),
        "signature": base64.b64encode(signed.signature).decode(),
        "root_public_key": base64.b64encode(root_public_key).decode(),
    }
    return json.dumps(fields, ensure_ascii=False, indent=2) + "\n"


def parse_receipt_file(text: str) -> tuple[SignedReceipt, bytes]:
    """The signed receipt and the root public key in such a text. The caller compares the key with its pinned one.

    Raises ReceiptError for any changed character: the text must be exactly what `receipt_file_text` writes, so that
    the readable part cannot say something else than the signed one.
    """
    try:
        fields = json.loads(text)
        signed = SignedReceipt(_unbase64(fields, "receipt"), _unbase64(fields, "signature"))
        root = _unbase64(fields, "root_public_key")
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ReceiptError("this is not a receipt file") from None
    if len(signed.signature) != 64 or len(root) != 32:
        raise ReceiptError("this is not a receipt file")
    if receipt_file_text(signed, root) != text:
        raise ReceiptError("this receipt file was changed")
    return signed, root


def write_receipt_file(path: Path, signed: SignedReceipt, root_public_key: bytes) -> None:
    """Writes the file. Raises ReceiptError unless the root key signed it, OSError when it cannot be written."""
    path.write_bytes(receipt_file_text(signed, root_public_key).encode())


def read_receipt_file(path: Path) -> tuple[SignedReceipt, bytes]:
    """Reads a file that `write_receipt_file` wrote. Raises ReceiptError, or OSError when it cannot be read.

    A byte order mark and another system's line ends, which editors and mail add, say nothing and are left out.
    """
    with path.open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise ReceiptError("this is not a receipt file: it is too large")
    try:
        return parse_receipt_file(raw.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError:
        raise ReceiptError("this is not a receipt file: it is not text") from None


def _unbase64(fields: dict[str, str], name: str) -> bytes:
    return base64.b64decode(fields[name], validate=True)


def _readable(receipt: Receipt) -> dict[str, str]:
    try:
        amounts = {name: getattr(receipt, name) for name in ("billed", "paid", "remaining", "credit")}
        worded = {name: f"{format_amount(a)} {a.currency}" for name, a in amounts.items()}
        moment = datetime.fromtimestamp(receipt.paid_at_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (CurrencyError, OverflowError, ValueError, OSError) as error:
        raise ReceiptError(f"this is not a receipt: {error}") from None
    return {
        "kind": receipt.kind,
        "receipt_no": receipt.receipt_no,
        "member": str(receipt.member_id),
        "biller": f"{receipt.biller_name} ({receipt.biller_id})",
        "customer_number": receipt.customer_number,
        "bill": receipt.bill_title,
        **worded,
        "when": moment,
        "transfer_no": str(receipt.transfer_no),
        "chain_hash": receipt.chain_hash.hex(),
    }
