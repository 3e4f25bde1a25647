"""Who gets an event: one query for all events of a batch (contract: webhooks §3)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from outrider.config import WebhookPriority
from outrider.kit.db import Db, fetch_all
from outrider.webhooks.models import EventType, Level


@dataclass(frozen=True, slots=True)
class Candidate:
    """An active webhook whose scope covers a campaign or a mailbox (`place_id`)."""

    place_id: int
    webhook_id: int
    level: Level
    event_types: list[str]
    category_ids: list[int]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The candidates of several campaigns or mailboxes."""

    by_place: Mapping[int, Sequence[Candidate]]

    def of(self, place_id: int, event_type: EventType) -> list[Candidate]:
        return [each for each in self.by_place.get(place_id, ()) if event_type in each.event_types]

    def __bool__(self) -> bool:
        return bool(self.by_place)


def receivers(candidates: Sequence[Candidate], priority: WebhookPriority) -> list[Candidate]:
    """Those of the account alone if there are any, unless every level is to be told."""
    of_account = [each for each in candidates if each.level is Level.USER]
    if of_account and priority is WebhookPriority.OVERRIDE:
        return of_account
    return list(candidates)


def wants_category(candidate: Candidate, category_id: int | None) -> bool:
    """The filter of LEAD_CATEGORY_UPDATED; other events ignore it."""
    return not candidate.category_ids or category_id in candidate.category_ids


async def of_campaigns(db: Db, places: Iterable[tuple[int, int]], event_types: Sequence[EventType]) -> Coverage:
    """Webhooks that listen to one of these events in these (user_id, campaign_id).

    A subsequence is covered by its parent's webhooks too.
    """
    user_ids, campaign_ids = zip(*sorted(set(places)), strict=True)
    return _by_place(
        await fetch_all(
            db,
            Candidate,
            """
            SELECT campaigns.id AS place_id, webhooks.id AS webhook_id, webhooks.association_type AS level,
                   webhooks.event_types, webhooks.category_ids
            FROM unnest(%(user_ids)s::bigint[], %(campaign_ids)s::bigint[]) AS place (user_id, campaign_id)
            JOIN campaigns ON campaigns.id = place.campaign_id AND campaigns.user_id = place.user_id
            JOIN webhooks ON webhooks.user_id = place.user_id
            WHERE webhooks.deleted_at IS NULL
              AND webhooks.is_active
              AND webhooks.event_types && %(event_types)s::text[]
              AND CASE webhooks.association_type
                      WHEN 'user' THEN true
                      WHEN 'client' THEN webhooks.client_id = campaigns.client_id
                      ELSE webhooks.campaign_id IN (campaigns.id, campaigns.parent_campaign_id)
                  END
            ORDER BY webhooks.id
            """,
            {"user_ids": list(user_ids), "campaign_ids": list(campaign_ids), "event_types": list(event_types)},
        )
    )


async def of_mailboxes(db: Db, places: Iterable[tuple[int, int]], event_types: Sequence[EventType]) -> Coverage:
    """The same for (user_id, mailbox_id): the account's, its client's, and those of campaigns that use the mailbox."""
    user_ids, mailbox_ids = zip(*sorted(set(places)), strict=True)
    return _by_place(
        await fetch_all(
            db,
            Candidate,
            """
            SELECT mailboxes.id AS place_id, webhooks.id AS webhook_id, webhooks.association_type AS level,
                   webhooks.event_types, webhooks.category_ids
            FROM unnest(%(user_ids)s::bigint[], %(mailbox_ids)s::bigint[]) AS place (user_id, mailbox_id)
            JOIN mailboxes ON mailboxes.id = place.mailbox_id AND mailboxes.user_id = place.user_id
            JOIN webhooks ON webhooks.user_id = place.user_id
            WHERE webhooks.deleted_at IS NULL
              AND webhooks.is_active
              AND webhooks.event_types && %(event_types)s::text[]
              AND CASE webhooks.association_type
                      WHEN 'user' THEN true
                      WHEN 'client' THEN webhooks.client_id = mailboxes.client_id
                      ELSE EXISTS (
                          SELECT
                          FROM campaign_mailboxes
                          JOIN campaigns ON campaigns.id = campaign_mailboxes.campaign_id
                          WHERE campaign_mailboxes.mailbox_id = mailboxes.id
                            AND webhooks.campaign_id IN (campaigns.id, campaigns.parent_campaign_id)
                      )
                  END
            ORDER BY webhooks.id
            """,
            {"user_ids": list(user_ids), "mailbox_ids": list(mailbox_ids), "event_types": list(event_types)},
        )
    )


def _by_place(candidates: Sequence[Candidate]) -> Coverage:
    found: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.place_id].append(candidate)
    return Coverage(found)
