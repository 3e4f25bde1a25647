"""What a state is called, and the reason beside it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from outrider.leads.reasons import Reason
from outrider.web import wording
from outrider.web.store import CampaignLine, LeadLine, MailboxLine
from outrider.web.wording import State, Tone

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=2)
EARLIER = NOW - timedelta(hours=2)

CAMPAIGN = CampaignLine(
    id=20001,
    name="Harbour CFO outreach",
    status="ACTIVE",
    track_settings=[],
    hold_code=None,
    hold_text=None,
    hold_until=None,
    has_schedule=True,
    step_count=3,
    lead_count=40,
    ended_count=4,
    next_due_at=EARLIER,
    next_follow_up_at=None,
    mailbox_count=3,
    stopped_count=0,
    stopped_text=None,
    resting_count=0,
    resting_text=None,
    free_at=None,
    total=1,
)
MAILBOX = MailboxLine(
    id=8001,
    from_email="liv@hexly.example",
    from_name="Liv",
    max_email_per_day=40,
    is_suspended=False,
    is_smtp_success=True,
    is_imap_success=True,
    smtp_failure_error=None,
    imap_failure_error=None,
    hold_code=None,
    hold_text=None,
    hold_until=None,
    sent_today=3,
    campaign_count=1,
    total=1,
)
LEAD = LeadLine(
    id=3000000001,
    campaign_id=20001,
    campaign_name="Harbour CFO outreach",
    email="ada@hexly.example",
    first_name="Ada",
    last_name=None,
    company_name=None,
    status="INPROGRESS",
    hold_reason=None,
    category=None,
    mailbox=None,
    last_step_number=1,
    last_sent_at=EARLIER,
    last_reply_at=None,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, State(Tone.GO, "Sending")),
        ({"status": "PAUSED"}, State(Tone.NEUTRAL, "Paused", "Nothing is sent until it is started again.")),
        (
            {"status": "PAUSED", "hold_code": "BOUNCE_LIMIT", "hold_text": "Paused by itself."},
            State(Tone.STOP, "Needs you", "Paused by itself."),
        ),
        (
            {"status": "DRAFTED", "has_schedule": False, "step_count": 0, "mailbox_count": 0},
            State(Tone.NEUTRAL, "Draft", "Before it can start it needs a schedule, a step and a mailbox."),
        ),
        (
            {"status": "DRAFTED", "mailbox_count": 0},
            State(Tone.NEUTRAL, "Draft", "Before it can start it needs a mailbox."),
        ),
        ({"status": "DRAFTED"}, State(Tone.NEUTRAL, "Draft", "Ready. Start it to send.")),
        (
            {"hold_code": "OUTSIDE_WINDOW", "hold_text": "Outside the sending hours.", "hold_until": LATER},
            State(Tone.WAIT, "Waiting", "Outside the sending hours.", LATER),
        ),
        ({"hold_code": "OUTSIDE_WINDOW", "hold_text": "Old.", "hold_until": EARLIER}, State(Tone.GO, "Sending")),
        (
            {"hold_code": "BEFORE_START", "hold_text": "The campaign starts on 02 Mar 2026.", "hold_until": LATER},
            State(Tone.WAIT, "Waiting", "The campaign starts on 02 Mar 2026."),
        ),
        (
            {"hold_code": "NO_STEPS", "hold_text": "The sequence is empty."},
            State(Tone.STOP, "Needs you", "The sequence is empty."),
        ),
        (
            {"hold_code": "NEW_LEAD_CAP", "hold_text": "Enough new ones.", "hold_until": LATER},
            State(Tone.WAIT, "Waiting", "Enough new ones.", LATER),
        ),
        (
            {
                "hold_code": "NEW_LEAD_CAP",
                "hold_text": "Enough new ones.",
                "hold_until": LATER,
                "next_follow_up_at": EARLIER,
            },
            State(Tone.GO, "Sending", "Enough new ones."),
        ),
        (
            {"stopped_count": 3, "stopped_text": "a@b.example: 535 no"},
            State(Tone.STOP, "Needs you", "No mailbox can send. a@b.example: 535 no."),
        ),
        (
            {"stopped_count": 1, "stopped_text": "a@b.example: 535 no"},
            State(Tone.GO, "Sending", "1 of 3 mailboxes cannot send. a@b.example: 535 no."),
        ),
        (
            {"stopped_count": 1, "resting_count": 2, "resting_text": "It has sent its 40 mails.", "free_at": LATER},
            State(Tone.WAIT, "Waiting", "All its mailboxes rest. It has sent its 40 mails.", LATER),
        ),
        ({"lead_count": 0}, State(Tone.STOP, "Needs you", "It has no leads. Add some.")),
        ({"next_due_at": LATER}, State(Tone.WAIT, "Waiting", "The next email is not due yet.", LATER)),
    ],
)
def test_a_campaign_says_whether_it_sends_and_why_not(changes: dict[str, object], expected: State) -> None:
    assert wording.campaign_state(replace(CAMPAIGN, **changes), NOW) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["DRAFTED", "ACTIVE", "PAUSED", "STOPPED", "COMPLETED", "ARCHIVED"])
def test_every_status_of_a_campaign_has_a_word(status: str) -> None:
    assert wording.campaign_state(replace(CAMPAIGN, status=status), NOW).word


@pytest.mark.parametrize(
    ("changes", "tone", "word", "sentence"),
    [
        ({}, Tone.GO, "Ready", ""),
        ({"campaign_count": 0}, Tone.NEUTRAL, "Not used", "No campaign sends from it."),
        (
            {"is_smtp_success": False, "smtp_failure_error": "535 no"},
            Tone.STOP,
            "Cannot log in",
            "Sends nothing. 535 no.",
        ),
        ({"is_imap_success": False, "imap_failure_error": "NO"}, Tone.STOP, "Cannot read", "Replies are not seen. NO."),
        ({"is_suspended": True}, Tone.NEUTRAL, "Suspended", "Unsuspend it to go on."),
        ({"hold_code": "DAILY_CAP", "hold_text": "Its limit is 0."}, Tone.STOP, "Needs you", "Its limit is 0."),
        ({"hold_code": "DAILY_CAP", "hold_text": "Full.", "hold_until": LATER}, Tone.WAIT, "Resting", "Full."),
        ({"hold_code": "DAILY_CAP", "hold_text": "Full.", "hold_until": EARLIER}, Tone.GO, "Ready", ""),
        ({"hold_code": "IN_FLIGHT", "hold_text": "Handing over."}, Tone.GO, "Ready", ""),
    ],
)
def test_a_mailbox_says_whether_it_works_and_why_not(
    changes: dict[str, object], tone: Tone, word: str, sentence: str
) -> None:
    state = wording.mailbox_state(replace(MAILBOX, **changes), NOW)  # type: ignore[arg-type]
    assert (state.tone, state.word, state.sentence) == (tone, word, sentence)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"status": "STARTED"}, "Not contacted"),
        ({}, "In sequence"),
        ({"status": "PAUSED", "hold_reason": "OOO"}, "On hold"),
        ({"status": "STOPPED", "hold_reason": "REPLIED"}, "Replied"),
        ({"status": "STOPPED", "hold_reason": "MAILBOX_GONE"}, "No mailbox"),
        ({"status": "STOPPED", "hold_reason": "MANUAL"}, "Ended"),
        ({"status": "BLOCKED", "hold_reason": "BOUNCED"}, "Bounced"),
        ({"status": "BLOCKED", "hold_reason": "BLOCKLISTED"}, "Blocked"),
        ({"status": "COMPLETED"}, "Finished"),
        ({"status": "COMPLETED", "last_reply_at": NOW}, "Replied"),
    ],
)
def test_a_lead_has_the_word_of_its_end(changes: dict[str, object], word: str) -> None:
    assert wording.lead_state(replace(LEAD, **changes), None).word == word  # type: ignore[arg-type]


def _reason(scope: str, code: str, text: str, retry_at: datetime | None) -> Reason:
    return Reason(
        scope=scope,
        code=code,
        text=text,
        retry_at=retry_at,
        campaign_lead_id=LEAD.id,
        campaign_id=LEAD.campaign_id,
        lead_id=1_000_000_001,
        email=LEAD.email,
        status=LEAD.status,
        mailbox_id=None,
    )


def test_a_lead_that_a_person_completed_does_not_claim_to_have_got_every_mail() -> None:
    why = _reason("LEAD", "COMPLETED_BY_HAND", "Marked as complete by hand.", None)
    state = wording.lead_state(replace(LEAD, status="COMPLETED"), why)
    assert state == State(Tone.NEUTRAL, "Finished", "Marked as complete by hand.")


def test_a_lead_shows_the_engines_reason_and_its_end_once() -> None:
    why = _reason("CAMPAIGN", "OUTSIDE_WINDOW", "Outside the sending hours.", LATER)
    assert wording.lead_state(LEAD, why) == State(Tone.INFO, "In sequence", "Outside the sending hours.", LATER)
    due = _reason("LEAD", "NOT_DUE", "The next mail is due 02 Mar 2026 11:00 UTC.", LATER)
    assert wording.lead_state(LEAD, due).until is None


@pytest.mark.parametrize(
    ("part", "base", "text"),
    [(3, 12, ""), (33, 812, "4.1%"), (0, 812, "0%"), (812, 812, "100%"), (1, 20, "5.0%"), (0, 0, ""), (81, 812, "10%")],
)
def test_a_share_of_few_says_nothing(part: int, base: int, text: str) -> None:
    assert wording.share(part, base) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "09:00 UTC"),
        (NOW + timedelta(days=1), "Tue 3 Mar 09:00 UTC"),
        (NOW.replace(year=2027), "Tue 2 Mar 2027 09:00 UTC"),
    ],
)
def test_a_time_says_as_much_as_is_needed(at: datetime, text: str) -> None:
    assert wording.moment(at, NOW) == text


def test_a_summary_counts_words() -> None:
    states = [State(Tone.GO, "Sending"), State(Tone.WAIT, "Waiting"), State(Tone.GO, "Sending")]
    assert wording.summary(states) == "Sending 2, Waiting 1"
    assert wording.summary([]) == ""
