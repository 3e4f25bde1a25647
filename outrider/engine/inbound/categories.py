"""The category of an answer, in the transaction that takes it in (product behaviour 6.4).

Who has been taken out of the campaign since has no category.
"""

from collections.abc import Collection
from datetime import datetime

from outrider.engine.classify.descriptions import OwnCategory
from outrider.engine.classify.verdict import Source, Verdict, classify, refused
from outrider.engine.inbound.matching import Match
from outrider.kit.db import Db
from outrider.leads import actions as leads
from outrider.leads import store as lead_store
from outrider.leads.models import BuiltInCategory
from outrider.mail.autoreply import AutoReply, AutoReplyKind
from outrider.mail.parse import Incoming
from outrider.mail.quote import new_text
from outrider.messages import verdicts
from outrider.messages.verdicts import ReplyVerdict

JOB = "engine.categorise_reply"


async def of_person(db: Db, match: Match, incoming: Incoming, *, is_opt_out: bool) -> Verdict | None:
    """What an answer says, as far as the campaign wants to know; only its new text is looked at."""
    if not match.category_ids:
        return None
    allowed = frozenset(match.category_ids)
    if is_opt_out:
        return refused(allowed)
    own = await own_categories(db, match.user_id, match.category_ids)
    return classify(new_text(incoming), allowed=allowed, own=own)


def of_machine(match: Match, auto: AutoReply) -> Verdict | None:
    """Headers or the words of an absence have told already; receipts are nothing (decision 35)."""
    away, gone = AutoReplyKind.OUT_OF_OFFICE, AutoReplyKind.GONE
    wants_away = bool(match.out_of_office_settings.get("autoCategorizeOOO"))
    if auto.kind is away and (wants_away or BuiltInCategory.OUT_OF_OFFICE in match.category_ids):
        return Verdict(BuiltInCategory.OUT_OF_OFFICE, 1.0, f"An automatic reply: {auto.evidence}.", Source.HEADERS)
    if auto.kind is gone:
        return Verdict(BuiltInCategory.WRONG_PERSON, 1.0, f"An automatic reply: {auto.evidence}.", Source.HEADERS)
    return None


async def give(
    db: Db, user_id: int, campaign_lead_id: int, message_id: int, verdict: Verdict, *, now: datetime
) -> int | None:
    """Keep a verdict and let the lead have its category; returns that if the lead did not have it before."""
    kept = ReplyVerdict(message_id, verdict.category_id, verdict.confidence, verdict.source, verdict.reason)
    if await verdicts.record(db, user_id, kept, now=now) and await lead_store.has_map(db, user_id, campaign_lead_id):
        is_new = await leads.set_category(
            db,
            user_id=user_id,
            campaign_lead_id=campaign_lead_id,
            category_id=verdict.category_id,
            by_hand=False,
            now=now,
        )
        return verdict.category_id if is_new else None
    return None


async def own_categories(db: Db, user_id: int, category_ids: Collection[int]) -> list[OwnCategory]:
    """The account's own categories among these, as far as they say what they are for."""
    if not any(category_id > max(BuiltInCategory) for category_id in category_ids):
        return []
    known = await lead_store.list_categories(db, user_id, client_id=None)
    return [
        OwnCategory(each.id, each.name, each.description)
        for each in known
        if each.description and each.id in category_ids and each.id > max(BuiltInCategory)
    ]
