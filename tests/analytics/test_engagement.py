"""People against machines, beyond the reference: the figures of people are those of every other report."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from outrider.tracking.models import CONFIDENCE, REVISED, Reason, Revision
from tests.analytics.history import at
from tests.analytics.worked import NOW, USER
from tests.support.client import ApiClient

MAIL = USER * 1_000_000


@pytest.fixture
def now() -> datetime:
    return NOW


async def ask(api: ApiClient, **query: Any) -> Any:
    answer = await api.get("/campaigns/101/engagement", params=query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["data"]


@pytest.fixture
async def hits(worked: ApiClient, db: Db) -> None:
    """What the visits of the worked data set may have been."""
    visits = [
        (0, "OPEN", "HUMAN", "DISPLAY_PROXY", None),
        (1, "OPEN", "HUMAN", "BROWSER", None),
        (1, "OPEN", "HUMAN", "BROWSER", None),
        (1, "CLICK", "HUMAN", "BROWSER", None),
        (2, "OPEN", "MACHINE", "TOO_EARLY", None),
        (3, "OPEN", "HUMAN", "APPLE_PREFETCH", "REPLY"),
        (4, "CLICK", "MACHINE", "TOO_EARLY", None),
        (4, "OPEN", "HUMAN", "BROWSER", None),
        (4, "TRAP", None, None, None),
    ]
    for place, (number, kind, verdict, reason, revision) in enumerate(visits):
        await execute(
            db,
            """
            INSERT INTO tracking_hits (message_id, kind, method, verdict, reason, revision, occurred_at)
            VALUES (%(id)s, %(kind)s, 'GET', %(verdict)s, %(reason)s, %(revision)s, %(at)s)
            """,
            {
                "id": MAIL + number,
                "kind": kind,
                "verdict": verdict,
                "reason": reason,
                "revision": revision,
                "at": at("07-31 12:00:00") + timedelta(minutes=place),
            },
        )


async def test_people_and_machines(worked: ApiClient, hits: None) -> None:
    found = await ask(worked)
    assert found["lead_count"] == 4
    assert found["opens"] == {
        "human": {"hit_count": 5, "mail_count": 4, "lead_count": 3},
        "machine": {"hit_count": 1, "mail_count": 1, "lead_count": 1},
        "machine_only": {"mail_count": 1},
        "rate": "75.00%",
        "rate_of_machines": "25.00%",
    }
    assert found["clicks"] == {
        "human": {"hit_count": 1, "mail_count": 1, "lead_count": 1},
        "machine": {"hit_count": 1, "mail_count": 1, "lead_count": 1},
        "machine_only": {"mail_count": 1},
        "rate": "25.00%",
        "rate_of_machines": "25.00%",
    }
    shown = [tuple(row.values()) for row in found["reasons"]]
    assert shown == [
        ("OPEN", "HUMAN", "BROWSER", None, "MEDIUM", 3, 2),
        ("CLICK", "HUMAN", "BROWSER", None, "MEDIUM", 1, 1),
        ("CLICK", "MACHINE", "TOO_EARLY", None, "MEDIUM", 1, 1),
        ("OPEN", "HUMAN", "APPLE_PREFETCH", "REPLY", "HIGH", 1, 1),
        ("OPEN", "HUMAN", "DISPLAY_PROXY", None, "HIGH", 1, 1),
        ("OPEN", "MACHINE", "TOO_EARLY", None, "MEDIUM", 1, 1),
        ("TRAP", "WAITING", None, None, None, 1, 1),
    ]


async def test_people_are_those_of_the_other_reports(worked: ApiClient, hits: None) -> None:
    found = await ask(worked)
    top = (await worked.get("/campaigns/101/analytics")).json()
    for kind in ("open", "click"):
        assert found[f"{kind}s"]["human"]["mail_count"] == int(top[f"{kind}_count"])
        assert found[f"{kind}s"]["human"]["lead_count"] == int(top[f"unique_{kind}_count"])


async def test_mails_of_some_days(worked: ApiClient, hits: None) -> None:
    found = await ask(worked, start_date="2025-08-01", end_date="2025-08-01")
    assert (found["lead_count"], found["opens"]["human"]["mail_count"], len(found["reasons"])) == (2, 1, 1)
    west = await ask(worked, start_date="2025-07-31", end_date="2025-07-31", time_zone="America/New_York")
    assert west["lead_count"] == 1  # the mail of 01:15 UTC
    wrong = await worked.get("/campaigns/101/engagement?time_zone=Mars")
    assert (wrong.status_code, wrong.json()["message"]) == (400, "Invalid timezone - Mars")


async def test_the_reasons_are_a_file_too(worked: ApiClient, hits: None) -> None:
    answer = await worked.get("/campaigns/101/engagement?format=csv")
    assert answer.headers["content-disposition"] == "attachment; filename=sl_campaign_101_engagement.csv"
    lines = answer.text.splitlines()
    assert lines[:2] == [
        "type,verdict,reason,revised_by,confidence,hit_count,mail_count",
        "OPEN,HUMAN,BROWSER,,MEDIUM,3,2",
    ]
    assert len(lines) == 8


async def test_a_foreign_campaign_is_unknown(worked: ApiClient, other_api: ApiClient, client_api: ApiClient) -> None:
    for stranger in (other_api, client_api):
        answer = await stranger.get("/campaigns/101/engagement")
        assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")


def test_every_verdict_says_how_sure_it_is() -> None:
    assert set(CONFIDENCE) == set(Reason)
    assert set(REVISED) == set(Revision)
