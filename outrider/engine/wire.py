"""What the engine's routes accept and answer. They are ours: the reference has none of them."""

from collections.abc import Sequence
from typing import Any

from pydantic import AliasChoices, Field

from outrider.campaigns.models import Campaign
from outrider.content.text import to_text
from outrider.engine.gates import Hold
from outrider.engine.preview import Preview, Wanted
from outrider.kit.validation import Email, Id, Int, ListOf, Text, TextOrNumber, Wire
from outrider.leads.reasons import Group, Reason, SenderState, Why
from outrider.leads.wire import reason_object
from outrider.messages.models import Written

_LARGEST_NUMBER = 2**53 - 1  # that programs can hold


class WhyNotSentQuery(Wire):
    code: ListOf[Text] = Field(default_factory=list)

    def codes(self) -> list[str] | None:
        """Only leads with one of these reasons."""
        return [code.upper() for code in self.code if code] or None


class PreviewQuery(Wire):
    lead_id: Id | None = None
    seq_number: Int | None = Field(default=None, validation_alias=AliasChoices("seq_number", "sequence_number"))
    variant: TextOrNumber | None = Field(
        default=None, validation_alias=AliasChoices("variant", "variant_label", "seq_variant_id")
    )
    email_account_id: Id | None = None

    def wanted(self) -> Wanted:
        return Wanted(self.lead_id, self.seq_number, self.variant, self.email_account_id)


class TrialRequest(Wire):
    tolerates = frozenset({"campaign_id"})

    lead_id: Id | None = Field(default=None, validation_alias=AliasChoices("leadId", "lead_id"))
    sequence_number: Int = Field(validation_alias=AliasChoices("sequenceNumber", "sequence_number", "seq_number"))
    email_account_id: Id | None = Field(
        default=None, validation_alias=AliasChoices("selectedEmailAccountId", "email_account_id")
    )
    to: Email | None = Field(
        default=None, validation_alias=AliasChoices("customEmailAddress", "to", "custom_email_address")
    )
    variant: TextOrNumber | None = Field(
        default=None, validation_alias=AliasChoices("variantLabel", "seq_variant_id", "variant")
    )

    def wanted(self) -> Wanted:
        return Wanted(self.lead_id, self.sequence_number, self.variant, self.email_account_id)


def preview(shown: Preview) -> dict[str, Any]:
    draft, made = shown.draft, shown.made
    mailbox = shown.sender.mailbox
    written = None if isinstance(made, Hold) else made.written
    return {
        "ok": True,
        "seq_number": draft.step.number,
        "email_campaign_seq_id": draft.step.id,
        "seq_variant_id": draft.variant.id if draft.variant else None,
        "variant_label": draft.variant.label if draft.variant else None,
        "lead_id": draft.lead.lead_id or None,
        "campaign_lead_map_id": draft.lead.id or None,
        "to_email": draft.lead.email,
        "email_account_id": mailbox.id,
        "from_name": mailbox.from_name,
        "from_email": mailbox.from_email,
        "rendered_at": shown.at,
        "subject": written.subject if written else None,
        "html": written.html if written else None,
        "text": _text(written) if written else None,
        "in_reply_to": f"<{written.in_reply_to}>" if written and written.in_reply_to else None,
        "source": None if isinstance(made, Hold) else made.data.decode("utf-8", "replace"),
        "hold": {"code": made.code, "text": made.text} if isinstance(made, Hold) else None,
        "unresolved_variables": list(shown.missing),
        "combination_count": min(shown.combinations, _LARGEST_NUMBER),
    }


def _text(written: Written) -> str:
    """What a reader of plain text sees."""
    return to_text(written.html) if written.html is not None else written.text or ""


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
