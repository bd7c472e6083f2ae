"""Members: adding, listing, new passwords. Plain set-at-a-time queries; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from peewee import fn

from im_protocol import limits
from im_server.errors import MemberError
from im_server.store.models import Biller, Device, Member, Operation, rows_of

_FREE_AFTER = 10**6  # more than one file adds
_ROWS_PER_INSERT = 500  # SQLite takes 32,766 parameters a statement


@dataclass(frozen=True, slots=True)
class MemberRow:
    """What the server keeps in memory of a member."""

    id: int
    name: str
    group_name: str
    signature: str
    last_seen_ms: int


@dataclass(frozen=True, slots=True)
class NewMember:
    """`id` 0: the next free one."""

    name: str
    password_hash: str
    id: int = 0
    group_name: str = "Members"
    signature: str = ""


def all_members() -> list[MemberRow]:
    """Every member, by id."""
    query = Member.select(Member.id, Member.name, Member.group_name, Member.signature, Member.last_seen_ms)
    return [MemberRow(*row) for row in rows_of(query.order_by(Member.id))]


def password_hash_of(member_id: int) -> str | None:
    """The stored Argon2id hash; None for an unknown member."""
    found = rows_of(Member.select(Member.password_hash).where(Member.id == member_id))
    return found[0][0] if found else None


def add_members(new: list[NewMember], now_ms: int) -> list[MemberRow]:
    """Store new members. Raises MemberError (and nothing is stored) for an id that is taken or out of range."""
    taken = {row[0] for row in rows_of(Member.select(Member.id))}
    free = _free_ids(taken | {member.id for member in new})
    rows: list[MemberRow] = []
    for member in new:
        member_id = member.id or next(free)
        if member_id in taken:
            raise MemberError(f"Member {member_id} exists already.")
        if not limits.MEMBER_ID_MIN <= member_id <= limits.ID_MAX - 1:
            raise MemberError(f"Member ids are {limits.MEMBER_ID_MIN} to {limits.ID_MAX - 1}; {member_id} is none.")
        taken.add(member_id)
        rows.append(MemberRow(member_id, member.name, member.group_name, member.signature, 0))
    values = [
        (row.id, row.name, row.group_name, row.signature, member.password_hash, now_ms)
        for row, member in zip(rows, new, strict=True)
    ]
    fields = [
        Member.id,
        Member.name,
        Member.group_name,
        Member.signature,
        Member.password_hash,
        Member.created_at_ms,
    ]
    for at in range(0, len(values), _ROWS_PER_INSERT):
        Member.insert_many(values[at : at + _ROWS_PER_INSERT], fields=fields).execute()
    return rows


def _free_ids(taken: set[int]) -> Iterator[int]:
    """The ids after the highest one; where that is at the end of the range, the lowest that nobody has."""
    after = max(taken, default=0) + 1
    start = after if after < limits.ID_MAX - _FREE_AFTER else limits.MEMBER_ID_MIN
    return (number for number in count(max(start, limits.MEMBER_ID_MIN)) if number not in taken)


def result_of(command_id: str, fingerprint: bytes) -> bytes | None:
    """What a command of this id gave; None when there was none. Raises MemberError when it was another command."""
    found = rows_of(Operation.select(Operation.fingerprint, Operation.result).where(Operation.id == command_id))
    if not found:
        return None
    if bytes(found[0][0]) != fingerprint:
        raise MemberError(f"The id {command_id} belongs to another command that was carried out; nothing was changed.")
    return bytes(found[0][1])


def note_operation(command_id: str, fingerprint: bytes, result: bytes, now_ms: int) -> None:
    """Inside the transaction of the command itself."""
    Operation.insert(id=command_id, fingerprint=fingerprint, result=result, at_ms=now_ms).execute()


def upgrade_password_hash(member_id: int, old: str, new: str) -> None:
    """Stores another form of the same password, unless it was changed meanwhile."""
    Member.update(password_hash=new).where(Member.id == member_id, Member.password_hash == old).execute()


def set_password_hash(member_id: int, password_hash: str) -> None:
    """Raises MemberError for an unknown member."""
    if not Member.update(password_hash=password_hash).where(Member.id == member_id).execute():
        raise MemberError(f"There is no member {member_id}.")


def save_last_seen(seen_ms: dict[int, int]) -> None:
    """When these members were last online (Unix ms)."""
    for member_id, at_ms in seen_ms.items():
        Member.update(last_seen_ms=at_ms).where(Member.id == member_id).execute()


def save_signature(member_id: int, signature: str) -> None:
    Member.update(signature=signature).where(Member.id == member_id).execute()


def save_devices(rows: list[tuple[int, bytes, str, int, int]]) -> None:
    """(member, device id, name, acknowledged sequence, seen at ms): new devices are added, known ones moved on."""
    for member_id, device_id, name, acked, seen_at_ms in rows:
        Device.insert(
            member_id=member_id, device_id=device_id, name=name, acked_sequence=acked, seen_at_ms=seen_at_ms
        ).on_conflict(
            conflict_target=[Device.member_id, Device.device_id],
            update={
                Device.name: name,
                Device.acked_sequence: fn.MAX(Device.acked_sequence, acked),
                Device.seen_at_ms: seen_at_ms,
            },
        ).execute()


def all_billers() -> list[tuple[int, str, str, str, bool]]:
    """(id, name, icon, signature, verified) of every biller, by id."""
    query = Biller.select(Biller.id, Biller.name, Biller.icon, Biller.signature, Biller.verified)
    return [(r[0], r[1], r[2], r[3], bool(r[4])) for r in rows_of(query.order_by(Biller.id))]


def replace_billers(rows: list[tuple[int, str, str, str, bool]]) -> None:
    """The billers are exactly these from now on."""
    Biller.delete().execute()
    if rows:
        Biller.insert_many(
            rows, fields=[Biller.id, Biller.name, Biller.icon, Biller.signature, Biller.verified]
        ).execute()
