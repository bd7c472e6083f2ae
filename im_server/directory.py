"""Who there is: members and billers in memory, and the roster's pages made of them. The tables are
replaced, and rows in them; readers on other threads see each row whole, as it is or as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from im_protocol import limits
from im_protocol.packets import Contact, Group, Presence, Roster
from im_server.store.members import MemberRow

BILLPAY_GROUP = "Bill-pay"
_PAGE_BYTES = 60_000  # what a page may weigh, under the limit of one body
_CONTACT_BYTES = 40  # a contact without its texts, rounded up

BillerRow = tuple[int, str, str, str, bool]
PresenceOf = Callable[[int], Presence]


class Directory:
    """`members` and `billers` by id."""

    def __init__(self, members: list[MemberRow], billers: list[BillerRow]) -> None:
        self._lock = threading.Lock()  # guards the replacing of the three below
        self.members = {row.id: row for row in members}
        self.billers = {row[0]: row for row in billers}
        self._order: list[tuple[str, int]] | None = None

    def add(self, rows: list[MemberRow]) -> None:
        with self._lock:
            self.members = {**self.members, **{row.id: row for row in rows}}
            self._order = None

    def set_billers(self, rows: list[BillerRow]) -> bool:
        """Replace the billers; whether anything changed."""
        new = {row[0]: row for row in sorted(rows)}
        with self._lock:
            changed = new != self.billers
            self.billers = new
            return changed

    def update_member(self, member_id: int, *, signature: str | None = None, last_seen_ms: int | None = None) -> None:
        with self._lock:
            row = self.members.get(member_id)
            if row is None:
                return
            if signature is not None:
                row = replace(row, signature=signature)
            if last_seen_ms is not None:
                row = replace(row, last_seen_ms=last_seen_ms)
            self.members[member_id] = row

    def page(self, viewer_id: int, after: int, presence_of: PresenceOf, billers_presence: Presence) -> Roster:
        """A page of what this member sees: billers first, then the other members by group. `after` is the place to go
        on at, in the order of now; when the order changes clients are told to ask again from the beginning."""
        billers = list(self.billers.values())
        order = self._member_order()
        groups: dict[str, list[Contact]] = {}
        used, at = 0, after
        end = len(billers) + len(order)
        count = 0
        while at < end and count < limits.CONTACTS_PER_PACKET_MAX:
            if at < len(billers):
                name, contact = BILLPAY_GROUP, _biller(billers[at], billers_presence)
            else:
                name, member_id = order[at - len(billers)]
                if member_id == viewer_id:
                    at += 1
                    continue
                contact = _member(self.members[member_id], presence_of(member_id))
            used += _CONTACT_BYTES + 4 * (len(contact.name) + len(contact.signature) + len(contact.icon))
            if used > _PAGE_BYTES:
                break
            groups.setdefault(name, []).append(contact)
            count += 1
            at += 1
        made = [Group(n, "billpay" if c[0].kind == "biller" else "members", c) for n, c in groups.items()]
        return Roster(made, at if at < end else 0)

    def _member_order(self) -> list[tuple[str, int]]:
        order = self._order
        if order is None:
            with self._lock:
                order = sorted((row.group_name, row.id) for row in self.members.values())
                self._order = order
        return order


def _biller(row: BillerRow, presence: Presence) -> Contact:
    biller_id, name, icon, signature, verified = row
    return Contact(biller_id, "biller", name, presence, signature, icon, verified)


def _member(row: MemberRow, presence: Presence) -> Contact:
    return Contact(row.id, "member", row.name, presence, row.signature, last_seen_ms=row.last_seen_ms)
