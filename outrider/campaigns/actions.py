"""What changes a campaign: status, settings, schedule, mailboxes. Sequences are saved in `sequence`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from outrider.campaigns import store
from outrider.campaigns.models import (
    BOUNCE_LIMIT,
    Campaign,
    CampaignStatus,
    CampaignStatusChanged,
    ContradictoryOutOfOffice,
    EmptyWindow,
    InvalidSetting,
    InvalidTimezone,
    LastMailbox,
    MailboxNotAllowed,
    MailboxRemoved,
    MissingVariableRuleChanged,
    NoMailboxes,
    NoSchedule,
    NothingToSend,
    StatusVerb,
)
from outrider.clients import store as clients
from outrider.kit.db import Db
from outrider.kit.errors import Invalid, NotAllowed
from outrider.kit.events import emit
from outrider.kit.validation import reject
from outrider.mailboxes import store as mailboxes
from outrider.mailboxes.models import MailboxesDeleted
from outrider.mailboxes.warmups import set_auto_adjust_warmup
from outrider.users import store as people
from outrider.users.models import UnknownTeamMember

_REQUIRED_FIRST = {
    "timezone": "timezone",
    "days": "days_of_the_week",
    "start_hour": "start_hour",
    "end_hour": "end_hour",
}


async def create(
    db: Db,
    user_id: int,
    name: str,
    *,
    client_id: int | None,
    scope: int | None,
    settings: Mapping[str, Any],
    now: datetime,
) -> Campaign:
    """A campaign in DRAFTED; settings that cannot be used are left out. `scope` is the client whose key asks."""
    if client_id is not None:
        await clients.check_reference(db, user_id, client_id, scope=scope)
    campaign_id = await store.insert_campaign(db, user_id, name, client_id=client_id or scope, now=now)
    campaign = await store.load_campaign(db, user_id, campaign_id, client_id=scope)
    if settings:
        for setting, value in settings.items():
            with suppress(Invalid):
                campaign = await _with_settings(db, campaign, {setting: value}, scope=scope)
        await store.update_campaign(db, campaign)
    return campaign


async def change_status(
    db: Db, user_id: int, campaign_id: int, verb: StatusVerb, *, client_id: int | None, now: datetime
) -> None:
    """By hand. The same status again changes nothing and tells nobody."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    status = campaign.after(verb)
    if status is campaign.status:
        return
    if status is CampaignStatus.ACTIVE:
        await _check_readiness(db, campaign)
        await store.restart_bounce_count(db, user_id, campaign_id, now=now)
    await _move(db, campaign, status, now=now)


async def complete(db: Db, user_id: int, campaign_id: int, now: datetime) -> bool:
    """ACTIVE → COMPLETED if it has leads and none is left to mail; whether it did."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=None)
    if campaign.status is not CampaignStatus.ACTIVE:
        return False
    # asked after the lock: who adds leads takes it too, before or after us
    if not await store.has_finished_leads_only(db, user_id, campaign_id):
        return False
    await _move(db, campaign, CampaignStatus.COMPLETED, now=now)
    return True


async def reactivate(db: Db, user_id: int, campaign_id: int, now: datetime) -> bool:
    """COMPLETED → ACTIVE, because a lead was added or resumed in this transaction; whether it did."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=None)
    if campaign.status is not CampaignStatus.COMPLETED:
        return False
    await _move(db, campaign, CampaignStatus.ACTIVE, now=now)
    return True


