"""What may be said of a new member, and CSV files of them. A bad row refuses the whole file and says where it is."""

from __future__ import annotations

from pathlib import Path

import msgspec

from host.tables import Row, TableError, once, read_table
from host.text import is_one_line, is_seen
from im_protocol import limits
from im_server.errors import MemberError

PASSWORD_CHARS_MIN = 6
IMPORT_ROWS_MAX = 20_000
FILE_BYTES_MAX = 16 * 2**20
COLUMNS = ("id", "name", "group", "signature", "password", "occurrence")


class AddRequest(msgspec.Struct):
    """`id` 0: the next free one; `password` "": one is made. `password_is_made`: by `passwords.make_password`.

    `line` is where it stands in a file.
    """

    name: str
    id: int = 0
    group: str = "Members"
    signature: str = ""
    password: str = ""
    password_is_made: bool = False
    line: int = 0


def check_request(request: AddRequest) -> None:
    """Raises MemberError in a sentence that says what is allowed."""
    for what, text, least in (
        ("name", request.name, 1),
        ("group", request.group, 1),
        ("signature", request.signature, 0),
    ):
        if not least <= len(text) <= limits.NAME_CHARS_MAX:
            raise MemberError(f"The {what} must have {least} to {limits.NAME_CHARS_MAX} characters, not {len(text)}.")
        if not is_one_line(text) or (least and not is_seen(text)):
            raise MemberError(f"The {what} is blank or has a control character.")
    if request.id and not limits.MEMBER_ID_MIN <= request.id < limits.ID_MAX:
        raise MemberError(f"Member ids are {limits.MEMBER_ID_MIN} to {limits.ID_MAX - 1}; {request.id} is none.")
    if request.password:
        check_password(request.password)


def check_password(password: str) -> None:
    """Raises MemberError for a login password of the wrong length."""
    if not PASSWORD_CHARS_MIN <= len(password) <= limits.PASSWORD_CHARS_MAX:
        raise MemberError(f"A login password has {PASSWORD_CHARS_MIN} to {limits.PASSWORD_CHARS_MAX} characters.")


def parse_member_csv(file: str, content: bytes) -> tuple[list[AddRequest], list[str]]:
    """Rows of `id,name[,group][,signature][,password]`, named in the first line; and the columns that are not used.

    Raises MemberError naming the line and the column.
    """
    try:
        table = read_table(file, content, ("name",), COLUMNS)
        once(table.rows, ("id",))
        if len(table.rows) > IMPORT_ROWS_MAX:
            raise TableError(f"{file}: more than {IMPORT_ROWS_MAX} members in one file")
        return [_request(row) for row in table.rows], table.unused
    except TableError as error:
        raise MemberError(f"{error}; nobody was added") from None


def _request(row: Row) -> AddRequest:
    values = row.values
    password = row.raw.get("password", "")
    if password != values.get("password", ""):
        raise row.error("password", "begins or ends with a blank, which may be meant or not")
    made = AddRequest(
        values["name"], _id(row), values.get("group") or "Members", values.get("signature", ""), password, line=row.line
    )
    for column, alone in (
        ("name", AddRequest(made.name)),
        ("group", AddRequest("-", group=made.group)),
        ("signature", AddRequest("-", signature=made.signature)),
        ("password", AddRequest("-", password=password)),
    ):
        try:
            check_request(alone)
        except MemberError as error:
            raise row.error(column, str(error).rstrip(".")) from None
    return made


def _id(row: Row) -> int:
    text = row.values.get("id", "")
    if not text:
        return 0
    least, most = limits.MEMBER_ID_MIN, limits.ID_MAX - 1
    if not (text.isascii() and text.isdigit() and len(text) < 30 and least <= int(text) <= most):
        raise row.error("id", f"{text[:40]!r} is no member id: a whole number from {least} to {most}, or nothing")
    if text != str(int(text)):  # the same id twice would look like two
        raise row.error("id", f"{text[:40]} has zeros in front; write it as {int(text)}")
    return int(text)


def read_file(path: str) -> bytes:
    """A file's content, to one byte over its limit. Raises MemberError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise MemberError(f"{path} cannot be read ({error.strerror}); nobody was added.") from None
    if len(content) > FILE_BYTES_MAX:
        raise MemberError(f"{path} is larger than {FILE_BYTES_MAX >> 20} MiB; nobody was added.")
    return content
