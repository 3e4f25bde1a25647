"""Random histories: every report, counted again in plain Python, says the same as the server (`make recount`)."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outrider.kit.db import Db, execute
from tests.analytics.history import Campaign, Client, Event, History, Lead, Mail, Mailbox, ManualReply, store
from tests.analytics.recount import Question, Recount, without
from tests.analytics.worked import NOW, USER, WORKED
from tests.support.client import ApiClient

_HISTORIES = int(os.environ.get("RECOUNT_HISTORIES", "200"))
_PARTS = max(4, _HISTORIES // 50)
ZONES = {
    "UTC": UTC,
    "America/New_York": ZoneInfo("America/New_York"),
    "Europe/Berlin": ZoneInfo("Europe/Berlin"),
    "America/Sao_Paulo": ZoneInfo("America/Sao_Paulo"),
    "Atlantic/Azores": ZoneInfo("Atlantic/Azores"),
    "Australia/Lord_Howe": ZoneInfo("Australia/Lord_Howe"),
    "Asia/Kathmandu": ZoneInfo("Asia/Kathmandu"),
    "Pacific/Apia": ZoneInfo("Pacific/Apia"),
    "+05:30": timezone(timedelta(hours=5, minutes=30)),
    "-0930": timezone(-timedelta(hours=9, minutes=30)),
}
SEASONS = [
    datetime(2025, 3, 7, tzinfo=UTC),  # New York goes forward on the 9th
    datetime(2025, 10, 24, tzinfo=UTC),  # Berlin and the Azores go back on the 26th
    datetime(2018, 11, 2, tzinfo=UTC),  # São Paulo skips the midnight of the 4th
    datetime(2025, 4, 4, tzinfo=UTC),  # Lord Howe goes back by half an hour
    datetime(2011, 12, 28, tzinfo=UTC),  # Apia has no 30th
]
LEADS = [f"lead{number}@hexly.example" for number in range(5)]
CLIENTS = [
    Client(2001, "Harbour", datetime(2025, 1, 5, tzinfo=UTC), "ops@harbour.example"),
    Client(2002, "Quay", datetime(2025, 2, 5, tzinfo=UTC), "ops@quay.example"),
]
CAMPAIGNS = [1001, 1002, 1003]
MAILBOXES = [
    Mailbox(3001, "Ana@Acme.example", "GMAIL", 2001, (4001,), (1001,), warmup="ACTIVE"),
    Mailbox(3002, "bob@acme.example", "SMTP", None, (4001, 4002), (1001, 1002)),
    Mailbox(3003, "cy@mail.orbit.example", "OUTLOOK", 2002, (), (1003,), is_imap_success=False),
]
TAGS = [(4001, "Warm", "#A3D9C9"), (4002, "Cold", "#D9C3A3")]

moments = st.builds(
    lambda day, hour, minute, rest: timedelta(days=day, hours=hour, minutes=minute, milliseconds=rest),
    st.integers(0, 4),
    st.sampled_from([0, 1, 2, 3, 4, 5, 9, 12, 13, 18, 22, 23]),
    st.sampled_from([0, 15, 29, 30, 44, 45, 59]),
    st.sampled_from([0, 0, 0, 1, 59_999]),
)
delays = st.one_of(
    st.builds(timedelta, seconds=st.integers(0, 7200)),
    st.builds(timedelta, hours=st.sampled_from([1, 3, 5, 6, 24, 72, 168]), milliseconds=st.sampled_from([-1, 0, 1])),
    st.builds(timedelta, minutes=st.integers(0, 10_000)),
)
kinds = st.sampled_from(["OPEN", "OPEN", "CLICK", "REPLY", "REPLY", "BOUNCE", "SENDER_BOUNCE", "UNSUBSCRIBE"])


@st.composite
def mails_of(draw: Callable[..., Any], season: datetime) -> Mail:
    sent_at = season + draw(moments)
    events = []
    for kind, delay, is_machine in draw(st.lists(st.tuples(kinds, delays, st.booleans()), max_size=4)):
        is_second_bounce = "BOUNCE" in kind and any("BOUNCE" in event.type for event in events)
        if not is_second_bounce:
            events.append(Event(kind, sent_at + delay, is_machine and kind in {"OPEN", "CLICK"}))
    return Mail(
        campaign_id=draw(st.sampled_from(CAMPAIGNS)),
        lead=draw(st.sampled_from(LEADS)),
        mailbox_id=draw(st.sampled_from(MAILBOXES)).id,
        step=draw(st.integers(1, 3)),
        sent_at=sent_at,
        events=tuple(events),
        is_tracked=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def stories(draw: Callable[..., Any]) -> tuple[History, Question]:
    season = draw(st.sampled_from(SEASONS))
    mails = draw(
        st.lists(mails_of(season), max_size=14, unique_by=lambda mail: (mail.campaign_id, mail.lead, mail.step))
    )
    campaigns = [
        Campaign(campaign_id, f"Campaign {campaign_id}", draw(st.sampled_from([None, 2001, 2002])))
        for campaign_id in CAMPAIGNS
    ]
    leads = [
        Lead(
            campaign_id,
            email,
            draw(st.sampled_from([None, 1, 2, 3, 5, 6, 8])),
            draw(st.sampled_from(STATUSES)),
            draw(st.sampled_from([None, 5001, 5002])),
        )
        for campaign_id, email in dict.fromkeys((mail.campaign_id, mail.lead) for mail in mails)
        if draw(st.integers(0, 6)) > 0  # one of seven has been taken out of the campaign
    ]
    steps = [(campaign_id, step) for campaign_id in CAMPAIGNS for step in (1, 2, 3)]
    dropped = frozenset(draw(st.sampled_from([(), (), (), tuple(steps[:3]), (steps[4],)])))
    replies = [
        ManualReply(lead.campaign_id, lead.email, season + draw(moments) + draw(delays))
        for lead in leads
        if draw(st.booleans())
    ]
    zone_name = draw(st.sampled_from(sorted(ZONES)))
    start = season.date() + timedelta(days=draw(st.integers(-1, 5)))
    question = Question(
        start=start,
        end=start + timedelta(days=draw(st.sampled_from([0, 0, 1, 2, 4, 12]))),
        zone_name=zone_name,
        zone=ZONES[zone_name],
        client_ids=draw(st.sampled_from([None, None, None, (2001,), (2001, 2002), (9,)])),
        campaign_ids=draw(st.sampled_from([None, None, None, (1001,), (1001, 1003), (1002, 101)])),
        is_agency=draw(st.sampled_from([False, False, False, True])),
    )
    history = History(
        clients=CLIENTS,
        campaigns=campaigns,
        mailboxes=MAILBOXES,
        mails=mails,
        leads=leads,
        tags=TAGS,
        dropped=dropped,
        people=[(5001, "Dana"), (5002, "Eli")],
        manual_replies=replies,
    )
    return history, question


STATUSES = ["STARTED", "INPROGRESS", "STOPPED", "COMPLETED", "BLOCKED"]


@pytest.fixture
async def others(db: Db) -> None:
    """The worked data set in another account: nothing of it may ever be counted."""
    await execute(
        db,
        "INSERT INTO accounts (id, name, created_at, updated_at) VALUES (%(id)s, 'Worked', %(now)s, %(now)s)",
        {"id": USER, "now": NOW},
    )
    await store(db, USER, WORKED)


@pytest.mark.parametrize("part", range(_PARTS))
@given(story=stories())
@settings(
    max_examples=max(1, _HISTORIES // _PARTS),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
async def test_random_histories(
    api: ApiClient, db: Db, others: None, part: int, story: tuple[History, Question]
) -> None:
    history, question = story
    async with db.transaction(force_rollback=True):
        await store(db, api.user_id, history)
        recount = Recount(history, question, api.user_id)
        shown = await _compare_reports(api, recount)
        _compare_sums(shown)
        await _compare_campaigns(api, history, question)


async def _compare_reports(api: ApiClient, recount: Recount) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for path, wanted in recount.answers().items():
        is_agency = recount.question.is_agency
        answer = (await api.get(f"/analytics/{path}", params=recount.question.query)).json()
        assert answer.get("data") == wanted, (path, is_agency, answer)
        shown[path] = answer["data"]
    return shown


def _compare_sums(shown: dict[str, Any]) -> None:
    """One thing has one number, wherever it is shown."""
    overall = shown["overall-stats-v2"]["overall_stats"]
    campaigns = shown["campaign/overall-stats"]["campaign_wise_performance"]
    domains = shown["mailbox/domain-wise-health-metrics"]["domain_health_metrics"]
    addresses = shown["mailbox/name-wise-health-metrics"]["email_health_metrics"]
    providers = shown["mailbox/provider-wise-overall-performance"]["email_providers_performance_overview"]["overall"]
    days = [row["email_engagement_metrics"] for row in shown["day-wise-overall-stats-by-sent-time"]["day_wise_stats"]]
    for name in ("sent", "opened", "replied", "bounced"):
        for rows in (campaigns, domains, addresses, providers, days):
            assert sum(int(row[name]) for row in rows) == overall[name]
    for name in ("unique_lead_count", "unique_open_count"):
        assert sum(row[name] for row in campaigns) == overall[name]
    positive = shown["day-wise-positive-reply-stats"]["day_wise_stats"]
    assert sum(row["email_engagement_metrics"]["positive_replied"] for row in positive) == overall["positive_replied"]
    categories = shown["lead/category-wise-response"]["lead_responses_by_category"]["leadResponseGrouping"]
    assert sum(row["total_response"] for row in categories) == overall["replied"]
    assert shown["lead/overall-stats"]["lead_stats"]["count"]["total"] == overall["unique_lead_count"]
    for row in shown["campaign/response-stats"]["campaign_wise_response_stats"]:
        kinds_of_answers = ("unrecognised", "total_positive", "total_negative", "total_neutral")
        assert sum(row[f"{kind}_response"] for kind in kinds_of_answers) == row["total_response"]


async def _compare_campaigns(api: ApiClient, history: History, question: Question) -> None:
    """Every cut of every campaign, whatever was asked of the account."""
    everything = replace(question, client_ids=None, campaign_ids=None, is_agency=False)
    recount = Recount(history, everything, api.user_id)
    dates = {"start_date": str(question.start), "end_date": str(question.end), "time_zone": question.zone_name}
    for campaign_id in CAMPAIGNS[question.start.day % 3 :][:1]:
        its = [mail for mail in recount.mails if mail.campaign_id == campaign_id]
        cohort = [mail for mail in recount.cohort if mail.campaign_id == campaign_id]

        async def ask(path: str, campaign_id: int = campaign_id, **query: Any) -> Any:
            return (await api.get(f"/campaigns/{campaign_id}/{path}", params=query)).json()

        top = await ask("analytics")
        assert {name: int(top[name]) for name in recount.top_level(campaign_id)} == recount.top_level(campaign_id)
        happened = recount.happened(campaign_id)
        by_date = await ask("analytics-by-date", **dates)
        texts = without(happened, "positive_reply_count")
        assert {name: int(by_date[name]) for name in texts} == texts
        numbers = await ask("top-level-analytics-by-date", **dates)
        shown = {name: count for name, count in happened.items() if not name.startswith("unique_")}
        assert {name: numbers[name] for name in shown} == shown
        for query, mails in (({}, its), (dates, cohort)):
            for row in (await ask("mailbox-statistics", **query))["data"]:
                wanted = recount.cut(mail for mail in mails if mail.mailbox_id == row["email_account_id"])
                assert {name: row[name] for name in wanted if name in row} == without(wanted, "positive_reply_count")
            for row in (await ask("sequence-analytics", **query))["data"]:
                wanted = recount.cut(mail for mail in mails if mail.step == row["seq_number"])
                assert {name: row[name] for name in wanted} == wanted
        variants = (await ask("variant-statistics"))["data"]
        steps = (await ask("sequence-analytics"))["data"]
        assert [(row["seq_number"], row["sent_count"], row["reply_count"]) for row in variants] == [
            (row["seq_number"], row["sent_count"], row["reply_count"]) for row in steps
        ]
        rows = (await ask("statistics"))["data"]
        assert [row["sent_time"] for row in rows] == sorted(row["sent_time"] for row in rows)
        assert len(rows) == len(its) == int(top["sent_count"])
        assert sum(row["open_time"] is not None for row in rows) == int(top["open_count"])
        assert sum(row["is_bounced"] for row in rows) == int(top["bounce_count"])
        assert sum(row["is_unsubscribed"] for row in rows) == int(top["unsubscribed_count"])
        assert len({row["lead_email"] for row in rows if row["reply_time"]}) == int(top["reply_count"])
