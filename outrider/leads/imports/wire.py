"""How imports are asked for and shown; the spellings are ours."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field

from outrider.kit.exchange import Exchange
from outrider.kit.tables import cell, csv_lines
from outrider.kit.validation import Flag, JsonObject, Text, Wire, fault, reject
from outrider.leads.imports.actions import Outlook, Source
from outrider.leads.imports.jobs import TOO_LONG
from outrider.leads.imports.models import LeadImport
from outrider.leads.judging import Rules, Verdict
from outrider.leads.wire_add import reason_of

_DEFAULT_NAME = "leads.csv"
_LINES_AT_ONCE = 5_000
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def _delimiter(text: str) -> str:
    delimiter = _WORDS.get(text.strip().lower(), text)
    if len(delimiter) != 1:
        raise fault("must be one character")
    return delimiter


class ImportOptions(Wire):
    """In the query, or as fields of the form that brings the file."""

    tolerates = frozenset({"file", "csv", "rows", "leads"})

    mapping: JsonObject | None = None
    encoding: Text | None = None
    delimiter: Annotated[str, AfterValidator(_delimiter)] | None = None
    file_name: Text | None = Field(default=None, validation_alias=AliasChoices("file_name", "filename"))
    ignore_global_block_list: Flag | None = None
    ignore_unsubscribe_list: Flag | None = None
    ignore_community_bounce_list: Flag | None = None
    ignore_duplicate_leads_in_other_campaign: Flag | None = None

    def completed_by(self, other: "ImportOptions") -> "ImportOptions":
        """These options, those that are missing from the other place."""
        return self.model_copy(
            update={name: value for name, value in other if getattr(self, name) is None and value is not None}
        )

    def rules(self) -> Rules:
        return Rules(
            ignore_global_block_list=bool(self.ignore_global_block_list),
            ignore_unsubscribe_list=bool(self.ignore_unsubscribe_list),
            ignore_community_bounce_list=bool(self.ignore_community_bounce_list),
            ignore_duplicate_leads_in_other_campaign=bool(self.ignore_duplicate_leads_in_other_campaign),
        )

    def source(self, exchange: Exchange) -> Source:
        """The file of the form, or the body itself."""
        upload = exchange.uploads[0] if exchange.uploads else None
        if upload is None and exchange.body:
            reject('"file" is required', key="file")
        name = self.file_name or (upload.file_name if upload else "") or _DEFAULT_NAME
        content = upload.content if upload else exchange.body_bytes
        return Source(name, content, self.encoding, self.delimiter, self._mapping())

    def _mapping(self) -> dict[str, str | None]:
        mapping = self.mapping or {}
        for column, field in mapping.items():
            if not isinstance(field, str | None):
                reject(f'"mapping.{column}" must be a string', key=f"mapping.{column}")
        return mapping


def about(found: LeadImport) -> dict[str, Any]:
    """How far it is, and how many rows came in or were left out for which reason."""
    counts: dict[str, int] = found.result.get("counts", {})
    left_out = {word: count for word, count in counts.items() if word != Verdict.ADDED}
    return {
        "import_id": found.id,
        "campaign_id": found.campaign_id,
        "file_name": found.file_name,
        "status": found.status,
        "row_count": found.row_count,
        "done_count": found.done_count,
        "added_count": counts.get(Verdict.ADDED, 0),
        "skipped_count": sum(left_out.values()),
        "skipped_by_reason": {_reason(word): count for word, count in left_out.items()},
        "mapping": found.mapping,
        "error": found.error,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


def progress(found: LeadImport, *, offset: int, limit: int | None) -> dict[str, Any]:
    """What became of every row so far; `row` is the number that a spreadsheet shows."""
    end = None if limit is None else offset + limit
    return {
        "ok": True,
        **about(found),
        "skipped_leads": [
            {"row": row, "email": email, "reason": _reason(word)} for row, email, word in _skipped(found)[offset:end]
        ],
    }


async def skipped_lines(found: LeadImport) -> AsyncIterator[str]:
    """In parts, so that the first lines leave at once."""
    yield csv_lines([["row", "email", "reason"]])
    skipped = _skipped(found)
    for start in range(0, len(skipped), _LINES_AT_ONCE):
        part = skipped[start : start + _LINES_AT_ONCE]
        yield csv_lines([[row, cell(email), _reason(word)] for row, email, word in part])


def _skipped(found: LeadImport) -> list[list[Any]]:
    skipped: list[list[Any]] = found.result.get("skipped", [])
    return skipped


def outlook(file_name: str, seen: Outlook) -> dict[str, Any]:
    """`columns` with the field of each and what its first cells hold; null for what is left out."""
    table = seen.table
    return {
        "ok": True,
        "file_name": file_name,
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "has_header": table.has_header,
        "row_count": seen.row_count,
        "unreadable_count": seen.unreadable_count,
        "mapping": seen.mapping,
        "columns": [
            {
                "name": name,
                "field": seen.mapping.get(name),
                "samples": [row.cells[place] for row in seen.first_rows if row.cells[place]],
            }
            for place, name in enumerate(table.columns)
        ],
        "sample_leads": [
            {"row": row.number, "email": lead.email, **lead.fields, "custom_fields": lead.custom_fields}
            for row, lead in zip(seen.first_rows, seen.first_leads, strict=True)
        ],
    }


def _reason(word: str) -> str:
    return "More cells than the header has" if word == TOO_LONG else reason_of(Verdict(word))
