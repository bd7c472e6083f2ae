"""The contacts as the server tells them: loaded in pages, then kept up by pushes."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from desktop_client.backoff import Backoff
from desktop_client.events import EventBus, RosterChanged, SessionReady
from desktop_client.session import Session, typed
from im_protocol import codec
from im_protocol.codec import Frame
from im_protocol.packets import Contact, Presence, PresenceEvent, PresenceSet, Refusal, Roster, RosterRequest, Type


@dataclass
class ContactGroup:
    """A group with its contacts in the server's order."""

    name: str
    kind: str
    contacts: list[Contact] = field(default_factory=list)


class RosterModel:
    """Groups and contacts; says RosterChanged when they are different."""

    def __init__(self, session: Session, bus: EventBus) -> None:
        self.groups: list[ContactGroup] = []
        self.loaded = False
        self._by_id: dict[int, Contact] = {}
        self._session = session
        self._bus = bus
        self._loading = False
        self._again = False
        self.own: PresenceEvent | None = None  # how the server shows this member to others
        self._waits = False  # a wish of presence that was made before that was known
        self._new: list[ContactGroup] = []
        self._backoff = Backoff(session.timings.repeat_first_seconds, session.timings.repeat_max_seconds)
        self._connection = 0  # counts sign-ins: an answer or a timer of an earlier one does nothing
        session.on_push(Type.ROSTER_CHANGED, lambda frame: self.load())
        session.on_push(Type.PRESENCE_EVENT, self._on_presence)
        bus.subscribe(SessionReady, lambda event: self._restart())

    def contact(self, contact_id: int) -> Contact | None:
        return self._by_id.get(contact_id)

    def billers(self) -> list[Contact]:
        """All billers, in the roster's order."""
        return [c for group in self.groups for c in group.contacts if c.kind == "biller"]

    def name_of(self, contact_id: int) -> str:
        """The contact's name, or its number."""
        found = self._by_id.get(contact_id)
        return found.name if found else str(contact_id)

    def set_presence(self, presence: Presence) -> None:
        """Tells the server how this member wants to be seen, now and after each cut; the signature stays as it is."""
        self._session.presence = presence
        if self.own is None:  # the signature is not known yet: it comes with the first word about oneself
            self._waits = True
        else:
            self._session.post(Type.PRESENCE_SET, PresenceSet(presence, self.own.signature))

    def load(self) -> None:
        """Fetches all pages; asked again while it runs, it runs once more afterwards."""
        if self._loading:
            self._again = True
            return
        self._loading, self._again, self._new = True, False, []
        self._page(0)

    def _restart(self) -> None:
        self._loading = False  # a load that a cut interrupted is not coming back
        self._connection += 1
        self._backoff.reset()
        self.load()

    def _page(self, after: int) -> None:
        connection = self._connection
        request = RosterRequest(after)
        self._session.request(Type.ROSTER_REQUEST, request, lambda answer: self._on_page(answer, connection))

    def _on_page(self, answer: Frame | Refusal, connection: int) -> None:
        if connection != self._connection:
            return
        page = typed(answer, Roster)
        if isinstance(page, Refusal):
            wait = self._backoff.wait(page.retry_after_ms)
            self._session.call_after(wait, lambda: self._begin_again(connection))
            return
        self._backoff.reset()
        for group in page.groups:
            self._merge(group.name, group.kind, group.contacts)
        if page.next:
            self._page(page.next)
            return
        self.groups, self._loading, self.loaded = self._new, False, True
        self._by_id = {c.id: c for group in self.groups for c in group.contacts}
        self._bus.publish(RosterChanged())
        if self._again:
            self.load()

    def _begin_again(self, connection: int) -> None:
        if connection == self._connection and self._session.signed_in:
            self._loading = False
            self.load()

    def _merge(self, name: str, kind: str, contacts: list[Contact]) -> None:
        for group in self._new:
            if (group.name, group.kind) == (name, kind):
                group.contacts.extend(contacts)
                return
        self._new.append(ContactGroup(name, kind, list(contacts)))

    def _on_presence(self, frame: Frame) -> None:
        event = codec.decode_body(frame, PresenceEvent)
        me = self._session.me
        if me is not None and event.member_id == me.member_id:
            self._on_own(event)
            return
        known = self._by_id.get(event.member_id)
        if known is None:
            return
        changed = msgspec.structs.replace(
            known, presence=event.presence, signature=event.signature, last_seen_ms=event.last_seen_ms
        )
        self._by_id[changed.id] = changed
        for group in self.groups:
            group.contacts = [changed if c.id == changed.id else c for c in group.contacts]
        self._bus.publish(RosterChanged(event.member_id))

    def _on_own(self, event: PresenceEvent) -> None:
        """A word about oneself: what one wished, or another device of the member did."""
        self.own = event
        if self._waits:
            self._waits = False
            self.set_presence(self._session.presence)
            return
        self._session.presence = event.presence
        self._bus.publish(RosterChanged(event.member_id))
