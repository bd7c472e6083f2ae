"""Operators' CSV files: read as they are meant, or refused with line and column."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.tables import TableError, once, read_table

NEEDED, KNOWN = ("name",), ("id", "name", "group", "password", "occurrence")
HEAD = "id,name,group,password\n"


def values(text: str) -> list[dict[str, str]]:
    return [row.values for row in read_table("f.csv", text.encode(), NEEDED, KNOWN).rows]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD + "1,Lin,A,x\n2,Wang, Lei,A,x\n", "line 3, column 5: 5 columns where the first line names 4"),
        (HEAD + "1,Lin,A\n", "line 2, column password: 3 columns"),
        (HEAD + '1,"Lin,A,x\n2,Wang,B,y\n', "line 2, column 2: a quote is opened and not closed"),
        (HEAD + '1,"Lin,A,x\n2,"Wang",B,y\n', "line 2, column 2: a quote is closed in the middle"),
        (HEAD + '1,"Lin,A,x\n2,Wang",B,y\n', "line 2, column name: has a line break"),
        (HEAD + '1,Lin,"A"x,y\n', "line 2, column 3: a quote is closed in the middle"),
        (HEAD + '1, "Lin",A,x\n', "line 2, column name: has a blank before its quote"),
        ("id,name,name\n1,Lin,Wang\n", "line 1, column name: stands there twice"),
        ("id, name,name \n1,Lin,Wang\n", "line 1, column name: stands there twice"),
        ("id,,name\n1,2,3\n", "line 1, column 2: has no name"),
        ("name,pasword\nLin,x\n", "line 1, column pasword: is not known; is password meant?"),
        ("name,Group\nLin,x\n", "line 1, column Group: is not known; is group meant?"),
        ("id;name\n1;Lin\n", "column name is missing; the columns are separated by semicolons"),
        ("id\tname\n1\tLin\n", "column name is missing; the columns are separated by tabs"),
        (HEAD + "1,Lin,A,x\n\n1,Lin,A,x\n", "line 4, column id: repeats line 2 word for word"),
        (HEAD + "1,Lin,A,x\0\n", "line 2 has a NUL"),
        ("", "line 1: column name is missing"),
    ],
)
def test_what_could_be_misread_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(TableError) as refused:
        values(text)
    assert says in str(refused.value)


def test_a_byte_order_mark_blanks_after_commas_and_crlf_are_taken() -> None:
    text = "\ufeffid, name ,group\r\n1, Lin 林 ,A\r\n"
    assert values(text) == [{"id": "1", "name": "Lin 林", "group": "A"}]


def test_empty_columns_at_the_right_of_a_spreadsheet_are_none() -> None:
    assert values("name,group,,\nLin,A,,\nWang,B\n") == [
        {"name": n, "group": g} for n, g in (("Lin", "A"), ("Wang", "B"))
    ]


def test_equal_rows_are_taken_when_they_are_numbered() -> None:
    assert len(values("name,occurrence\nWang Wei,1\nWang Wei,2\n")) == 2


def test_utf_16_and_other_encodings_are_named() -> None:
    with pytest.raises(TableError, match="UTF-16"):
        read_table("f.csv", HEAD.encode("utf-16"), NEEDED, KNOWN)
    with pytest.raises(TableError, match="line 2 is not UTF-8"):
        read_table("f.csv", HEAD.encode() + "1,林,A,x\n".encode("gbk"), NEEDED, KNOWN)


def test_a_key_that_stands_twice_names_both_lines() -> None:
    rows = read_table("f.csv", b"id,name\n7,Lin\n8,Wang\n7,Li\n", NEEDED, KNOWN).rows
    with pytest.raises(TableError, match=r"line 4, column id: 7 stands in line 2 already"):
        once(rows, ("id",))


CELL = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12).map(str.strip)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8, unique=True))
def test_what_a_spreadsheet_writes_is_read_as_it_was(rows: list[tuple[str, str, str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(("id", "name", "group"))
    writer.writerows(rows)
    wanted = [row for row in rows if any(row)]
    try:
        read = values(out.getvalue())
    except TableError as error:
        assert "blank before its quote" in str(error) or "repeats" in str(error)
        return
    assert [tuple(row.values()) for row in read] == wanted


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_one_sentence(content: bytes) -> None:
    try:
        read_table("f.csv", b"name,group\n" + content, NEEDED, KNOWN)
    except TableError as error:
        assert "\n" not in str(error) and str(error).startswith("f.csv line ")