async def auto_pause(
    db: Db, user_id: int, campaign_id: int, *, bounce_rate: str, threshold: str, now: datetime
) -> bool:
    """ACTIVE → PAUSED, because too many leads bounced; whether it did."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=None)
    if campaign.status is not CampaignStatus.ACTIVE:
        return False
    await _move(db, campaign, CampaignStatus.PAUSED, now=now, bounce_rate=bounce_rate, threshold=threshold)
    return True


async def delete(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> None:
    """For good, whatever its status."""
    await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    await store.delete_campaign(db, user_id, campaign_id)


async def change_settings(
    db: Db, user_id: int, campaign_id: int, changes: Mapping[str, Any], *, client_id: int | None, now: datetime
) -> None:
    """Nothing is saved when one of the values cannot be used."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    changed = await _with_settings(db, campaign, changes, scope=client_id)
    if changes:
        await store.update_campaign(db, replace(changed, updated_at=now))
    if changed.on_missing_variable is not campaign.on_missing_variable:
        await emit(db, MissingVariableRuleChanged(user_id, campaign_id, at=now))


async def change_schedule(
    db: Db, user_id: int, campaign_id: int, changes: Mapping[str, Any], *, client_id: int | None, now: datetime
) -> None:
    """Acts on the next mails; the first schedule needs zone, days and hours."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    if not campaign.has_schedule:
        _check_completeness(changes)
    zone = _zone(changes.get("timezone") or campaign.timezone)
    start_time = changes.get("schedule_start_time")
    if start_time is not None:
        changes = {**changes, "schedule_start_time": _instant(start_time, zone)}
    changed = replace(campaign, **changes, updated_at=now)
    # HH:MM compares as text
    if changed.start_hour and changed.end_hour and changed.start_hour >= changed.end_hour:
        raise EmptyWindow
    if changes:
        await store.update_campaign(db, changed)


async def add_mailboxes(
    db: Db,
    user_id: int,
    campaign_id: int,
    mailbox_ids: Sequence[int],
    *,
    auto_adjust_warmup: bool,
    client_id: int | None,
    now: datetime,
) -> list[Mapping[str, Any]]:
    """Attach mailboxes, all or none; the mapping of each in the order given.

    Subsequences get them too: their leads keep the mailbox that they had.
    """
    await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    await check_mailboxes(db, user_id, mailbox_ids, client_id=client_id)
    mappings = await store.upsert_mailboxes(db, user_id, campaign_id, mailbox_ids, now=now)
    await store.attach_to_subsequences(db, user_id, campaign_id, mailbox_ids, now=now)
    if auto_adjust_warmup:
        await set_auto_adjust_warmup(db, user_id, mailbox_ids, now=now)
    await store.touch(db, user_id, campaign_id, now=now)
    return [mappings[mailbox_id] for mailbox_id in mailbox_ids]


async def remove_mailboxes(
    db: Db,
    user_id: int,
    campaign_id: int,
    mailbox_ids: Sequence[int],
    *,
    reallocate: bool,
    client_id: int | None,
    now: datetime,
) -> int:
    """Detach mailboxes; how many were attached. What becomes of their leads is the leads' business."""
    campaign = await store.lock_campaign(db, user_id, campaign_id, client_id=client_id)
    await check_mailboxes(db, user_id, mailbox_ids, client_id=client_id)
    removed = await store.delete_mailboxes(db, user_id, campaign_id, mailbox_ids)
    if not removed:
        return 0
    if campaign.status is CampaignStatus.ACTIVE and not await store.count_mailboxes(db, user_id, campaign_id):
        raise LastMailbox
    await store.touch(db, user_id, campaign_id, now=now)
    event = MailboxRemoved(user_id, campaign_id, tuple(sorted(removed)), reallocate=reallocate, at=now)
    await emit(db, event)
    return len(removed)


async def forget_mailboxes(db: Db, events: Sequence[MailboxesDeleted]) -> None:
    """Deleted mailboxes leave every campaign, an active one too (subscribed to MailboxesDeleted)."""
    for event in events:
        removed = await store.delete_mailboxes_everywhere(db, event.user_id, event.mailbox_ids)
        await emit(
            db,
            *(
                MailboxRemoved(event.user_id, campaign_id, tuple(ids), reallocate=False, at=event.at)
                for campaign_id, ids in sorted(removed.items())
            ),
        )


