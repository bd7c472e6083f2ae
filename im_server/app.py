"""The composition root: makes the parts of a server, starts them, stops them."""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from host.local_socket import address_of, listen_local
from im_protocol.packets import AdminCommand
from im_protocol.states import State
from im_server import handlers
from im_server.config import Settings
from im_server.connection import Connection, Kind
from im_server.core import Core, Dispatcher
from im_server.data_folder import DataFolder
from im_server.delivery import Delivery
from im_server.directory import Directory
from im_server.errors import StartError
from im_server.heartbeat import Heartbeat
from im_server.io_thread import IoThread
from im_server.known_devices import KnownDevices, key_from
from im_server.listener import Listener, open_tcp
from im_server.member_commands import MemberCommands
from im_server.passwords import PasswordChecker
from im_server.presence import PresenceHub
from im_server.quotas import QuotaBook
from im_server.relay import Relay
from im_server.sessions import Sessions
from im_server.store.database import open_database
from im_server.store.known_devices import all_known_devices, save_known_device
from im_server.store.mailbox import Mailboxes
from im_server.store.members import MemberRow, all_billers, all_members, save_devices, save_last_seen
from im_server.store.writer import Writer
from im_server.supervisor import Supervisor, payment_program
from im_server.throttle import Throttle
from im_server.tls import ensure_certificate, server_context
from im_server.workers import Workers

log = logging.getLogger(__name__)
VERSION = "0.1.0"


