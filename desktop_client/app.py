"""The client without any window: profile, connection, and after sign-in the member's roster, chats and payments."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import get_args

from desktop_client.config import Timings
from desktop_client.events import EventBus, Noticed, SessionReady
from desktop_client.history import History
from desktop_client.i18n import _, language
from desktop_client.inbox import Inbox
from desktop_client.mending import NO_STORE, Damage, StoreError, open_store
from desktop_client.messages import Messages, MessageStore
from desktop_client.outbox import Outbox
from desktop_client.payments import Payments
from desktop_client.profile import KnownServer, Profile
from desktop_client.roster import RosterModel
from desktop_client.sealer import Sealer
from desktop_client.session import Credentials, Session
from desktop_client.transport import KEY_CHANGED, Down, Target, Transport, Up
from desktop_client.untold import Untold
from im_protocol.codes import PAYMENT_AWAY
from im_protocol.packets import Presence, Refusal, SignedIn

NO_ROOT = bytes(32)


@dataclass(frozen=True)
class Options:
    """How the client was started. `device` names which of the installation's devices this is (see `cli`)."""

    lang: str = "en"
    device: str = ""
    server: str = ""
    member_id: str = ""
    watching: bool = True
    presence: Presence | None = None  # None: as the member chose last on this device
    chat_store: MessageStore | None = None


class Client:
    """One program's client. Everything is called on one thread, which calls `pump` again and again."""

    def __init__(self, profile: Profile, options: Options | None = None, timings: Timings | None = None) -> None:
        self.profile = profile
        self.options = options or Options()
        self.timings = timings or Timings()
        self.bus = EventBus()
        self.inbox = Inbox()
        self.transport = Transport(self.inbox, self.timings)
        self.session = Session(self.transport, self.inbox, self.bus, self.timings)
        self.member: Member | None = None
        self._seen_pin = b""
        self._seen_fingerprint = b""

    def pump(self) -> int:
        """Handles what the network brought; returns how much it was."""
        return self.session.pump()

    def device_id(self) -> bytes:
        """16 bytes: this installation's, or one derived from it for another program on it."""
        if not self.options.device:
            return self.profile.device_id
        return hashlib.sha256(self.profile.device_id + self.options.device.encode()).digest()[:16]

    def sign_in(
        self, server: KnownServer, member_id: int, password: str, done: Callable[[SignedIn | Refusal], None]
    ) -> None:
        """Connects to a server whose keys are known and signs in; `done` is told once."""

        self.session.presence = self._kept_presence(server, member_id)

        def on_greeted(up: Up | Down) -> None:
            if isinstance(up, Down):
                self._seen_pin, self._seen_fingerprint = up.seen_pin, b""
                done(Refusal(up.code, up.message))
                return
            stop = self._check(server, up)
            if stop:
                self.session.sign_out()
                done(Refusal(stop, "the payment service's key is not the pinned one"))
                return
            credentials = Credentials(member_id, password, self.device_id(), platform.node()[:64])
            self.session.sign_in(credentials, lambda later: self._check(server, later), on_answer)

        def on_answer(result: SignedIn | Refusal) -> None:
            if isinstance(result, SignedIn):
                try:
                    member = self._open_member(server, member_id)
                except StoreError as error:
                    self.session.sign_out()
                    done(Refusal(NO_STORE, str(error)))
                    return
                member.signed_in(result)
                if member.damage is not None:
                    self._mend(member, member.damage)
            else:
                self.session.sign_out()
            done(result)

        target = Target(server.address, server.pin_bytes, self.options.lang, server.other_addresses)
        self.session.open(target, on_greeted)

    def keep_presence(self) -> None:
        """The member's choice of presence is still the same after a restart."""
        if self.member is not None:
            self.profile.set_setting(_presence_name(self.member.server, self.member.member_id), self.session.presence)

    def _kept_presence(self, server: KnownServer, member_id: int) -> Presence:
        kept = self.options.presence or self.profile.setting(_presence_name(server, member_id))
        return next((known for known in get_args(Presence) if known == kept), "online")

    def seen_words(self, server: KnownServer) -> tuple[str, ...]:
        """The six words of the keys that `server` showed at the last attempt, where it showed wrong ones.

        A server with a wrong TLS key is told nothing and so never tells its payment key: the pinned one stands in.
        """
        from im_protocol.words import key_words

        return key_words(self._seen_pin or server.pin_bytes, self._seen_fingerprint or server.fingerprint_bytes)

    def sign_out(self) -> None:
        """Leaves the server and closes the member's database."""
        self.session.sign_out()
        self._close_member()

    def close(self) -> None:
        """Ends everything; the client cannot be used afterwards."""
        with suppress(Exception):  # the program is ending: what cannot be said goodbye to is left
            self.session.sign_out()
        self.transport.close()
        self._close_member()

    def _open_member(self, server: KnownServer, member_id: int) -> Member:
        self._close_member()
        self.member = Member(self, server, member_id)
        return self.member

    def _mend(self, member: Member, damage: Damage) -> None:
        """Says what was damaged and asks the server for what it knows; messages come again by themselves."""
        text = _(
            "What BillBuddy had stored on this device was damaged. It is kept as {name}. Messages and receipts come "
            "again from the server."
        ).format(name=damage.kept)
        if not damage.whole:
            text += " " + _(
                "Payments that were still being decided may be missing: look at the receipts in the wallet before you "
                "pay such a bill again."
            )
        self.bus.publish(Noticed(text))
        cancel: list[Callable[[], None]] = []

        def ask(_ready: SessionReady) -> None:
            cancel[0]()
            member.payments.fetch_receipts(lambda found: None)

        cancel.append(member.bus.subscribe(SessionReady, ask))

    def _close_member(self) -> None:
        if self.member is not None:
            self.session.cancel_timers()
            self.member.close()
            self.member = None

    def _check(self, server: KnownServer, up: Up) -> str:
        """Whether the greeting shows the payment key that this device has pinned (or none yet)."""
        root = up.welcome.payment_root
        if root == NO_ROOT:
            return ""
        if hashlib.sha256(root).hexdigest() != server.payment_fingerprint:
            self._seen_pin, self._seen_fingerprint = up.tls_pin, hashlib.sha256(root).digest()
            return KEY_CHANGED
        if server.payment_root != root.hex():
            self.profile.note_root(server, root)
        return ""


