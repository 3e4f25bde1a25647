"""How fast: gaps with jitter, the first mail of a day, and what a mailbox keeps free for follow-ups.

Product behaviour 1.6 to 1.8. Randomness comes from the ids, so the same state and time give the same decision.
"""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache

from outrider.engine.facts import CampaignFacts, LeadFacts, MailboxFacts, Pair, StepFacts
from outrider.engine.schedule import Schedule, Window

_JITTER = (30.0, 60.0)  # seconds added to every gap
SHORTEST_JITTER = timedelta(seconds=_JITTER[0])
_SHORTEST_DELAY = timedelta(minutes=1)
_DIGESTS = 2**64


def fraction(*parts: object) -> float:
    """Return a number in [0, 1) that depends on the parts only."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / _DIGESTS


@lru_cache(maxsize=2048)  # asked for twice with each mail, by its campaign and its mailbox
def jitter(campaign_id: int, mailbox_id: int, now: datetime) -> timedelta:
    low, high = _JITTER
    return timedelta(seconds=low + (high - low) * fraction("jitter", campaign_id, mailbox_id, now.timestamp()))


def ready_at(pair: Pair, campaign: CampaignFacts, window: Window) -> datetime:
    """Return when this campaign may next use this mailbox inside the open window.

    The first mail of a day waits for a part of the gap, so that mailboxes do not all start on the stroke of the hour,
    nor at the moment for which a start was asked.
    """
    opens_at = max(window.opens_at, campaign.schedule_start_time or window.opens_at)
    earliest = max(opens_at, pair.next_send_at or opens_at)
    if pair.last_sent_at is not None and pair.last_sent_at >= opens_at:
        return earliest
    gap = timedelta(minutes=campaign.min_time_between_emails)
    return max(earliest, opens_at + gap * fraction("first", campaign.id, pair.mailbox_id, window.day))


def free_at(mailbox: MailboxFacts) -> datetime:
    """Return when the gap of a mailbox is over, and its cap of 24 hours not full any more."""
    if mailbox.oldest_in_cap_at is None:
        return mailbox.next_send_at
    return max(mailbox.next_send_at, mailbox.oldest_in_cap_at + timedelta(days=1))


def next_for_campaign(campaign: CampaignFacts, mailbox_id: int, now: datetime) -> datetime:
    """Return when the campaign may use the mailbox again after a mail at `now`."""
    gap = timedelta(minutes=campaign.min_time_between_emails)
    return now + gap + jitter(campaign.id, mailbox_id, now)


def next_for_mailbox(mailbox: MailboxFacts, campaign_id: int, now: datetime) -> datetime:
    """Return when any campaign may use the mailbox again after a mail at `now`."""
    gap = timedelta(minutes=mailbox.time_to_wait_minutes or 0)
    return now + gap + jitter(campaign_id, mailbox.id, now)


def room_for_new_leads(mailbox: MailboxFacts, reserved_count: int, follow_up_percentage: int) -> float:
    """Return how many new leads of a campaign with this percentage the mailbox may take today.

    Follow-ups falling due today are kept free, as far as the share of follow-ups in the mailbox's day goes.
    """
    share = mailbox.max_email_per_day * follow_up_percentage / 100 - mailbox.today_follow_up_count
    return mailbox.max_email_per_day - mailbox.today_count - min(reserved_count, max(0, share))


def next_due(
    campaign: CampaignFacts, lead: LeadFacts, following: StepFacts | None, sent_at: datetime
) -> datetime | None:
    """Return when the following step is due: the same wall-clock time N days on, counted from the real send."""
    if following is None:
        return None
    schedule = schedule_of(campaign, lead)
    if schedule is None or following.delay_days == 0:
        return sent_at + max(_SHORTEST_DELAY, timedelta(minutes=campaign.min_time_between_emails))
    if campaign.count_only_sending_days:
        return schedule.sending_days_later(sent_at, following.delay_days)
    return schedule.days_later(sent_at, following.delay_days)


def schedule_of(campaign: CampaignFacts, lead: LeadFacts) -> Schedule | None:
    """Return the schedule on the clock that counts for this lead."""
    if campaign.schedule is None or not campaign.use_lead_timezone:
        return campaign.schedule
    return campaign.schedule.in_zone(lead.zone)


def lead_opens_at(campaign: CampaignFacts, lead: LeadFacts, now: datetime) -> datetime | None:
    """Return when the lead may get mail where it is; None: now.

    At the beginning of the hours leads come one after the other, within a gap, as mailboxes do elsewhere.
    """
    schedule = schedule_of(campaign, lead)
    window = schedule.next_window(now) if schedule else None
    if schedule is None or window is None:
        return None
    gap = min(timedelta(minutes=campaign.min_time_between_emails), (window.closes_at - window.opens_at) / 2)
    opens_at = window.opens_at + gap * fraction("lead", campaign.id, lead.id, window.day)
    return opens_at if now < opens_at else None
