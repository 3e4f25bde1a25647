"""Tags of campaigns, and mailboxes that are named by their tags. The tags themselves are the mailboxes' slice's."""

from collections.abc import Sequence

from outrider.campaigns.models import CampaignNotFound, UnknownCampaign, UnknownTag
from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Db, execute, fetch_dicts
from outrider.mailboxes.tags import list_tags


async def add(db: Db, user_id: int, campaign_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None) -> None:
    """Every campaign gets every tag; one that it has stays."""
    await _check(db, user_id, campaign_ids, tag_ids, scope=scope)
    await execute(
        db,
        """
        INSERT INTO campaign_tags (user_id, campaign_id, tag_id)
        SELECT %(user_id)s, campaign.id, tag.id
        FROM unnest(%(campaign_ids)s::bigint[]) AS campaign (id)
        CROSS JOIN unnest(%(tag_ids)s::bigint[]) AS tag (id)
        ON CONFLICT (campaign_id, tag_id) DO NOTHING
        """,
        {"user_id": user_id, "campaign_ids": sorted(set(campaign_ids)), "tag_ids": sorted(set(tag_ids))},
    )


async def remove(
    db: Db, user_id: int, campaign_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None
) -> None:
    """As `add`; the tags themselves stay."""
    await _check(db, user_id, campaign_ids, tag_ids, scope=scope)
    await execute(
        db,
        """
        DELETE FROM campaign_tags
        WHERE user_id = %(user_id)s
          AND campaign_id = ANY(%(campaign_ids)s)
          AND tag_id = ANY(%(tag_ids)s)
        """,
        {"user_id": user_id, "campaign_ids": list(campaign_ids), "tag_ids": list(tag_ids)},
    )


async def list_mailbox_ids(db: Db, user_id: int, tag_ids: Sequence[int], *, scope: int | None) -> list[int]:
    """The mailboxes that have one of the tags, and that the caller may use."""
    await _check_tags(db, user_id, tag_ids)
    rows = await fetch_dicts(
        db,
        """
        SELECT DISTINCT mailboxes.id
        FROM mailbox_tags
        JOIN mailboxes ON mailboxes.id = mailbox_tags.mailbox_id
        WHERE mailbox_tags.user_id = %(user_id)s
          AND mailbox_tags.tag_id = ANY(%(tag_ids)s)
          AND mailboxes.deleted_at IS NULL
          AND (%(scope)s::bigint IS NULL OR mailboxes.client_id = %(scope)s)
        ORDER BY mailboxes.id
        """,
        {"user_id": user_id, "tag_ids": list(tag_ids), "scope": scope},
    )
    return [row["id"] for row in rows]


async def _check(
    db: Db, user_id: int, campaign_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None
) -> None:
    """All that is named is there, or nothing is changed."""
    for campaign_id in sorted(set(campaign_ids)):  # in one order, so that two callers do not wait for each other
        try:
            await lock_campaign(db, user_id, campaign_id, client_id=scope)
        except CampaignNotFound as error:
            raise UnknownCampaign from error
    await _check_tags(db, user_id, tag_ids)


async def _check_tags(db: Db, user_id: int, tag_ids: Sequence[int]) -> None:
    if set(tag_ids) - {tag.id for tag in await list_tags(db, user_id)}:
        raise UnknownTag
