"""The roster and everybody's presence, live."""

from __future__ import annotations

import msgspec

from im_protocol.packets import Contact, PresenceSet, RosterRequest, Type
from im_server.cli import add_members
from im_server.directory import Directory
from im_server.member_files import AddRequest
from im_server.store.members import MemberRow
from tests.im_server.conftest import A, B, C, Lab
from tests.im_server.wire import FakePayment, WireClient, body_of

ELECTRICITY = Contact(101, "biller", "Electricity", "online", "State Grid", "bolt", True)


def next_presence(client: WireClient, member_id: int) -> tuple[str, str]:
    while True:
        event = body_of(client.push(Type.PRESENCE_EVENT))
        if event.member_id == member_id:
            return event.presence, event.signature


def test_roster_has_groups_of_the_other_members_with_presence(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    lab.client(server, B, presence="busy")
    roster = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest()))
    assert roster.next == 0
    seen = {g.name: [(c.id, c.name, c.presence) for c in g.contacts] for g in roster.groups}
    assert seen == {"Room 1": [(B, "Bob", "busy")], "Room 2": [(C, "曹操", "offline")]}


def test_presence_of_others_changes_live(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    bob = lab.client(server, B)
    assert next_presence(alice, B) == ("online", "")
    bob.send(Type.PRESENCE_SET, PresenceSet("away", "at lunch"))
    assert next_presence(alice, B) == ("away", "at lunch")
    bob.close()
    assert next_presence(alice, B)[0] == "offline"
    roster = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest()))
    contact = next(c for g in roster.groups for c in g.contacts if c.id == B)
    assert (contact.signature, contact.last_seen_ms > 0) == ("at lunch", True)


def test_a_device_that_only_asks_leaves_the_presence_of_the_others(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    desk = lab.client(server, B, presence="busy")
    assert next_presence(alice, B)[0] == "busy"
    asking = lab.client(server, B, presence="offline")
    assert next_presence(alice, B)[0] == "busy"
    asking.close()
    desk.close()
    assert next_presence(alice, B)[0] == "offline"


def test_member_with_two_devices_is_offline_only_when_both_are_gone(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    phone, desk = lab.client(server, B), lab.client(server, B)
    assert next_presence(alice, B)[0] == "online"
    phone.close()
    desk.send(Type.PRESENCE_SET, PresenceSet("busy"))
    assert next_presence(alice, B)[0] == "busy"
    desk.close()
    assert next_presence(alice, B)[0] == "offline"


def test_signature_is_there_after_a_restart(lab: Lab) -> None:
    server = lab.server()
    bob = lab.client(server, B)
    bob.send(Type.PRESENCE_SET, PresenceSet("online", "hello"))
    bob.ask(Type.PING)
    lab.stop(server)
    alice = lab.client(lab.server(), A)
    roster = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest()))
    assert next(c for g in roster.groups for c in g.contacts if c.id == B).signature == "hello"


def test_new_member_changes_the_roster_of_those_online(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    added = add_members(lab.folder, [AddRequest("Dora", group="Room 1")])[0]
    alice.push(Type.ROSTER_CHANGED)
    roster = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest()))
    assert added.id in {c.id for g in roster.groups for c in g.contacts}
    assert lab.client(server).sign_in(added.id, added.password).type == Type.SIGNED_IN


def test_billers_come_first_and_stay_while_payment_is_away(lab: Lab) -> None:
    server = lab.server()
    payment = FakePayment(lab.folder, (ELECTRICITY,))
    alice = lab.client(server, A)
    first = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest())).groups[0]
    assert (first.kind, first.contacts) == ("billpay", [ELECTRICITY])
    payment.close()
    assert next_presence(alice, 101) == ("offline", "State Grid")
    lab.stop(server)
    alice = lab.client(lab.server(), A)
    first = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest())).groups[0]
    assert first.contacts[0].presence == "offline"
    assert first.contacts[0].name == "Electricity"


def test_roster_of_thousands_comes_in_pages_under_one_body() -> None:
    members = [MemberRow(A + i, "名" * 64, f"Floor {i % 7}", "签" * 64, 0) for i in range(2_000)]
    directory = Directory(members, [(101, "Water", "drop", "", False)])
    seen: list[int] = []
    after = 0
    while True:
        page = directory.page(A, after, lambda _id: "online", "online")
        assert len(msgspec.msgpack.encode(page)) < 65_536
        seen += [c.id for g in page.groups for c in g.contacts]
        after = page.next
        if not after:
            break
    assert len(seen) == len(set(seen)) == 2_000
    assert seen[0] == 101
    assert A not in seen


def test_who_was_not_there_for_others_was_not_seen(lab: Lab) -> None:
    server = lab.server()
    alice = lab.client(server, A)
    lab.client(server, B, presence="offline").close()
    seen_one = lab.client(server, B)
    while next_presence(alice, B)[0] != "online":
        pass
    seen_one.close()
    while next_presence(alice, B)[0] != "offline":
        pass

    def last_seen_ms() -> int:
        roster = body_of(alice.ask(Type.ROSTER_REQUEST, RosterRequest()))
        return next(c.last_seen_ms for g in roster.groups for c in g.contacts if c.id == B)

    seen = last_seen_ms()
    assert seen > 0
    asking = lab.client(server, B, presence="offline")
    asking.close()
    lab.stop(server)
    server = lab.server()
    alice = lab.client(server, A)
    assert last_seen_ms() == seen
