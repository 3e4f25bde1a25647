"""What the figures of an account may be asked for, and what is refused; their numbers are those of test_worked."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from outrider.analytics.windows import Days, find_zone
from outrider.config import ReplyRateOf
from outrider.kit.db import Db, execute
from outrider.kit.edge import Edge
from tests.analytics.worked import NOW
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.shape import assert_shape, example

DAYS = "start_date=2025-07-30&end_date=2025-08-02&timezone=UTC"
OVERALL = "/analytics/overall-stats-v2"
DAY_WISE = "/analytics/day-wise-overall-stats"
SENT_DAYS = "/analytics/day-wise-overall-stats-by-sent-time"
CAMPAIGNS = "/analytics/campaign/overall-stats"
ALIASES = {
    "campaign/list": ["campaign-list"],
    "client/list": ["client-list"],
    "client/month-wise-count": ["client-month-wise-count"],
    "overall-stats-v2": ["overview", "overall-stats"],
    "day-wise-overall-stats": ["day-wise/overall-stats"],
    "day-wise-overall-stats-by-sent-time": ["day-wise/overall-stats-by-sent-time"],
    "day-wise-positive-reply-stats": [],
    "day-wise-positive-reply-stats-by-sent-time": [],
    "campaign/overall-stats": ["campaign-overall-stats", "campaigns/overall-stats"],
    "campaign/response-stats": ["campaign-response-stats", "campaigns/response-stats"],
    "campaign/status-stats": ["campaign-status-stats", "campaigns/status-stats"],
    "client/overall-stats": ["client-overall-stats", "clients/overall-stats"],
    "campaign/follow-up-reply-rate": ["campaign-follow-up-reply-rate"],
    "campaign/lead-to-reply-time": ["campaign-lead-to-reply-time"],
    "campaign/leads-take-for-first-reply": ["campaign-leads-take-for-first-reply"],
    "lead/category-wise-response": ["lead-category-wise-response"],
    "lead/overall-stats": ["lead-overall-stats", "leads/overall-stats"],
    "mailbox/domain-wise-health-metrics": ["mailbox-domain-wise-health-metrics"],
    "mailbox/name-wise-health-metrics": ["mailbox-name-wise-health-metrics"],
    "mailbox/overall-stats": ["mailbox-overall-stats", "mailboxes/overall-stats"],
    "mailbox/provider-wise-overall-performance": [
        "mailbox-provider-wise-overall-performance",
        "providers/performance",
    ],
    "team-board/overall-stats": ["team-board-overall-stats"],
}
UNDATED = {"campaign/list", "client/list", "client/month-wise-count", "campaign/status-stats", "mailbox/overall-stats"}


@pytest.fixture
def now() -> datetime:
    return NOW


MESSAGES = {
    SENT_DAYS: "Day-wise overall stats by sent time fetched successfully!",
    "/analytics/day-wise-positive-reply-stats-by-sent-time": (
        "Day-wise positive reply stats by sent time fetched successfully!"
    ),
    "/analytics/campaign/leads-take-for-first-reply": "First reply stats fetched successfully!",
    "/analytics/mailbox/name-wise-health-metrics": "Email health metrics fetched successfully",
}
EXAMPLES = {
    path: shown for path, shown in example("account_figures").items() if path.removeprefix("/analytics/") in ALIASES
}


@pytest.mark.parametrize("path", EXAMPLES)
async def test_examples(worked: ApiClient, db: Db, path: str) -> None:
    """The same keys, types and texts."""
    await make.campaign(db, worked.user_id)  # of every status that the example has
    answer = (await worked.get(f"{path}?{DAYS}")).json()
    if path == SENT_DAYS:
        return assert_shape(answer["data"]["day_wise_stats"], [EXAMPLES[path]])
    assert_shape(answer, EXAMPLES[path])
    assert answer["message"] == EXAMPLES[path]["message"]
    return None


@pytest.mark.parametrize("path", MESSAGES)
async def test_messages(worked: ApiClient, path: str) -> None:
    assert (await worked.get(f"{path}?{DAYS}")).json()["message"] == MESSAGES[path]


async def data(api: ApiClient, path: str, **query: Any) -> Any:
    answer = await api.get(path, params={"start_date": "2025-07-30", "end_date": "2025-08-02", **query})
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]


@pytest.mark.parametrize("path", ALIASES)
async def test_aliases_answer_alike(worked: ApiClient, path: str) -> None:
    first = (await worked.get(f"/analytics/{path}?{DAYS}")).json()
    assert set(first) == {"success", "ok", "message", "data"}
    for alias in ALIASES[path]:
        assert (await worked.get(f"/analytics/{alias}?{DAYS}")).json() == first, alias


@pytest.mark.parametrize("path", ALIASES)
async def test_another_account_sees_nothing(worked: ApiClient, other_api: ApiClient, path: str) -> None:
    """Nor does a look at its own find what is not there: zeros and empty lists."""
    answer = await other_api.get(f"/analytics/{path}?{DAYS}&campaign_ids=101,102&client_ids=501,502")
    assert answer.status_code == 200
    shown = answer.text
    for word in ("Alpha", "Beta", "Northwind", "acme", "orbit", "Meeting"):
        assert word not in shown
    plain = (await other_api.get(f"/analytics/{path}?{DAYS}")).json()["data"]
    assert answer.json()["data"] == plain


@pytest.mark.parametrize("path", sorted(set(ALIASES) - UNDATED))
@pytest.mark.parametrize(
    ("query", "message", "key"),
    [
        ("", '"start_date" is required', "start_date"),
        ("start_date=&end_date=", '"start_date" is required', "start_date"),
        ("start_date=2025-07-30", '"end_date" is required', "end_date"),
        ("start_date=soon&end_date=later", '"start_date" must be in YYYY-MM-DD format', "start_date"),
        ("start_date=2025-02-30&end_date=2025-03-01", '"start_date" must be in YYYY-MM-DD format', "start_date"),
        ("start_date=2025-07-30&end_date=07/31/2025", '"end_date" must be in YYYY-MM-DD format', "end_date"),
        (
            "start_date=2025-07-30&end_date=2025-07-29&timezone=Mars/Olympus&client_ids=x",
            '"end_date" must be larger than or equal to "ref:start_date"',
            "end_date",
        ),
        (
            "start_date=2025-07-30&end_date=2025-07-31&timezone=Mars/Olympus&client_ids=x",
            '"timezone" must be a valid IANA timezone',
            "timezone",
        ),
        (
            "start_date=2025-07-30&end_date=2025-07-31&timezone=UTC&client_ids=7,x&campaign_ids=y",
            '"client_ids" must be a comma-separated list of numbers',
            "client_ids",
        ),
        (
            "start_date=2025-07-30&end_date=2025-07-31&timezone=UTC&campaign_id=1.5",
            '"campaign_ids" must be a comma-separated list of numbers',
            "campaign_ids",
        ),
    ],
)
async def test_bad_questions_are_refused(api: ApiClient, path: str, query: str, message: str, key: str) -> None:
    answer = await api.get(f"/analytics/{path}?{query}")
    assert (answer.status_code, answer.json()) == (
        400,
        {
            "statusCode": 400,
            "error": "Bad Request",
            "message": message,
            "validation": {"source": "query", "keys": [key]},
            "ok": False,
        },
    )


@pytest.mark.parametrize("path", [SENT_DAYS, "/analytics/day-wise-positive-reply-stats-by-sent-time"])
async def test_days_of_sending_need_a_zone(api: ApiClient, path: str) -> None:
    answer = await api.get(f"{path}?start_date=2025-07-30&end_date=2025-07-31")
    assert (answer.status_code, answer.json()["message"]) == (400, '"timezone" is required')


@pytest.mark.parametrize("path", sorted(path for path in ALIASES if path.startswith("day-wise")))
async def test_a_series_is_no_longer_than_ten_years(api: ApiClient, path: str) -> None:
    answer = await api.get(f"/analytics/{path}?start_date=2015-01-01&end_date=2025-01-09&timezone=UTC")
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        '"end_date" must be within 3660 days of "start_date"',
    )
    most = date(2015, 1, 1) + timedelta(days=3660)
    rows = (await api.get(f"/analytics/{path}?start_date=2015-01-01&end_date={most}&timezone=UTC")).json()["data"]
    assert len(rows["day_wise_stats"]) == 3661
    assert (await api.get(f"{OVERALL}?start_date=2000-01-01&end_date=2025-12-31")).status_code == 200


@pytest.mark.parametrize("path", ["campaign", "client", "mailbox/domain", "mailbox/name"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", '"limit" must be larger than or equal to 1'),
        ("limit=many", '"limit" must be a number'),
        ("offset=-1", '"offset" must be larger than or equal to 0'),
        ("offset=x", '"offset" must be a number'),
    ],
)
async def test_bad_pages_are_refused(api: ApiClient, path: str, query: str, message: str) -> None:
    ending = "-wise-health-metrics" if "/" in path else "/overall-stats"
    answer = await api.get(f"/analytics/{path}{ending}?{DAYS}&{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize("path", ALIASES)
async def test_a_key_is_needed(api: ApiClient, path: str) -> None:
    assert (await api.request("GET", f"/analytics/{path}?{DAYS}", key=None)).json()["message"] == "API key is required."
    wrong = await api.request("GET", f"/analytics/{path}?{DAYS}", key="0b0f5c1e-5a7b-4b57-9c53-7d1a0c7a0501_abcdefg")
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Invalid API Key")


async def test_spellings(worked: ApiClient) -> None:
    wanted = await data(worked, OVERALL, timezone="UTC", campaign_ids="101,103")
    for query in (
        "start_date=2025-7-30&end_date=2025-08-2&campaign_ids=101,103",
        "startDate=2025-07-30T11:00:00.000Z&endDate=2025-08-02 23:59:59&campaign_ids=[101, 103]",
        "start_date=2025-07-30&end_date=2025-08-02&campaign_ids[]=101&campaign_ids[]=103&full_data=true&timezone=Z",
        "start_date=2025-07-30&end_date=2025-08-02&campaign_id=101&campaign_id=103&time_zone=utc&full_data=0",
        'start_date=2025-07-30&end_date=2025-08-02&campaign_ids=["101","103"],,&nonsense=1',
        "start_date=2025-07-30&end_date=2025-08-02&campaignIds=103,101,99999999999999999999&client_ids=",
    ):
        answer = await worked.get(f"{OVERALL}?{query}")
        assert (answer.status_code, answer.json().get("data")) == (200, wanted), query


@pytest.mark.parametrize(
    ("written", "offset"),
    [
        ("America/New_York", -4),
        ("america/new_york", -4),
        ("Etc/GMT", 0),
        ("Asia/Kolkata", 5.5),
        ("+05:30", 5.5),
        (" 05:30", 5.5),
        ("5:30", 5.5),
        ("-0400", -4),
        ("-4", -4),
        ("Z", 0),
        ("z", 0),
        ("UTC", 0),
        ("UTC+2", 2),
        ("24:00", None),
        ("5:70", None),
        ("Mars/Olympus", None),
        ("America", None),
        ("../etc/passwd", None),
        ("", None),
    ],
)
def test_zones(written: str, offset: float | None) -> None:
    zone = find_zone(written)
    if offset is None:
        assert zone is None
    else:
        assert zone is not None
        assert datetime(2025, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=offset)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2025, 3, 9), 23),
        ("America/New_York", date(2025, 11, 2), 25),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Australia/Lord_Howe", date(2025, 10, 5), 23.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # clocks skipped midnight
        ("Africa/Cairo", date(2025, 4, 25), 23),  # likewise
        ("Atlantic/Azores", date(2025, 10, 26), 25),  # midnight came twice
        ("Pacific/Apia", date(2011, 12, 30), 0),  # a day that never was
        ("Asia/Kolkata", date(2025, 3, 9), 24),
    ],
)
def test_days_are_as_long_as_they_are(zone: str, day: date, hours: float) -> None:
    found = find_zone(zone)
    assert found is not None
    before, start, end, after = Days(day - timedelta(days=1), day + timedelta(days=1), found).midnights
    assert end - start == timedelta(hours=hours)
    assert (Days(day, day, found).edges, start.tzinfo) == ([start, end], UTC)
    assert before < start <= end < after


async def test_rows_are_read_in_pages(worked: ApiClient) -> None:
    async def ids(**page: Any) -> list[int]:
        rows = (await data(worked, CAMPAIGNS, **page))["campaign_wise_performance"]
        return [row["id"] for row in rows]

    assert await ids() == [101, 102, 103]
    assert await ids(limit=2) == [101, 102]
    assert await ids(limit="2", offset="2") == [103]
    assert await ids(page=2, per_page=2) == [103]
    assert await ids(page=1) == [101, 102, 103]
    assert await ids(skip=1) == [102, 103]
    assert await ids(offset=9, limit=10) == []


async def test_clients_are_filtered(worked: ApiClient) -> None:
    async def names(words: str) -> list[str]:
        rows = (await data(worked, "/analytics/client/overall-stats", filter=words))["client_wise_performance"]
        return [row["client_name"] for row in rows]

    assert await names("FABRI") == ["Fabrikam"]
    assert await names("@northwind") == ["Northwind"]
    assert await names("502") == ["Fabrikam"]
    assert await names("50") == []
    assert await names("nobody") == []
    assert await names("") == ["Northwind", "Fabrikam"]


@pytest.mark.parametrize(("flag", "sent"), [("true", 9), ("TRUE", 9), ("1", 9), ("false", 11), ("maybe", 11)])
async def test_only_campaigns_of_clients(worked: ApiClient, flag: str, sent: int) -> None:
    assert (await data(worked, OVERALL, is_agency=flag))["overall_stats"]["sent"] == sent


async def test_without_days_all_mails_are_meant(worked: ApiClient, other_api: ApiClient) -> None:
    path = "/analytics/overview"
    everything = (await worked.get(path)).json()["data"]["overall_stats"]
    assert (everything["sent"], everything["replied"]) == (13, 6)
    assert (await worked.get(f"{path}?start_date=2025-08-01")).json()["data"]["overall_stats"]["sent"] == 7
    assert (await worked.get(f"{path}?end_date=2025-07-30")).json()["data"]["overall_stats"]["sent"] == 3
    assert (await worked.get(f"{path}?start_date=2026-01-01")).json()["data"]["overall_stats"]["sent"] == 0
    assert (await worked.get(f"{path}?end_date=2020-01-01")).json()["data"]["overall_stats"]["sent"] == 0
    assert (await other_api.get(path)).json()["data"]["overall_stats"]["sent"] == 0
    late = await worked.get(f"{path}?start_date=2025-08-02&end_date=2025-08-01")
    assert late.json()["message"] == '"end_date" must be larger than or equal to "ref:start_date"'


async def test_the_key_of_a_client_sees_its_own(
    worked: ApiClient, db: Db, app: Edge, connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    """Whatever it asks for."""
    key = await connect(app, db, user_id=worked.user_id, client_id=502)
    assert await data(key, OVERALL) == await data(worked, OVERALL, client_ids=502)
    assert (await data(key, OVERALL, client_ids=501))["overall_stats"]["sent"] == 0
    assert (await data(key, OVERALL, campaign_ids="101,102"))["overall_stats"]["sent"] == 4
    for path in ALIASES:
        query = {"timezone": "UTC"}
        wanted = await data(worked, f"/analytics/{path}", client_ids=502, **query)
        assert await data(key, f"/analytics/{path}", **query) == wanted, path


async def test_replies_may_always_be_divided_by_leads(
    worked: ApiClient, db: Db, make_app: Callable[..., Edge], connect: Callable[..., Awaitable[ApiClient]]
) -> None:
    app = make_app(Rollback(db), analytics_reply_rate_denominator=ReplyRateOf.LEADS)
    api = await connect(app, db, user_id=worked.user_id)
    rates = {row["id"]: row["reply_rate"] for row in (await data(api, CAMPAIGNS))["campaign_wise_performance"]}
    assert rates == {101: "50.00%", 102: "100.00%", 103: "50.00%"}


async def test_what_is_deleted(worked: ApiClient, db: Db) -> None:
    """A lead or mailbox that is gone still counts; a campaign, or its sequence, does not."""
    before = await data(worked, OVERALL)
    await execute(db, "UPDATE mailboxes SET deleted_at = created_at WHERE id = 203")
    assert await data(worked, OVERALL) == before
    providers = await data(worked, "/analytics/mailbox/provider-wise-overall-performance")
    assert [row["sent"] for row in providers["email_providers_performance_overview"]["overall"]] == ["7", "4"]
    assert (await data(worked, "/analytics/mailbox/overall-stats"))["overall_mailbox_stats"]["total_connected"] == 2
    await execute(db, "DELETE FROM campaign_leads WHERE campaign_id = 101")
    after = (await data(worked, OVERALL))["overall_stats"]
    assert (after["sent"], after["unique_lead_count"], after["replied"]) == (11, 9, 6)
    assert after["positive_replied"] == 1  # nobody says any more what the lead of 101 is
    assert (await worked.post("/campaigns/103/sequences", json={"sequences": []})).status_code == 200
    assert [row["id"] for row in (await data(worked, CAMPAIGNS))["campaign_wise_performance"]] == [101, 102]
    assert (await worked.delete("/campaigns/102")).status_code == 200
    assert (await data(worked, OVERALL))["overall_stats"]["sent"] == 5


async def test_archived_campaigns_have_a_row_if_there_are_any(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE campaigns SET status = 'ARCHIVED' WHERE id = 101")
    rows = (await worked.get("/analytics/campaign/status-stats")).json()["data"]["campaign_status_stats"]
    assert [row["status"] for row in rows] == [
        "Active", "Paused", "Drafted", "Completed", "Stopped", "Campaigns with Smart Servers", "Archived",
    ]  # fmt: skip
    assert rows[-1] == {"status": "Archived", "total_count": "1", "count": 1}


async def test_clients_are_counted_for_twelve_months(worked: ApiClient, db: Db) -> None:
    for place, made_at in enumerate(("2024-09-01", "2024-08-31 23:59:59.999", "2025-08-05 11:00")):
        await execute(
            db,
            """
            INSERT INTO clients (user_id, name, email, created_at, updated_at)
            VALUES (%(user_id)s, 'Late', %(email)s, %(at)s::timestamptz, %(at)s::timestamptz)
            """,
            {"user_id": worked.user_id, "email": f"late{place}@client.example", "at": f"{made_at}Z"},
        )
    rows = (await worked.get("/analytics/client/month-wise-count")).json()["data"]["monthly_stats"]
    assert rows == [
        {"month": "August", "count": "1", "year": 2025},
        {"month": "July", "count": "1", "year": 2025},
        {"month": "June", "count": "1", "year": 2025},
        {"month": "September", "count": "1", "year": 2024},
    ]


@pytest.mark.parametrize("path", ALIASES)
async def test_every_table_is_a_file_too(worked: ApiClient, path: str) -> None:
    """`format=csv`: the same rows, with what is nested in columns of its own."""
    answer = await worked.get(f"/analytics/{path}?{DAYS}&format=csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)


async def test_a_file_has_the_same_numbers(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE campaigns SET name = '=1+1' WHERE id = 101")
    answer = await worked.get(f"{CAMPAIGNS}?{DAYS}&format=csv&limit=1")
    assert answer.text == (
        "id,campaign_name,sent,opened,replied,bounced,open_rate,reply_rate,bounce_rate,positive_reply_rate,"
        "positive_replied,unique_lead_count,unique_open_count\n"
        "101,'=1+1,5,3,2,1,75.00%,66.67%,25.00%,50.00%,1,4,3\n"
    )
    days = list(csv.DictReader(io.StringIO((await worked.get(f"{SENT_DAYS}?{DAYS}&format=csv")).text)))
    assert [row["email_engagement_metrics.unique_lead_reached"] for row in days] == ["2", "3", "4", "2"]
    assert (days[0]["iso_date"], days[0]["date"]) == ("2025-07-30", "30 Jul")
    wrong = await worked.get(f"{CAMPAIGNS}?{DAYS}&format=xml")
    assert wrong.json()["message"] == '"format" must be one of [json, csv]'


async def test_the_team_board_has_everybody_who_works_here(worked: ApiClient, db: Db) -> None:
    """Idle people, too; who is only invited has a row once leads are assigned."""
    path = "/analytics/team-board/overall-stats"

    async def names() -> list[str]:
        return [row["name"] for row in (await data(worked, path))["team_board_stats"]]

    for id_, name, password in ((303, "Fay Moss", "x"), (304, "Gil Tarn", None)):
        await execute(
            db,
            """
            INSERT INTO people (id, user_id, email, name, role, password_hash, created_at, updated_at)
            VALUES (%(id)s, %(user_id)s, %(email)s, %(name)s, 'member', %(password)s, %(now)s, %(now)s)
            """,
            {
                "id": id_,
                "user_id": worked.user_id,
                "email": f"{id_}@team.example",
                "name": name,
                "password": password,
                "now": NOW,
            },
        )
    assert await names() == ["Dana Reyes", "Eli Park", "Fay Moss"]
    idle = (await data(worked, path))["team_board_stats"][-1]
    assert idle == {
        "id": 303, "name": "Fay Moss", "profile_pic_url": None, "lead_count": 0, "campaign_count": 0, "reply_count": 0,
        "positive_reply_count": 0, "reply_rate": 0, "positive_reply_rate": 0, "average_reply_time": 0,
        "unique_open_count": 0, "sent": 0, "opened": 0, "replied": 0, "bounced": 0,
    }  # fmt: skip
    await execute(db, "UPDATE campaign_leads SET team_member_id = 304 WHERE campaign_id = 103")
    assert await names() == ["Dana Reyes", "Eli Park", "Gil Tarn", "Fay Moss"]
