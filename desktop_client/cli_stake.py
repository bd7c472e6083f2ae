"""What a run of `billbuddy-cli` may say of money when it ends without an answer.

However a command ends (an answer, a refusal, Ctrl+C, SIGTERM, an error of the program), the last word on money is said
here, from what this device has stored: an order that was sent and has no outcome is *not known yet*; one with a receipt
is paid; and only where neither is the case no money moved.
"""

from __future__ import annotations

import argparse
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from desktop_client import cli_documents as documents
from desktop_client.cli_base import DONE, REFUSED, UNKNOWN, Failure, Result
from desktop_client.config import parse_member_id
from desktop_client.history import History
from desktop_client.i18n import _
from desktop_client.outbox import Order, Outbox
from desktop_client.outcomes import FROM_RECEIPT, Outcome, stranger
from desktop_client.profile import Profile
from desktop_client.store import FILE_NAME, Store
from host.text import one_line
from payment.contract.messages import Receipt, SignedReceipt

MONEY_COMMANDS = ("pay", "payment-status")
PAYMENT_ID_DIGITS = 32
ERROR_CHARS_MAX = 200


@dataclass
class Stake:
    """The payment that a run is about. `payment_id` is empty until there is one; `biller_id` 0 until it is known.

    `unknown_text` is said when a command breaks off that has sent something else that acts.
    """

    payment_id: bytes = b""
    biller_id: int = 0
    is_given: bool = False
    unknown_text: str = ""

    @classmethod
    def of(cls, options: argparse.Namespace) -> Stake:
        """What the arguments say; an id that is none is refused later, in words."""
        text = getattr(options, "payment_id", None) or ""
        try:
            payment_id = bytes.fromhex(text) if len(text) == PAYMENT_ID_DIGITS else b""
        except ValueError:
            payment_id = b""
        return cls(payment_id, is_given=bool(payment_id))

    def way_back(self, status: int) -> str:
        """How to see again what could not be printed."""
        if status not in (DONE, UNKNOWN) or not self.payment_id:
            return ""
        return _("Ask again: billbuddy-cli payment-status {id}").format(id=self.payment_id.hex())


@dataclass
class Known:
    """What is stored here. `is_unreadable`: nobody can say, so everything may be open."""

    order: Order | None = None
    receipt: tuple[SignedReceipt, Receipt] | None = None
    open: list[Order] = field(default_factory=list)
    is_unreadable: bool = False

    @property
    def paid(self) -> Outcome | None:
        if self.receipt is not None:
            signed, receipt = self.receipt
            order = self.order or stranger(receipt.payment_id)
            return Outcome("paid", order, FROM_RECEIPT, "", signed, receipt, True)
        if self.order is not None and self.order.state == "paid":
            return Outcome("paid", self.order, FROM_RECEIPT)
        return None


def known_here(options: argparse.Namespace, profile: Profile, stake: Stake) -> Known:
    """Reads what this member's devices on this profile have stored, of any server."""
    known = Known()
    try:
        member = parse_member_id(options.member or profile.last_member)
    except ValueError:
        return known
    for file in sorted(profile.folder.glob(f"*-{member}/{FILE_NAME}")):
        try:
            _add(known, file.parent, profile, stake)
        except Exception:  # noqa: BLE001 damaged, locked, no right to read: whatever it is, nothing can be ruled out
            known.is_unreadable = True
    return known


def _add(known: Known, folder: Path, profile: Profile, stake: Stake) -> None:
    store = Store(folder)
    try:
        outbox = Outbox(store)
        known.open += outbox.deciding()
        if stake.payment_id:
            known.order = outbox.get(stake.payment_id) or known.order
            roots = [s.root_bytes for s in profile.servers if folder.name.startswith(s.tls_pin[:16])]
            known.receipt = _genuine(History(store), stake.payment_id, roots) or known.receipt
    finally:
        store.close()


def _genuine(history: History, payment_id: bytes, roots: list[bytes]) -> tuple[SignedReceipt, Receipt] | None:
    from payment.contract.receipts import ReceiptError, verify_receipt  # here: it takes a while to import

    kept = history.receipt_of_payment(payment_id)
    for root in roots if kept is not None else []:
        try:
            return kept[0], verify_receipt(kept[0], root)  # type: ignore[index]
        except ReceiptError:
            continue
    return None


