"""The operator's `member …` commands: the same code inside the running server and on a stopped one's database."""

from __future__ import annotations

import csv
import io
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from im_protocol import limits
from im_server.errors import MemberError
from im_server.passwords import hash_password
from im_server.store.members import MemberRow, NewMember, add_members, all_members, set_password_hash

PASSWORD_CHARS_MIN = 6
IMPORT_ROWS_MAX = 20_000
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is misread


class AddRequest(msgspec.Struct):
    """`password` "": one is made."""

    name: str
    id: int = 0
    group: str = "Members"
    signature: str = ""
    password: str = ""


class Added(msgspec.Struct):
    """What is printed once."""

    id: int
    name: str
    password: str


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
                case ["add"]:
                    return 0, self.add(msgspec.json.decode(stdin, type=list[AddRequest])), ""
                case ["list"]:
                    return 0, self.listing(), ""
                case ["password", member_id]:
                    return 0, self.password(int(member_id), stdin.decode()), ""
        except (MemberError, msgspec.DecodeError, ValueError) as error:
            return 1, "", str(error)
        return 2, "", "unknown command"

    def add(self, requests: list[AddRequest]) -> str:
        """JSON of the members added, with their passwords in clear: all of them or none."""
        for request in requests:
            _check(request)
            request.password = request.password or make_password()
        new = [NewMember(r.name, hash_password(r.password), r.id, r.group or "Members", r.signature) for r in requests]
        rows: list[MemberRow] = self._write(lambda: add_members(new, time.time_ns() // 1_000_000)) if new else []
        self._added(rows)
        done = [Added(row.id, row.name, r.password) for row, r in zip(rows, requests, strict=True)]
        return msgspec.json.encode(done).decode()

    def listing(self) -> str:
        """One member a line: id, name, group."""
        return "".join(f"{row.id}\t{row.name}\t{row.group_name}\n" for row in all_members())

    def password(self, member_id: int, password: str) -> str:
        """Set a login password ("": one is made); JSON as for add."""
        password = password or make_password()
        _check_password(password)
        hashed = hash_password(password)
        self._write(lambda: set_password_hash(member_id, hashed))
        return msgspec.json.encode([Added(member_id, "", password)]).decode()


def make_password() -> str:
    """Twelve characters, 59 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))


def parse_member_csv(text: str) -> list[AddRequest]:
    """Rows of `id,name[,group][,signature][,password]`, named in the first line; other columns are not ours.

    Raises MemberError naming the first wrong line.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if "name" not in (reader.fieldnames or ()):
        raise MemberError("The first line must name the columns, at least: id,name,password")
    requests: list[AddRequest] = []
    for row in reader:
        try:
            request = AddRequest(
                row["name"] or "",
                int(row.get("id") or 0),
                row.get("group") or "Members",
                row.get("signature") or "",
                row.get("password") or "",
            )
            _check(request)
        except (MemberError, ValueError) as error:
            raise MemberError(f"Line {reader.line_num}: {error}") from error
        requests.append(request)
        if len(requests) > IMPORT_ROWS_MAX:
            raise MemberError(f"More than {IMPORT_ROWS_MAX} members in one file.")
    return requests


def _check(request: AddRequest) -> None:
    for what, text, least in (
        ("name", request.name, 1),
        ("group", request.group, 1),
        ("signature", request.signature, 0),
    ):
        if not least <= len(text) <= limits.NAME_CHARS_MAX or not text.isprintable():
            raise MemberError(f"The {what} must have {least} to {limits.NAME_CHARS_MAX} printable characters.")
    if request.id and request.id < limits.MEMBER_ID_MIN:
        raise MemberError(f"Member ids begin at {limits.MEMBER_ID_MIN}.")
    if request.password:
        _check_password(request.password)


def _check_password(password: str) -> None:
    if not PASSWORD_CHARS_MIN <= len(password) <= limits.PASSWORD_CHARS_MAX:
        raise MemberError(f"A login password has {PASSWORD_CHARS_MIN} to {limits.PASSWORD_CHARS_MAX} characters.")
