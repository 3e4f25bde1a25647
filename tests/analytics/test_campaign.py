"""The figures of one campaign by day, mailbox, step, variant and lead: campaign 101 of the worked data set."""

import csv
import io
from datetime import datetime
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.analytics.history import put
from tests.analytics.worked import NOW, USER
from tests.support import make
from tests.support.client import ApiClient, Rollback
from tests.support.shape import assert_shape, example

STEP = USER * 1_000_000 + 101 * 100
MAP = USER * 1_000_000
RANGE = "start_date=2025-07-30&end_date=2025-07-31"
ALIASES = {
    f"analytics-by-date?{RANGE}": [f"statistics/date-range?{RANGE}"],
    f"top-level-analytics-by-date?{RANGE}": [f"analytics/top-level/date-range?{RANGE}"],
    "mailbox-statistics": ["statistics/mailboxes"],
    "sequence-analytics": ["sequence/analytics", "sequences/analytics"],
    "variant-statistics": [],
    "leads-statistics": ["lead-statistics", "statistics/leads"],
}


@pytest.fixture
def now() -> datetime:
    return NOW


async def ask(api: ApiClient, path: str, **query: Any) -> Any:
    answer = await api.get(f"/campaigns/101/{path}", params=query or None)
    assert answer.status_code == 200, answer.json()
    return answer.json()


@pytest.mark.parametrize("path", ALIASES)
async def test_aliases_answer_alike(worked: ApiClient, path: str) -> None:
    first = await ask(worked, path)
    for alias in ALIASES[path]:
        assert await ask(worked, alias) == first


@pytest.mark.parametrize("path", ALIASES)
async def test_a_foreign_campaign_is_unknown(
    worked: ApiClient, other_api: ApiClient, client_api: ApiClient, path: str
) -> None:
    for stranger in (other_api, client_api):
        answer = await stranger.get(f"/campaigns/101/{path}")
        by_date = path.startswith("analytics-by-date")
        wanted = (400, "Invalid campaign id") if by_date else (404, "Campaign not found - Invalid campaign_id.")
        assert (answer.status_code, answer.json()["error"], answer.json()["message"]) == (*wanted, wanted[1])
        assert (await stranger.get(f"/campaigns/abc/{path}")).json()["message"] == '"campaign_id" must be a number'


async def test_by_date_everything_counts_where_it_happened(worked: ApiClient) -> None:
    answer = await ask(worked, "analytics-by-date", start_date="2025-07-30", end_date="2025-07-31")
    assert_shape(answer, example("analytics_by_date"))
    assert answer == {
        "id": 101, "user_id": USER, "created_at": "2025-07-01T09:00:00.000Z", "status": "ACTIVE",
        "name": "Alpha Outreach", "start_date": "2025-07-30", "end_date": "2025-07-31", "sent_count": "3",
        "unique_sent_count": "3", "open_count": "3", "unique_open_count": "2", "click_count": "1",
        "unique_click_count": "1", "reply_count": "1", "block_count": "0", "total_count": "12", "drafted_count": "6",
        "bounce_count": "0", "unsubscribed_count": "0",
    }  # fmt: skip
    one_day = {"start_date": "2025-07-30", "end_date": "2025-07-30"}
    in_york = await ask(worked, "analytics-by-date", **one_day, time_zone="America/New_York")
    told = ("sent_count", "open_count", "click_count", "reply_count")
    assert [in_york[name] for name in told] == ["3", "3", "1", "0"]
    assert await ask(worked, "analytics-by-date", **one_day, timezone="-0400") == in_york
    iso = await ask(worked, "analytics-by-date", start_date="2025-07-30T00:00:00Z", end_date="2025-7-31")
    assert iso == answer | {"start_date": "2025-07-30T00:00:00Z", "end_date": "2025-7-31"}


