"""Queued work of what came in: asking a language model about a reply, which a transaction must not wait for."""

from outrider.engine import subsequences
from outrider.engine.classify.endpoint import Choice, ask, endpoint
from outrider.engine.classify.verdict import classify
from outrider.engine.inbound import categories
from outrider.engine.store import find_reply
from outrider.engine.triggers import Heard
from outrider.kit.jobs import JobContext, job
from outrider.leads.store import list_categories
from outrider.mail.quote import new_text_of
from outrider.messages import verdicts


@job(categories.JOB, retry=3)
async def categorise_reply(ctx: JobContext, *, user_id: int, message_id: int) -> None:
    """Ask, else decide without; a reply that has been categorised in the meantime is left alone."""
    async with ctx.database.connection() as db:
        reply = await find_reply(db, user_id, message_id)
        if reply is None or await verdicts.list_verdicts(db, user_id, [message_id]):
            return
        known = await list_categories(db, user_id, client_id=None)
        own = await categories.own_categories(db, user_id, reply.category_ids)
    text = new_text_of(reply.text, reply.html)
    choices = [Choice(each.id, each.name, each.description) for each in known if each.id in reply.category_ids]
    place = endpoint()
    verdict = await ask(ctx.http, place, text, choices) if place and text else None
    verdict = verdict or classify(text, allowed=frozenset(reply.category_ids), own=own)
    async with ctx.database.transaction() as db:
        now = ctx.clock.now()
        category_id = await categories.give(db, user_id, reply.campaign_lead_id, message_id, verdict, now=now)
        heard = Heard(reply.campaign_lead_id, reply.answers_id, text, category_id)
        await subsequences.follow_answers(db, [heard], now=now)