async def _move(
    db: Db,
    campaign: Campaign,
    status: CampaignStatus,
    *,
    now: datetime,
    bounce_rate: str | None = None,
    threshold: str | None = None,
) -> None:
    is_auto_pause = bounce_rate is not None
    await store.update_status(
        db,
        campaign,
        status,
        now=now,
        hold_code=BOUNCE_LIMIT if is_auto_pause else None,
        hold_text=f"Paused by itself: {bounce_rate}% of the contacted leads bounced, the limit is {threshold}%."
        if is_auto_pause
        else None,
    )
    await emit(
        db,
        CampaignStatusChanged(
            campaign.user_id,
            campaign.id,
            previous=campaign.status,
            current=status,
            at=now,
            bounce_rate=bounce_rate,
            threshold=threshold,
        ),
    )


async def _check_readiness(db: Db, campaign: Campaign) -> None:
    """What START needs (decision 4); leads are not needed."""
    if not campaign.has_schedule:
        raise NoSchedule
    ready = await store.load_readiness(db, campaign.user_id, campaign.id)
    if not ready["has_body"]:
        raise NothingToSend
    if not ready["has_mailbox"]:
        raise NoMailboxes


async def _with_settings(db: Db, campaign: Campaign, changes: Mapping[str, Any], *, scope: int | None) -> Campaign:
    """The campaign with these settings; raises for what cannot be."""
    changed = dict(changes)
    if "client_id" in changed:
        await _check_client(db, campaign.user_id, changed["client_id"], scope=scope)
    if "ai_categorisation_options" in changed:
        changed["ai_categorisation_options"] = await _category_ids(
            db, campaign.user_id, changed["ai_categorisation_options"]
        )
    if "out_of_office_detection_settings" in changed:
        merged = campaign.out_of_office_detection_settings | changed["out_of_office_detection_settings"]
        if merged["autoReactivateOOO"] and merged["autoCategorizeOOO"]:
            raise ContradictoryOutOfOffice
        changed["out_of_office_detection_settings"] = merged
    return replace(campaign, **changed)


async def _check_client(db: Db, user_id: int, client_id: int | None, *, scope: int | None) -> None:
    if client_id is not None:
        await clients.check_reference(db, user_id, client_id, scope=scope)
    elif scope is not None:
        raise NotAllowed  # a client cannot give its campaign away


async def _category_ids(db: Db, user_id: int, wanted: Sequence[str]) -> list[int]:
    """Ids of categories that are given by id or by name, each once."""
    known = await store.list_categories(db, user_id)
    for name in wanted:
        if name.lower() not in known:
            raise InvalidSetting(name="ai_categorisation_options", value=name)
    return list(dict.fromkeys(known[name.lower()] for name in wanted))


def _check_completeness(changes: Mapping[str, Any]) -> None:
    for column, field in _REQUIRED_FIRST.items():
        if column not in changes:
            reject(f'"{field}" is required', key=field)


def _zone(name: str | None) -> ZoneInfo:
    if name is None or name not in available_timezones():
        raise InvalidTimezone(value=name)
    return ZoneInfo(name)


def _instant(time: datetime, zone: ZoneInfo) -> datetime:
    """A time without a zone is the campaign's own."""
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)


async def assign_team_member(db: Db, user_id: int, campaign_id: int, person_id: int | None, *, now: datetime) -> None:
    """Who of the team looks after a campaign; None: nobody any more."""
    await store.lock_campaign(db, user_id, campaign_id, client_id=None)
    if person_id is not None and await people.find_team_member(db, user_id, person_id) is None:
        raise UnknownTeamMember
    await store.update_team_member(db, user_id, campaign_id, person_id, now=now)


async def check_mailboxes(db: Db, user_id: int, mailbox_ids: Sequence[int], *, client_id: int | None) -> None:
    """Raise MailboxNotAllowed for the first that the caller does not have."""
    visible = await mailboxes.list_visible_ids(db, user_id, mailbox_ids, client_id=client_id)
    for mailbox_id in mailbox_ids:
        if mailbox_id not in visible:
            raise MailboxNotAllowed(id=mailbox_id)
