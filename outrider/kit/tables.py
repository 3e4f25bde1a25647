"""Rows as CSV: for people's spreadsheets, which must not take a text of somebody else for a formula."""

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.kit.replies import written


def csv_lines(rows: Sequence[Sequence[Any]]) -> str:
    """RFC 4180 quoting; lines end with a line feed alone."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """What is unknown is empty, what is true is `true`; a text is no formula for a spreadsheet."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return written(value)
    return safe(value) if isinstance(value, str) else value


def safe(value: str | None) -> str | None:
    """A spreadsheet must not take a field for a formula; a phone number keeps its plus."""
    if (value and value[0] in "=@\t\r") or (value and value[0] in "+-" and not value[1:].replace(" ", "").isdigit()):
        return f"'{value}"
    return value
