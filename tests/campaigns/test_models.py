from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from outrider.campaigns.models import (
    Campaign,
    CampaignStatus,
    CampaignStopped,
    IncompleteDistribution,
    OnMissingVariable,
    StatusVerb,
    StepDraft,
    StepType,
    StopRule,
    VariantDistribution,
    VariantDraft,
    shares,
)
from tests.support.make import NOW

CAMPAIGN = Campaign(
    id=1,
    user_id=1,
    client_id=None,
    parent_campaign_id=None,
    name="Harbour",
    status=CampaignStatus.DRAFTED,
    is_stopped_for_good=False,
    timezone=None,
    days=None,
    start_hour=None,
    end_hour=None,
    min_time_between_emails=20,
    max_new_leads_per_day=100,
    schedule_start_time=None,
    track_settings=[],
    stop_lead_settings=StopRule.REPLY,
    unsubscribe_text=None,
    add_unsubscribe_tag=False,
    send_as_plain_text=False,
    force_plain_text=False,
    follow_up_percentage=100,
    enable_ai_esp_matching=False,
    auto_pause_domain_leads_on_reply=False,
    ignore_ss_mailbox_sending_limit=False,
    bounce_autopause_threshold=None,
    bounce_measured_from=None,
    domain_level_rate_limit=False,
    esp_matching_strict=False,
    count_only_sending_days=False,
    use_lead_timezone=False,
    out_of_office_detection_settings={},
    ai_categorisation_options=[],
    on_missing_variable=OnMissingVariable.BLANK,
    hold_code=None,
    hold_text=None,
    hold_until=None,
    created_at=NOW,
    updated_at=NOW,
)


@pytest.mark.parametrize("verb", list(StatusVerb))
@pytest.mark.parametrize("status", [status for status in CampaignStatus if status is not CampaignStatus.STOPPED])
def test_every_verb_leads_to_its_status_unless_the_campaign_is_stopped(
    status: CampaignStatus, verb: StatusVerb
) -> None:
    expected = "ACTIVE" if verb is StatusVerb.START else verb.value
    assert replace(CAMPAIGN, status=status).after(verb) == expected


STOPPED = replace(CAMPAIGN, status=CampaignStatus.STOPPED)
ARCHIVED_AFTER_STOP = replace(CAMPAIGN, status=CampaignStatus.ARCHIVED, is_stopped_for_good=True)


@pytest.mark.parametrize("campaign", [STOPPED, ARCHIVED_AFTER_STOP])
@pytest.mark.parametrize("verb", [StatusVerb.START, StatusVerb.PAUSED])
def test_a_stopped_campaign_never_runs_again(campaign: Campaign, verb: StatusVerb) -> None:
    with pytest.raises(CampaignStopped, match="stopped and cannot be restarted"):
        campaign.after(verb)


@pytest.mark.parametrize("campaign", [STOPPED, ARCHIVED_AFTER_STOP])
@pytest.mark.parametrize("verb", [StatusVerb.STOPPED, StatusVerb.ARCHIVED])
def test_a_stopped_campaign_can_be_archived_and_stay_stopped(campaign: Campaign, verb: StatusVerb) -> None:
    assert campaign.after(verb) == verb.value


@pytest.mark.parametrize(
    ("threshold", "limit"), [(None, None), ("100", None), ("5", Decimal(5)), ("2.5", Decimal("2.5")), ("0", Decimal(0))]
)
def test_a_bounce_threshold_of_nothing_or_of_all_never_pauses(threshold: str | None, limit: Decimal | None) -> None:
    assert replace(CAMPAIGN, bounce_autopause_threshold=threshold).bounce_limit == limit


def test_what_is_listed_is_not_tracked() -> None:
    campaign = replace(CAMPAIGN, track_settings=["DONT_EMAIL_OPEN", "DONT_REPLY_TO_AN_EMAIL"])
    assert (campaign.tracks_opens, campaign.tracks_clicks, campaign.counts_replies) == (False, True, False)


@pytest.mark.parametrize(
    ("percentages", "expected"),
    [
        ([70, 30], [70, 30]),
        ([60, 60, 20], [60, 40, 0]),
        ([100, 0, 50], [100, 0, 0]),
        ([None, 100], [0, 100]),
        ([5], [100]),
        ([None], [100]),
        ([10] * 11, [10] * 10 + [0]),
        ([5] * 12, [5] * 10 + [0, 0]),
        ([Decimal("33.3"), Decimal("66.7")], [Decimal("33.3"), Decimal("66.7")]),
        ([], []),
    ],
)
def test_shares_are_taken_in_order_until_they_make_a_hundred(percentages: list[Any], expected: list[Any]) -> None:
    given = [None if each is None else Decimal(each) for each in percentages]
    assert shares(given) == [Decimal(each) for each in expected]


def draft(distribution: VariantDistribution, *percentages: int | None) -> StepDraft:
    return StepDraft(
        id=None,
        type=StepType.EMAIL,
        delay_days=0,
        subject="",
        email_body="",
        variant_distribution_type=distribution,
        winning_metric_property=None,
        lead_distribution_percentage=None,
        variants=tuple(
            VariantDraft(None, "A", "", "", None, None if each is None else Decimal(each)) for each in percentages
        ),
    )


@pytest.mark.parametrize("percentages", [(40, 40), (None, None), (5,) * 12])
def test_percentages_that_miss_a_hundred_are_refused(percentages: tuple[int | None, ...]) -> None:
    with pytest.raises(IncompleteDistribution, match="should add up to 100"):
        draft(VariantDistribution.MANUAL_PERCENTAGE, *percentages).check_distribution()


@pytest.mark.parametrize(
    ("distribution", "percentages"),
    [
        (VariantDistribution.MANUAL_PERCENTAGE, (70, 30)),
        (VariantDistribution.MANUAL_PERCENTAGE, (70, 70)),
        (VariantDistribution.MANUAL_PERCENTAGE, (40,)),
        (VariantDistribution.MANUAL_PERCENTAGE, ()),
        (VariantDistribution.MANUAL_EQUAL, (1, 1)),
    ],
)
def test_percentages_matter_only_where_they_are_used(
    distribution: VariantDistribution, percentages: tuple[int, ...]
) -> None:
    draft(distribution, *percentages).check_distribution()
