"""SQL on campaigns and their mailboxes. Steps and variants are in `steps`, what the engine counts in `pace`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from outrider.campaigns.models import Campaign, CampaignNotFound, CampaignStatus
from outrider.kit.db import Db, execute, fetch_all, fetch_dict, fetch_dicts, fetch_one, fetch_value

_COLUMNS = """
    id, user_id, client_id, parent_campaign_id, name, status, is_stopped_for_good, timezone, days, start_hour, end_hour,
    min_time_between_emails, max_new_leads_per_day, schedule_start_time, track_settings, stop_lead_settings,
    unsubscribe_text, add_unsubscribe_tag, send_as_plain_text, force_plain_text, follow_up_percentage,
    enable_ai_esp_matching, esp_matching_strict, count_only_sending_days, use_lead_timezone, auto_pause_domain_leads_on_reply, ignore_ss_mailbox_sending_limit,
    bounce_autopause_threshold, bounce_measured_from, domain_level_rate_limit, out_of_office_detection_settings,
    ai_categorisation_options, on_missing_variable, hold_code, hold_text, hold_until, created_at, updated_at
"""


async def list_campaigns(
    db: Db,
    user_id: int,
    *,
    scope: int | None,
    client_id: int | None = None,
    status: CampaignStatus | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[Campaign]:
    """Newest first; `scope` is the client whose key asks, `client_id` the one asked for."""
    return await fetch_all(
        db,
        Campaign,
        f"""
        SELECT {_COLUMNS}
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND (%(scope)s::bigint IS NULL OR client_id = %(scope)s)
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
          AND (%(status)s::text IS NULL OR status = %(status)s)
        ORDER BY id DESC
        OFFSET %(offset)s
        LIMIT %(limit)s::bigint
        """,  # noqa: S608 - the columns are a constant
        {
            "user_id": user_id,
            "scope": scope,
            "client_id": client_id,
            "status": status,
            "offset": offset,
            "limit": limit,
        },
    )


async def list_subsequences(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> list[Campaign]:
    """Those of this campaign, oldest first."""
    return await fetch_all(
        db,
        Campaign,
        f"""
        SELECT {_COLUMNS}
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND parent_campaign_id = %(campaign_id)s
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        ORDER BY id
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "campaign_id": campaign_id, "client_id": client_id},
    )


