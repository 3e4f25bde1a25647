"""What changes a webhook. Recording what happens is in `recording`, delivering it again in `retriggers`."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db
from outrider.webhooks import outbox, retriggers, store
from outrider.webhooks.delivery import NOT_WANTED
from outrider.webhooks.models import Changes, InvalidCategory, Scope, Webhook, WebhookExists


async def create(
    db: Db,
    user_id: int,
    target: Scope,
    changes: Changes,
    *,
    scope: int | None,
    is_repeatable: bool = True,
    now: datetime,
) -> Webhook:
    """`scope` is the client whose key asks. Not `is_repeatable`: the same address twice for one target is refused."""
    if target.campaign_id is not None:
        await store.check_campaign(db, user_id, target.campaign_id, scope=scope)
    if target.client_id is not None:
        await store.check_client(db, user_id, target.client_id, scope=scope)
    category_ids = await _category_ids(db, user_id, changes.categories or ())
    if not is_repeatable:
        existing = await store.find_active(db, user_id, target, changes.webhook_url or "")
        if existing is not None:
            raise WebhookExists(extra={"id": existing})
    webhook_id = await store.insert_webhook(db, user_id, target, changes, category_ids=category_ids, now=now)
    return await store.load_webhook(db, user_id, webhook_id, scope=scope)


async def update(
    db: Db,
    user_id: int,
    webhook_id: int,
    changes: Changes,
    *,
    scope: int | None,
    campaign_id: int | None = None,
    now: datetime,
) -> Webhook:
    """Only what is said changes. Switched off, it gets nothing of what still waits for it."""
    webhook = await store.load_webhook(db, user_id, webhook_id, scope=scope, campaign_id=campaign_id)
    given = changes.categories
    category_ids = None if given is None else await _category_ids(db, user_id, given)
    await store.update_webhook(db, user_id, webhook_id, changes, category_ids=category_ids, now=now)
    if webhook.is_active and changes.is_active is False:
        await _cancel(db, user_id, webhook_id, now=now)
    return await store.load_webhook(db, user_id, webhook_id, scope=scope)


async def delete(
    db: Db, user_id: int, webhook_id: int, *, scope: int | None, campaign_id: int | None = None, now: datetime
) -> None:
    """What still waits for it has failed; the history stays."""
    await store.load_webhook(db, user_id, webhook_id, scope=scope, campaign_id=campaign_id)
    await store.delete_webhook(db, user_id, webhook_id, now=now)
    await _cancel(db, user_id, webhook_id, now=now)


async def _cancel(db: Db, user_id: int, webhook_id: int, *, now: datetime) -> None:
    scheduled = await outbox.list_scheduled(db, user_id, webhook_id)
    touched = await outbox.cancel(db, scheduled, error=NOT_WANTED)
    await retriggers.refresh(db, touched, now=now)


async def _category_ids(db: Db, user_id: int, wanted: Sequence[str]) -> list[int]:
    """Ids of categories that are given by name or id, each once; raises InvalidCategory."""
    if not wanted:
        return []
    known = await store.list_category_ids(db, user_id)
    for name in wanted:
        if name.lower() not in known:
            raise InvalidCategory(value=name)
    return list(dict.fromkeys(known[name.lower()] for name in wanted))