async def test_top_level_by_date(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE campaign_leads SET status = 'STOPPED' WHERE campaign_id = 101 AND category_id = 1")
    await _put_unsent(db)
    answer = await ask(worked, "top-level-analytics-by-date", start_date="2025-07-31", end_date="2025-08-01")
    assert_shape(answer, example("top_level_by_date"))
    assert answer == {
        "id": 101, "user_id": USER, "name": "Alpha Outreach", "status": "ACTIVE",
        "created_at": "2025-07-01T09:00:00.000Z", "start_date": "2025-07-31", "end_date": "2025-08-01",
        "total_count": 11, "sent_count": 3, "skipped_count": 1, "open_count": 3, "click_count": 1, "reply_count": 2,
        "positive_reply_count": 1, "bounce_count": 1, "failed_count": 2, "stopped_count": 1, "unsubscribed_count": 1,
    }  # fmt: skip
    longer = await ask(worked, "top-level-analytics-by-date", start_date="2020-01-01", end_date="2025-12-31")
    assert (longer["sent_count"], longer["skipped_count"], longer["failed_count"]) == (6, 1, 2)


@pytest.mark.parametrize("path", ["analytics-by-date", "top-level-analytics-by-date"])
@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", '"start_date" is required'),
        ("start_date=2025-07-30", '"end_date" is required'),
        ("start_date=2025-07-30&end_date=soon", '"end_date" must be in YYYY-MM-DD format'),
        (f"{RANGE}&time_zone=Mars", "Invalid timezone - Mars"),
    ],
)
async def test_bad_ranges_are_refused(worked: ApiClient, path: str, query: str, message: str) -> None:
    answer = await worked.get(f"/campaigns/101/{path}?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


@pytest.mark.parametrize(
    "query", ["start_date=2025-07-01&end_date=2025-08-01", "start_date=2025-07-02&end_date=2025-07-01"]
)
async def test_a_range_has_thirty_days(worked: ApiClient, query: str) -> None:
    answer = await worked.get(f"/campaigns/101/analytics-by-date?{query}")
    text = "Invalid start_date & end_date range. Date difference should be max of 30days."
    assert answer.status_code == 400
    assert answer.json().items() >= {"ok": False, "error": text, "message": text}.items()
    assert (await worked.get("/campaigns/101/analytics-by-date?start_date=2025-07-01&end_date=2025-07-31")).is_success
    reverse = await worked.get("/campaigns/101/top-level-analytics-by-date?start_date=2025-07-02&end_date=2025-07-01")
    assert reverse.json()["message"] == '"end_date" must be larger than or equal to "ref:start_date"'


async def test_strict_compatibility(worked: ApiClient, make_app: Any, db: Db, connect: Any) -> None:
    strict = await connect(make_app(Rollback(db), strict_compat=True), db, user_id=USER)
    for path in ("analytics", f"top-level-analytics-by-date?{RANGE}"):
        answer = await strict.get(f"/campaigns/77/{path}")
        assert (answer.status_code, answer.json()) == (200, {})


async def test_mailboxes(worked: ApiClient, db: Db) -> None:
    spare = await make.mailbox(db, USER)
    await make.attach(db, USER, 101, spare)
    await execute(db, "DELETE FROM campaign_mailboxes WHERE mailbox_id = 201")  # it has sent, so it stays
    answer = await ask(worked, "mailbox-statistics")
    assert_shape(answer, example("mailbox_statistics"))
    numbers = [list(row.values()) for row in answer["data"]]
    assert numbers[0] == [201, "ana@acme-mail.example", 4, 3, 1, 2, 0, 0, 1]
    assert numbers[1] == [202, "bob@acme-mail.example", 2, 1, 0, 0, 1, 0, 0]
    assert numbers[2][0::2] == [spare, 0, 0, 0, 0]

    async def sent(**query: Any) -> list[int]:
        return [row["sent_count"] for row in (await ask(worked, "mailbox-statistics", **query))["data"]]

    assert await sent(start_date="2025-08-01", end_date="2025-08-02") == [1, 1, 0]
    assert await sent(start_date="2025-08-01") == [4, 2, 0]  # both, or none
    assert await sent(limit=1, offset=1) == [2]
    assert await sent(offset=3) == []
    assert await sent(client_id=501) == [4, 2, 0]
    assert await sent(client_id=502) == []
    assert await sent(private_api_key="x") == [4, 2, 0]
    evening = {"start_date": "2025-07-31", "end_date": "2025-07-31"}
    assert await sent(**evening) == [1, 0, 0]
    assert await sent(**evening, time_zone="America/New_York") == [0, 1, 0]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=21", '"limit" must be less than or equal to 20'),
        ("limit=0", '"limit" must be larger than or equal to 1'),
        ("offset=-1", '"offset" must be larger than or equal to 0'),
        (f"{RANGE}&time_zone=Mars", "Invalid timezone - Mars"),
        ("start_date=x&end_date=y", '"start_date" must be in YYYY-MM-DD format'),
        (
            "start_date=2025-07-31&end_date=2025-07-30",
            '"end_date" must be larger than or equal to "ref:start_date"',
        ),
    ],
)
async def test_bad_questions_about_mailboxes_are_refused(worked: ApiClient, query: str, message: str) -> None:
    answer = await worked.get(f"/campaigns/101/mailbox-statistics?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_bounce_of_ours_is_counted_apart(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE messages SET bounce_kind = 'SENDER' WHERE bounced_at IS NOT NULL AND campaign_id = 101")
    row = (await ask(worked, "mailbox-statistics"))["data"][1]
    assert (row["bounce_count"], row["sender_bounce_count"]) == (0, 1)
    assert (await ask(worked, "analytics"))["bounce_count"] == "0"
    step = (await ask(worked, "sequence-analytics"))["data"][0]
    assert (step["bounce_count"], step["sender_bounce_count"]) == (0, 1)


