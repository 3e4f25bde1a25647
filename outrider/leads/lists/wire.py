"""The contract's spellings of lists of leads (contract: leads, Lead lists)."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, model_validator

from outrider.kit.validation import Flag, Id, JsonObject, ListOf, Text, Wire, reject
from outrider.leads.judging import NewLead
from outrider.leads.lists.actions import Imported
from outrider.leads.lists.models import LeadList
from outrider.leads.wire_add import read_rows

MOST_ROWS = 10_000
_MOST_LISTS = 10
_Name = Annotated[Text, Field(min_length=1, max_length=255)]
_Few = Annotated[ListOf[Id], Field(min_length=1, max_length=_MOST_LISTS)]


class ListName(Wire):
    list_name: _Name = Field(validation_alias=AliasChoices("listName", "name"))


class ListQuery(Wire):
    list_name: Text | None = Field(default=None, validation_alias=AliasChoices("listName", "name", "search"))
    tag_ids: ListOf[Id] | None = Field(default=None, validation_alias="tagIds")


class CsvSettings(Wire):
    ignore_global_block_list: Flag = Field(default=False, validation_alias="ignoreGlobalBlockList")


class ImportRows(Wire):
    """`fileName`, `emailFieldsAdded` and `customFields` tell of a file that has been read; nobody needs them."""

    lead_list: Annotated[ListOf[Any], Field(min_length=1, max_length=MOST_ROWS)] = Field(
        validation_alias=AliasChoices("leadList", "leads", "lead_list")
    )
    file_name: Text = Field(default="api-import", validation_alias="fileName")
    email_fields_added: JsonObject | None = Field(default=None, validation_alias="emailFieldsAdded")
    custom_fields: JsonObject | None = Field(default=None, validation_alias="customFields")
    csv_settings: CsvSettings = Field(default=CsvSettings(), validation_alias=AliasChoices("csvSettings", "settings"))
    ignore_global_block_list: Flag = False

    def rows(self) -> list[NewLead]:
        return read_rows(self.lead_list, name="leadList")

    @property
    def is_block_list_ignored(self) -> bool:
        return self.ignore_global_block_list or self.csv_settings.ignore_global_block_list


class AssignTags(Wire):
    list_ids: _Few = Field(validation_alias=AliasChoices("listIds", "id"))
    tag_ids: _Few | None = Field(default=None, validation_alias="tagIds")
    remove_tag_ids: _Few | None = Field(default=None, validation_alias="removeTagIds")

    @model_validator(mode="after")
    def _has_some(self) -> "AssignTags":
        if self.tag_ids is None and self.remove_tag_ids is None:
            reject('"tagIds" is required', key="tagIds")
        return self


# out -----------------------------------------------------------------------------------------------------------------


def list_object(found: LeadList) -> dict[str, Any]:
    """Both spellings that are in use."""
    return {
        "id": found.id,
        "list_name": found.name,
        "name": found.name,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "leads_count": found.lead_count,
        "active_leads_count": found.active_lead_count,
        "lead_count": found.lead_count,
        "tags": found.tags,
    }


def imported(outcome: Imported) -> dict[str, Any]:
    return {
        "ok": True,
        "data": {
            "total_leads": outcome.total_count,
            "imported": outcome.added_count,
            "duplicates": outcome.duplicate_count,
            "blocked": outcome.blocked_count,
            "invalid": outcome.invalid_count,
        },
    }
