"""The process around the service: its threads, its sockets, and how it ends.

Threads: the main one (the only writer), one for the link, one for operators' commands, one that watches standard input,
and two for scrypt. They meet in one queue.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from im_protocol import codec, codes
from im_protocol.codec import Frame
from im_protocol.limits import PAYMENT_ID
from im_protocol.packets import Contact, Flag, LinkHello, Refusal, Type
from payment.admin import Commands, Outcome
from payment.admin_socket import AdminSocket
from payment.core import Core
from payment.errors import OutcomeUnknown
from payment.inbox import MEMBERS_TYPES, Inbox
from payment.link import Link
from payment.meter import METER
from payment.service import Service

SLOW_THREADS = 2
EXIT_OUTCOME_UNKNOWN = 74

log = logging.getLogger("payment")

TOO_MANY_RETRY_MS = 1_000
_TOO_MANY = "Too many requests are waiting; nothing was charged under this packet. Try again in a moment."


class Runner:
    """Runs one core's service until told to stop."""

    def __init__(self, core: Core, link_address: str, token_file: Path | None) -> None:
        self._core = core
        self._inbox = Inbox()
        self._pool = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="scrypt")
        self._link = (
            Link(link_address, token_file, self._hello, self._receive, self._link_lost) if link_address else None
        )
        self._service = Service(core, self._link.send if self._link else _drop, self._slow)
        self._commands = Commands(core, self._call)
        self._admin = AdminSocket(core.folder.admin_socket, self._command)
        self._hello_lock = threading.Lock()  # guards _billers, read by the link's thread
        self._billers = self._contacts()

    def run(self) -> None:
        """Serves until SIGTERM, SIGINT, SIGHUP, or the end of standard input."""
        self._watch_signals()
        threading.Thread(target=self._watch_stdin, name="stdin", daemon=True).start()
        self._admin.start()
        if self._link:
            self._link.start()
        log.info("payment service ready")
        try:
            while self._turn():
                pass
        except Exception as error:  # one request's error never comes up to here (see guard)
            # After a failed write nobody knows what the disk holds. Going on could answer from what is not there;
            # a restart reads what is. No answer leaves, so every asker finds "outcome unknown" and asks again.
            what = "the database" if isinstance(error, OutcomeUnknown | apsw.Error) else "the service"
            log.critical("%s failed; OUTCOME UNKNOWN of what was being decided; ending", what, exc_info=True)
            logging.shutdown()
            os._exit(EXIT_OUTCOME_UNKNOWN)
        self._stop()

    def _turn(self) -> bool:
        """One turn of the service; False when it is time to stop."""
        items, goes_on = self._inbox.take(may_wait=not self._service.has_work)
        self._service.turn(items)
        return goes_on

    def _receive(self, frame: Frame) -> None:
        """A packet off the link, on the link's thread. One too many is refused at once, and is never looked at."""
        if not self._inbox.put(frame) and self._link and frame.type in MEMBERS_TYPES:
            body = Refusal(codes.RATE_LIMITED, _TOO_MANY, TOO_MANY_RETRY_MS)
            answer = {"request_id": frame.request_id, "sender_id": PAYMENT_ID, "receiver_id": frame.sender_id}
            self._link.send(codec.encode(Type.REFUSAL, body, flags=Flag.ANSWER, **answer))

    def _stop(self) -> None:
        log.info("payment service stops")
        self._admin.stop()
        if self._link:
            self._link.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._core.close()
        METER.write()

    def _link_lost(self) -> None:
        self._inbox.link_lost(self._service.link_lost)

    def _slow(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        future = self._pool.submit(work)
        future.add_done_callback(lambda done: self._inbox.call(lambda: then(done.result())))

    def _call(self, work: Callable[[], Any]) -> Any:
        """Runs work on the writing thread, for the calling thread."""
        done = threading.Event()
        box: list[Any] = []

        def run() -> None:
            try:
                box.append((work(), None))
            except (OutcomeUnknown, apsw.Error) as error:
                box.append((None, error))
                raise
            except Exception as error:  # noqa: BLE001 goes to the thread that asked; the service is not concerned
                box.append((None, error))
            finally:
                done.set()

        self._inbox.call(run)
        done.wait()
        result, error = box[0]
        if error is not None:
            raise error
        return result

    def _command(self, argv: list[str], user: str, stdin: bytes) -> Outcome:
        """One operator's command, on the administration socket's thread."""
        outcome = self._commands.run(argv, user, stdin)
        changes = outcome.changes
        if changes.members or changes.customers:
            self._inbox.call(lambda: self._tell(changes.members, changes.customers))
        if changes.billers:
            self._call(self._refresh_billers)
            if self._link:
                self._link.hello_again()
        return outcome

    def _tell(self, members: set[int], customers: set[tuple[int, str]]) -> None:
        for member_id in members:
            self._service.changed(member_id)
        self._service.customers_changed(customers)

    def _refresh_billers(self) -> None:
        contacts = self._contacts()
        with self._hello_lock:
            self._billers = contacts

    def _contacts(self) -> list[Contact]:
        billers = self._core.billing.billers.values()
        return [Contact(b.id, "biller", b.name, "online", "", b.icon, True) for b in billers]

    def _hello(self, token: bytes) -> LinkHello:
        with self._hello_lock:
            return LinkHello(token, self._core.keystore.root_public, self._billers, answers_pings=True)

    def _watch_signals(self) -> None:
        """A thread hears of signals: the main one may be about to wait just when one comes, and would miss it."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, lambda *_: None)

        def hear() -> None:
            os.read(reading, 1)
            self._inbox.stop()

        threading.Thread(target=hear, name="signals", daemon=True).start()

    def _watch_stdin(self) -> None:
        """The server holds the other end of standard input: when it ends, however it ends, this process does too."""
        try:
            while os.read(sys.stdin.fileno(), 4_096):
                pass
        except (OSError, ValueError):
            log.debug("standard input cannot be read")
        self._inbox.stop()


def _drop(packets: bytes) -> None:
    """Without a link there is nobody to answer."""