# -- the ways out


def way_out(error: BaseException, options: argparse.Namespace, profile: Profile, stake: Stake) -> Failure | Result:
    """How a command ends that gave no result: a failure with the truth about money, or after all a decided payment."""
    failure = _failure_of(error)
    if failure.status != REFUSED:
        return failure
    known = known_here(options, profile, stake)
    is_given_up = isinstance(error, KeyboardInterrupt | EOFError)
    if options.command_key in MONEY_COMMANDS:
        decided = _decided(options, known, stake, is_given_up)
        if decided is not None:
            return decided
    if stake.unknown_text and not isinstance(error, Failure):
        return Failure(UNKNOWN, failure.code, f"{failure.text} {stake.unknown_text}")
    payment_id = _open_order(options, known, stake, any_biller=is_given_up)
    if payment_id or (known.is_unreadable and options.command_key in MONEY_COMMANDS):
        return _not_known(failure, payment_id, is_given_up or options.command_key in MONEY_COMMANDS)
    if options.command_key == "pay" and not stake.is_given:
        return _no_money_moved(failure)
    if is_given_up:
        failure.text += " " + (_("Nothing was sent.") if stake.is_given else _("No money moved."))
    return failure


def _decided(options: argparse.Namespace, known: Known, stake: Stake, is_given_up: bool) -> Result | None:
    paid, order = known.paid, known.order
    if paid is not None and _is_meant(options, paid.receipt):
        return documents.outcome_document(paid), documents.outcome_text(paid), DONE
    is_refused = order is not None and order.state == "not_paid" and options.command_key == "pay"
    if order is not None and is_refused and (is_given_up or not stake.is_given):
        return _not_paid(order)
    return None


def _failure_of(error: BaseException) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, KeyboardInterrupt | EOFError):
        return Failure(REFUSED, "given_up", _("Given up."))
    at = traceback.extract_tb(error.__traceback__)[-1:]
    where = f", {Path(at[0].filename).name}:{at[0].lineno}" if at else ""
    words = one_line(str(error), ERROR_CHARS_MAX)
    told = _("An error of the program itself: {error}.").format(error=f"{type(error).__name__}: {words}{where}")
    return Failure(REFUSED, "program_error", told)


def _is_meant(options: argparse.Namespace, receipt: Receipt | None) -> bool:
    """Whether the receipt is of what was asked for: `pay` with another biller or amount asks for something else."""
    if receipt is None or options.command_key != "pay":
        return True
    wanted = options.biller.strip().casefold()
    is_biller = wanted == str(receipt.biller_id) or receipt.biller_name.casefold().startswith(wanted)
    return is_biller and (options.amount is None or documents.is_amount(options.amount, receipt.paid))


def _open_order(options: argparse.Namespace, known: Known, stake: Stake, *, any_biller: bool) -> str:
    """The payment id of what was sent and may still be decided, in hexadecimal; empty when there is nothing."""
    if options.command_key == "payment-status":
        return stake.payment_id.hex()
    own = [o for o in known.open if o.payment_id == stake.payment_id]
    of_biller = [o for o in known.open if stake.biller_id in (0, o.biller_id) and not stake.is_given]
    found = own or (known.open if any_biller else of_biller)
    return found[0].payment_id.hex() if found else ""


def _not_known(failure: Failure, payment_id: str, is_told: bool) -> Failure:
    """`is_told`: by the exit status too; other commands only leave out what they cannot know."""
    failure.text = failure.cause
    if is_told:
        failure.status = UNKNOWN
        ask = _("Ask again: billbuddy-cli payment-status {id}").format(id=payment_id) if payment_id else ""
        failure.text = f"{failure.cause} {_('The outcome is not known yet.')} {ask}".rstrip()
        failure.extra.update(outcome="deciding", payment_id=payment_id, money_moved=None)
    return failure


def _no_money_moved(failure: Failure) -> Failure:
    failure.text += " " + _("No money moved.")
    failure.extra.update(outcome="not_paid", money_moved=False)
    return failure


def _not_paid(order: Order) -> Result:
    outcome = Outcome("not_paid", order, order.code, order.text)
    return documents.outcome_document(outcome), documents.outcome_text(outcome), REFUSED
