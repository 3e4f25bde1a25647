"""The contract's spellings of a subsequence (contract: campaigns, Create Subsequence)."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from outrider.campaigns import wire
from outrider.campaigns.models import Campaign
from outrider.campaigns.subsequences import SubsequenceDraft, Trigger, TriggerType
from outrider.campaigns.wire_sequence import SequenceSave, StepItem
from outrider.kit.validation import Flag, Id, Int, ListOf, Text, TextOrNumber, Wire, fault, reject

UNTITLED = "Untitled Subsequence"
_LONGEST_DELAY_DAYS = 3_650
_MOST_CONDITIONS = 100
_LARGEST_NUMBER = 2**31 - 1
_STEP = Annotated[Int, Field(ge=1, le=_LARGEST_NUMBER)]

_EVENTS = {
    **{event.value: event for event in TriggerType},
    "REPLY_TO_AN_EMAIL": TriggerType.REPLY,
    "CLICK_ON_LINK": TriggerType.CLICK,
}
_SHORT = {
    **_EVENTS,
    "REPLIED": TriggerType.REPLY,
    "OPENED": TriggerType.OPEN,
    "CLICKED": TriggerType.CLICK,
    "NOT_REPLIED": TriggerType.NO_REPLY,
    "NOT_OPENED": TriggerType.NO_OPEN,
}
_SHORT_WORDS = ("NO_REPLY", "OPENED", "CLICKED", "REPLIED")


def _event(given: Any) -> TriggerType:
    event = _EVENTS.get(given.strip().upper()) if isinstance(given, str) else None
    if event is None:
        raise fault(f"must be one of [{', '.join(TriggerType)}]")
    return event


def _short(given: Any) -> TriggerType:
    event = _SHORT.get(given.strip().upper()) if isinstance(given, str) else None
    if event is None or event is TriggerType.CATEGORY:
        raise fault(f"must be one of [{', '.join(_SHORT_WORDS)}]")
    return event


class Condition(Wire):
    """What happens. Beyond the contract: words that must not occur, a step, how often, and for how long not."""

    event_type: Annotated[TriggerType, BeforeValidator(_event)] = Field(validation_alias=AliasChoices("eventType"))
    event_sub_type: TextOrNumber | None = Field(default=None, validation_alias=AliasChoices("eventSubType"))
    category_id: TextOrNumber | None = Field(default=None, validation_alias=AliasChoices("categoryId"))
    text: Text | None = None
    excluded_text: Text | None = Field(default=None, validation_alias=AliasChoices("excludedText", "notText"))
    seq_number: _STEP | None = Field(default=None, validation_alias=AliasChoices("seqNumber"))
    count: Annotated[Int, Field(ge=1, le=_LARGEST_NUMBER)] = 1
    days: Annotated[Int, Field(ge=1, le=_LONGEST_DELAY_DAYS)] | None = None

    def trigger(self) -> Trigger:
        return Trigger(
            type=self.event_type,
            event_sub_type=self.event_sub_type or None,
            category_id=None,
            words=self.text or None,
            excluded_words=self.excluded_text or None,
            step_number=self.seq_number,
            event_count=self.count,
            after_days=self.days,
        )

    def category(self, index: int) -> str | None:
        """By id or by name; only where it is about a category."""
        if self.event_type is not TriggerType.CATEGORY:
            return None
        if not self.category_id:
            key = f"conditionEvents[{index}].categoryId"
            reject(f'"{key}" is required', key=f"conditionEvents.{index}.categoryId")
        return self.category_id


class SubsequenceCreate(wire.CampaignBody, wire.MailboxAddition):
    """The parent may stand in the path instead."""

    tolerates = wire.CampaignBody.tolerates | wire.MailboxAddition.tolerates

    parent_campaign_id: Id | None = None
    name: Text | None = Field(default=None, validation_alias=AliasChoices("name", "subsequence_name"))
    condition_events: Annotated[ListOf[Condition], Field(max_length=_MOST_CONDITIONS)] = Field(
        default_factory=list, validation_alias=AliasChoices("conditionEvents")
    )
    delay_for_new_leads: Annotated[Int, Field(ge=0, le=_LONGEST_DELAY_DAYS)] = Field(
        default=0, validation_alias=AliasChoices("delayForNewLeads")
    )
    stop_lead_on_parent_campaign_reply: Flag = Field(
        default=False, validation_alias=AliasChoices("stopLeadOnParentCampaignReply")
    )
    trigger: Annotated[TriggerType, BeforeValidator(_short)] | None = None
    trigger_seq_number: _STEP | None = None
    sequences: ListOf[StepItem] | None = Field(default=None, validation_alias=AliasChoices("sequences", "sequence"))

    def draft(self, parent_id: int | None) -> SubsequenceDraft:
        parent_id = parent_id or self.parent_campaign_id
        if parent_id is None:
            reject('"parent_campaign_id" is required', key="parent_campaign_id")
        settings = self.settings_changes()
        return SubsequenceDraft(
            parent_id=parent_id,
            name=self.name or UNTITLED,
            client_id=self.client_id,
            triggers=[*(each.trigger() for each in self.condition_events), *self._short_form()],
            categories=[
                *(each.category(index) for index, each in enumerate(self.condition_events)),
                *(None for _ in self._short_form()),
            ],
            delay_days=self.delay_for_new_leads,
            stops_on_parent_reply=self.stop_lead_on_parent_campaign_reply,
            settings={name: value for name, value in settings.items() if name not in {"name", "client_id"}},
            schedule=self.schedule_changes() if self.given else {},
            steps=SequenceSave(sequences=self.sequences).drafts() if self.sequences else (),
            mailbox_ids=self.ids(),
            auto_adjust_warmup=self.auto_adjust_warmup,
        )

    def _short_form(self) -> Sequence[Trigger]:
        if self.trigger is None:
            return ()
        return [Condition(eventType=self.trigger, seqNumber=self.trigger_seq_number).trigger()]  # type: ignore[call-arg]


def created(campaign: Campaign) -> dict[str, Any]:
    return {
        **wire.created(campaign),
        "parent_campaign_id": campaign.parent_campaign_id,
        "success": True,
        "subsequence_id": campaign.id,
    }
