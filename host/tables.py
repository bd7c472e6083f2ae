"""CSV files of operators, read so that nothing in them is misread in silence.

UTF-8, with or without a byte order mark; commas; the first line names the columns. Whatever could be meant in two ways
is refused with its line and column: an unquoted comma, an open quote, a column named twice, two equal rows.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from host.text import is_one_line

CELL_CHARS_MAX = 8_192
ROWS_MAX = 1_000_000


class TableError(ValueError):
    """The file is refused. The text names the file, the line and the column."""


@dataclass(frozen=True)
class Row:
    """One line, by column name, blanks at both ends of each cell taken away; `raw` has the cells as they stand."""

    file: str
    line: int
    values: dict[str, str]
    raw: dict[str, str]

    def error(self, column: str, what: str) -> TableError:
        return TableError(f"{self.file} line {self.line}, column {column}: {what}")


@dataclass(frozen=True)
class Table:
    """All rows, and the columns that nobody asked for."""

    rows: list[Row]
    unused: list[str]


def read_table(file: str, content: bytes, needed: Sequence[str], known: Sequence[str]) -> Table:
    """The rows of a file. `needed` columns must be there, `known` ones may. Raises TableError."""
    lines = _Lines(file, _text(file, content))
    names = _names(file, lines.first(), needed, known)
    rows: list[Row] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, cells in lines:
        row = _row(file, line, names, cells)
        key = tuple(row.values[name] for name in names if name in known)
        if key in seen:
            raise TableError(
                f"{file} line {line}, column {names[0]}: repeats line {seen[key]} word for word"
                + ("; if it is meant, number them in a column occurrence" if "occurrence" in known else "")
            )
        seen[key] = line
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise TableError(f"{file} line {line}: more than {ROWS_MAX} rows")
    return Table(rows, [name for name in names if name not in known])


def once(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """These columns together differ in every row that has them. Raises TableError naming both lines."""
    seen: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row.values.get(column, "") for column in columns)
        if not all(key):
            continue
        if key in seen:
            raise row.error(columns[-1], f"{' '.join(key)} stands in line {seen[key]} already")
        seen[key] = row.line


def _text(file: str, content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise TableError(f"{file} line 1 is not UTF-8 but UTF-16: save it as CSV UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise TableError(f"{file} line {line} is not UTF-8: save it as CSV UTF-8") from None
    if "\0" in text:
        raise TableError(f"{file} line {text[: text.index(chr(0))].count(chr(10)) + 1} has a NUL: this is no CSV file")
    return text


class _Lines:
    """The records of a text with the line where each begins; errors are told with their place."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def first(self) -> list[str]:
        return next(iter(self), (1, []))[1]

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise self._error(line, str(error)) from None
            if any(cell.strip() for cell in cells):
                yield line, cells

    def _error(self, line: int, what: str) -> TableError:
        rest = io.StringIO(self._text, newline="").readlines()[line - 1 :]
        column, problem = _quote_problem("".join(rest))
        return TableError(f"{self._file} line {line}, column {column}: {problem or what}")


def _quote_problem(text: str) -> tuple[int, str]:
    """The column (from 1) of a record at which reading ends in an error, and what it is."""
    column, at = 1, 0
    while at < len(text):
        if text[at] != '"':
            end = next((i for i in range(at, len(text)) if text[i] in ",\r\n"), len(text))
        else:
            end = at + 1
            while end < len(text) and not (text[end] == '"' and text[end + 1 : end + 2] != '"'):
                end += 2 if text[end] == '"' else 1
            if end >= len(text):
                return column, "a quote is opened and not closed"
            end += 1
            if text[end : end + 1] not in (",", "\r", "\n", ""):
                return column, "a quote is closed in the middle of a cell (or one before it was never closed)"
        if text[end : end + 1] != ",":
            break
        column, at = column + 1, end + 1
    return column, ""


def _names(file: str, cells: list[str], needed: Sequence[str], known: Sequence[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()  # a spreadsheet's empty columns at the right
    for at, name in enumerate(names, 1):
        if not name:
            raise TableError(f"{file} line 1, column {at}: has no name")
        if name in names[: at - 1]:
            raise TableError(f"{file} line 1, column {name}: stands there twice")
    for name in needed:
        if name not in names:
            raise TableError(f"{file} line 1: column {name} is missing{_hint(names)}")
    for at, name in enumerate(names, 1):
        if not is_one_line(name):
            raise TableError(f"{file} line 1, column {at}: its name has a character that cannot be seen")
        near = difflib.get_close_matches(name.lower(), [k for k in known if k not in names], 1, 0.8)
        if name not in known and near:
            raise TableError(f"{file} line 1, column {name}: is not known; is {near[0]} meant?")
    return names


def _hint(names: list[str]) -> str:
    first = names[0] if names else ""
    for sign, word in ((";", "semicolons"), ("\t", "tabs")):
        if sign in first:
            return f"; the columns are separated by {word}, and commas belong there"
    return "; the first line names the columns"


def _row(file: str, line: int, names: list[str], cells: list[str]) -> Row:
    while len(cells) > len(names) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(names):
        place = names[len(cells)] if len(cells) < len(names) else str(len(names) + 1)
        why = " (a comma inside a cell needs quotes around the cell)" if len(cells) > len(names) else ""
        raise TableError(
            f"{file} line {line}, column {place}: {len(cells)} columns where the first line names {len(names)}{why}"
        )
    raw = dict(zip(names, cells, strict=True))
    row = Row(file, line, {name: cell.strip() for name, cell in raw.items()}, raw)
    for name, cell in raw.items():
        if "\n" in cell.strip() or "\r" in cell.strip():
            raise row.error(name, "has a line break; is a quote not closed?")
        if cell != cell.lstrip() and cell.lstrip().startswith('"'):
            raise row.error(name, "has a blank before its quote")
        if len(cell) > CELL_CHARS_MAX:
            raise row.error(name, f"has more than {CELL_CHARS_MAX} characters")
    return row
