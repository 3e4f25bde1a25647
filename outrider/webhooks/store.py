"""SQL on webhooks. Events and deliveries are in `outbox`, retriggers in `retriggers`, figures in `summary`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_one, fetch_value
from outrider.webhooks.models import CampaignNotFound, Changes, Level, Scope, UnknownClient, Webhook, WebhookNotFound

_SELECT = """
    SELECT webhooks.id, webhooks.user_id, webhooks.association_type, webhooks.campaign_id,
           coalesce(webhooks.client_id, campaigns.client_id) AS client_id, webhooks.name, webhooks.webhook_url,
           webhooks.event_types, webhooks.category_ids,
           ARRAY(
               SELECT categories.name
               FROM unnest(webhooks.category_ids) WITH ORDINALITY AS chosen (id, position)
               JOIN categories ON categories.id = chosen.id
               ORDER BY chosen.position
           ) AS categories,
           webhooks.is_active, coalesce(webhooks.secret_key, accounts.webhook_secret::text) AS secret_key,
           webhooks.created_at, webhooks.updated_at
    FROM webhooks
    JOIN accounts ON accounts.id = webhooks.user_id
    LEFT JOIN campaigns ON campaigns.id = webhooks.campaign_id
    WHERE webhooks.user_id = %(user_id)s
      AND webhooks.deleted_at IS NULL
      AND (
          %(scope)s::bigint IS NULL
          OR (webhooks.association_type = 'client' AND webhooks.client_id = %(scope)s)
          OR (webhooks.association_type = 'campaign' AND campaigns.client_id = %(scope)s)
      )
"""


async def list_webhooks(
    db: Db,
    user_id: int,
    *,
    scope: int | None,
    level: Level | None = None,
    campaign_id: int | None = None,
    client_id: int | None = None,
    offset: int = 0,
    limit: int | None = None,
) -> list[Webhook]:
    """Oldest first; `scope` is the client whose key asks."""
    return await fetch_all(
        db,
        Webhook,
        f"""
        {_SELECT}
          AND (%(level)s::text IS NULL OR webhooks.association_type = %(level)s)
          AND (%(campaign_id)s::bigint IS NULL OR webhooks.campaign_id = %(campaign_id)s)
          AND (%(client_id)s::bigint IS NULL OR coalesce(webhooks.client_id, campaigns.client_id) = %(client_id)s)
        ORDER BY webhooks.id
        OFFSET %(offset)s
        LIMIT %(limit)s::bigint
        """,
        {
            "user_id": user_id,
            "scope": scope,
            "level": level,
            "campaign_id": campaign_id,
            "client_id": client_id,
            "offset": offset,
            "limit": limit,
        },
    )


async def load_webhook(
    db: Db, user_id: int, webhook_id: int, *, scope: int | None, campaign_id: int | None = None
) -> Webhook:
    """With `campaign_id` only a webhook of that very campaign."""
    webhook = await fetch_one(
        db,
        Webhook,
        f"""
        {_SELECT}
          AND webhooks.id = %(id)s
          AND (%(campaign_id)s::bigint IS NULL OR webhooks.campaign_id = %(campaign_id)s)
        """,
        {"user_id": user_id, "scope": scope, "id": webhook_id, "campaign_id": campaign_id},
    )
    if webhook is None:
        raise WebhookNotFound
    return webhook


async def find_active(db: Db, user_id: int, target: Scope, url: str) -> int | None:
    """The id of an active webhook with the same scope and address."""
    webhook_id: int | None = await fetch_value(
        db,
        """
        SELECT id
        FROM webhooks
        WHERE user_id = %(user_id)s
          AND association_type = %(level)s
          AND campaign_id IS NOT DISTINCT FROM %(campaign_id)s
          AND client_id IS NOT DISTINCT FROM %(client_id)s
          AND webhook_url = %(url)s
          AND is_active
          AND deleted_at IS NULL
        ORDER BY id
        LIMIT 1
        """,
        {
            "user_id": user_id,
            "level": target.level,
            "campaign_id": target.campaign_id,
            "client_id": target.client_id,
            "url": url,
        },
    )
    return webhook_id


async def insert_webhook(
    db: Db, user_id: int, target: Scope, changes: Changes, *, category_ids: Sequence[int], now: datetime
) -> int:
    """Without a name it is called after its id."""
    webhook_id: int = await fetch_value(
        db,
        """
        INSERT INTO webhooks (
            id, user_id, association_type, campaign_id, client_id, name, webhook_url, event_types, category_ids,
            is_active, secret_key, webhook_type, created_at, updated_at
        )
        SELECT new.id, %(user_id)s, %(level)s, %(campaign_id)s, %(client_id)s,
               coalesce(%(name)s::text, 'Webhook ' || new.id), %(webhook_url)s, %(event_types)s, %(category_ids)s,
               coalesce(%(is_active)s::boolean, true), %(secret_key)s, %(webhook_type)s, %(now)s, %(now)s
        FROM (SELECT nextval('webhooks_id_seq') AS id) AS new
        RETURNING id
        """,
        {
            **_values(changes, category_ids),
            "user_id": user_id,
            "level": target.level,
            "campaign_id": target.campaign_id,
            "client_id": target.client_id,
            "now": now,
        },
    )
    return webhook_id


async def update_webhook(
    db: Db, user_id: int, webhook_id: int, changes: Changes, *, category_ids: Sequence[int] | None, now: datetime
) -> None:
    """Change what is said, leave the rest."""
    await execute(
        db,
        """
        UPDATE webhooks
        SET name = coalesce(%(name)s, name),
            webhook_url = coalesce(%(webhook_url)s, webhook_url),
            event_types = coalesce(%(event_types)s, event_types),
            category_ids = coalesce(%(category_ids)s, category_ids),
            is_active = coalesce(%(is_active)s, is_active),
            secret_key = coalesce(%(secret_key)s, secret_key),
            webhook_type = coalesce(%(webhook_type)s, webhook_type),
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {**_values(changes, category_ids), "user_id": user_id, "id": webhook_id, "now": now},
    )