def _presence_name(server: KnownServer, member_id: int) -> str:
    """The name of the setting that keeps a member's choice of presence."""
    return f"presence.{server.tls_pin[:16]}.{member_id}"


class Member:
    """What there is only while somebody is signed in."""

    def __init__(self, client: Client, server: KnownServer, member_id: int) -> None:
        options, session = client.options, client.session
        self.member_id = member_id
        self.server = server
        self.name = str(member_id)
        self._chat_store = options.chat_store
        self.store, self.damage = open_store(client.profile.member_folder(server, member_id))
        self.history = History(self.store)
        self.outbox = Outbox(self.store)
        self.bus = _MemberBus(client.bus)
        self.roster = RosterModel(session, self.bus)
        self.untold = Untold()
        self.drafts: dict[int, str] = {}  # by contact. In memory only: a payment password may be among them
        self.messages = Messages(session, self.bus, member_id, options.chat_store or self.history)
        self.sealer = Sealer(session, member_id, server.fingerprint_bytes, language)
        self.sealer.root = server.root_bytes
        if not options.watching:  # a window asks again by itself while the payment service is away
            self.sealer.patient_codes |= {PAYMENT_AWAY}
        self.bus.subscribe(SessionReady, lambda event: self.sealer.set_server_time(event.server_time_ms))
        session.on_server_time = self.sealer.set_server_time
        self._session = session
        self.payments = Payments(
            session,
            self.bus,
            self.sealer,
            self.outbox,
            self.history,
            member_id,
            client.timings,
            watching=options.watching,
        )

    def signed_in(self, result: SignedIn) -> None:
        """Notes what the server says of the member."""
        self.name = result.name
        self.sealer.set_server_time(result.server_time_ms)
        if self._chat_store is not None:
            self._chat_store.set_last_sequence(result.last_sequence)  # a store for live messages only

    def close(self) -> None:
        self._session.on_server_time = lambda server_ms: None
        self.bus.cancel_all()
        self.store.close()


class _MemberBus(EventBus):
    """Passes on to the client's bus, and ends its subscriptions when the member signs out."""

    def __init__(self, outer: EventBus) -> None:
        super().__init__()
        self._outer = outer
        self._cancels: set[Callable[[], None]] = set()  # of what is still subscribed: a closed window's is gone

    def subscribe(self, event_class, handler):  # type: ignore[no-untyped-def]
        cancel_outer = self._outer.subscribe(event_class, handler)

        def cancel() -> None:
            self._cancels.discard(cancel)
            cancel_outer()

        self._cancels.add(cancel)
        return cancel

    def publish(self, event: object) -> None:
        self._outer.publish(event)

    def cancel_all(self) -> None:
        for cancel in tuple(self._cancels):
            cancel()
