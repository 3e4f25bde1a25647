"""What B4 and B5 ask: each question in several ways, so that it is not one answer that is timed again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import psycopg

from benchmarks.workspace import DAYS

_ALIASES: dict[str, tuple[str, ...]] = {
    "campaign/list": ("campaign-list",),
    "client/list": ("client-list",),
    "client/month-wise-count": ("client-month-wise-count",),
    "overall-stats-v2": ("overview", "overall-stats"),
    "day-wise-overall-stats": ("day-wise/overall-stats",),
    "day-wise-overall-stats-by-sent-time": ("day-wise/overall-stats-by-sent-time",),
    "day-wise-positive-reply-stats": (),
    "day-wise-positive-reply-stats-by-sent-time": (),
    "campaign/overall-stats": ("campaign-overall-stats", "campaigns/overall-stats"),
    "campaign/response-stats": ("campaign-response-stats", "campaigns/response-stats"),
    "campaign/status-stats": ("campaign-status-stats", "campaigns/status-stats"),
    "client/overall-stats": ("client-overall-stats", "clients/overall-stats"),
    "campaign/follow-up-reply-rate": ("campaign-follow-up-reply-rate",),
    "campaign/lead-to-reply-time": ("campaign-lead-to-reply-time",),
    "campaign/leads-take-for-first-reply": ("campaign-leads-take-for-first-reply",),
    "lead/category-wise-response": ("lead-category-wise-response",),
    "lead/overall-stats": ("lead-overall-stats", "leads/overall-stats"),
    "mailbox/domain-wise-health-metrics": ("mailbox-domain-wise-health-metrics",),
    "mailbox/name-wise-health-metrics": ("mailbox-name-wise-health-metrics",),
    "mailbox/overall-stats": ("mailbox-overall-stats", "mailboxes/overall-stats"),
    "mailbox/provider-wise-overall-performance": (
        "mailbox-provider-wise-overall-performance",
        "providers/performance",
    ),
    "team-board/overall-stats": ("team-board-overall-stats",),
}
_ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin")


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    body: Any = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"


@dataclass(frozen=True, slots=True)
class Question:
    what: str
    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Known:
    """Some of what is in the account, drawn at random."""

    campaigns: Sequence[int]
    leads: Sequence[tuple[int, int, str]]
    """Campaign, lead, address."""


def look_around(db: psycopg.Connection[Any]) -> Known:
    campaigns = [row[0] for row in db.execute("SELECT id FROM campaigns ORDER BY id").fetchall()]
    bounds = db.execute("SELECT min(id), max(id) FROM campaign_leads").fetchone() or (0, 0)
    random = Random(5)  # noqa: S311 - which leads are asked for
    drawn = [random.randint(*bounds) for _ in range(200)]
    leads = db.execute(
        """
        SELECT cl.campaign_id, cl.lead_id, l.email
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
         WHERE cl.id = ANY(%(ids)s)
        """,
        {"ids": drawn},
    ).fetchall()
    random.shuffle(campaigns)
    return Known(campaigns, leads)


def reports(known: Known) -> list[Question]:
    """B5: all reports over an account, and the statistics of campaigns."""
    windows = list(_windows())
    asked = [
        Question(
            f"/analytics/{path}",
            [Call(f"/analytics/{name}?{window}") for window in windows for name in (path, *aliases)],
        )
        for path, aliases in _ALIASES.items()
    ]
    return asked + _of_campaigns(known, windows)


def _of_campaigns(known: Known, windows: Sequence[str]) -> list[Question]:
    some = known.campaigns[:20]
    month = windows[1].replace("timezone", "time_zone")
    return [
        Question(f"/campaigns/…/{path}", [Call(f"/campaigns/{campaign}/{path}?{query}") for campaign in some])
        for path, query in (
            ("statistics", "limit=100"),
            ("statistics", "limit=100&offset=20000&email_status=opened"),
            ("analytics", ""),
            ("analytics-by-date", month),
            ("top-level-analytics-by-date", month),
            ("mailbox-statistics", "limit=20"),
            ("sequence-analytics", month),
            ("variant-statistics", ""),
            ("leads-statistics", "limit=100"),
            ("engagement", month),
        )
    ]


def _windows() -> list[str]:
    """All mails, the last month, a quarter of a year in the middle, in several zones."""
    today = datetime.now(UTC).date()
    spans = [
        (today - timedelta(days=DAYS + 5), today),
        (today - timedelta(days=29), today),
        (today - timedelta(days=420), today - timedelta(days=330)),
        (today - timedelta(days=DAYS - 3), today - timedelta(days=2)),
        (today - timedelta(days=380), today - timedelta(days=373)),
    ]
    return [_window(*span, zone) for span, zone in zip(spans, _ZONES, strict=True)]


def _window(start: date, end: date, zone: str) -> str:
    return f"start_date={start}&end_date={end}&timezone={zone}"


def hottest(known: Known) -> list[Question]:
    """B4: what people and programs ask all the time."""
    some = known.campaigns[:40]
    month = _windows()[1]
    inbox = "/master-inbox/inbox-replies?fetch_message_history=false"
    words = ("invoice 42", "port fees", "tell me more", "farid", "company12.example")
    return [
        Question("the list of campaigns", [Call("/campaigns/?limit=100")]),
        Question("the leads of a campaign", [Call(f"/campaigns/{each}/leads?limit=100&offset=0") for each in some]),
        Question("a lead by its address", [Call(f"/leads/?email={email}") for _, _, email in known.leads]),
        Question(
            "the history of a conversation",
            [Call(f"/campaigns/{campaign}/leads/{lead}/message-history") for campaign, lead, _ in known.leads],
        ),
        Question("the inbox", [Call(inbox, {"offset": offset, "limit": 20}) for offset in (0, 20, 40)]),
        Question("what is unread", [Call("/master-inbox/unread-replies", {"offset": 0, "limit": 20})]),
        Question(
            "a search in the inbox",
            [Call(inbox, {"offset": 0, "limit": 20, "filters": {"search": word}}) for word in words],
        ),
        Question("the mails of a campaign", [Call(f"/campaigns/{each}/statistics?limit=100") for each in some]),
        Question("the figures of the account", [Call(f"/analytics/overall-stats-v2?{month}")]),
        Question("the mailboxes", [Call(f"/email-accounts/?limit=100&offset={offset}") for offset in (0, 100, 400)]),
    ]