async def delete_webhook(db: Db, user_id: int, webhook_id: int, *, now: datetime) -> None:
    """It is not seen again; its deliveries keep its name."""
    await execute(
        db,
        """
        UPDATE webhooks
        SET deleted_at = %(now)s,
            updated_at = %(now)s
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        """,
        {"user_id": user_id, "id": webhook_id, "now": now},
    )


async def check_campaign(db: Db, user_id: int, campaign_id: int, *, scope: int | None) -> None:
    """Raise CampaignNotFound unless the key may see this campaign."""
    is_known = await fetch_value(
        db,
        """
        SELECT true
        FROM campaigns
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND (%(scope)s::bigint IS NULL OR client_id = %(scope)s)
        """,
        {"user_id": user_id, "id": campaign_id, "scope": scope},
    )
    if not is_known:
        raise CampaignNotFound


async def check_client(db: Db, user_id: int, client_id: int, *, scope: int | None) -> None:
    """Raise UnknownClient unless the account has this client; a client's key knows only its own."""
    is_known = await fetch_value(
        db,
        """
        SELECT true
        FROM clients
        WHERE user_id = %(user_id)s
          AND id = %(id)s
          AND (%(scope)s::bigint IS NULL OR id = %(scope)s)
        """,
        {"user_id": user_id, "id": client_id, "scope": scope},
    )
    if not is_known:
        raise UnknownClient


async def list_category_ids(db: Db, user_id: int) -> dict[str, int]:
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


async def find_signing_secret(db: Db, user_id: int) -> bytes | None:
    """The account's, sealed."""
    sealed: bytes | None = await fetch_value(
        db, "SELECT webhook_signing_secret FROM accounts WHERE id = %(user_id)s", {"user_id": user_id}
    )
    return sealed


def _values(changes: Changes, category_ids: Sequence[int] | None) -> dict[str, Any]:
    return {
        "name": changes.name,
        "webhook_url": changes.webhook_url,
        "event_types": None if changes.event_types is None else list(changes.event_types),
        "category_ids": None if category_ids is None else list(category_ids),
        "is_active": changes.is_active,
        "secret_key": changes.secret_key,
        "webhook_type": changes.webhook_type,
    }
