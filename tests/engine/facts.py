"""Facts for tests of pure decisions: defaults that pass every gate; a test names only what matters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from outrider.engine.facts import CampaignFacts, LeadFacts, MailboxFacts, Pair, SenderDomain, StepFacts, VariantFacts

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # a Monday


def campaign(**changes: Any) -> CampaignFacts:
    base = CampaignFacts(
        id=1,
        user_id=1,
        client_id=None,
        name="Spring",
        status="ACTIVE",
        timezone="UTC",
        days=[1, 2, 3, 4, 5],
        start_hour="09:00",
        end_hour="17:00",
        min_time_between_emails=20,
        max_new_leads_per_day=100,
        follow_up_percentage=100,
        parent_campaign_id=None,
        schedule_start_time=None,
        track_settings=[],
        unsubscribe_text=None,
        add_unsubscribe_tag=False,
        send_as_plain_text=False,
        force_plain_text=False,
        on_missing_variable="blank",
        enable_ai_esp_matching=False,
        esp_matching_strict=False,
        domain_level_rate_limit=False,
        count_only_sending_days=False,
        use_lead_timezone=False,
        sender_kinds=None,
        hold_code=None,
        hold_text=None,
        hold_until=None,
        mailbox_count=1,
    )
    return replace(base, **changes)


def mailbox(**changes: Any) -> MailboxFacts:
    base = MailboxFacts(
        id=1,
        user_id=1,
        domain="brightfold.example",
        type="SMTP",
        smtp_host=None,
        is_suspended=False,
        is_smtp_success=True,
        smtp_failure_error=None,
        max_email_per_day=40,
        time_to_wait_minutes=None,
        updated_at=NOW,
        next_send_at=NOW - timedelta(hours=1),
        last_sent_at=None,
        backoff_until=None,
        backoff_reason=None,
        today_count=0,
        today_follow_up_count=0,
        oldest_in_cap_at=None,
        in_flight_count=0,
        hold_code=None,
        hold_text=None,
        hold_until=None,
    )
    return replace(base, **changes)


def lead(**changes: Any) -> LeadFacts:
    base = LeadFacts(
        id=1,
        user_id=1,
        campaign_id=1,
        lead_id=1,
        mailbox_id=None,
        status="STARTED",
        last_step_id=None,
        last_step_number=0,
        due_at=None,
        provider=None,
        created_at=NOW - timedelta(days=1),
        email="ada@hexly.example",
        first_name="Ada",
        last_name="Quill",
        phone_number=None,
        company_name=None,
        website=None,
        location=None,
        linkedin_profile=None,
        company_url=None,
        custom_fields={},
        shares_domain=False,
        is_unsubscribed=False,
        unsubscribed_client_ids=[],
        is_unsubscribed_from_campaign=False,
        block_entry=None,
        sent_step_ids=[],
        retry_message_id=None,
        retry_step_id=None,
        retry_variant_id=None,
        retry_stats_id=None,
        retry_mailbox_id=None,
    )
    return replace(base, **changes)


def step(number: int, **changes: Any) -> StepFacts:
    base = StepFacts(100 + number, 1, number, "EMAIL", 0 if number == 1 else 2, "MANUAL_EQUAL", NOW)
    return replace(base, **changes)


def variant(number: int, share: float | None = None, count: int = 0) -> VariantFacts:
    return VariantFacts(number, 101, "ABCDEFGHIJKLMNOP"[number - 1], share, count, NOW)


def pair(campaign_id: int = 1, mailbox_id: int = 1, **changes: Any) -> Pair:
    return replace(Pair(campaign_id, mailbox_id, None, None), **changes)


def domain(**changes: Any) -> SenderDomain:
    return replace(SenderDomain(1, 1, "brightfold.example", 20, 3, None, is_in_flight=False), **changes)
