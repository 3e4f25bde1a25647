"""Queued work of mailboxes: looking at their tracking domains, logging in again."""

from outrider.kit.jobs import JobContext, job, periodic
from outrider.mail.dns import Resolver
from outrider.mailboxes import reconnects, tracking_domains
from outrider.mailboxes.oauth import Refresher
from outrider.mailboxes.tracking_domains import Checker


@job(tracking_domains.JOB, retry=3)
async def check_tracking_domain(ctx: JobContext, mailbox_id: int) -> None:
    """Right after it was set."""
    await tracking_domains.check(ctx.database, _checker(ctx), mailbox_id, ctx.clock.now())


@periodic("mailboxes.check_tracking_domains", cron="*/10 * * * *")
async def check_tracking_domains(ctx: JobContext) -> None:
    """Valid ones daily, others hourly: records change, certificates end, people mend what was wrong."""
    async with ctx.database.connection() as db:
        due = await tracking_domains.list_due(db, ctx.clock.now())
    for mailbox_id in due:
        await tracking_domains.check(ctx.database, _checker(ctx), mailbox_id, ctx.clock.now())


@job(reconnects.JOB, retry=3)
async def reconnect(ctx: JobContext, user_id: int, reconnect_id: int) -> None:
    """All that had failed when it was asked for."""
    await reconnects.run(_refresher(ctx), user_id, reconnect_id)


@periodic("mailboxes.refresh_tokens", cron="* * * * *")
async def refresh_tokens(ctx: JobContext) -> None:
    """Those that expire within ten minutes."""
    await _refresher(ctx).refresh_due()


def _refresher(ctx: JobContext) -> Refresher:
    return Refresher(ctx.database, ctx.settings, ctx.clock, ctx.vault, ctx.http)


def _checker(ctx: JobContext) -> Checker:
    return Checker(ctx.settings, ctx.vault, Resolver(ctx.settings.dns_resolvers), ctx.http)
