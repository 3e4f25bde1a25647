"""Trying a webhook out: one made-up event, sent at once, once, and counted nowhere."""

from uuid import uuid4

from outrider.config import Settings
from outrider.kit.clock import Clock
from outrider.kit.crypto import vault
from outrider.kit.guard import guarded_client
from outrider.webhooks import payloads, sending
from outrider.webhooks.models import EventType, Webhook
from outrider.webhooks.policy import Policy
from outrider.webhooks.samples import sample
from outrider.webhooks.sending import Answer, Parcel


async def send(
    webhook: Webhook, event_type: EventType | None, signing_secret: bytes | None, *, settings: Settings, clock: Clock
) -> Answer:
    """Without a type the first that the webhook listens to; `signing_secret` is the account's, sealed."""
    chosen = event_type or EventType(webhook.event_types[0])
    payload = sample(chosen, campaign_id=webhook.campaign_id, now=clock.now(), policy=Policy.of(settings))
    parcel = Parcel(
        url=webhook.webhook_url,
        level=webhook.association_type,
        request_id=uuid4(),
        attempt=1,
        payload=payloads.addressed(
            payload,
            event_type=chosen,
            webhook_id=webhook.id,
            name=webhook.name,
            url=webhook.webhook_url,
            secret_key=webhook.secret_key,
            created_at=webhook.created_at,
        ),
        signing_key=webhook.secret_key if signing_secret is None else vault().open(signing_secret),
        is_test=True,
    )
    async with guarded_client(settings, verify=settings.webhook_verify_tls) as http:
        return await sending.post(http, parcel, timeout_seconds=settings.webhook_timeout_seconds, wall=clock.wall())