async def find_campaign(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> Campaign | None:
    """With the key of a client (`client_id`) only a campaign of that client."""
    return await fetch_one(
        db,
        Campaign,
        f"""
        SELECT {_COLUMNS}
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "id": campaign_id, "client_id": client_id},
    )


async def load_campaign(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> Campaign:
    campaign = await find_campaign(db, user_id, campaign_id, client_id=client_id)
    if campaign is None:
        raise CampaignNotFound
    return campaign


async def find_user_id(db: Db, campaign_id: int) -> int | None:
    """Return whose campaign it is, for the operator, who sees those of all accounts."""
    user_id: int | None = await fetch_value(
        db, "SELECT user_id FROM campaigns WHERE id = %(campaign_id)s", {"campaign_id": campaign_id}
    )
    return user_id


async def find_campaign_by_name(db: Db, user_id: int, name: str, *, client_id: int | None) -> int | None:
    """The newest with exactly this name; no subsequence."""
    campaign_id: int | None = await fetch_value(
        db,
        """
        SELECT max(id)
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND name = %(name)s
          AND parent_campaign_id IS NULL
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        """,
        {"user_id": user_id, "name": name, "client_id": client_id},
    )
    return campaign_id


async def lock_campaign(db: Db, user_id: int, campaign_id: int, *, client_id: int | None) -> Campaign:
    """As load_campaign; others wait with their changes of it. Leads and mails may still be added meanwhile."""
    campaign = await fetch_one(
        db,
        Campaign,
        f"""
        SELECT {_COLUMNS}
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND (%(client_id)s::bigint IS NULL OR client_id = %(client_id)s)
        FOR NO KEY UPDATE
        """,  # noqa: S608 - the columns are a constant
        {"user_id": user_id, "id": campaign_id, "client_id": client_id},
    )
    if campaign is None:
        raise CampaignNotFound
    return campaign


async def list_tags(db: Db, user_id: int, campaign_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The tags of each campaign that has any, by name."""
    rows = await fetch_dicts(
        db,
        """
        SELECT campaign_tags.campaign_id,
               jsonb_agg(jsonb_build_object('id', tags.id, 'name', tags.name, 'color', tags.color)
                         ORDER BY lower(tags.name), tags.id) AS tags
        FROM campaign_tags
        JOIN tags ON tags.id = campaign_tags.tag_id
        WHERE campaign_tags.user_id = %(user_id)s
          AND campaign_tags.campaign_id = ANY(%(campaign_ids)s)
        GROUP BY campaign_tags.campaign_id
        """,
        {"user_id": user_id, "campaign_ids": list(campaign_ids)},
    )
    return {row["campaign_id"]: row["tags"] for row in rows}


async def update_team_member(db: Db, user_id: int, campaign_id: int, person_id: int | None, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE campaigns
        SET team_member_id = %(person_id)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {"user_id": user_id, "id": campaign_id, "person_id": person_id, "now": now},
    )


async def insert_campaign(
    db: Db,
    user_id: int,
    name: str,
    *,
    client_id: int | None,
    parent_campaign_id: int | None = None,
    now: datetime,
) -> int:
    campaign_id: int = await fetch_value(
        db,
        """
        INSERT INTO campaigns (user_id, client_id, parent_campaign_id, name, status, created_at, updated_at)
        VALUES (%(user_id)s, %(client_id)s, %(parent_campaign_id)s, %(name)s, 'DRAFTED', %(now)s, %(now)s)
        RETURNING id
        """,
        {
            "user_id": user_id,
            "client_id": client_id,
            "parent_campaign_id": parent_campaign_id,
            "name": name,
            "now": now,
        },
    )
    return campaign_id


async def update_campaign(db: Db, campaign: Campaign) -> None:
    """Write what people edit; the caller holds the lock."""
    await execute(
        db,
        """
        UPDATE campaigns
        SET client_id = %(client_id)s,
            name = %(name)s,
            timezone = %(timezone)s,
            days = %(days)s,
            start_hour = %(start_hour)s,
            end_hour = %(end_hour)s,
            min_time_between_emails = %(min_time_between_emails)s,
            max_new_leads_per_day = %(max_new_leads_per_day)s,
            schedule_start_time = %(schedule_start_time)s,
            track_settings = %(track_settings)s,
            stop_lead_settings = %(stop_lead_settings)s,
            unsubscribe_text = %(unsubscribe_text)s,
            add_unsubscribe_tag = %(add_unsubscribe_tag)s,
            send_as_plain_text = %(send_as_plain_text)s,
            force_plain_text = %(force_plain_text)s,
            follow_up_percentage = %(follow_up_percentage)s,
            enable_ai_esp_matching = %(enable_ai_esp_matching)s,
            esp_matching_strict = %(esp_matching_strict)s,
            count_only_sending_days = %(count_only_sending_days)s,
            use_lead_timezone = %(use_lead_timezone)s,
            auto_pause_domain_leads_on_reply = %(auto_pause_domain_leads_on_reply)s,
            ignore_ss_mailbox_sending_limit = %(ignore_ss_mailbox_sending_limit)s,
            bounce_autopause_threshold = %(bounce_autopause_threshold)s,
            domain_level_rate_limit = %(domain_level_rate_limit)s,
            out_of_office_detection_settings = %(out_of_office_detection_settings)s,
            ai_categorisation_options = %(ai_categorisation_options)s,
            on_missing_variable = %(on_missing_variable)s,
            updated_at = %(updated_at)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            **asdict(campaign),
            "out_of_office_detection_settings": Jsonb(campaign.out_of_office_detection_settings),
        },
    )


async def update_status(
    db: Db,
    campaign: Campaign,
    status: CampaignStatus,
    *,
    now: datetime,
    hold_code: str | None = None,
    hold_text: str | None = None,
) -> None:
    """STOPPED is remembered through ARCHIVED; the reason not to send is that of the new status."""
    await execute(
        db,
        """
        UPDATE campaigns
        SET status = %(status)s,
            is_stopped_for_good = is_stopped_for_good OR status = 'STOPPED',
            hold_code = %(hold_code)s,
            hold_text = %(hold_text)s,
            hold_until = NULL,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {
            "id": campaign.id,
            "user_id": campaign.user_id,
            "status": status,
            "hold_code": hold_code,
            "hold_text": hold_text,
            "now": now,
        },
    )


async def restart_bounce_count(db: Db, user_id: int, campaign_id: int, *, now: datetime) -> None:
    await execute(
        db,
        """
        UPDATE campaigns
        SET bounce_measured_from = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_id, "user_id": user_id, "now": now},
    )


async def touch(db: Db, user_id: int, campaign_id: int, *, now: datetime) -> None:
    """A part of the campaign was changed."""
    await execute(
        db,
        """
        UPDATE campaigns
        SET updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_id, "user_id": user_id, "now": now},
    )


async def delete_campaign(db: Db, user_id: int, campaign_id: int) -> None:
    """Everything that belongs to it goes with it, subsequences too; the leads themselves stay."""
    await execute(
        db,
        """
        DELETE FROM campaigns
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": campaign_id, "user_id": user_id},
    )


async def load_readiness(db: Db, user_id: int, campaign_id: int) -> dict[str, Any]:
    """Whether there is a step with a body, and a mailbox (START needs both)."""
    row = await fetch_dict(
        db,
        r"""
        SELECT EXISTS (
                   SELECT
                   FROM steps
                   LEFT JOIN variants ON variants.step_id = steps.id AND variants.deleted_at IS NULL
                   WHERE steps.user_id = %(user_id)s
                     AND steps.campaign_id = %(campaign_id)s
                     AND steps.deleted_at IS NULL
                     AND coalesce(variants.email_body, steps.email_body) ~ '\S'
               ) AS has_body,
               EXISTS (
                   SELECT
                   FROM campaign_mailboxes
                   WHERE user_id = %(user_id)s
                     AND campaign_id = %(campaign_id)s
               ) AS has_mailbox
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


async def has_finished_leads_only(db: Db, user_id: int, campaign_id: int) -> bool:
    """At least one lead, and none that still gets or may get mail: PAUSED leads keep a campaign open (decision 2)."""
    is_finished: bool = await fetch_value(
        db,
        """
        SELECT EXISTS (
                   SELECT
                   FROM campaign_leads
                   WHERE user_id = %(user_id)s
                     AND campaign_id = %(campaign_id)s
               )
               AND NOT EXISTS (
                   SELECT
                   FROM campaign_leads
                   WHERE user_id = %(user_id)s
                     AND campaign_id = %(campaign_id)s
                     AND status IN ('STARTED', 'INPROGRESS', 'PAUSED')
               )
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return is_finished


async def list_categories(db: Db, user_id: int) -> dict[str, int]:
    """Every category of the account, built in or its own: its id by its id as text and by its lower-case name."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id, lower(name) AS name
        FROM categories
        WHERE user_id IS NULL
           OR user_id = %(user_id)s
        """,
        {"user_id": user_id},
    )
    return {row["name"]: row["id"] for row in rows} | {str(row["id"]): row["id"] for row in rows}


async def upsert_mailboxes(
    db: Db, user_id: int, campaign_id: int, mailbox_ids: Sequence[int], *, now: datetime
) -> dict[int, Mapping[str, Any]]:
    """Attach mailboxes; the mapping of each by mailbox id, an existing one refreshed."""
    rows = await fetch_dicts(
        db,
        """
        INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
        SELECT %(user_id)s, %(campaign_id)s, given.mailbox_id, %(now)s, %(now)s
        FROM unnest(%(mailbox_ids)s::bigint[]) WITH ORDINALITY AS given (mailbox_id, position)
        ORDER BY given.position
        ON CONFLICT (campaign_id, mailbox_id) DO UPDATE
        SET updated_at = excluded.updated_at
        RETURNING id, campaign_id, mailbox_id, updated_at
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "mailbox_ids": list(mailbox_ids), "now": now},
    )
    return {row["mailbox_id"]: row for row in rows}


async def copy_mailboxes(db: Db, user_id: int, campaign_id: int, copy_id: int, *, now: datetime) -> None:
    """Attach the mailboxes of one campaign to another one, in the same order."""
    await execute(
        db,
        """
        INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
        SELECT user_id, %(copy_id)s, mailbox_id, %(now)s, %(now)s
        FROM campaign_mailboxes
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        ORDER BY id
        ON CONFLICT (campaign_id, mailbox_id) DO NOTHING
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "copy_id": copy_id, "now": now},
    )


async def attach_to_subsequences(
    db: Db, user_id: int, campaign_id: int, mailbox_ids: Sequence[int], *, now: datetime
) -> None:
    """Let the subsequences of a campaign send from these mailboxes too."""
    await execute(
        db,
        """
        INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
        SELECT %(user_id)s, campaigns.id, given.mailbox_id, %(now)s, %(now)s
        FROM campaigns
        CROSS JOIN unnest(%(mailbox_ids)s::bigint[]) WITH ORDINALITY AS given (mailbox_id, position)
        WHERE campaigns.user_id = %(user_id)s
          AND campaigns.parent_campaign_id = %(campaign_id)s
        ORDER BY campaigns.id, given.position
        ON CONFLICT (campaign_id, mailbox_id) DO NOTHING
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "mailbox_ids": list(mailbox_ids), "now": now},
    )


