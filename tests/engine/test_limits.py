"""Gaps, jitter, the first mail of a day, and what is kept for follow-ups."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.engine import limits
from tests.engine.facts import NOW, campaign, lead, mailbox, pair, step


@given(st.integers(), st.integers())
def test_a_gap_gets_half_a_minute_to_a_minute_more(campaign_id: int, mailbox_id: int) -> None:
    extra = limits.jitter(campaign_id, mailbox_id, NOW)
    assert timedelta(seconds=30) <= extra < timedelta(seconds=60)
    assert extra == limits.jitter(campaign_id, mailbox_id, NOW)


def test_the_campaign_and_the_mailbox_have_gaps_of_their_own() -> None:
    after = limits.next_for_campaign(campaign(min_time_between_emails=12), 1, NOW) - NOW
    assert timedelta(minutes=12, seconds=30) <= after < timedelta(minutes=13)
    after = limits.next_for_mailbox(mailbox(time_to_wait_minutes=5), 1, NOW) - NOW
    assert timedelta(minutes=5, seconds=30) <= after < timedelta(minutes=6)
    assert limits.next_for_mailbox(mailbox(), 1, NOW) - NOW < timedelta(minutes=1)


def test_the_first_mail_of_a_day_waits_for_a_part_of_the_gap() -> None:
    spring = campaign(min_time_between_emails=60)
    window = spring.schedule and spring.schedule.window_at(NOW)
    assert window is not None
    starts = [limits.ready_at(pair(mailbox_id=each), spring, window) for each in range(50)]
    assert all(window.opens_at <= start < window.opens_at + timedelta(minutes=60) for start in starts)
    assert len(set(starts)) == 50
    yesterday = pair(last_sent_at=NOW - timedelta(days=1), next_send_at=NOW - timedelta(days=1))
    assert limits.ready_at(yesterday, spring, window) == limits.ready_at(pair(), spring, window)


def test_later_mails_of_a_day_wait_for_the_gap_alone() -> None:
    spring = campaign()
    window = spring.schedule and spring.schedule.window_at(NOW)
    assert window is not None
    served = pair(last_sent_at=NOW - timedelta(minutes=5), next_send_at=NOW + timedelta(minutes=15))
    assert limits.ready_at(served, spring, window) == NOW + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("percentage", "sent", "follow_ups", "reserved", "room"),
    [
        (100, 10, 0, 25, 5),
        (100, 10, 0, 30, 0),
        (100, 10, 10, 35, 0),  # more are due than the day has room for
        (40, 0, 0, 40, 24),  # the share of follow-ups is 16
        (40, 30, 6, 34, 0),  # new leads have had their 24
        (40, 20, 16, 40, 20),  # follow-ups have had their 16
        (40, 0, 0, 3, 37),  # what they do not need is free
        (0, 39, 0, 40, 1),
        (60, 0, 0, 40, 16),
    ],
)
def test_new_leads_get_what_the_share_of_follow_ups_leaves(
    percentage: int, sent: int, follow_ups: int, reserved: int, room: int
) -> None:
    box = mailbox(max_email_per_day=40, today_count=sent, today_follow_up_count=follow_ups)
    assert limits.room_for_new_leads(box, reserved, percentage) == room


def test_mailboxes_do_not_all_start_at_the_moment_that_was_asked_for() -> None:
    start = NOW + timedelta(minutes=7)
    spring = campaign(min_time_between_emails=60, schedule_start_time=start)
    window = spring.schedule and spring.schedule.window_at(NOW)
    assert window is not None
    starts = [limits.ready_at(pair(mailbox_id=each), spring, window) for each in range(50)]
    assert all(start <= each < start + timedelta(minutes=60) for each in starts)
    assert len(set(starts)) == 50
    next_day = spring.schedule and spring.schedule.window_at(NOW + timedelta(days=1))
    assert next_day is not None
    assert limits.ready_at(pair(), spring, next_day) < next_day.opens_at + timedelta(minutes=60)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 120))
def test_nothing_is_sent_on_a_round_second(campaign_id: int, mailbox_id: int, gap: int) -> None:
    spring = campaign(id=campaign_id, min_time_between_emails=gap)
    window = spring.schedule and spring.schedule.window_at(NOW)
    assert window is not None
    moments = [
        limits.ready_at(pair(campaign_id, mailbox_id), spring, window),
        limits.next_for_campaign(spring, mailbox_id, NOW),
        limits.next_for_mailbox(mailbox(id=mailbox_id, time_to_wait_minutes=gap), campaign_id, NOW),
    ]
    assert all(moment.microsecond for moment in moments)


@pytest.mark.parametrize(("gap", "minutes"), [(20, 20), (1, 1), (0, 1)])
def test_a_follow_up_without_delay_waits_for_the_gap_and_never_goes_in_the_same_minute(gap: int, minutes: int) -> None:
    due_at = limits.next_due(campaign(min_time_between_emails=gap), lead(), step(2, delay_days=0), NOW)
    assert due_at == NOW + timedelta(minutes=minutes)
