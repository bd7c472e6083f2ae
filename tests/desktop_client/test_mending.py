"""A damaged database of a member: set aside, what only this device knew carried over, the rest asked for again."""

from __future__ import annotations

import secrets
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from desktop_client.app import Client
from desktop_client.events import Noticed
from desktop_client.mending import StoreError, open_store
from desktop_client.outbox import Order, Outbox
from desktop_client.store import FILE_NAME
from im_protocol.packets import Refusal, SignedIn
from payment.contract.messages import Amount
from tests.desktop_client.fakes import wait_until
from tests.desktop_client.peer import LIN, PASSWORD, WANG, Peer
from tests.desktop_client.person import Person

PAGE = 4_096


def order(number: int) -> Order:
    payment_id = number.to_bytes(16, "big")
    return Order(payment_id, 100, "Electricity", "88201402", 7, "November", Amount(8_640, "CNY"), "0234", number)


def filled(folder: Path, orders: int) -> bytes:
    """The bytes of a good database with so many open orders."""
    store, damage = open_store(folder)
    assert damage is None
    outbox = Outbox(store)
    for number in range(orders):
        outbox.put(order(number))
    store.close()
    return (folder / FILE_NAME).read_bytes()


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_damaged_a_store_opens_and_the_damaged_file_is_kept(tmp_path: Path, data: st.DataObject) -> None:
    folder = tmp_path / secrets.token_hex(4)
    folder.mkdir()
    content = bytearray(filled(folder, 60))
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    content[start:end] = secrets.token_bytes(end - start)
    (folder / FILE_NAME).write_bytes(content)
    store, damage = open_store(folder)
    known = {o.payment_id for o in Outbox(store).deciding()}
    store.close()
    if damage is not None:
        assert damage.kept.read_bytes() == content
        assert len(known) == 60 or not damage.whole, "orders that are gone are told"
    again, none = open_store(folder)
    assert none is None
    again.close()


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", bytes(PAGE), secrets.token_bytes(20_000)])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    store, damage = open_store(tmp_path)
    store.close()
    if content:
        assert damage is not None and damage.kept.read_bytes() == content and not damage.whole
    else:
        assert damage is None, "an empty file is a new database"


def test_a_database_of_another_program_is_set_aside(tmp_path: Path) -> None:
    foreign = apsw.Connection(str(tmp_path / FILE_NAME))
    foreign.execute("CREATE TABLE messages (body TEXT)")
    foreign.close()
    store, damage = open_store(tmp_path)
    store.close()
    assert damage is not None


def test_open_orders_are_carried_over_where_the_damage_is_elsewhere(tmp_path: Path) -> None:
    store, _none = open_store(tmp_path)
    for number in range(300):
        store.set_counter(f"{'x' * 60}{number}", number)
    Outbox(store).put(order(1))
    store.close()
    content = bytearray((tmp_path / FILE_NAME).read_bytes())
    database = apsw.Connection(str(tmp_path / FILE_NAME))
    root = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'counters'").fetchall()[0][0]
    database.close()
    content[(root - 1) * PAGE : root * PAGE] = secrets.token_bytes(PAGE)
    (tmp_path / FILE_NAME).write_bytes(content)
    store, damage = open_store(tmp_path)
    assert damage is not None and damage.whole
    assert Outbox(store).deciding() == [order(1)]
    store.close()


def test_a_folder_that_cannot_be_used_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(StoreError):
        open_store(tmp_path)
    assert (tmp_path / FILE_NAME).is_dir()


def sign_in(client: Client, peer: Peer) -> SignedIn | Refusal:
    told: list[SignedIn | Refusal] = []
    client.sign_in(peer.known(), LIN, PASSWORD, told.append)
    wait_until(lambda: told, lambda: (client.inbox.wait(0.002), client.pump()))
    return told[0]


def test_after_damage_one_is_signed_in_and_told_and_history_comes_again(client: Client, peer: Peer) -> None:
    assert isinstance(sign_in(client, peer), SignedIn)
    assert client.member is not None
    peer.deliver(WANG, LIN, "before")
    wait_until(lambda: client.member.history.messages(WANG), lambda: (client.inbox.wait(0.002), client.pump()))
    folder = client.profile.member_folder(peer.known(), LIN)
    client.sign_out()
    (folder / FILE_NAME).write_bytes(secrets.token_bytes(9_000))
    told: list[str] = []
    client.bus.subscribe(Noticed, lambda event: told.append(event.text))
    assert isinstance(sign_in(client, peer), SignedIn)
    assert "client.db.damaged" in told[0] and "before you pay" in told[0]
    wait_until(lambda: client.member.history.messages(WANG), lambda: (client.inbox.wait(0.002), client.pump()))


def test_where_nothing_can_be_stored_nobody_waits_for_ever(person: Person, peer: Peer) -> None:
    folder = person.app.client.profile.member_folder(peer.known(), LIN)
    (folder / FILE_NAME).mkdir()
    person.sign_in()
    assert person.login_error()[0].startswith("Nothing can be stored on this device")
    assert person.windows.last("login").last("set_busy") == (False,)


def test_a_damaged_profile_is_told_in_a_window(person: Person, peer: Peer, tmp_path: Path) -> None:
    from desktop_client.profile import Profile

    folder = tmp_path / "other"
    Profile(folder)
    (folder / "profile.json").write_bytes(b"{torn")
    other = Person(peer, Profile(folder), tmp_path)
    assert "profile.json.damaged" in other.windows.last("notice")
    other.app.stop()


@pytest.mark.parametrize("name", [b"title", b"orders", b"settled_at_ms", b"counters", b"signature"])
def test_a_damaged_name_of_a_table_or_column_is_damage(tmp_path: Path, name: bytes) -> None:
    content = filled(tmp_path, 3)
    at = content.index(name, content.index(b"CREATE TABLE"))
    (tmp_path / FILE_NAME).write_bytes(content[:at] + b"q" + content[at + 1 :])
    store, damage = open_store(tmp_path)
    assert damage is not None
    assert {o.payment_id for o in Outbox(store).deciding()} or not damage.whole
    store.close()
