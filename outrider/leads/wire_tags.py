"""The contract's spellings of the tags of leads (contract: leads, Lead tags)."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from outrider.kit.validation import Id, ListOf, Wire
from outrider.mailboxes.tags import Tag


class TagQuery(Wire):
    lead_id: Id | None = Field(default=None, validation_alias="leadId")


class AddTags(Wire):
    lead_id: Id = Field(validation_alias="leadId")
    tag_ids: Annotated[ListOf[Id], Field(min_length=1)] = Field(validation_alias="tagIds")


def account_tags(tags: Sequence[Tag]) -> dict[str, Any]:
    """Of nobody: there is no mapping."""
    rows = [{"id": tag.id, "tag_mapping_id": None, "name": tag.name, "color": tag.color} for tag in tags]
    return {"ok": True, "data": rows}
