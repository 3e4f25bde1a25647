"""Adding leads side by side, and to an account that is full already."""

import asyncio
import random

from outrider.campaigns.store import lock_campaign
from outrider.kit.db import Database, Db, fetch_value
from outrider.leads.addition import add
from outrider.leads.judging import Addition, NewLead, Rules, Verdict
from tests.support import make
from tests.support.client import fresh_account
from tests.support.make import NOW


async def add_shuffled(database: Database, user_id: int, campaign_id: int, *, seed: int) -> Addition:
    numbers = list(range(300))
    random.Random(seed).shuffle(numbers)  # noqa: S311 - any order will do
    rows = [NewLead(f"lead{number}@hexly.io", {"first_name": f"Name {seed}"}, {"Seed": seed}) for number in numbers]
    async with database.transaction() as db:
        campaign = await lock_campaign(db, user_id, campaign_id, client_id=None)
        return await add(db, campaign, rows, Rules(), now=NOW)


async def test_imports_of_the_same_people_side_by_side_wait_for_each_other_and_lose_nobody(database: Database) -> None:
    async with database.transaction() as db:
        user_id = await fresh_account(db, NOW)
        campaigns = [await make.campaign(db, user_id) for _ in range(3)]
    for _ in range(2):
        results = await asyncio.gather(
            *(add_shuffled(database, user_id, campaign_id, seed=seed) for seed, campaign_id in enumerate(campaigns * 2))
        )
        for first, second in zip(results[:3], results[3:], strict=True):
            assert {first.added_count, second.added_count} in ({0, 300}, {0})
            assert first.verdicts.count(Verdict.IN_CAMPAIGN) + first.added_count == 300
    async with database.connection() as db:
        assert await fetch_value(db, "SELECT count(*) FROM leads") == 300
        assert await fetch_value(db, "SELECT count(*) FROM campaign_leads") == 900
        assert await fetch_value(db, "SELECT count(DISTINCT (campaign_id, lead_id)) FROM campaign_leads") == 900


async def test_rows_of_one_upload_may_come_in_parts(db: Db) -> None:
    user_id = await fresh_account(db, NOW)
    campaign = await lock_campaign(db, user_id, await make.campaign(db, user_id), client_id=None)
    seen: set[str] = set()
    parts = [["a@b.io", "b@b.io"], ["B@b.io", "c@b.io", "nonsense"], []]
    verdicts = []
    for part in parts:
        rows = [NewLead(email, {}, {}) for email in part]
        verdicts.append((await add(db, campaign, rows, Rules(), now=NOW, seen=seen)).verdicts)
    assert verdicts == [
        [Verdict.ADDED, Verdict.ADDED],
        [Verdict.REPEATED, Verdict.ADDED, Verdict.INVALID],
        [],
    ]
    assert seen == {"a@b.io", "b@b.io", "c@b.io"}
