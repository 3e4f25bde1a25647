"""The contract's spellings of the block list (contract: leads, … Global Block List)."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field, model_validator

from outrider.kit.validation import Id, ListOf, Text, Wire, reject
from outrider.leads.blocks.actions import Added
from outrider.leads.blocks.models import BlockEntry

MAX_ENTRIES = 100_000
_Entries = ListOf[Text]


class AddEntries(Wire):
    """The list has five names; the variants of clients are used where the documented one is missing."""

    domain_block_list: Annotated[_Entries, Field(max_length=MAX_ENTRIES)] | None = None
    emails: _Entries | None = Field(default=None, validation_alias=AliasChoices("emails", "email"))
    domains: _Entries | None = Field(default=None, validation_alias=AliasChoices("domains", "domain"))
    client_id: Id | None = None

    @property
    def entries(self) -> list[str]:
        if self.domain_block_list is not None:
            return self.domain_block_list
        return [*(self.emails or ()), *(self.domains or ())]

    @model_validator(mode="after")
    def _has_some(self) -> "AddEntries":
        if not self.entries:
            reject('"domain_block_list" is required', key="domain_block_list")
        return self


class EntryQuery(Wire):
    filter_client_id: Id | None = Field(default=None, validation_alias=AliasChoices("filter_client_id", "client_id"))
    filter_email_or_domain: Text | None = None
    filter_email_with_domain: Text | None = None


class EntryId(Wire):
    """In the query or the body."""

    id: Id | None = None


class RemoveEntry(EntryId):
    """By id, or by name and client."""

    domain: Text | None = Field(default=None, validation_alias=AliasChoices("domain", "email", "email_or_domain"))
    client_id: Id | None = None


def added(result: Added) -> dict[str, Any]:
    """`uploadCount` are the entries that could be read, `totalDomainAdded` those that are new."""
    return {
        "ok": True,
        "uploadCount": result.entry_count,
        "totalDomainAdded": result.new_count,
        "success": True,
        "message": f"{result.new_count} entries added to block list",
    }


def entry_object(entry: BlockEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "email_or_domain": entry.email_or_domain,
        "created_at": entry.created_at,
        "source": entry.source,
        "client_id": entry.client_id,
    }
