"""The contract's spellings of campaigns: lenient bodies in, exact objects out (contract: campaigns).

Settings as sent are in `wire_settings`, sequences in `wire_sequence`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from outrider.campaigns.models import Campaign, CampaignStatus, InvalidHour, StatusVerb
from outrider.campaigns.wire_settings import SettingsBody
from outrider.kit.validation import Flag, Id, Int, ListOf, LocalMoment, Text, TextOrNumber, Wire, fault, reject

UNTITLED = "Untitled Campaign"
_LARGEST_NUMBER = 2**31 - 1
_MOST_CAMPAIGNS = 100

_VERBS = {
    "START": StatusVerb.START,
    "ACTIVE": StatusVerb.START,
    "RESUME": StatusVerb.START,
    "PAUSED": StatusVerb.PAUSED,
    "PAUSE": StatusVerb.PAUSED,
    "STOPPED": StatusVerb.STOPPED,
    "STOP": StatusVerb.STOPPED,
    "ARCHIVED": StatusVerb.ARCHIVED,
    "ARCHIVE": StatusVerb.ARCHIVED,
}


def _verb(given: Any) -> StatusVerb:
    verb = _VERBS.get(given.strip().upper()) if isinstance(given, str) else None
    if verb is None:
        raise fault("must be one of [PAUSED, STOPPED, START]")
    return verb


def _upper(given: Any) -> Any:
    return given.strip().upper() if isinstance(given, str) else given


class StatusChange(Wire):
    tolerates = frozenset({"campaign_id"})

    status: Annotated[StatusVerb, BeforeValidator(_verb)]


class CampaignQuery(Wire):
    include_tags: Flag = False


class CampaignListQuery(CampaignQuery):
    client_id: Int | None = None
    status: Annotated[CampaignStatus, BeforeValidator(_upper)] | None = None
    offset: Annotated[Int, Field(ge=0)] = 0
    limit: Annotated[Int, Field(ge=1)] | None = None


# schedule ------------------------------------------------------------------------------------------------------------

_HOUR = re.compile(r"(\d{1,2})(?::(\d\d))?")
_LAST_MINUTE = "23:59"


class ScheduleChange(Wire):
    """Fields that are not given stay; the first schedule needs the first four."""

    tolerates = frozenset({"campaign_id"})

    timezone: Text | None = Field(default=None, validation_alias=AliasChoices("timezone", "tz"))
    days_of_the_week: Annotated[ListOf[Annotated[Int, Field(ge=0, le=7)]], Field(min_length=1)] | None = Field(
        default=None, validation_alias=AliasChoices("days_of_the_week", "days")
    )
    start_hour: TextOrNumber | None = None
    end_hour: TextOrNumber | None = None
    min_time_btw_emails: Annotated[Int, Field(ge=1, le=_LARGEST_NUMBER)] | None = Field(
        default=None, validation_alias=AliasChoices("min_time_btw_emails", "min_time_btwn_emails")
    )
    max_new_leads_per_day: Annotated[Int, Field(ge=0, le=_LARGEST_NUMBER)] | None = Field(
        default=None, validation_alias=AliasChoices("max_new_leads_per_day", "max_leads_per_day")
    )
    schedule_start_time: LocalMoment | None = None

    @property
    def given(self) -> set[str]:
        """The fields that say something: null does so for the start time only."""
        clearing = {"schedule_start_time"} & self.model_fields_set
        return {name for name in _SCHEDULE_FIELDS if getattr(self, name) not in (None, "")} | clearing

    def changes(self) -> dict[str, Any]:
        """What is to be changed, by column; raises InvalidHour."""
        given = self.given
        changes: dict[str, Any] = {
            column: getattr(self, name) for name, column in _SCHEDULE_COLUMNS.items() if name in given
        }
        if self.days_of_the_week and "days_of_the_week" in given:
            changes["days"] = sorted({day % 7 for day in self.days_of_the_week})
        if self.start_hour and "start_hour" in given:
            changes["start_hour"] = _hour("start_hour", self.start_hour)
        if self.end_hour and "end_hour" in given:
            changes["end_hour"] = _hour("end_hour", self.end_hour, is_end=True)
        return changes


_SCHEDULE_COLUMNS = {
    "timezone": "timezone",
    "min_time_btw_emails": "min_time_between_emails",
    "max_new_leads_per_day": "max_new_leads_per_day",
    "schedule_start_time": "schedule_start_time",
}
_SCHEDULE_FIELDS = (*_SCHEDULE_COLUMNS, "days_of_the_week", "start_hour", "end_hour")
_STRICT_GAP = 3


class ScheduleBody(ScheduleChange):
    """Some clients put the schedule one level deeper."""

    schedule: ScheduleChange | None = Field(
        default=None, validation_alias=AliasChoices("schedule", "scheduler_cron_value")
    )

    @property
    def given(self) -> set[str]:
        return super().given | (self.schedule.given if self.schedule else set())

    def changes(self) -> dict[str, Any]:
        return {**super().changes(), **(self.schedule.changes() if self.schedule else {})}

    def check_strict_gap(self) -> None:
        """The original wants three minutes between two mails at least (STRICT_COMPAT)."""
        gaps = (self.min_time_btw_emails, self.schedule.min_time_btw_emails if self.schedule else None)
        if any(gap is not None and gap < _STRICT_GAP for gap in gaps):
            reject(f'"min_time_btw_emails" must be larger than or equal to {_STRICT_GAP}', key="min_time_btw_emails")


class CampaignBody(ScheduleBody, SettingsBody):
    """`POST /campaigns/{id}` takes either."""

    tolerates = ScheduleBody.tolerates | SettingsBody.tolerates

    def schedule_changes(self) -> dict[str, Any]:
        return ScheduleBody.changes(self)

    def settings_changes(self) -> dict[str, Any]:
        return SettingsBody.changes(self)


def _hour(name: str, given: str, *, is_end: bool = False) -> str:
    """`HH:MM` from `H:MM`, `HH:MM` or the hour alone; 24:00 is the end of a day."""
    found = _HOUR.fullmatch(given)
    if found is None:
        raise InvalidHour(name=name, value=given)
    hour, minute = int(found[1]), int(found[2] or 0)
    if is_end and (hour, minute) == (24, 0):
        return _LAST_MINUTE
    if hour > 23 or minute > 59:  # noqa: PLR2004 - hours of a day, minutes of an hour
        raise InvalidHour(name=name, value=given)
    return f"{hour:02}:{minute:02}"


# mailboxes -----------------------------------------------------------------------------------------------------------


class MailboxList(Wire):
    """Ids in all the spellings clients send, in a body or a query."""

    tolerates = frozenset({"campaign_id"})

    email_account_ids: ListOf[Id] | None = Field(
        default=None,
        validation_alias=AliasChoices("email_account_ids", "email_accounts_ids", "emailAccountIDs", "email_account_id"),
    )

    def ids(self) -> list[int]:
        """Each once, in the order given."""
        return list(dict.fromkeys(self.email_account_ids or ()))


class MailboxAddition(MailboxList):
    auto_adjust_warmup: Flag = False


class MailboxRemoval(MailboxList):
    reallocate_leads: Flag = False


def required_ids(*lists: MailboxList) -> list[int]:
    """The ids of the first list that has any."""
    ids = next((ids for each in lists if (ids := each.ids())), None)
    return ids or reject('"email_account_ids" is required', key="email_account_ids")


class TagChoice(Wire):
    tolerates = frozenset({"campaign_id"})

    tag_ids: Annotated[ListOf[Id], Field(min_length=1)] = Field(validation_alias=AliasChoices("tag_ids", "tag_id"))


class CampaignTags(Wire):
    campaign_ids: Annotated[ListOf[Id], Field(min_length=1, max_length=_MOST_CAMPAIGNS)] = Field(
        validation_alias=AliasChoices("campaign_ids", "campaign_id")
    )
    tag_ids: Annotated[ListOf[Id], Field(min_length=1)] = Field(validation_alias=AliasChoices("tag_ids", "tag_id"))


class Duplication(Wire):
    tolerates = frozenset({"campaign_id"})

    duplicate_sub_sequence: Flag = False
    duplicate_client_label: Flag = False


class TeamMemberChoice(Wire):
    team_member_id: Id | None = Field(validation_alias=AliasChoices("teamMemberId", "team_member_id"))


# answers -------------------------------------------------------------------------------------------------------------


def created(campaign: Campaign) -> dict[str, Any]:
    return {"ok": True, "id": campaign.id, "name": campaign.name, "created_at": campaign.created_at}


def campaign_object(campaign: Campaign, *, tags: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """As in the list; `tags` only where they are asked for."""
    shown = {
        "id": campaign.id,
        "user_id": campaign.user_id,
        "created_at": campaign.created_at,
        "updated_at": campaign.updated_at,
        "status": campaign.status,
        "name": campaign.name,
        "track_settings": campaign.track_settings,
        "scheduler_cron_value": _schedule(campaign),
        "min_time_btwn_emails": campaign.min_time_between_emails,
        "max_leads_per_day": campaign.max_new_leads_per_day,
        "stop_lead_settings": campaign.stop_lead_settings,
        "schedule_start_time": campaign.schedule_start_time,
        "enable_ai_esp_matching": campaign.enable_ai_esp_matching,
        "send_as_plain_text": campaign.send_as_plain_text,
        "follow_up_percentage": campaign.follow_up_percentage,
        "unsubscribe_text": campaign.unsubscribe_text,
        "parent_campaign_id": campaign.parent_campaign_id,
        "client_id": campaign.client_id,
    }
    if tags is not None:
        shown["tags"] = [{"tag_id": tag["id"], "tag_name": tag["name"], "tag_color": tag["color"]} for tag in tags]
    return shown


def _schedule(campaign: Campaign) -> dict[str, Any] | None:
    if not campaign.has_schedule:
        return None
    return {
        "tz": campaign.timezone,
        "days": campaign.days,
        "endHour": campaign.end_hour,
        "startHour": campaign.start_hour,
    }


def further_settings(campaign: Campaign) -> dict[str, Any]:
    """What a campaign has beyond the object of the list."""
    return {
        "force_plain_text": campaign.force_plain_text,
        "auto_pause_domain_leads_on_reply": campaign.auto_pause_domain_leads_on_reply,
        "ignore_ss_mailbox_sending_limit": campaign.ignore_ss_mailbox_sending_limit,
        "bounce_autopause_threshold": campaign.bounce_autopause_threshold,
        "domain_level_rate_limit": campaign.domain_level_rate_limit,
        "add_unsubscribe_tag": campaign.add_unsubscribe_tag,
        "esp_matching_strict": campaign.esp_matching_strict,
        "count_only_sending_days": campaign.count_only_sending_days,
        "use_lead_timezone": campaign.use_lead_timezone,
        "out_of_office_detection_settings": campaign.out_of_office_detection_settings,
        "ai_categorisation_options": campaign.ai_categorisation_options,
        "on_missing_variable": campaign.on_missing_variable,
    }


def settings_object(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": campaign.id,
        "name": campaign.name,
        "status": campaign.status,
        "track_settings": campaign.track_settings,
        "stop_lead_settings": campaign.stop_lead_settings,
        "unsubscribe_text": campaign.unsubscribe_text,
        "send_as_plain_text": campaign.send_as_plain_text,
        "follow_up_percentage": campaign.follow_up_percentage,
        "client_id": campaign.client_id,
        "enable_ai_esp_matching": campaign.enable_ai_esp_matching,
        **further_settings(campaign),
    }


def attached(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": mapping["id"],
        "email_campaign_id": mapping["campaign_id"],
        "email_account_id": mapping["mailbox_id"],
        "updated_at": mapping["updated_at"],
    }
