"""Every reason not to send, one row each, and which one wins."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outrider.engine.gates import GATES, Case, first_hold
from outrider.mail.provider import Provider
from tests.engine.facts import NOW, campaign, domain, lead, mailbox

STRICT = campaign(enable_ai_esp_matching=True, esp_matching_strict=True, sender_kinds=["GMAIL", "SMTP mx.a.example"])
TOMORROW = datetime(2026, 3, 3, tzinfo=UTC)


def case(**changes: Any) -> Case:
    parts: dict[str, Any] = {"campaign": campaign(), "mailbox": mailbox(), "lead": lead(), "new_count": 0}
    return Case(now=changes.pop("now", NOW), **{**parts, **changes})


def test_nothing_holds_what_is_in_order() -> None:
    assert first_hold(case(is_first_mail=True)) is None


@pytest.mark.parametrize(
    ("changes", "code", "retry_at"),
    [
        ({"campaign": campaign(status="PAUSED")}, "CAMPAIGN_NOT_ACTIVE", None),
        ({"campaign": campaign(status="STOPPED")}, "CAMPAIGN_NOT_ACTIVE", None),
        ({"has_steps": False}, "NO_STEPS", None),
        ({"campaign": campaign(mailbox_count=0)}, "NO_MAILBOX", None),
        (
            {"campaign": campaign(schedule_start_time=NOW + timedelta(hours=1))},
            "BEFORE_START",
            NOW + timedelta(hours=1),
        ),
        ({"campaign": campaign(timezone=None)}, "NO_SCHEDULE", None),
        ({"campaign": campaign(start_hour="11:00")}, "OUTSIDE_WINDOW", NOW + timedelta(hours=1)),
        ({"campaign": campaign(end_hour="10:00")}, "OUTSIDE_WINDOW", TOMORROW + timedelta(hours=9)),
        ({"campaign": campaign(days=[2])}, "OUTSIDE_WINDOW", TOMORROW + timedelta(hours=9)),
        ({"is_first_mail": True, "new_count": 100}, "NEW_LEAD_CAP", TOMORROW + timedelta(hours=9)),
        ({"lead": lead(status="PAUSED")}, "LEAD_NOT_ACTIVE", None),
        ({"lead": lead(is_unsubscribed=True)}, "UNSUBSCRIBED", None),
        ({"lead": lead(is_unsubscribed_from_campaign=True)}, "UNSUBSCRIBED", None),
        ({"campaign": campaign(client_id=7), "lead": lead(unsubscribed_client_ids=[7])}, "UNSUBSCRIBED", None),
        ({"lead": lead(block_entry="hexly.example")}, "BLOCK_LIST", None),
        (
            {"campaign": campaign(on_missing_variable="hold"), "missing": ["city"]},
            "MISSING_VARIABLE",
            NOW + timedelta(hours=1),
        ),
        (
            {
                "campaign": campaign(use_lead_timezone=True, min_time_between_emails=0),
                "lead": lead(custom_fields={"timezone": "America/Chicago"}),
            },
            "OUTSIDE_LEAD_HOURS",
            NOW + timedelta(hours=5),
        ),
        ({"recipient_free_at": NOW + timedelta(seconds=20)}, "RECIPIENT_DOMAIN", NOW + timedelta(seconds=20)),
        (  # three mailboxes share a gap of 20 minutes
            {"sender_domain": domain(last_sent_at=NOW - timedelta(minutes=5))},
            "DOMAIN_LIMIT",
            NOW + timedelta(minutes=1, seconds=40),
        ),
        ({"sender_domain": domain(is_in_flight=True)}, "DOMAIN_LIMIT", None),
        (
            {"campaign": campaign(enable_ai_esp_matching=True), "lead": lead(created_at=NOW - timedelta(minutes=2))},
            "PROVIDER_LOOKUP",
            NOW + timedelta(minutes=3),
        ),
        ({"campaign": STRICT, "lead": lead(provider=Provider.GOOGLE)}, "OTHER_PROVIDER", None),
        ({"mailbox": mailbox(is_smtp_success=False, smtp_failure_error="535")}, "MAILBOX_DISCONNECTED", None),
        ({"mailbox": mailbox(is_suspended=True)}, "MAILBOX_SUSPENDED", None),
        ({"mailbox": mailbox(today_count=40)}, "DAILY_CAP", TOMORROW),
        ({"mailbox": mailbox(max_email_per_day=0)}, "DAILY_CAP", None),
        (
            {"mailbox": mailbox(oldest_in_cap_at=NOW - timedelta(hours=20))},
            "ROLLING_CAP",
            NOW + timedelta(hours=4),
        ),
        ({"mailbox": mailbox(next_send_at=NOW + timedelta(minutes=3))}, "GAP", NOW + timedelta(minutes=3)),
        (
            {"mailbox": mailbox(backoff_until=NOW + timedelta(minutes=5), backoff_reason="its server put it off")},
            "BACKOFF",
            NOW + timedelta(minutes=5),
        ),
        ({"mailbox": mailbox(in_flight_count=1)}, "IN_FLIGHT", None),
    ],
)
def test_a_gate_says_why_and_until_when(changes: dict[str, Any], code: str, retry_at: datetime | None) -> None:
    hold = first_hold(case(**changes))
    assert hold is not None
    assert (hold.code, hold.retry_at) == (code, retry_at)
    assert hold.text.endswith(".")


@pytest.mark.parametrize(
    "changes",
    [
        {"new_count": 100},  # a follow-up is not capped by new leads
        {"lead": lead(unsubscribed_client_ids=[7])},  # another client's campaign
        {"mailbox": mailbox(oldest_in_cap_at=NOW - timedelta(hours=24))},
        {"mailbox": mailbox(next_send_at=NOW)},
        {"mailbox": mailbox(backoff_until=NOW)},
        {"campaign": campaign(schedule_start_time=NOW)},
        {"lead": lead(status="INPROGRESS")},
        {"campaign": campaign(use_lead_timezone=True), "lead": lead(location="Lisbon, Portugal")},
        {"recipient_free_at": NOW},
        {"sender_domain": domain()},
        {"sender_domain": domain(last_sent_at=NOW - timedelta(minutes=6, seconds=40))},
        {"missing": ["city"]},  # gaps close up
        {"campaign": campaign(on_missing_variable="skip_step"), "missing": ["city"]},
        {"campaign": campaign(on_missing_variable="hold"), "missing": []},
        {"campaign": campaign(enable_ai_esp_matching=True), "lead": lead(created_at=NOW - timedelta(minutes=5))},
        {"campaign": STRICT, "lead": lead(provider=Provider.GOOGLE), "mailbox": mailbox(type="GMAIL")},
        {"campaign": STRICT, "lead": lead(provider=Provider.GOOGLE), "mailbox": mailbox(smtp_host="smtp.gmail.com")},
        {"campaign": STRICT, "lead": lead(provider=Provider.ZOHO)},  # no mailbox of the campaign is there
        {"campaign": STRICT, "lead": lead(provider=Provider.GATEWAY)},
        {"campaign": STRICT, "lead": lead(provider=Provider.GOOGLE, mailbox_id=1, last_step_number=1)},
        {"campaign": campaign(enable_ai_esp_matching=True), "lead": lead(provider=Provider.GOOGLE)},
    ],
)
def test_a_gate_opens_at_its_border(changes: dict[str, Any]) -> None:
    assert first_hold(case(**changes)) is None


@pytest.mark.parametrize(
    ("missing", "words"),
    [(["city"], "no city."), (["city", "role"], "no city and no role."), (["a", "b", "c"], "no a, b and no c.")],
)
def test_the_values_that_are_missing_are_named(missing: list[str], words: str) -> None:
    hold = first_hold(case(campaign=campaign(on_missing_variable="hold"), missing=missing))
    assert hold is not None
    assert words in hold.text


def test_the_first_gate_in_the_order_is_the_one_people_see() -> None:
    everything_wrong = case(
        campaign=campaign(status="PAUSED", end_hour="10:00"),
        lead=lead(status="PAUSED", is_unsubscribed=True),
        mailbox=mailbox(is_suspended=True),
    )
    hold = first_hold(everything_wrong)
    assert hold is not None
    assert hold.code == "CAMPAIGN_NOT_ACTIVE"


def test_parts_that_are_not_known_yet_hold_nothing() -> None:
    assert first_hold(Case(now=NOW)) is None
    assert len({gate.check for gate in GATES}) == len(GATES)
