"""Adding many leads to a campaign at once: `judging` says who comes in, the inserts are one more statement.

Contract: leads, Add leads to a campaign by ID; product behaviour 6.8. Nothing here runs once per lead in the database.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import tuple_row

from outrider.campaigns import actions as campaigns
from outrider.campaigns.models import Campaign, CampaignStatus
from outrider.kit.db import Db
from outrider.kit.events import emit
from outrider.leads import judging, progress
from outrider.leads.judging import Addition, NewLead, Rules, Verdict
from outrider.leads.models import LeadsAdded


async def add(
    db: Db,
    campaign: Campaign,
    rows: Sequence[NewLead],
    rules: Rules,
    *,
    now: datetime,
    seen: set[str] | None = None,
) -> Addition:
    """Add these leads; the caller has locked the campaign. `seen`: addresses of the same upload, kept up to date."""
    sifted = judging.sift(rows, set() if seen is None else seen)
    lead_ids: list[int | None] = [None] * len(rows)
    if sifted.staged:
        for place, verdict, lead_id in await judging.judge(db, _place(campaign), sifted.staged, rules, now=now):
            sifted.verdicts[place] = Verdict(verdict)
            lead_ids[place] = lead_id
        known = [lead_ids[place] for place, verdict in enumerate(sifted.verdicts) if verdict is Verdict.IN_CAMPAIGN]
        if known:  # they may have got the values that they were waiting for
            await progress.forget_text_holds(db, campaign.user_id, lead_ids=[each for each in known if each])
        places = [place for place, verdict in enumerate(sifted.verdicts) if verdict is Verdict.ADDED]
        if places:
            added = await _insert(db, campaign, [sifted.emails[place] for place in places], rules, now=now)
            for place in places:
                lead_ids[place] = added.get(sifted.emails[place])
            if campaign.status is CampaignStatus.COMPLETED:
                await campaigns.reactivate(db, campaign.user_id, campaign.id, now)
            await emit(db, LeadsAdded(campaign.user_id, campaign.id, len(places), now))
    return Addition(sifted.emails, sifted.verdicts, lead_ids)


def _place(campaign: Campaign) -> judging.Place:
    return judging.Place(campaign.user_id, campaign.id, campaign.client_id, judging.IN_CAMPAIGN)


async def _insert(db: Db, campaign: Campaign, emails: Sequence[str], rules: Rules, *, now: datetime) -> dict[str, int]:
    """Put known people into the campaign in this order; returns their lead ids by address.

    Who has unsubscribed arrives STOPPED (decision 34).
    """
    async with db.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """
            WITH wanted AS MATERIALIZED (
                SELECT given.email, given.position, leads.id,
                       leads.is_unsubscribed
                           OR coalesce(%(client_id)s::bigint = ANY(leads.unsubscribed_client_ids), false)
                           AS is_unsubscribed
                FROM unnest(%(emails)s::text[]) WITH ORDINALITY AS given (email, position)
                JOIN leads ON leads.user_id = %(user_id)s AND leads.email = given.email
            ), inserted AS (
                INSERT INTO campaign_leads (user_id, campaign_id, lead_id, status, hold_reason, due_at,
                                            block_list_ignored_until, bounces_ignored_until, created_at, updated_at)
                SELECT %(user_id)s, %(campaign_id)s, id,
                       CASE WHEN is_unsubscribed THEN 'STOPPED' ELSE 'STARTED' END,
                       CASE WHEN is_unsubscribed THEN 'UNSUBSCRIBED' END,
                       CASE WHEN NOT is_unsubscribed THEN %(now)s::timestamptz END,
                       CASE WHEN %(ignore_global_block_list)s THEN %(now)s::timestamptz END,
                       CASE WHEN %(ignore_community_bounce_list)s THEN %(now)s::timestamptz END,
                       %(now)s, %(now)s
                FROM wanted
                ORDER BY position
                ON CONFLICT (campaign_id, lead_id) DO NOTHING
            )
            SELECT email, id
            FROM wanted
            """,
            {
                "emails": list(emails),
                "user_id": campaign.user_id,
                "campaign_id": campaign.id,
                "client_id": campaign.client_id,
                "ignore_global_block_list": rules.ignore_global_block_list,
                "ignore_community_bounce_list": rules.ignore_community_bounce_list,
                "now": now,
            },
            prepare=False,
        )
        return dict(await cursor.fetchall())
