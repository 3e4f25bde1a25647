"""What the engine's routes accept and answer. They are ours: the reference has none of them."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from outrider.campaigns.models import Campaign
from outrider.kit.validation import ListOf, Text, Wire
from outrider.leads.reasons import Group, Reason, SenderState, Why
from outrider.leads.wire import reason_object


class WhyNotSentQuery(Wire):
    code: ListOf[Text] = Field(default_factory=list)

    def codes(self) -> list[str] | None:
        """Only leads with one of these reasons."""
        return [code.upper() for code in self.code if code] or None


def campaign_reason(campaign: Campaign, why: Why | None) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "reason": reason_object(why),
    }


def groups(given: Sequence[Group]) -> list[dict[str, Any]]:
    return [{"lead_count": group.lead_count, **(reason_object(group) or {})} for group in given]


def senders(given: Sequence[SenderState]) -> list[dict[str, Any]]:
    return [{"id": each.mailbox_id, "from_email": each.from_email, "reason": reason_object(each.why)} for each in given]


def leads(rows: Sequence[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "campaign_lead_map_id": str(row.campaign_lead_id),
            "lead_id": row.lead_id,
            "email": row.email,
            "status": row.status,
            "email_account_id": row.mailbox_id,
            "reason": reason_object(row),
        }
        for row in rows
    ]