class Server:
    """One running server. `payment_argv` None: the real subsystem; empty: none is started (a test plays it)."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        name: str = "",
        host: str = "",
        port: int,
        settings: Settings | None = None,
        payment_argv: Sequence[str] | None = None,
    ) -> None:
        self.folder = folder
        self.on_disk_failed: Callable[[], None] = lambda: None  # told once, by the writer thread: the server has to end
        self.settings = settings or Settings()
        folder.prepare()
        self._lock_file = _lock(folder)
        try:
            self._build(name, host, port, payment_argv)
        except BaseException:
            self._lock_file.close()
            raise

    def _build(self, name: str, host: str, port: int, payment_argv: Sequence[str] | None) -> None:
        folder, settings = self.folder, self.settings
        self.facts = folder.facts()
        self._facts_lock = threading.Lock()  # one writer of server.json at a time
        self.facts.name = name or self.facts.name
        self.tls_pin = ensure_certificate(folder.tls, self.facts.name)
        context = server_context(folder.tls)
        self.payment_known = threading.Event()
        self._database = open_database(folder.database)
        self._tcp = _listen(host, port, settings.listen_backlog)
        self.host, self.port = self._tcp.getsockname()[:2]
        link_socket, _token = listen_local(folder.link_socket)  # this link shows the token of its LINK_HELLO
        self._link_address = address_of(link_socket, folder.link_socket)
        admin_socket, self._admin_token = listen_local(folder.admin_socket)
        self._sockets = ((link_socket, Kind.LINK), (admin_socket, Kind.ADMIN), (self._tcp, Kind.CLIENT))

        dispatcher = Dispatcher(handlers.CLIENT, handlers.LINK, handlers.ADMIN, self._closed)
        self._dispatcher = dispatcher
        self.io_threads = [IoThread(i, settings, dispatcher) for i in range(settings.io_threads)]
        self.sessions = Sessions(settings.devices_per_member_max)
        directory = Directory(all_members(), all_billers())
        presence = PresenceHub(self.sessions, directory, self.io_threads, settings.presence_tick_seconds)
        delivery = Delivery(self.sessions)
        writer = Writer(
            self._database,
            Mailboxes(self._database),
            settings.commit_messages_max,
            delivery.delivered,
            delivery.failed,
            delivery.behind,
            lambda: self.on_disk_failed(),
        )
        known_devices = KnownDevices(
            key_from(folder.tls / "key.pem"),
            all_known_devices(),
            lambda row, gone: writer.keep(("known device", *row[:2]), lambda: save_known_device(row, gone)),
        )
        self._database.close()  # this thread's connection; the writer and the workers open their own
        self._members = MemberCommands(lambda job: writer.submit(job).result(60), self._members_added)
        end = self._database.close  # what each worker thread does at its end
        self.core = dispatcher.core = Core(
            settings=settings,
            server_name=self.facts.name,
            version=VERSION,
            link_token=folder.new_link_token(),
            directory=directory,
            sessions=self.sessions,
            presence=presence,
            relay=Relay(settings),
            heartbeat=Heartbeat(self._payment_busy, self._payment_hung, settings.heartbeat_seconds),
            writer=writer,
            workers=Workers("worker", settings.workers, settings.work_queue_max, end),
            password_workers=Workers("password", settings.password_threads, settings.password_queue_max, end),
            quick_workers=Workers("quick", 1, settings.password_queue_max, end),
            admin_workers=Workers("admin", 1, settings.admin_queue_max, end),
            passwords=PasswordChecker(),
            known_devices=known_devices,
            throttle=Throttle(),
            quotas=QuotaBook(settings.quotas),
            on_payment_root=self._payment_root_is,
            admin=self._admin,
            set_state=dispatcher.set_state,
            signed_in=lambda conn: self._listener.signed_in(conn.address),
            payment_root=bytes.fromhex(self.facts.payment_root_hex) or bytes(32),
        )
        if self.facts.payment_root_hex:
            self.payment_known.set()
        self._listener = Listener(self.io_threads, settings, context)
        self.supervisor = self._new_supervisor(payment_argv)

    def _new_supervisor(self, payment_argv: Sequence[str] | None) -> Supervisor | None:
        if payment_argv is None:
            folder = self.folder
            payment_argv = [
                *payment_program(),
                *("--data", str(folder.payment)),
                *("--link", self._link_address),
                *("--link-token-file", str(folder.link_token)),
                "serve",
            ]
        if not payment_argv:
            return None
        settings = self.settings
        log_file = self.folder.log / "payment-output.log"
        return Supervisor(payment_argv, log_file, settings.restart_seconds_min, settings.restart_seconds_max)

    def start(self) -> None:
        """Serve. Returns at once; `port` is the real one."""
        core, dispatcher = self.core, self._dispatcher
        core.workers.start()
        core.password_workers.start()
        core.quick_workers.start()
        core.admin_workers.start()
        for thread in (core.writer, core.presence, core.heartbeat, *self.io_threads):
            thread.start()
        tables = {
            Kind.CLIENT: dispatcher.tables[State.NEW],
            Kind.LINK: dispatcher.new_link_table,
            Kind.ADMIN: dispatcher.admin_table,
        }
        for sock, kind in self._sockets:
            self._listener.watch(sock, kind, tables[kind])
        if self.supervisor is not None:
            self.supervisor.start()
        self.facts.port = self.port
        self._save_facts()
        log.info("listening on %s:%d", self.host, self.port)

    def stop(self) -> None:
        """Stop accepting, close all connections, finish the writing, stop the subsystem."""
        log.info("stopping")
        core = self.core
        self._listener.stop()
        if self.supervisor is not None:
            self.supervisor.stop()
        for io in self.io_threads:
            io.stop()
        for io in self.io_threads:
            io.join(10)
        core.presence.stop()
        core.admin_workers.stop()
        core.quick_workers.stop()  # before the password workers, to whom they hand over
        core.heartbeat.stop()
        core.password_workers.stop()
        core.workers.stop()
        core.writer.stop()
        core.writer.join(30)
        for path in (self.folder.link_socket, self.folder.admin_socket):
            with contextlib.suppress(OSError):
                path.unlink()
        self._lock_file.close()
        log.info("stopped")

    # ---- told by the parts ---------------------------------------------------------------------------------------

    def _payment_root_is(self, root: bytes) -> None:
        """On an I/O thread: the file is synced elsewhere, in order with the other times that it is written."""
        self.core.payment_root = root
        if self.facts.payment_root_hex != root.hex():
            self.facts.payment_root_hex = root.hex()
            self.core.writer.keep(("facts",), self._save_facts)
        self.payment_known.set()

    def _save_facts(self) -> None:
        with self._facts_lock:
            self.folder.save_facts(self.facts)

    def _payment_busy(self, is_busy: bool) -> None:
        self.core.relay.busy(is_busy)
        self.core.presence.billers_are("offline" if is_busy or not self.core.relay.is_up else "online")

    def _payment_hung(self, link: Connection) -> None:
        link.io.call(lambda: link.io.close(link, "the payment subsystem does not answer"))
        if self.supervisor is not None:
            self.supervisor.kill_hung()

    def _members_added(self, rows: list[MemberRow]) -> None:
        self.core.directory.add(rows)
        self.core.presence.roster_changed()

    def _admin(self, command: AdminCommand) -> tuple[int, str, str]:
        if not hmac.compare_digest(command.token, self._admin_token):
            return 1, "", "wrong token"
        return self._members.run(command.argv, command.stdin)

    def _closed(self, core: Core, conn: Connection, reason: str) -> None:
        if conn.kind is Kind.LINK:
            core.heartbeat.forget(conn)
            if core.relay.link_down(conn):
                core.presence.billers_are("offline")
            return
        if conn.kind is Kind.ADMIN:
            return
        self._listener.closed(conn)
        core.relay.client_left(conn)
        if conn.member_id:
            self._left(core, conn)

    @staticmethod
    def _left(core: Core, conn: Connection) -> None:
        now_ms = time.time_ns() // 1_000_000
        member_id = conn.member_id
        device = (member_id, conn.device_id, conn.device_name, conn.acked_sequence, now_ms)
        core.writer.keep(("device", *device[:2]), lambda: save_devices([device]))
        if core.sessions.remove(conn):
            core.directory.update_member(member_id, last_seen_ms=now_ms)
            core.writer.keep(("last seen", member_id), lambda: save_last_seen({member_id: now_ms}))
            core.presence.member_changed(member_id)


def _lock(folder: DataFolder) -> IO[bytes]:
    lock = folder.lock()
    if lock is None:
        raise StartError(f"A server is already running on {folder.path}. Stop it, or name another folder with --data.")
    return lock


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    try:
        return open_tcp(host, port, backlog)
    except OSError as error:
        raise StartError(
            f"Cannot listen on {host or 'every address'}, port {port} ({error.strerror or error}). "
            "Another program may use the port: stop it, or choose another address with --listen HOST:PORT."
        ) from error