STEPS = [
    # sent, open, click, reply, bounce, unsubscribed, positive
    [4, 2, 0, 1, 1, 0, 0],
    [2, 2, 1, 1, 0, 1, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
COLUMNS = ("sent_count", "open_count", "click_count", "reply_count", "bounce_count", "unsubscribed_count",
           "positive_reply_count")  # fmt: skip


async def test_steps(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE campaign_leads SET status = 'STOPPED' WHERE campaign_id = 101 AND category_id = 1")
    await _put_unsent(db)
    answer = await ask(worked, "sequence-analytics")
    assert_shape(answer, example("sequence_analytics"))
    rows = answer["data"]
    assert [row["email_campaign_seq_id"] for row in rows] == [STEP + 1, STEP + 2, STEP + 3]
    assert [row["seq_number"] for row in rows] == [1, 2, 3]
    assert [[row[name] for name in COLUMNS] for row in rows] == STEPS
    assert [row["stopped_count"] for row in rows] == [0, 1, 0]
    assert [row["skipped_count"] for row in rows] == [0, 1, 0]
    assert [row["failed_count"] for row in rows] == [0, 0, 2]
    assert {row[name] for row in rows for name in row if name.startswith("ln_")} == {0}

    async def sent(**query: Any) -> list[int]:
        return [row["sent_count"] for row in (await ask(worked, "sequence-analytics", **query))["data"]]

    assert await sent(start_date="2025-07-31") == [1, 2, 0]
    assert await sent(end_date="2025-07-30") == [3, 0, 0]
    assert await sent(start_date="2025-07-30 13:00:00", end_date="2025-07-30 13:00:00") == [1, 0, 0]
    assert await sent(start_date="2025-07-30 13:00:01") == [2, 2, 0]
    assert await sent(start_date="2025-07-30T09:00:00", time_zone="America/New_York") == [3, 2, 0]
    assert await sent(start_date="2025-07-30T09:00:00.001", time_zone="America/New_York") == [2, 2, 0]
    assert await sent(start_date="2025-07-31", end_date="2025-07-31") == [0, 1, 0]
    assert await sent(start_date="2025-07-31", end_date="2025-07-31", timezone="+09:30") == [1, 1, 0]
    no_day = {"start_date": "2011-12-30", "end_date": "2011-12-30", "time_zone": "Pacific/Apia"}
    assert await sent(**no_day) == [0, 0, 0]  # clocks skipped it


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start_date=tomorrow", '"start_date" must be in ISO 8601 date format'),
        ("end_date=2025-02-30", '"end_date" must be a valid date'),
        ("time_zone=Mars", "Invalid timezone - Mars"),
        (
            "start_date=2025-07-31&end_date=2025-07-30",
            '"end_date" must be larger than or equal to "ref:start_date"',
        ),
    ],
)
async def test_bad_questions_about_steps_are_refused(worked: ApiClient, query: str, message: str) -> None:
    answer = await worked.get(f"/campaigns/101/sequence-analytics?{query}")
    assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_step_that_is_gone_stays_in_the_totals(worked: ApiClient, db: Db) -> None:
    await execute(db, "UPDATE steps SET deleted_at = created_at WHERE id = %(id)s", {"id": STEP + 2})
    assert [row["seq_number"] for row in (await ask(worked, "sequence-analytics"))["data"]] == [1, 3]
    assert (await ask(worked, "analytics"))["sent_count"] == "6"


async def test_variants(worked: ApiClient, db: Db) -> None:
    """Steps without variants have one row; what was sent before there were any keeps one, too."""
    rows = (await ask(worked, "variant-statistics"))["data"]
    assert [row["seq_variant_id"] for row in rows] == [None] * 3
    assert [[row[name] for name in COLUMNS if name in row] for row in rows] == [
        [row[0], row[1], row[2], row[3], row[4], row[5], row[6]] for row in STEPS
    ]
    texts = {"user_id": USER, "campaign_id": 101, "subject": "", "email_body": "", "created_at": NOW, "updated_at": NOW}
    made = [
        {"id": 7001, "step_id": STEP + 1, "position": 0, "variant_label": "A", "variant_distribution_percentage": 70},
        {"id": 7002, "step_id": STEP + 1, "position": 1, "variant_label": "B", "variant_distribution_percentage": 30,
         "deleted_at": NOW},
    ]  # fmt: skip
    await put(db, "variants", [texts | {"deleted_at": None} | each for each in made])
    await execute(
        db, "UPDATE messages SET variant_id = 7002 WHERE step_id = %(id)s AND mailbox_id = 202", {"id": STEP + 1}
    )
    answer = await ask(worked, "variant-statistics")
    assert_shape(answer, example("variant_statistics"))
    shown = [
        (row["seq_number"], row["seq_variant_id"], row["variant_label"], row["is_deleted"], row["sent_count"])
        for row in answer["data"]
    ]
    assert shown == [
        (1, None, None, False, 2),
        (1, 7001, "A", False, 0),
        (1, 7002, "B", True, 2),
        (2, None, None, False, 2),
        (3, None, None, False, 0),
    ]
    assert answer["data"][1]["variant_distribution_percentage"] == 70
    await execute(
        db, "UPDATE messages SET variant_id = 7001 WHERE step_id = %(id)s AND variant_id IS NULL", {"id": STEP + 1}
    )
    shown = [(row["seq_number"], row["seq_variant_id"]) for row in (await ask(worked, "variant-statistics"))["data"]]
    assert shown == [(1, 7001), (1, 7002), (2, None), (3, None)]


async def test_leads(worked: ApiClient, db: Db) -> None:
    answer = await ask(worked, "leads-statistics")
    assert_shape(answer, example("leads_statistics"))
    assert (answer["hasMore"], answer["skip"], answer["limit"]) == (False, 0, 100)
    rows = answer["data"]
    counts = ("sent_count", "open_count", "click_count", "reply_count")
    assert [(row["lead_email"], *(row[name] for name in counts)) for row in rows] == [
        ("kim@l.example", 2, 3, 1, 1),
        ("lee@l.example", 2, 1, 0, 1),
        ("mia@l.example", 1, 1, 0, 0),
        ("noa@l.example", 1, 0, 0, 0),
    ]
    assert [row["email_lead_map_id"] for row in rows] == [MAP, MAP + 1, MAP + 2, MAP + 3]
    kim = rows[0]
    assert (kim["from"], kim["to"], kim["status"]) == ("ana@acme-mail.example", "kim@l.example", "INPROGRESS")
    assert [(item["type"], item["email_seq_number"]) for item in kim["history"]] == [
        ("SENT", "1"), ("SENT", "2"), ("SENT", None),
    ]  # fmt: skip
    first = kim["history"][0]
    assert (first["time"], first["open_count"]) == ("2025-07-28T14:00:00.000Z", 1)

    async def emails(**query: Any) -> list[str]:
        return [row["lead_email"][0] for row in (await ask(worked, "leads-statistics", **query))["data"]]

    assert await emails(event_time_gt="2025-07-31") == ["k", "l", "m", "n"]
    assert await emails(event_time_gt="2025-07-31T00:20:00Z") == ["k", "l", "n"]
    assert await emails(event_time_gt="2025-07-31T18:30:00Z") == ["l", "n"]  # the second answer was the last event
    assert await emails(created_at_gt="2026-03-02") == ["k", "l", "m", "n"]
    assert await emails(created_at_gt=make.NOW.isoformat()) == []
    page = await ask(worked, "leads-statistics", limit=2, offset=1)
    assert ([row["lead_email"][0] for row in page["data"]], page["hasMore"], page["skip"]) == (["l", "m"], True, 1)
    assert (await ask(worked, "leads-statistics", limit=2, skip=2))["hasMore"] is False
    refused = await worked.get("/campaigns/101/leads-statistics?limit=101")
    assert refused.json()["message"] == '"limit" must be less than or equal to 100'
    await execute(db, "DELETE FROM messages WHERE lead_id = (SELECT id FROM leads WHERE email = 'mia@l.example')")
    assert await emails() == ["k", "l", "n"]


@pytest.mark.parametrize("path", [*ALIASES, "statistics", "engagement"])
async def test_every_table_is_a_file_too(worked: ApiClient, path: str) -> None:
    """`format=csv`: the same rows; what is a list inside of one is left out."""
    mark = "&" if "?" in path else "?"
    answer = await worked.get(f"/campaigns/101/{path}{mark}format=csv")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"].startswith("attachment; filename=sl_campaign_101_")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    shown = await ask(worked, path)
    rows = shown.get("data", [shown]) if path != "engagement" else []
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        flat = {name: value for name, value in row.items() if not isinstance(value, list)}
        assert line == {name: _written(value) for name, value in flat.items()}
    wrong = await worked.get(f"/campaigns/101/{path}{mark}format=xml")
    assert wrong.json()["message"] == '"format" must be one of [json, csv]'


def _written(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _put_unsent(db: Db) -> None:
    """Two mails that failed, and a step that a lead was spared."""
    for number, status in enumerate(("FAILED", "UNKNOWN")):
        await execute(
            db,
            """
            INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                                  step_number, stats_id, status, from_email, to_email, claimed_at, created_at)
            VALUES (%(user_id)s, 'OUT', 'CAMPAIGN', 101, %(lead)s, 1, 201, %(step)s, 3, gen_random_uuid(), %(status)s,
                    'ana@acme-mail.example', 'kim@l.example', '2025-08-01T10:00:00Z', '2025-08-01T10:00:00Z')
            """,
            {"user_id": USER, "lead": MAP + number, "step": STEP + 3, "status": status},
        )
    await execute(
        db,
        """
        INSERT INTO message_events (user_id, campaign_id, campaign_lead_id, type, occurred_at, details)
        VALUES (%(user_id)s, 101, %(lead)s, 'SKIPPED', '2025-07-31T10:00:00Z', jsonb_build_object('step_id', %(step)s))
        """,
        {"user_id": USER, "lead": MAP + 2, "step": STEP + 2},
    )
