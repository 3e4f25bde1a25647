"""Queued work of mailboxes: looking at their tracking domains."""

from outrider.kit.db import Db
from outrider.kit.jobs import JobContext, enqueue, job, periodic
from outrider.mail.dns import Resolver
from outrider.mailboxes import tracking_domains
from outrider.mailboxes.tracking_domains import Checker

_JOB = "mailboxes.check_tracking_domain"


async def enqueue_check(db: Db, mailbox_id: int) -> None:
    await enqueue(db, _JOB, mailbox_id=mailbox_id)


@job(_JOB, retry=3)
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


def _checker(ctx: JobContext) -> Checker:
    return Checker(ctx.settings, ctx.vault, Resolver(ctx.settings.dns_resolvers), ctx.http)
