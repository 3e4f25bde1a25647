"""The look-up: every minute, what was added since; every seven days, all that still wait for a first mail.

Batch by batch: the DNS is asked outside of a transaction, what it said is stored in one. A run that was killed goes on
after the last batch.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from outrider.kit.db import Database
from outrider.kit.jobs import JobContext, periodic
from outrider.kit.log import get_logger
from outrider.leads.providers import store
from outrider.leads.providers.store import Position
from outrider.mail.dns import DnsUnavailable, Resolver
from outrider.mail.provider import Provider, provider_of

log = get_logger("leads")

_KEPT = timedelta(days=7)
_AGAIN = timedelta(hours=1)  # after the DNS could not be asked
_BATCH = 1000
_AT_ONCE = 50


@periodic("leads.look_up_providers", cron="* * * * *")
async def look_up_providers(ctx: JobContext) -> None:
    await look_up(ctx.database, Resolver(ctx.settings.dns_resolvers), ctx.clock.now())


async def look_up(database: Database, resolver: Resolver, now: datetime) -> None:
    """Find the provider of every lead that waits, in the campaigns that pair providers; one process at a time."""
    async with database.connection() as session:
        if not await store.try_lock(session):
            return
        try:
            await _look_up_all(database, resolver, now)
        finally:
            await store.unlock(session)


async def _look_up_all(database: Database, resolver: Resolver, now: datetime) -> None:
    async with database.connection() as db:
        positions = await store.list_positions(db)
    for position in positions:
        ahead: Position | None = position
        if position.next_at is None or position.next_at <= now:
            ahead = replace(position, done_to=0, next_at=now + _KEPT)
        while ahead:
            ahead = await _look_up_batch(database, resolver, ahead, now)


async def _look_up_batch(database: Database, resolver: Resolver, position: Position, now: datetime) -> Position | None:
    """Go on from a position; returns the next one, or None at the end."""
    async with database.connection() as db:
        leads = await store.list_waiting(
            db, position.user_id, position.campaign_id, after=position.done_to, limit=_BATCH
        )
        known = await store.list_known(db, [lead.domain for lead in leads], since=now - _KEPT) if leads else {}
    if not leads:
        return None
    asked = await _ask(resolver, {lead.domain for lead in leads} - known.keys())
    answers = {domain: provider for domain, provider in asked.items() if provider is not None}
    ahead = replace(position, done_to=leads[-1].id)
    if len(answers) < len(asked):
        log.warning("the DNS could not be asked", domains=len(asked) - len(answers), campaign_id=position.campaign_id)
        ahead = replace(ahead, next_at=now + _AGAIN)
    found = known | answers
    async with database.transaction() as db:
        await store.upsert_domains(db, answers, now)
        providers = {lead.id: found.get(lead.domain, Provider.OTHER) for lead in leads}
        await store.record_providers(db, position.user_id, position.campaign_id, providers)
        await store.record_position(db, ahead)
    return ahead


async def _ask(resolver: Resolver, domains: Iterable[str]) -> dict[str, Provider | None]:
    """Ask side by side; None where nobody answered."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def ask(domain: str) -> Provider | None:
        async with turn:
            try:
                return provider_of(await resolver.mail_hosts(domain))
            except DnsUnavailable:
                return None

    wanted = sorted(domains)
    return dict(zip(wanted, await asyncio.gather(*map(ask, wanted)), strict=True))
