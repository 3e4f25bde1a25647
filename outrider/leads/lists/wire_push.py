"""The contract's spellings of pushes, and the variants that clients send (contract: leads, Move leads to a list …)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field, model_validator

from outrider.kit.validation import Flag, Id, ListOf, StrictWire, Text, Wire, reject
from outrider.leads.judging import Addition, Rules, Verdict
from outrider.leads.lists.models import Push
from outrider.leads.selection import Selection
from outrider.leads.wire_add import reason_of
from outrider.leads.wire_filters import LeadFilters

MOST_LEADS = 10_000


def _lower(given: Any) -> Any:
    return given.strip().lower() if isinstance(given, str) else given


_Action = Annotated[Push, BeforeValidator(_lower)]
_Ids = Annotated[ListOf[Id], Field(min_length=1, max_length=MOST_LEADS)]


class PushToList(Wire):
    list_id: Id = Field(validation_alias="listId")
    lead_ids: _Ids | None = Field(default=None, validation_alias="leadIds")
    all_leads: Flag = Field(default=False, validation_alias="allLeads")
    action: _Action = Push.MOVE
    filters: LeadFilters = LeadFilters()

    @model_validator(mode="after")
    def _has_one(self) -> "PushToList":
        _check_choice("leadIds", self.lead_ids, all_leads=self.all_leads)
        return self

    def selection(self) -> Selection:
        return replace(self.filters.selection(), lead_ids=self.lead_ids)


class PushFromCampaign(Wire):
    campaign_id: Id = Field(validation_alias="campaignId")
    list_id: Id = Field(validation_alias="listId")
    map_ids: _Ids | None = Field(
        default=None, validation_alias=AliasChoices("leadMapIds", "campaignLeadMapIds", "emailLeadMapIds")
    )
    all_leads: Flag = Field(default=False, validation_alias="allLeads")
    action: _Action = Push.MOVE
    filters: LeadFilters = LeadFilters()

    @model_validator(mode="after")
    def _has_one(self) -> "PushFromCampaign":
        _check_choice("leadMapIds", self.map_ids, all_leads=self.all_leads)
        return self

    def selection(self) -> Selection:
        return replace(self.filters.selection(), campaign_lead_ids=self.map_ids)


class PushBetweenLists(Wire):
    to_list_id: Id = Field(validation_alias="toListId")
    from_list_id: Id | None = Field(default=None, validation_alias="fromListId")
    lead_ids: _Ids | None = Field(default=None, validation_alias="leadIds")
    action: _Action | None = None
    move: Flag = False

    @model_validator(mode="after")
    def _has_source(self) -> "PushBetweenLists":
        if self.lead_ids is None and self.from_list_id is None:
            reject('"value" must contain at least one of [leadIds, fromListId]', key="leadIds")
        return self

    @property
    def how(self) -> Push:
        return self.action or (Push.MOVE if self.move else Push.COPY)

    def selection(self) -> Selection:
        return Selection(lead_ids=self.lead_ids, list_ids=_one(self.from_list_id))


class LeadChoice(StrictWire):
    """Exactly one of these."""

    list_id: Id | None = Field(default=None, validation_alias="listId")
    lead_ids: _Ids | None = Field(default=None, validation_alias="leadIds")
    all_leads: Flag = Field(default=False, validation_alias="allLeads")


class CsvSettings(StrictWire):
    ignore_global_block_list: Flag = Field(default=False, validation_alias="ignoreGlobalBlockList")
    ignore_unsubscribe_list: Flag = Field(default=False, validation_alias="ignoreUnsubscribeList")
    ignore_community_bounce_list: Flag = Field(default=False, validation_alias="ignoreCommunityBounceList")
    ignore_duplicate_leads_in_other_campaign: Flag = Field(
        default=False, validation_alias="ignoreDuplicateLeadsInOtherCampaign"
    )


class PushToCampaign(Wire):
    """Some clients name the leads beside `leadList` (`lead_ids`, or the list as `id`), flags beside `csvSettings`."""

    campaign_id: Id | None = Field(default=None, validation_alias="campaignId")
    campaign_name: Text | None = Field(default=None, validation_alias="campaignName")
    action: _Action = Push.COPY
    lead_list: LeadChoice | None = Field(default=None, validation_alias="leadList")
    lead_ids: _Ids | None = Field(default=None, validation_alias="leadIds")
    list_id: Id | None = Field(default=None, validation_alias=AliasChoices("id", "listId", "lead_list_id"))
    all_leads: Flag = Field(default=False, validation_alias="allLeads")
    csv_settings: CsvSettings = Field(default=CsvSettings(), validation_alias=AliasChoices("csvSettings", "settings"))
    ignore_global_block_list: Flag = False
    ignore_unsubscribe_list: Flag = False
    ignore_community_bounce_list: Flag = False
    ignore_duplicate_leads_in_other_campaign: Flag = False
    filters: LeadFilters = LeadFilters()

    @model_validator(mode="after")
    def _has_all(self) -> "PushToCampaign":
        if self.campaign_id is None and not self.campaign_name:
            reject('"value" must contain at least one of [campaignId, campaignName]', key="campaignId")
        given = [name for name, value in self._choices() if value]
        if not given:
            reject('"leadList" must contain at least one of [listId, leadIds, allLeads]', key="leadList")
        if len(given) > 1:
            reject(f'"leadList" contains a conflict between exclusive peers [{", ".join(given)}]', key="leadList")
        return self

    def _choices(self) -> list[tuple[str, Any]]:
        inside = self.lead_list or LeadChoice()
        return [
            ("listId", inside.list_id or self.list_id),
            ("leadIds", inside.lead_ids or self.lead_ids),
            ("allLeads", inside.all_leads or self.all_leads),
        ]

    def selection(self) -> Selection:
        (_, list_id), (_, lead_ids), _ = self._choices()
        return replace(self.filters.selection(), list_ids=_one(list_id), lead_ids=lead_ids)

    def rules(self) -> Rules:
        names = CsvSettings.model_fields
        return Rules(**{name: getattr(self, name) or getattr(self.csv_settings, name) for name in names})


def _one(list_id: int | None) -> list[int] | None:
    return None if list_id is None else [list_id]


def _check_choice(name: str, ids: Sequence[int] | None, *, all_leads: bool) -> None:
    """Some leads or all, not both."""
    if ids is not None and all_leads:
        reject(f'"{name}" is not allowed', key=name)
    if ids is None and not all_leads:
        reject(f'"{name}" is required', key=name)


# out -----------------------------------------------------------------------------------------------------------------


def moved_to_list() -> dict[str, Any]:
    return {"ok": True, "message": "Leads inactivated from all leads successfully"}


def pushed_to_campaign(campaign_id: int, added: Addition) -> dict[str, Any]:
    """`duplicates` were in the campaign before; ours: the campaign, and how many were kept out, by reason."""
    counts = Counter(added.verdicts)
    kept_out = {verdict: count for verdict, count in counts.items() if verdict is not Verdict.ADDED}
    return {
        "ok": True,
        "message": "Leads pushed to campaign successfully",
        "data": {
            "total_leads": len(added.verdicts),
            "pushed": counts[Verdict.ADDED],
            "duplicates": counts[Verdict.IN_CAMPAIGN],
            "campaign_id": campaign_id,
            "skipped_by_reason": {reason_of(verdict): count for verdict, count in sorted(kept_out.items())},
        },
    }
