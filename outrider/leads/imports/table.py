"""Reading a table as people export it: any delimiter, any common encoding, with or without a header.

Rows are numbered as a spreadsheet shows them. What cannot be read without guessing is refused with a sentence.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from outrider.kit.validation import CONTROL
from outrider.leads.emails import email_key
from outrider.leads.imports.models import UnreadableTable

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_SEPARATOR_LINE = re.compile(r"\A\"?sep=(.)\"?\r?\n")  # what Excel writes to tell itself the delimiter
_UNREADABLE = re.compile(f"{CONTROL.pattern}|[\ud800-\udfff]")  # the second half: what no text may hold
_NO_DELIMITER = re.compile(r"[\w\"\r\n]")
_END = "\x1eend of table\x1e"  # control characters are no part of a table, so nobody can have written this


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not blank; `is_too_long`: it has more cells than the header, so something is not quoted."""

    number: int
    cells: list[str]
    is_too_long: bool


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a file and how it is cut. Every column has a name of its own, "" where the header has none."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    has_header: bool
    _text: str = field(repr=False)

    def rows(self) -> Iterator[Row]:
        """The rows below the header."""
        width = len(self.columns)
        for number, cells in _records(self._text, self.delimiter):
            if number == 1 and self.has_header:
                continue
            if any(cells):
                yield Row(number, cells + [""] * (width - len(cells)), any(cells[width:]))


def read_table(raw: bytes, *, encoding: str | None = None, delimiter: str | None = None) -> Table:
    """Find out how a file is written; raises UnreadableTable."""
    encoding = encoding or _encoding(raw)
    text = _UNREADABLE.sub("", _decoded(raw, encoding))
    if separator := _SEPARATOR_LINE.match(text):
        delimiter = delimiter or separator[1]
        text = text[separator.end() :]
    text = text.lstrip("\r\n")
    if not text.strip():
        raise UnreadableTable("The file is empty.")
    delimiter = delimiter or _delimiter(text)
    if len(delimiter) != 1 or _NO_DELIMITER.match(delimiter):
        raise UnreadableTable(f"{delimiter} cannot be a delimiter.")
    _, header = next(_records(text, delimiter))
    has_header = not any(email_key(cell) for cell in header)
    names = header if has_header else [f"Column {number}" for number in range(1, len(header) + 1)]
    return Table(encoding, delimiter, _distinct(names), has_header, text)


def _encoding(raw: bytes) -> str:
    """By its mark, else UTF-8 if it can be read so, else what Windows writes in the West."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            return encoding
    head = raw[:1000]
    if head.count(0) > len(head) // 4:  # Latin letters in UTF-16 have a zero in every other byte
        return "utf-16-le" if head[1:2] == b"\0" else "utf-16-be"
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding, errors="replace" if encoding == "cp1252" else "strict")
    except LookupError as error:
        raise UnreadableTable(f"The encoding {encoding} is not known.") from error
    except ValueError as error:
        raise UnreadableTable(f"The file is not in the encoding {encoding}.") from error


def _delimiter(text: str) -> str:
    """The one that cuts the first rows into the most columns of equal number."""
    sample = "".join(islice(io.StringIO(text, newline=""), _SAMPLE_ROWS * 2))
    return max(_DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    records = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter)
    try:
        widths = [len(cells) for cells in islice(records, _SAMPLE_ROWS) if cells]
    except csv.Error:
        return 0.0, 0
    width = widths[0] if widths else 0
    if width < 2:  # noqa: PLR2004 - a delimiter that cuts nothing
        return 0.0, 0
    return sum(1 for each in widths if each == width) / len(widths), width


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """All rows with their numbers, cells trimmed, blank ones too."""
    reader = csv.reader(io.StringIO(f"{text}\n{_END}", newline=""), delimiter=delimiter)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if cells == [_END]:
                return
            if cells and cells[-1].endswith(_END):
                raise UnreadableTable(f"The file ends inside a quoted text that begins in row {number}.")
            yield number, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise UnreadableTable(f"Row {number + 1} cannot be read: {error}.") from error


def _distinct(names: list[str]) -> tuple[str, ...]:
    """The second "Phone" becomes "Phone 2"; columns without a name stay without one."""
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        distinct.append(f"{name} {seen[name]}" if name and seen[name] > 1 else name)
    return tuple(distinct)
