"""The figures of one campaign over HTTP: shapes as the contract shows them, numbers as the mails are."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.support import make
from tests.support.client import ApiClient
from tests.support.world import World

STATISTICS_KEYS = {
    "stats_id", "lead_name", "lead_email", "lead_category", "sequence_number", "email_campaign_seq_id",
    "seq_variant_id", "email_subject", "email_message", "sent_time", "open_time", "click_time", "reply_time",
    "open_count", "click_count", "is_unsubscribed", "is_bounced", "ignore_reply",
}  # fmt: skip
COUNTERS = {
    "sent_count", "unique_sent_count", "open_count", "unique_open_count", "click_count", "unique_click_count",
    "reply_count", "block_count", "total_count", "drafted_count", "bounce_count", "unsubscribed_count",
    "sequence_count",
}  # fmt: skip
EXPORT_HEADER = (
    "id,campaign_lead_map_id,status,category,is_interested,created_at,first_name,last_name,email,phone_number,"
    "company_name,website,location,custom_fields,linkedin_profile,company_url,is_unsubscribed,"
    "unsubscribed_client_id_map,last_email_sequence_sent,open_count,click_count,reply_count"
)


class Figures:
    """A campaign with some history, in the account of `api`."""

    def __init__(self, world: World, campaign_id: int, mails: list[dict[str, Any]]) -> None:
        self.world = world
        self.campaign_id = campaign_id
        self.mails = mails

    async def happen(self, place: int, **changes: Any) -> None:
        await self.world.change("messages", self.mails[place]["id"], **changes)


@pytest.fixture
async def figures(api: ApiClient, db: Db, world: World) -> Figures:
    world.user_id = api.user_id
    campaign_id = await world.campaign([await world.mailbox()], steps=3)
    return Figures(world, campaign_id, await world.sent(campaign_id, count=4))


async def test_statistics_have_a_row_for_each_mail_in_the_order_of_sending(api: ApiClient, figures: Figures) -> None:
    answer = (await api.get(f"/campaigns/{figures.campaign_id}/statistics")).json()
    assert (answer["total_stats"], answer["offset"], answer["limit"]) == ("4", 0, 100)
    assert [row["stats_id"] for row in answer["data"]] == [str(mail["stats_id"]) for mail in figures.mails]
    row = answer["data"][0]
    assert set(row) == STATISTICS_KEYS
    assert (row["lead_name"], row["sequence_number"], row["reply_time"]) == ("Ada", 1, None)
    assert (row["is_bounced"], row["is_unsubscribed"], row["ignore_reply"], row["open_count"]) == (
        False,
        False,
        False,
        0,
    )


async def test_statistics_are_filtered_and_paged(api: ApiClient, figures: Figures) -> None:
    now = figures.world.now
    await figures.happen(0, first_opened_at=now, open_count=2)
    await figures.happen(1, first_clicked_at=now, click_count=1, first_opened_at=now, open_count=1)
    await figures.happen(2, first_replied_at=now)
    await figures.happen(3, bounced_at=now, bounce_kind="HARD", unsubscribed_at=now)
    path = f"/campaigns/{figures.campaign_id}/statistics"

    async def places(**query: Any) -> list[int]:
        ids = [str(mail["stats_id"]) for mail in figures.mails]
        return [ids.index(row["stats_id"]) for row in (await api.get(path, params=query)).json()["data"]]

    assert await places(email_status="opened") == [0, 1]
    assert await places(email_status="clicked") == [1]
    assert await places(email_status="replied") == [2]
    assert await places(email_status="bounced") == [3]
    assert await places(email_status="unsubscribed") == [3]
    assert await places(email_status="None") == [0, 1, 2, 3]  # a widely copied library sends this
    assert await places(email_sequence_number="1,2") == [0, 1, 2, 3]
    assert await places(email_sequence_number=2) == []
    assert await places(offset=1, limit=2) == [1, 2]
    assert await places(sent_time_start_date="2026-03-02", sent_time_end_date="2026-03-02") == [0, 1, 2, 3]
    assert await places(sent_time_start_date="2026-03-03") == []
    second = figures.mails[1]["sent_at"].isoformat()
    assert await places(sent_time_start_date=second) == [1, 2, 3]
    assert await places(sent_time_end_date=second) == [0, 1]
    past_the_end = (await api.get(path, params={"offset": 10})).json()
    assert (past_the_end["total_stats"], past_the_end["data"]) == ("4", [])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"limit": 1001}, '"limit" must be less than or equal to 1000'),
        ({"limit": 0}, '"limit" must be larger than or equal to 1'),
        ({"email_status": "seen"}, '"email_status" must be one of [opened, clicked, replied, unsubscribed, bounced]'),
        ({"offset": -1}, '"offset" must be larger than or equal to 0'),
    ],
)
async def test_bad_queries_are_refused(api: ApiClient, figures: Figures, query: dict[str, Any], message: str) -> None:
    answer = await api.get(f"/campaigns/{figures.campaign_id}/statistics", params=query)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert answer.json()["validation"]["source"] == "query"


async def test_top_level_figures_are_strings_and_add_up(api: ApiClient, figures: Figures) -> None:
    now = figures.world.now
    await figures.happen(0, first_opened_at=now, open_count=3)
    await figures.happen(1, first_opened_at=now, open_count=1, first_replied_at=now)
    await figures.happen(2, bounced_at=now, bounce_kind="SOFT")
    await figures.happen(3, bounced_at=now, bounce_kind="SENDER")
    await figures.world.leads(figures.campaign_id, 2)
    leads = [mail["campaign_lead_id"] for mail in figures.mails]
    await figures.world.change("campaign_leads", leads[1], status="STOPPED", category_id=1, revenue=250)
    await figures.world.change("campaign_leads", leads[3], status="BLOCKED", hold_reason="BLOCKLISTED")
    answer = (await api.get(f"/campaigns/{figures.campaign_id}/analytics")).json()
    assert all(isinstance(answer[name], str) for name in COUNTERS)
    counts = {name: int(answer[name]) for name in COUNTERS}
    # Two leads in progress have two mails ahead of them, two have not begun and have three.
    assert counts == {
        "sent_count": 4, "unique_sent_count": 4, "open_count": 2, "unique_open_count": 2, "click_count": 0,
        "unique_click_count": 0, "reply_count": 1, "block_count": 1, "drafted_count": 10, "total_count": 15,
        "bounce_count": 1, "unsubscribed_count": 0, "sequence_count": 3,
    }  # fmt: skip
    assert answer["campaign_lead_stats"] == {
        "total": 6, "notStarted": 2, "inprogress": 2, "completed": 0, "paused": 0, "stopped": 1, "blocked": 1,
        "interested": 1, "revenue": 250,
    }  # fmt: skip
    assert (answer["id"], answer["user_id"], answer["tags"], answer["client_name"]) == (
        figures.campaign_id,
        api.user_id,
        [],
        None,
    )


async def test_an_emptied_sequence_counts_nowhere(api: ApiClient, figures: Figures) -> None:
    await api.post(f"/campaigns/{figures.campaign_id}/sequences", json={"sequences": []})
    assert (await api.get(f"/campaigns/{figures.campaign_id}/statistics")).json()["total_stats"] == "0"
    assert (await api.get(f"/campaigns/{figures.campaign_id}/analytics")).json()["sent_count"] == "0"


async def test_the_export_has_the_22_columns_and_a_row_for_each_lead(api: ApiClient, db: Db, figures: Figures) -> None:
    await execute(
        db,
        """
        UPDATE leads SET company_name = '=1+1', phone_number = '+46 70', custom_fields = '{"Title": "CTO, \\"x\\""}'
        """,
    )
    await figures.happen(0, open_count=2, first_replied_at=figures.world.now)
    answer = await api.get(f"/campaigns/{figures.campaign_id}/leads-export")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f"sl_campaign_{figures.campaign_id}_leads.csv" in answer.headers["content-disposition"]
    assert answer.text.startswith(EXPORT_HEADER + "\n")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["campaign_lead_map_id"]) for row in rows] == [mail["campaign_lead_id"] for mail in figures.mails]
    first = rows[0]
    assert (first["status"], first["is_interested"], first["category"], first["last_name"]) == (
        "INPROGRESS",
        "false",
        "",
        "",
    )
    assert (first["last_email_sequence_sent"], first["open_count"], first["reply_count"]) == ("1", "2", "1")
    assert first["company_name"] == "'=1+1"  # no formula in a spreadsheet
    assert (first["phone_number"], first["custom_fields"]) == ("+46 70", '{"Title":"CTO, \\"x\\""}')
    assert first["unsubscribed_client_id_map"] == ""


@pytest.mark.parametrize("path", ["statistics", "analytics", "leads-export", "export", "analytics/top-level"])
async def test_a_foreign_campaign_is_unknown(
    api: ApiClient, other_api: ApiClient, client_api: ApiClient, db: Db, path: str
) -> None:
    campaign_id = await make.campaign(db, api.user_id)
    assert (await api.get(f"/campaigns/{campaign_id}/{path}")).status_code == 200
    for stranger in (other_api, client_api):
        answer = await stranger.get(f"/campaigns/{campaign_id}/{path}")
        assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")


async def test_days_of_statistics_are_whole_days(api: ApiClient, figures: Figures) -> None:
    late = figures.mails[0]["sent_at"].replace(hour=23, minute=59, second=59, microsecond=999_000)
    await figures.happen(0, sent_at=late)
    await figures.happen(1, sent_at=late + timedelta(milliseconds=1))
    query = {"sent_time_start_date": "2026-03-02", "sent_time_end_date": "2026-03-02"}
    answer = (await api.get(f"/campaigns/{figures.campaign_id}/statistics", params=query)).json()
    assert answer["total_stats"] == "3"
