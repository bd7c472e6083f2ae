"""The request handlers: from an opened request to its answer, or to an order in the turn's group."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from payment.arrears import day_text, number_fits
from payment.billing import BillerInfo, BillRow
from payment.contract.messages import (
    Account,
    Answer,
    AskBill,
    AskPayment,
    AskReceipts,
    Overview,
    OverviewIs,
    Paid,
    Pay,
    PaymentUnknown,
    Receipt,
    ReceiptsAre,
    SetPin,
    SignedReceipt,
)
from payment.contract.receipts import receipt_unless_known
from payment.credentials import Locked, is_pin
from payment.gate import Failed, PinGate, Verdict, Verified
from payment.orders import Order, fingerprint
from payment.pin_changes import PinChanges
from payment.prompts import Words
from payment.results import decode_result
from payment.verification import Crowded, Replayed, Stale, nonce_of

if TYPE_CHECKING:
    from payment.service import Asked, Service

RECEIPTS_PER_PAGE = 24  # about a KiB each at most, so a page fits the largest sealed answer
LOST_TOLD_MAX = 1_000  # receipts of which the log tells that the ledger lost them
NOTICE_MS = 7 * 86_400_000  # how long an operator's reset is shown

log = logging.getLogger("payment.requests")


class Requests:
    """Handlers of one service, by type of request."""

    def __init__(self, service: Service, gate: PinGate) -> None:
        self._service = service
        self._core = service.core
        self._gate = gate
        self._pin_changes = PinChanges(service, gate, self._words)
        self._languages: dict[str, Words] = {}
        self._lost: set[bytes] = set()  # chain hashes of genuine receipts that the log told of

    def handle(self, asked: Asked) -> None:
        """Answers, now or later. A decided payment id is answered before freshness is judged (see `_pay`)."""
        request = asked.envelope.request
        if isinstance(request, Pay):
            self._pay(asked, request)
        elif not self._is_fresh(asked):
            return
        elif isinstance(request, AskPayment):
            self._ask_payment(asked, request)
        elif isinstance(request, AskBill):
            self._ask_bill(asked, request)
        elif isinstance(request, AskReceipts):
            self._ask_receipts(asked, request)
        elif isinstance(request, SetPin):
            self._pin_changes.set_pin(asked, request)
        else:
            self._overview(asked, request)

    def refuse(self, asked: Asked, code: str) -> None:
        """A sealed refusal in the asker's language."""
        self._service.answer(asked, self._words(asked).refused(code))

    def _words(self, asked: Asked) -> Words:
        lang = asked.envelope.lang
        words = self._languages.get(lang)
        if words is None:
            words = Words(lang)
            if len(self._languages) < 64:
                self._languages[lang] = words
        return words

    def _is_fresh(self, asked: Asked) -> bool:
        if asked.nonce:
            return True  # judged before it had to wait
        core, is_money = self._core, isinstance(asked.envelope.request, Pay | SetPin)
        try:
            nonce = core.verifier.check_fresh(asked.envelope, asked.member_id, core.clock())
            if is_money and core.is_spent(nonce):
                raise Replayed
        except Stale:
            self._turn_away(asked, self._words(asked).refused("stale"))
        except Replayed:
            self._turn_away(asked, self._words(asked).refused("replayed"))
        except Crowded:
            self._turn_away(asked, self._words(asked).refused("rate_limited"))
        else:
            asked.nonce = nonce
        return bool(asked.nonce)

    def _turn_away(self, asked: Asked, answer: Answer) -> None:
        """Answers without a stored result. What was said about money must stay true, whatever arrives later.

        So before a money request is answered like this its nonce is kept: replayed later, when a clock was put right,
        a customer number is known or a limit has freed, the same bytes must not pay after all. And for a payment id
        every order that was sealed before this one is dead: one of them may still be under way, and the member who
        hears that no money moved may pay under another id.
        """
        if not isinstance(asked.envelope.request, Pay | SetPin):
            self._service.answer(asked, answer)
            return
        self._write(asked, self._spending(asked), lambda _: self._service.answer(asked, answer))

    def _write(self, asked: Asked, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """A write without which the asker cannot be told what he would be told."""
        self._service.write(work, then, lambda: self._service.fail(asked))

    def _spending(self, asked: Asked) -> Callable[[], None]:
        """What keeps, inside a transaction, the promise of `_turn_away`; in this turn it counts from now on."""
        core, made_at_ms, pay = self._core, asked.envelope.made_at_ms, asked.envelope.request
        nonce = nonce_of(asked.envelope, asked.member_id)
        key = (asked.member_id, pay.payment_id) if isinstance(pay, Pay) else None
        if key:
            core.orders.promise(key, made_at_ms - 1)

        def spend() -> None:
            self._service.left_something(asked.member_id)
            core.save_nonce(nonce, made_at_ms)
            if key:
                core.orders.mark_dead(key, made_at_ms - 1, core.clock())

        return spend

    # ---- reads ------------------------------------------------------------------------------------------------

    def _overview(self, asked: Asked, request: Overview) -> None:
        arrears, now_ms = self._core.arrears, self._core.clock()
        states = arrears.states(asked.member_id, day_text(now_ms))
        notices = [
            self._words(asked).pin_was_reset(at_ms)
            for (at_ms,) in self._core.store.all(
                "SELECT p.set_at_ms FROM pin p JOIN account a ON a.id = p.account_id "
                "WHERE a.owner_id = ? AND a.kind = 'wallet' AND p.set_by = 'reset' AND p.set_at_ms > ?",
                (asked.member_id, now_ms - NOTICE_MS),
            )
        ]
        lost = self._unknown_receipt(asked, request)
        if lost is not None:
            notices.append(self._words(asked).records_are_older(lost))
        self._service.answer(asked, OverviewIs(arrears.accounts(asked.member_id, None, now_ms), states, notices))

    def _unknown_receipt(self, asked: Asked, request: Overview) -> Receipt | None:
        """The receipt that the device showed, when it is genuine and this ledger has no such transfer."""
        if request.newest is None:
            return None
        ledger = self._core.ledger
        receipt = receipt_unless_known(request.newest, self._core.keystore.root_public, ledger.hash_of)
        if receipt is None or receipt.member_id != asked.member_id:
            return None
        if receipt.chain_hash not in self._lost and len(self._lost) < LOST_TOLD_MAX:
            self._lost.add(receipt.chain_hash)
            log.critical(
                "member %d holds the genuine receipt %s, and this ledger, at transfer %d, does not have its transfer: "
                "was an older copy of the data folder put back? Restore the newest one; until then bills that were "
                "paid may look open.",
                receipt.member_id,
                receipt.receipt_no,
                ledger.head[0],
            )
        return receipt

    def _ask_bill(self, asked: Asked, request: AskBill) -> None:
        words, arrears = self._words(asked), self._core.arrears
        biller = self._core.billing.billers.get(request.biller_id)
        if biller is None:
            self._service.answer(asked, words.refused("no_such_biller"))
            return
        bound = arrears.bound_number(asked.member_id, biller.id)
        number = request.customer_number or bound
        if not number:
            self._service.answer(asked, words.prompt(biller, ["customer_number"], None, []))
            return
        is_customer = self._is_customer(biller, number)
        page = (biller, number, asked.member_id, request.after_bill, self._core.clock())
        found = arrears.bills(*page) if is_customer else None
        if found is None:
            self._service.answer(asked, words.refused("no_such_customer"))
        elif number != bound:
            self._service.write(
                lambda: arrears.remember(asked.member_id, biller.id, number),
                lambda _: self._service.answer(asked, found),
            )
        else:
            self._service.answer(asked, found)

    def _ask_receipts(self, asked: Asked, request: AskReceipts) -> None:
        before = request.before_transfer or 2**62
        rows = self._core.store.all(
            "SELECT result FROM result WHERE member_id = ? AND transfer_no > 0 AND transfer_no < ? "
            "ORDER BY transfer_no DESC LIMIT ?",
            (asked.member_id, before, RECEIPTS_PER_PAGE + 1),
        )
        receipts: list[SignedReceipt] = []
        for (result,) in rows[:RECEIPTS_PER_PAGE]:
            paid = decode_result(result)
            if isinstance(paid, Paid):
                receipts.append(paid.receipt)
        self._service.answer(asked, ReceiptsAre(receipts, len(rows) > RECEIPTS_PER_PAGE))

    def _ask_payment(self, asked: Asked, request: AskPayment) -> None:
        key = (asked.member_id, request.payment_id)
        if self._service.wait_for(key, asked):
            return
        stored = self._core.orders.stored_result(*key)
        if stored is not None:
            self._service.answer_encoded(asked, stored[1])
            return
        made_at_ms, now_ms = asked.envelope.made_at_ms, self._core.clock()
        self._core.orders.promise(key, made_at_ms)
        self._service.left_something(asked.member_id)
        self._write(
            asked,
            lambda: self._core.orders.mark_dead(key, made_at_ms, now_ms),
            lambda _: self._service.answer(asked, PaymentUnknown(request.payment_id)),
        )

    # ---- paying -----------------------------------------------------------------------------------------------

    def _pay(self, asked: Asked, pay: Pay) -> None:
        """A retry gets the stored result whatever else is wrong with it, since "no money moved" might be a lie."""
        key = (asked.member_id, pay.payment_id)
        if self._service.wait_for(key, asked):
            return
        words, mark = self._words(asked), fingerprint(pay)
        stored = self._core.orders.stored_result(*key)
        if stored is not None and stored[0] == mark:
            self._service.answer_encoded(asked, stored[1])
        elif stored is not None:
            self._service.answer(asked, words.payment_id_reused())
        elif self._core.orders.came_too_late(*key, asked.envelope):
            self._service.answer(asked, words.refused("asked_before"))
        elif self._is_fresh(asked):
            self._complete(asked, pay, mark)

    def _complete(self, asked: Asked, pay: Pay, mark: bytes) -> None:
        """Goes on to the password, or answers what is wrong or missing."""
        number = pay.customer_number
        if number is None and pay.bill_id is None:
            number = self._core.arrears.bound_number(asked.member_id, pay.biller_id)
        answer = self._answer_or_account(asked, pay, number)
        if not isinstance(answer, Account):
            self._turn_away(asked, answer)
            return
        words, account = self._words(asked), answer.number
        order = Order(asked.member_id, pay, mark, asked.nonce, asked.envelope.made_at_ms, words, number, account)
        assert pay.pin is not None
        self._service.take_off(order.key)
        try:
            self._gate.check(
                asked.member_id,
                account,
                pay.pin,
                asked.nonce,
                lambda verdict: self._verified(asked, order, verdict),
                self._spending(asked),
            )
        except Exception:
            self._service.land(order.key)  # nothing decides it any more, so nobody may wait for it
            raise

    def _answer_or_account(self, asked: Asked, pay: Pay, number: str | None) -> Answer | Account:
        """A refusal or a prompt for exactly the missing elements; for a complete order the account that pays.

        An account that is not the member's own is none, whether somebody else has it or nobody: no password is
        checked for it, and nothing is learned.
        """
        words = self._words(asked)
        biller = self._core.billing.billers.get(pay.biller_id)
        if biller is None:
            return words.refused("no_such_biller")
        own = self._core.arrears.accounts(asked.member_id, biller.currency)
        accounts = [account for account in own if pay.account in (None, "", account.number)]
        if not accounts:
            return words.no_such_account() if own else words.no_account()
        missing = _missing(pay, number, accounts)
        if not any(account.has_pin for account in accounts):
            return words.no_pin()
        if missing:
            return words.prompt(biller, missing, self._bill_in_question(pay, biller, number), accounts)
        if number is not None and not self._is_customer(biller, number):
            return words.refused("no_such_customer")
        return accounts[0] if pay.pin and is_pin(pay.pin) else words.refused("not_six_digits")

    def _is_customer(self, biller: BillerInfo, number: str) -> bool:
        return number_fits(biller, number) and self._core.arrears.customer(biller.id, number) is not None

    def _bill_in_question(self, pay: Pay, biller: BillerInfo, number: str | None) -> BillRow | None:
        if pay.bill_id is not None:
            bill = self._core.billing.bills_by_id([pay.bill_id]).get(pay.bill_id)
            return bill if bill and bill.biller_id == biller.id and bill.due else None
        bills = self._core.billing.open_bills(biller.id, number) if number else []
        return bills[0] if bills else None

    def _verified(self, asked: Asked, order: Order, verdict: Verdict) -> None:
        if isinstance(verdict, Verified):
            self._service.order(asked, order)
            return
        self._service.land(order.key)
        if isinstance(verdict, Failed):
            self._service.fail(asked)
        elif isinstance(verdict, Locked):
            self._service.answer(asked, order.words.pin_locked(verdict.until_ms))
        else:
            self._service.answer(asked, order.words.wrong_pin(verdict.attempts_left, verdict.locked_until_ms))


def _missing(pay: Pay, number: str | None, accounts: list[Account]) -> list[str]:
    """Names of the elements that an order still lacks, in the order of the form."""
    missing = [] if number or pay.bill_id is not None else ["customer_number"]
    if pay.amount is None:
        missing.append("amount")
    if len(accounts) > 1:
        missing.append("account")
    if not pay.pin:
        missing.append("pin")
    return missing
