"""Commands of `billbuddy-cli` that need no server: receipts that are already here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from desktop_client.cli_base import DONE, REFUSED, USAGE, Failure, Result
from desktop_client.cli_documents import receipt_document, receipt_text
from desktop_client.config import parse_address, parse_member_id
from desktop_client.i18n import _
from desktop_client.profile import KnownServer, Profile
from desktop_client.wording import invite_problem
from payment.contract.messages import SignedReceipt


def receipt_verify(options: argparse.Namespace, profile: Profile) -> Result:
    """Verifies a receipt file against the given or pinned payment keys."""
    from payment.contract.keys import root_fingerprint
    from payment.contract.receipts import ReceiptError, read_receipt_file, verify_receipt

    trusted = _trusted(options, profile)
    try:
        signed, root = read_receipt_file(Path(options.file))
        receipt = verify_receipt(signed, root)
    except OSError as error:
        text = _("{file} cannot be read: {why}").format(file=options.file, why=error)
        raise Failure(USAGE, "no_file", text) from error
    except ReceiptError as error:
        text = _("NOT a valid receipt: {why}.").format(why=error)
        raise Failure(REFUSED, "not_valid", text, valid=False) from error
    fingerprint = root_fingerprint(root).hex()
    if fingerprint not in trusted:
        text = _("NOT a valid receipt: it is signed by a key that is not trusted here.")
        raise Failure(REFUSED, "not_trusted", text, valid=False, root=fingerprint)
    document = {"valid": True, "root": fingerprint, "receipt": receipt_document(receipt)}
    return document, [_("The receipt is genuine."), *receipt_text(receipt)], DONE


def _trusted(options: argparse.Namespace, profile: Profile) -> set[str]:
    if options.root:
        fingerprint = options.root.replace(":", "").lower()
        if len(fingerprint) != 64 or any(c not in "0123456789abcdef" for c in fingerprint):
            raise Failure(USAGE, "bad_root", _("A fingerprint is 64 hexadecimal characters."))
        return {fingerprint}
    if options.invite:
        from im_protocol.invite import InviteError, parse_invite

        try:
            return {parse_invite(options.invite).payment_fingerprint.hex()}
        except InviteError as error:
            raise Failure(USAGE, "bad_invite", invite_problem()) from error
    servers = [s for s in profile.servers if not options.server or s == _named(options, profile)]
    if not servers:
        raise Failure(USAGE, "no_root", _("No payment key is known here: give --root FINGERPRINT."))
    return {s.payment_fingerprint for s in servers}


def receipt_save(options: argparse.Namespace, profile: Profile) -> Result | None:
    """Saves a receipt that this device has; None when it must be asked for."""
    server = _named(options, profile)
    if server is None or not server.payment_root:
        return None
    try:
        member_id = parse_member_id(options.member or profile.last_member)
    except ValueError:
        return None
    from desktop_client.history import History
    from desktop_client.mending import StoreError, open_store

    try:
        store, _damage = open_store(profile.member_folder(server, member_id))
    except StoreError:
        return None
    try:
        found = History(store).find_receipt(options.id)
    finally:
        store.close()
    return None if found is None else write_receipt(Path(options.file), found[0], server.root_bytes)


def write_receipt(path: Path, signed: SignedReceipt, root: bytes) -> Result:
    """Writes the file and says so."""
    from payment.contract.receipts import ReceiptError, verify_receipt, write_receipt_file

    try:
        write_receipt_file(path, signed, root)
        receipt = verify_receipt(signed, root)
    except OSError as error:
        raise Failure(USAGE, "no_file", _("{file} cannot be written: {why}").format(file=path, why=error)) from error
    except ReceiptError as error:
        raise Failure(REFUSED, "not_valid", _("NOT a valid receipt: {why}.").format(why=error)) from error
    document = {"saved": str(path), "receipt": receipt_document(receipt)}
    return document, [_("Saved to {file}.").format(file=path)], DONE


def _named(options: argparse.Namespace, profile: Profile) -> KnownServer | None:
    if options.invite:
        return None
    if not options.server:
        return profile.last_server()
    try:
        return profile.server_at(parse_address(options.server))
    except ValueError:
        return None


COMMANDS: dict[str, Callable[[argparse.Namespace, Profile], Result | None]] = {
    "receipt verify": receipt_verify,
    "receipt save": receipt_save,
}
