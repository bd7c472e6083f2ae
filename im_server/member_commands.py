"""The operator's `member …` commands: the same code inside the running server and on a stopped one's database.

Passwords never come here: the command's own process makes or reads them, and sends what is to be stored of them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec

from im_protocol import limits
from im_server.errors import MemberError
from im_server.member_files import AddRequest, check_request
from im_server.store.members import (
    MemberRow,
    NewMember,
    add_members,
    all_members,
    note_operation,
    result_of,
    set_password_hash,
)

HASH_CHARS_MAX = 200


class AddRow(msgspec.Struct):
    """A member to add. `id` 0: the next free one."""

    name: str
    password_hash: str
    id: int = 0
    group: str = "Members"
    signature: str = ""


class Added(msgspec.Struct):
    """A member that was added. Only the process that made the password, or was given it, knows it."""

    id: int
    name: str
    password: str = ""


class MemberCommands:
    """`write` runs a function inside one transaction; `added` tells the running server of new members."""

    def __init__(
        self, write: Callable[[Callable[[], Any]], Any], added: Callable[[list[MemberRow]], None] = lambda rows: None
    ) -> None:
        self._write = write
        self._added = added

    def run(self, argv: list[str], stdin: bytes) -> tuple[int, str, str]:
        """(exit status, standard output, standard error) of one command."""
        try:
            match argv:
                case ["add", command_id]:
                    return 0, self.add(msgspec.json.decode(stdin, type=list[AddRow]), command_id), ""
                case ["list"]:
                    return 0, self.listing(), ""
                case ["taken"]:
                    return 0, self.taken(msgspec.json.decode(stdin, type=list[int])), ""
                case ["exists", member_id]:
                    return 0, self.existing(int(member_id)), ""
                case ["password", member_id]:
                    return 0, self.password(int(member_id), stdin.decode()), ""
        except (MemberError, msgspec.DecodeError, ValueError) as error:
            return 1, "", str(error)
        return 2, "", "unknown command"

    def add(self, wanted: list[AddRow], command_id: str) -> str:
        """JSON of the members added: all of them or none. The same id again gives the same ones ("" is no id)."""
        for row in wanted:
            check_request(AddRequest(row.name, row.id, row.group, row.signature))
        new = [NewMember(r.name, r.password_hash[:HASH_CHARS_MAX], r.id, r.group, r.signature) for r in wanted]
        fingerprint = _fingerprint(wanted)

        def write() -> tuple[list[MemberRow], bytes]:
            before = result_of(command_id, fingerprint) if command_id else None
            if before is not None:
                return [], before
            now_ms = time.time_ns() // 1_000_000
            rows = add_members(new, now_ms) if new else []
            result = msgspec.json.encode([Added(row.id, row.name) for row in rows])
            if command_id:
                note_operation(command_id, fingerprint, result, now_ms)
            return rows, result

        rows, result = self._write(write)
        if rows:
            self._added(rows)
        return bytes(result).decode()

    def listing(self) -> str:
        """One member a line: id, name, group."""
        return "".join(f"{row.id}\t{row.name}\t{row.group_name}\n" for row in all_members())

    def taken(self, ids: list[int]) -> str:
        """JSON of those of these ids that members have."""
        have = {row.id for row in all_members()}
        return msgspec.json.encode([number for number in ids if number in have]).decode()

    def existing(self, member_id: int) -> str:
        """The member's line. Raises MemberError when there is none."""
        for row in all_members():
            if row.id == member_id:
                return f"{row.id}\t{row.name}\t{row.group_name}\n"
        raise MemberError(f"There is no member {member_id}.")

    def password(self, member_id: int, password_hash: str) -> str:
        """Store a new login password's hash; to do it twice is to do it once."""
        if not 0 < member_id <= limits.ID_MAX:
            raise MemberError(f"There is no member {member_id}.")
        self._write(lambda: set_password_hash(member_id, password_hash[:HASH_CHARS_MAX]))
        return ""


def _fingerprint(wanted: list[AddRow]) -> bytes:
    """What tells one list of members from another: no password is in it."""
    return hashlib.sha256(msgspec.json.encode([(r.id, r.name, r.group, r.signature) for r in wanted])).digest()
