"""Lists as a whole: made, renamed, deleted, tagged, and filled with people who may be new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from outrider.kit.db import Db
from outrider.leads import judging
from outrider.leads import store as leads
from outrider.leads.judging import NewLead, Rules, Verdict
from outrider.leads.lists import store
from outrider.leads.lists.models import LeadList, LeadListNotFound
from outrider.mailboxes.tags import check_tags


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows there were: new in the list, in it before or given twice, blocked, without an address."""

    total_count: int
    added_count: int
    duplicate_count: int
    blocked_count: int
    invalid_count: int


async def create(db: Db, user_id: int, name: str, *, scope: int | None, now: datetime) -> LeadList:
    """Names need not differ."""
    list_id = await store.insert_list(db, user_id, name, scope=scope, now=now)
    return await store.load_list(db, user_id, list_id, scope=scope)


async def rename(db: Db, user_id: int, list_id: int, name: str, *, scope: int | None, now: datetime) -> LeadList:
    if not await store.rename_list(db, user_id, list_id, name, scope=scope, now=now):
        raise LeadListNotFound
    return await store.load_list(db, user_id, list_id, scope=scope)


async def delete(db: Db, user_id: int, list_id: int, *, scope: int | None, now: datetime) -> None:
    """Who is in a campaign or in another list stays; the others are forgotten."""
    await store.lock_list(db, user_id, list_id, scope=scope)
    members = await store.delete_list(db, user_id, list_id)
    await leads.delete_lost_leads(db, user_id, members, now=now)


async def import_rows(
    db: Db, user_id: int, list_id: int, rows: Sequence[NewLead], *, with_blocked: bool, scope: int | None, now: datetime
) -> Imported:
    """Put people into a list. Nobody is mailed by that, so only the block list keeps anybody out."""
    client_id = await store.lock_list(db, user_id, list_id, scope=scope)
    rules = Rules(
        ignore_global_block_list=with_blocked, ignore_unsubscribe_list=True, ignore_community_bounce_list=True
    )
    sifted = judging.sift(rows, set())
    verdicts = sifted.verdicts
    if sifted.staged:
        place = judging.Place(user_id, list_id, client_id, judging.IN_LIST)
        for position, verdict, _lead_id in await judging.judge(db, place, sifted.staged, rules, now=now):
            verdicts[position] = Verdict(verdict)
    emails = [email for email, verdict in zip(sifted.emails, verdicts, strict=True) if verdict is Verdict.ADDED]
    lead_ids = await leads.list_ids_by_email(db, user_id, emails)
    await store.insert_members(db, user_id, list_id, lead_ids, now=now)
    return Imported(
        len(verdicts),
        len(lead_ids),
        verdicts.count(Verdict.IN_CAMPAIGN) + verdicts.count(Verdict.REPEATED),
        verdicts.count(Verdict.BLOCKED),
        verdicts.count(Verdict.INVALID),
    )


async def change_tags(
    db: Db, user_id: int, list_ids: Sequence[int], *, add: Sequence[int], remove: Sequence[int], scope: int | None
) -> None:
    """Give lists tags of the account, and take others away."""
    if set(await store.list_ids(db, user_id, list_ids, scope=scope)) != set(list_ids):
        raise LeadListNotFound
    await check_tags(db, user_id, [*add, *remove])
    await store.change_tags(db, user_id, list_ids, add=add, remove=remove)