async def delete_mailboxes(db: Db, user_id: int, campaign_id: int, mailbox_ids: Sequence[int]) -> list[int]:
    """Detach mailboxes; the ids of those that were attached."""
    rows = await fetch_dicts(
        db,
        """
        DELETE FROM campaign_mailboxes
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
        RETURNING mailbox_id
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "mailbox_ids": list(mailbox_ids)},
    )
    return [row["mailbox_id"] for row in rows]


async def count_mailboxes(db: Db, user_id: int, campaign_id: int) -> int:
    count: int = await fetch_value(
        db,
        """
        SELECT count(*)
        FROM campaign_mailboxes
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return count


async def delete_mailboxes_everywhere(db: Db, user_id: int, mailbox_ids: Sequence[int]) -> dict[int, list[int]]:
    """Detach mailboxes from every campaign; which were attached, by campaign."""
    rows = await fetch_dicts(
        db,
        """
        WITH detached AS (
            DELETE FROM campaign_mailboxes
            WHERE user_id = %(user_id)s
              AND mailbox_id = ANY(%(mailbox_ids)s)
            RETURNING campaign_id, mailbox_id
        )
        SELECT campaign_id, array_agg(mailbox_id ORDER BY mailbox_id) AS mailbox_ids
        FROM detached
        GROUP BY campaign_id
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids)},
    )
    return {row["campaign_id"]: row["mailbox_ids"] for row in rows}
