"""The contract's spellings of a choice of leads: the query of the cursor list and `filters` of pushes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from outrider.kit.validation import Day, Flag, Id, ListOf, StrictWire, Text, Wire, fault, moment
from outrider.leads.models import LeadStatus
from outrider.leads.selection import LeadType, Selection
from outrider.leads.wire import EmailStatus

ESP_DOMAIN_TYPES = {"OTHER": 0, "GOOGLE": 1, "MICROSOFT": 2, "ZOHO": 3, "YAHOO": 4, "GATEWAY": 5}
"""Who receives the mail of a lead's domain. The reference shows 0 and says no more; the other numbers are ours."""
_PROVIDERS = {str(number): name for name, number in ESP_DOMAIN_TYPES.items()} | {
    "GMAIL": "GOOGLE",
    "OUTLOOK": "MICROSOFT",
}
_DAY_LENGTH = len("2026-03-30")


def _items(given: Any) -> Any:
    """A comma-separated text in a body is a list too."""
    if isinstance(given, str) and not given.lstrip().startswith("["):
        return [item for part in given.split(",") if (item := part.strip())] or None
    return given


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


def _provider(given: Any) -> str:
    name = str(given).strip().upper()
    known = _PROVIDERS.get(name, name)
    if known not in ESP_DOMAIN_TYPES:
        raise fault(f"must be one of [{', '.join(ESP_DOMAIN_TYPES)}]")
    return known


def _segment(given: Any) -> Any:
    """SEG: a secure e-mail gateway stands before the mailbox."""
    known = {"seg": True, "non_seg": False, "none": False}
    return known.get(given.strip().lower(), given) if isinstance(given, str) else given


def _start(given: Any) -> datetime:
    start = moment(given)
    return start if start.tzinfo else start.replace(tzinfo=UTC)


def _end(given: Any) -> datetime:
    """A date is its whole day."""
    end = _start(given)
    is_day = isinstance(given, str) and len(given.strip()) == _DAY_LENGTH
    return end + timedelta(days=1) - timedelta(milliseconds=1) if is_day else end


_Ids = Annotated[ListOf[Id], BeforeValidator(_items)]


class LeadQuery(Wire):
    """Everything that is given holds."""

    lead_type: Annotated[LeadType, BeforeValidator(_lower)] | None = Field(default=None, validation_alias="leadType")
    status: Annotated[ListOf[Annotated[LeadStatus, BeforeValidator(_upper)]], BeforeValidator(_items)] | None = None
    campaign_id: _Ids | None = Field(default=None, validation_alias="campaignId")
    lead_category_ids: _Ids | None = Field(
        default=None, validation_alias=AliasChoices("leadCategoryIds", "leadCategoryId")
    )
    un_categorized: Flag | None = Field(default=None, validation_alias=AliasChoices("unCategorized", "uncategorized"))
    email_account_id: _Ids | None = Field(default=None, validation_alias="emailAccountId")
    email_status: EmailStatus | None = Field(default=None, validation_alias="emailStatus")
    team_member_id: _Ids | None = Field(default=None, validation_alias="teamMemberId")
    email_campaign_seq_id: _Ids | None = Field(default=None, validation_alias="emailCampaignSeqId")
    campaign_tag_id: _Ids | None = Field(default=None, validation_alias=AliasChoices("campaignTagId", "campaignTagIds"))
    client_id: _Ids | None = Field(default=None, validation_alias="clientId")
    reply_date_from: Annotated[datetime, BeforeValidator(_start)] | None = Field(
        default=None, validation_alias="replyDateFrom"
    )
    reply_date_to: Annotated[datetime, BeforeValidator(_end)] | None = Field(
        default=None, validation_alias="replyDateTo"
    )
    imported_date: Day | None = Field(default=None, validation_alias="importedDate")
    lead_email: Text | None = Field(default=None, validation_alias="leadEmail")
    tag_ids: _Ids | None = Field(default=None, validation_alias=AliasChoices("tagIds", "tagId"))
    esp_domain_type: Annotated[ListOf[Annotated[str, BeforeValidator(_provider)]], BeforeValidator(_items)] | None = (
        Field(default=None, validation_alias="espDomainType")
    )
    seg_type: Annotated[Flag, BeforeValidator(_segment)] | None = Field(default=None, validation_alias="segType")

    def selection(self) -> Selection:
        return Selection(
            lead_type=self.lead_type,
            statuses=self.status,
            campaign_ids=self.campaign_id,
            category_ids=self.lead_category_ids,
            is_uncategorized=self.un_categorized or None,
            mailbox_ids=self.email_account_id,
            email_status=self.email_status,
            person_ids=self.team_member_id,
            step_ids=self.email_campaign_seq_id,
            campaign_tag_ids=self.campaign_tag_id,
            client_ids=self.client_id,
            replied_from=self.reply_date_from,
            replied_until=self.reply_date_to,
            imported_on=self.imported_date,
            email=self.lead_email or None,
            tag_ids=self.tag_ids,
            providers=self.esp_domain_type,
            is_behind_gateway=self.seg_type,
        )


class LeadFilters(LeadQuery, StrictWire):
    """Of a push: a filter that is not understood would push others than were meant."""
