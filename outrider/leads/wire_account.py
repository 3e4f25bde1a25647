"""The contract's spellings of leads of the whole account: the cursor list and the overview of one lead."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AliasChoices, Field

from outrider.kit.validation import LARGEST_ID, Id, Int
from outrider.leads.models import Lead
from outrider.leads.selection import Selection
from outrider.leads.wire import lead_object
from outrider.leads.wire_filters import ESP_DOMAIN_TYPES, LeadQuery


class CursorQuery(LeadQuery):
    limit: Annotated[Int, Field(ge=1, le=1000)] = 100
    last_seen_lead_id: Annotated[Int, Field(ge=0, le=LARGEST_ID)] = Field(
        default=0, validation_alias=AliasChoices("lastSeenLeadId", "cursor")
    )
    list_id: Id | None = Field(default=None, validation_alias="listId")

    def selection(self) -> Selection:
        return replace(super().selection(), list_ids=None if self.list_id is None else [self.list_id])


def page(leads: Sequence[Lead], *, has_more: bool) -> dict[str, Any]:
    return {
        "ok": True,
        "data": {
            "leads": [lead_object(lead) for lead in leads],
            "lastSeenLeadId": leads[-1].id if leads else None,
            "hasMore": has_more,
        },
    }


def overview(lead: Lead, places: Sequence[Mapping[str, Any]], provider: str | None) -> dict[str, Any]:
    return {
        "ok": True,
        "message": "Campaign lead overview fetched successfully",
        "data": {
            "id": str(lead.id),
            "email": lead.email,
            "last_name": lead.last_name,
            "first_name": lead.first_name,
            "phone_number": lead.phone_number,
            "company_name": lead.company_name,
            "website": lead.website,
            "company_url": lead.company_url,
            "location": lead.location,
            "custom_fields": lead.custom_fields,
            "linkedin_profile": lead.linkedin_profile,
            "esp_domain_type": ESP_DOMAIN_TYPES[provider or "OTHER"],
            "email_campaign_leads_mappings": [_place(place) for place in places],
        },
    }


def _place(place: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": place["id"],
        "status": place["status"],
        "lead_category_id": place["category_id"],
        "revenue": place["revenue"],
        "current_seq_num": place["last_step_number"] or None,
        "next_timestamp_to_reach": place["due_at"],
        "email_campaign_id": place["campaign_id"],
        "email_campaign": {
            "id": place["campaign_id"],
            "name": place["campaign_name"],
            "status": place["campaign_status"],
        },
    }
