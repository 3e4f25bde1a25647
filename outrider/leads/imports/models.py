"""An import of leads, its progress, and what can be wrong with its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from outrider.kit.errors import Conflict, Invalid, NotFound


class ImportStatus(StrEnum):
    QUEUED = "QUEUED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class ImportNotFound(NotFound):
    """Import not found - Invalid import_id."""


class ImportNotResumable(Conflict):
    """Only an import that was given up can be resumed"""


class UnreadableTable(Invalid):
    """The file is not a table"""


@dataclass(frozen=True, slots=True)
class LeadImport:
    """`mapping`: column → field, null for what is left out. `result`: counts by verdict and the rows left out."""

    id: int
    user_id: int
    campaign_id: int
    file_name: str
    mapping: Mapping[str, str | None]
    settings: Mapping[str, Any]
    status: ImportStatus
    row_count: int
    done_count: int
    result: Mapping[str, Any]
    error: str | None
    created_at: datetime
    updated_at: datetime

    @property
    def is_over(self) -> bool:
        return self.status in {ImportStatus.COMPLETED, ImportStatus.FAILED}
