"""Tables as people export them."""

import csv
import io
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.leads.imports.models import UnreadableTable
from outrider.leads.imports.table import read_table

SIMPLE = [["ada@hexly.io", "Ada"], ["bo@tarn.dev", "Bo"]]


def cells(raw: bytes, **given: str) -> list[list[str]]:
    return [row.cells for row in read_table(raw, **given).rows()]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("email,first_name\nada@hexly.io,Ada\nbo@tarn.dev,Bo\n", ","),
        ("email;first_name\r\nada@hexly.io;Ada\r\nbo@tarn.dev;Bo", ";"),
        ("email\tfirst_name\rada@hexly.io\tAda\rbo@tarn.dev\tBo\r", "\t"),
        ("email|first_name\nada@hexly.io|Ada\nbo@tarn.dev|Bo\n", "|"),
        ("sep=;\nemail;first_name\nada@hexly.io;Ada\nbo@tarn.dev;Bo\n", ";"),
        ("\n\nemail , first_name\n\n ada@hexly.io , Ada \n,\n   \nbo@tarn.dev,Bo\n\n", ","),
        ('"email","first_name"\n"ada@hexly.io","Ada"\n"bo@tarn.dev",Bo\n', ","),
    ],
)
def test_delimiters_and_line_ends_are_found(text: str, delimiter: str) -> None:
    table = read_table(text.encode())
    assert (table.delimiter, table.columns, table.has_header) == (delimiter, ("email", "first_name"), True)
    assert [row.cells for row in table.rows()] == SIMPLE


def test_commas_inside_of_cells_do_not_make_the_delimiter() -> None:
    raw = b"name;email\nQuill, Ada, CTO;ada@hexly.io\nKim, Bo, CEO;bo@tarn.dev\n"
    assert cells(raw) == [["Quill, Ada, CTO", "ada@hexly.io"], ["Kim, Bo, CEO", "bo@tarn.dev"]]


def test_a_single_column_is_a_table() -> None:
    assert cells(b"email\nada@hexly.io\n") == [["ada@hexly.io"]]


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        ("name,email\nKäthe,k@hexly.io\n".encode(), "utf-8"),
        ("name,email\nKäthe,k@hexly.io\n".encode("utf-8-sig"), "utf-8-sig"),
        ("name,email\nKäthe,k@hexly.io\n".encode("cp1252"), "cp1252"),
        ("name,email\nKäthe,k@hexly.io\n".encode("utf-16"), "utf-16"),
        ("name,email\nKäthe,k@hexly.io\n".encode("utf-16-le"), "utf-16-le"),
        ("name,email\nKäthe,k@hexly.io\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_encodings_are_found(raw: bytes, encoding: str) -> None:
    table = read_table(raw)
    assert (table.encoding, table.columns) == (encoding, ("name", "email"))
    assert [row.cells for row in table.rows()] == [["Käthe", "k@hexly.io"]]


def test_an_encoding_and_a_delimiter_can_be_named() -> None:
    raw = "name#email\nСергей#s@hexly.io\n".encode("cp1251")
    assert cells(raw, encoding="windows-1251", delimiter="#") == [["Сергей", "s@hexly.io"]]


def test_without_a_header_columns_are_numbered() -> None:
    table = read_table(b"ada@hexly.io,Ada\nbo@tarn.dev,Bo\n")
    assert (table.columns, table.has_header) == (("Column 1", "Column 2"), False)
    assert [row.cells for row in table.rows()] == SIMPLE


def test_columns_have_names_of_their_own() -> None:
    assert read_table(b"email,Phone,Phone,,Phone,\na@b.io,1,2,3,4,\n").columns == (
        "email",
        "Phone",
        "Phone 2",
        "",
        "Phone 3",
        "",
    )


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    raw = b'email,note\na@b.io,"two\nlines"\n\nc@d.io,\n'
    assert [(row.number, row.cells[0]) for row in read_table(raw).rows()] == [(2, "a@b.io"), (4, "c@d.io")]


def test_short_rows_are_filled_up_and_long_ones_are_marked() -> None:
    rows = list(read_table(b"email,name\na@b.io\nc@d.io,Cy,,\ne@f.io,Eve,x\n").rows())
    assert [(row.cells[:2], row.is_too_long) for row in rows] == [
        (["a@b.io", ""], False),
        (["c@d.io", "Cy"], False),
        (["e@f.io", "Eve"], True),
    ]


def test_control_characters_are_dropped() -> None:
    assert cells(b"email,name\na@b.io,A\x00d\x07a\n") == [["a@b.io", "Ada"]]


@pytest.mark.parametrize(
    ("raw", "given", "text"),
    [
        (b"", {}, "The file is empty."),
        (b" \r\n \n", {}, "The file is empty."),
        (b"email\nx", {"encoding": "klingon"}, "The encoding klingon is not known."),
        (b"email\nx", {"encoding": "zip"}, "The encoding zip is not known."),
        (b"email\n\xff", {"encoding": "utf-8"}, "The file is not in the encoding utf-8."),
        (b"email\nx", {"delimiter": '"'}, '" cannot be a delimiter.'),
        (b"sep=e\nemail\nx", {}, "e cannot be a delimiter."),
    ],
)
def test_what_is_no_table_is_refused(raw: bytes, given: dict[str, str], text: str) -> None:
    with pytest.raises(UnreadableTable, match=re.escape(text)):
        read_table(raw, **given)


def test_an_open_quote_is_told_and_not_read_over() -> None:
    table = read_table(b'email,name\na@b.io,Ada\nc@d.io,"Cy\ne@f.io,Eve\n')
    with pytest.raises(UnreadableTable, match=r"ends inside a quoted text that begins in row 3\.$"):
        list(table.rows())


def test_a_cell_without_end_is_refused() -> None:
    table = read_table(b"email,name\na@b.io," + b"x" * 200_000 + b"\n")
    with pytest.raises(UnreadableTable, match=r"^Row 2 cannot be read: field larger than field limit"):
        list(table.rows())


_cells = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=8).map(str.strip)


@given(st.lists(st.tuples(_cells, _cells).filter(any), max_size=6), st.sampled_from(",;\t|"))
def test_what_a_program_writes_is_read_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("email", "name"), *rows])
    assert cells(file.getvalue().encode(), delimiter=delimiter) == [list(row) for row in rows]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with suppress(UnreadableTable):
        assert all(any(row.cells) for row in read_table(raw).rows())
