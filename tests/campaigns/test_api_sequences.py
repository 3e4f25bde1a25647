"""Sequences over HTTP: saving replaces all, ids keep what they name."""

from collections.abc import Iterator
from typing import Any

import pytest

from outrider.campaigns.models import StepsChanged
from outrider.kit.db import Db, execute, fetch_dicts
from tests.support import make
from tests.support.client import ApiClient
from tests.support.events import Heard, hearing

TWO_VARIANTS = {
    "seq_number": 1,
    "seq_delay_details": {"delay_in_days": 0},
    "variant_distribution_type": "MANUAL_PERCENTAGE",
    "seq_variants": [
        {
            "subject": "Port fees, {{first_name}}?",
            "email_body": "<div>Hello {{first_name}}</div>",
            "variant_label": "A",
            "variant_distribution_percentage": 70,
        },
        {
            "subject": "Quay costs",
            "email_body": "<div>Hi</div>",
            "variant_label": "B",
            "variant_distribution_percentage": 30,
        },
    ],
}
INLINE = {
    "seq_number": 2,
    "seq_delay_details": {"delay_in_days": 3},
    "subject": "",
    "email_body": "<div>Any thoughts?</div>",
}
METRICS = "OPEN_RATE, CLICK_RATE, REPLY_RATE, POSITIVE_REPLY_RATE"
TIMES = ("created_at", "updated_at")


@pytest.fixture
async def campaign_id(api: ApiClient, db: Db) -> int:
    return await make.campaign(db, api.user_id, has_step=False)


@pytest.fixture
def told() -> Iterator[Heard]:
    with hearing(StepsChanged) as heard:
        yield heard


async def save(api: ApiClient, campaign_id: int, *steps: Any) -> list[int]:
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": list(steps)})
    assert answer.status_code == 200, answer.text
    return [step["id"] for step in answer.json()["data"]["sequences"]]


async def read(api: ApiClient, campaign_id: int) -> list[dict[str, Any]]:
    answer = await api.get(f"/campaigns/{campaign_id}/sequences")
    assert answer.status_code == 200
    return list(answer.json())


async def refusal(api: ApiClient, campaign_id: int, body: Any) -> dict[str, Any]:
    before = await read(api, campaign_id)
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json=body)
    assert answer.status_code == 400, answer.text
    assert await read(api, campaign_id) == before
    return dict(answer.json())


async def test_saving_answers_numbers_and_ids(api: ApiClient, campaign_id: int, told: Heard) -> None:
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": [TWO_VARIANTS, INLINE]})
    body = answer.json()
    first, second = (step["id"] for step in body["data"]["sequences"])
    assert body == {
        "ok": True,
        "data": {
            "sequences": [
                {"seqNumber": 1, "seq_number": 1, "id": first},
                {"seqNumber": 2, "seq_number": 2, "id": second},
            ]
        },
    }
    assert isinstance(first, int)
    assert [(event.campaign_id, event.is_emptied) for event in told.events] == [(campaign_id, False)]


async def test_a_sequence_reads_back_in_the_words_of_reading(api: ApiClient, campaign_id: int) -> None:
    ids = await save(api, campaign_id, TWO_VARIANTS, INLINE)
    first, second = await read(api, campaign_id)
    created_at = first["created_at"]
    assert created_at.startswith("2026-03-02T09:00:00.")
    variants = first["sequence_variants"]
    assert first == {
        "id": ids[0],
        "created_at": created_at,
        "updated_at": created_at,
        "email_campaign_id": campaign_id,
        "seq_number": 1,
        "seq_delay_details": {"delayInDays": 0, "delay_in_days": 0},
        "subject": "",
        "email_body": "",
        "seq_type": "EMAIL",
        "variant_distribution_type": "MANUAL_PERCENTAGE",
        "lead_distribution_percentage": None,
        "winning_metric_property": None,
        "sequence_variants": variants,
    }
    assert variants[0] == {
        "id": variants[0]["id"],
        "created_at": created_at,
        "updated_at": created_at,
        "is_deleted": False,
        "subject": "Port fees, {{first_name}}?",
        "email_body": "<div>Hello {{first_name}}</div>",
        "email_campaign_seq_id": ids[0],
        "variant_label": "A",
        "optional_email_body_1": None,
        "variant_distribution_percentage": 70,
    }
    assert [variant["variant_label"] for variant in variants] == ["A", "B"]
    assert second == {
        "id": ids[1],
        "created_at": created_at,
        "updated_at": created_at,
        "email_campaign_id": campaign_id,
        "seq_number": 2,
        "seq_delay_details": {"delayInDays": 3, "delay_in_days": 3},
        "subject": "",
        "email_body": "<div>Any thoughts?</div>",
        "seq_type": "EMAIL",
        "variant_distribution_type": "MANUAL_EQUAL",
        "lead_distribution_percentage": None,
        "winning_metric_property": None,
        "sequence_variants": None,
    }


async def test_a_campaign_without_steps_has_an_empty_sequence(api: ApiClient, campaign_id: int) -> None:
    assert await read(api, campaign_id) == []


@pytest.mark.parametrize("path", ["sequences", "sequences/", "sequence"])
@pytest.mark.parametrize("key", ["sequences", "sequence", None])
async def test_paths_and_keys(api: ApiClient, campaign_id: int, path: str, key: str | None) -> None:
    body = [INLINE] if key is None else {key: [INLINE], "campaign_id": campaign_id}
    answer = await api.post(f"/campaigns/{campaign_id}/{path}", json=body)
    assert answer.status_code == 200
    assert len((await api.get(f"/campaigns/{campaign_id}/{path}")).json()) == 1


@pytest.mark.parametrize(
    ("step", "delay"),
    [
        ({"seq_delay_details": {"delay_in_days": 5}}, 5),
        ({"seq_delay_details": {"delayInDays": "5"}}, 5),
        ({"seqDelayDetails": {"delayInDays": 5}}, 5),
        ({"delay_in_days": "5"}, 5),
        ({"delayInDays": 5}, 5),
        ({"seq_delay_details": None}, 1),
        ({"seq_delay_details": {}}, 1),
        ({}, 1),
        ({"seq_delay_details": {"delay_in_days": 0}}, 0),
    ],
)
async def test_forms_of_the_delay(api: ApiClient, campaign_id: int, step: dict[str, Any], delay: int) -> None:
    await save(api, campaign_id, {"email_body": "One"}, {"email_body": "Two", **step})
    first, second = await read(api, campaign_id)
    assert first["seq_delay_details"] == {"delayInDays": 0, "delay_in_days": 0}
    assert second["seq_delay_details"] == {"delayInDays": delay, "delay_in_days": delay}


@pytest.mark.parametrize("key", ["seq_variants", "variants", "sequence_variants", "seqVariants"])
async def test_variants_get_labels_and_keep_their_texts(api: ApiClient, campaign_id: int, key: str) -> None:
    variants = [
        {"subject": " One ", "email_body": "{a|b}\n", "optional_email_body_1": "Other", "distribution": "33.3"},
        {"variant_id": "Second", "email_body": "", "variant_distribution": 66.7},
        {},
    ]
    await save(api, campaign_id, {"subject": "Not used", "email_body": "Not used", key: variants})
    (step,) = await read(api, campaign_id)
    shown = [
        (each["variant_label"], each["subject"], each["email_body"], each["variant_distribution_percentage"])
        for each in step["sequence_variants"]
    ]
    assert shown == [("A", " One ", "{a|b}\n", 33.3), ("Second", "", "", 66.7), ("C", "", "", None)]
    assert [each["optional_email_body_1"] for each in step["sequence_variants"]] == ["Other", None, None]
    assert (step["subject"], step["email_body"]) == ("", "")


async def test_one_variant_stays_a_variant(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {"seq_variants": [{"subject": "Hi", "email_body": "Hi"}]})
    (step,) = await read(api, campaign_id)
    assert [each["variant_label"] for each in step["sequence_variants"]] == ["A"]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("MANUALLY_EQUAL", "MANUAL_EQUAL"),
        ("EQUAL", "MANUAL_EQUAL"),
        (None, "MANUAL_EQUAL"),
        ("", "MANUAL_EQUAL"),
        ("MANUAL_PERCENTAGE", "MANUAL_PERCENTAGE"),
    ],
)
async def test_names_of_distributions(api: ApiClient, campaign_id: int, given: Any, stored: str) -> None:
    await save(api, campaign_id, {"email_body": "Hi", "variant_distribution_type": given})
    assert (await read(api, campaign_id))[0]["variant_distribution_type"] == stored


async def test_a_winner_is_looked_for_with_metric_and_share(api: ApiClient, campaign_id: int) -> None:
    step = {
        **TWO_VARIANTS,
        "variant_distribution_type": "AI_EQUAL",
        "winning_metric_property": "POSITIVE_REPLY_RATE",
        "lead_distribution_percentage": "20",
    }
    await save(api, campaign_id, step)
    (stored,) = await read(api, campaign_id)
    assert stored["winning_metric_property"] == "POSITIVE_REPLY_RATE"
    assert stored["lead_distribution_percentage"] == 20


async def test_steps_for_people(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {"email_body": "Hi"}, {"seq_type": "MANUAL", "subject": "Call them"})
    assert [step["seq_type"] for step in await read(api, campaign_id)] == ["EMAIL", "MANUAL"]


async def test_steps_are_numbered_anew_in_the_order_of_their_numbers(api: ApiClient, campaign_id: int) -> None:
    steps = [{"seq_number": 7, "subject": "C"}, {"seq_number": "2", "subject": "A"}, {"seq_number": 5, "subject": "B"}]
    ids = await save(api, campaign_id, *steps)
    stored = await read(api, campaign_id)
    assert [(step["id"], step["seq_number"], step["subject"]) for step in stored] == [
        (ids[0], 1, "A"),
        (ids[1], 2, "B"),
        (ids[2], 3, "C"),
    ]


async def test_without_numbers_the_order_of_the_array_counts(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {"subject": "A"}, {"subject": "B"})
    assert [step["subject"] for step in await read(api, campaign_id)] == ["A", "B"]


async def test_items_of_one_number_with_different_labels_are_one_step(api: ApiClient, campaign_id: int) -> None:
    common = {
        "seq_number": 1,
        "variant_distribution_type": "MANUAL_PERCENTAGE",
        "seq_delay_details": {"delay_in_days": 2},
    }
    a = {**common, "variant_label": "A", "subject": "One", "email_body": "1", "variant_distribution_percentage": 50}
    b = {**common, "variant_label": "B", "subject": "Two", "email_body": "2", "variant_distribution_percentage": 50}
    ids = await save(api, campaign_id, a, b, {"seq_number": 2, "email_body": "3"})
    first, second = await read(api, campaign_id)
    assert [each["id"] for each in (first, second)] == ids
    assert [(each["variant_label"], each["subject"]) for each in first["sequence_variants"]] == [
        ("A", "One"),
        ("B", "Two"),
    ]
    assert first["seq_delay_details"]["delay_in_days"] == 2
    assert second["sequence_variants"] is None


async def test_items_of_one_number_without_labels_stay_steps(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, {"seq_number": 1, "subject": "A"}, {"seq_number": 1, "subject": "B"})
    assert [step["subject"] for step in await read(api, campaign_id)] == ["A", "B"]


async def test_saving_replaces_what_has_no_id_and_keeps_what_has(api: ApiClient, campaign_id: int, db: Db) -> None:
    first, second, third = await save(api, campaign_id, {"subject": "A"}, {"subject": "B"}, {"subject": "C"})
    await execute(db, "UPDATE steps SET created_at = '2020-01-01Z', updated_at = '2020-01-01Z'")
    ids = await save(
        api,
        campaign_id,
        {"seq_number": 1, "id": third, "subject": "C2"},
        {"seq_number": 2, "subject": "New"},
        {"seq_number": 3, "id": str(first), "subject": "A2"},
    )
    assert ids[0] == third
    assert ids[2] == first
    assert ids[1] not in {first, second, third}
    stored = await read(api, campaign_id)
    assert [(step["id"], step["seq_number"], step["subject"]) for step in stored] == [
        (third, 1, "C2"),
        (ids[1], 2, "New"),
        (first, 3, "A2"),
    ]
    assert stored[0]["created_at"] == "2020-01-01T00:00:00.000Z"
    assert stored[0]["updated_at"].startswith("2026-03-02")
    gone = await fetch_dicts(db, "SELECT id FROM steps WHERE deleted_at IS NOT NULL")
    assert [row["id"] for row in gone] == [second]


async def test_what_was_read_can_be_sent_back(api: ApiClient, campaign_id: int) -> None:
    await save(api, campaign_id, TWO_VARIANTS, INLINE)
    before = await read(api, campaign_id)
    answer = await api.post(f"/campaigns/{campaign_id}/sequences", json={"sequences": before})
    assert answer.status_code == 200
    assert "x-ignored-fields" not in answer.headers
    after = await read(api, campaign_id)
    assert _timeless(after) == _timeless(before)


def _timeless(value: Any) -> Any:
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in TIMES}
    return value


async def test_variants_are_kept_by_id_dropped_without_and_added(api: ApiClient, campaign_id: int) -> None:
    (step_id,) = await save(api, campaign_id, TWO_VARIANTS)
    a, b = ((await read(api, campaign_id))[0])["sequence_variants"]
    variants = [{"id": b["id"], "subject": "Second first"}, {"subject": "New"}, {"id": 424242, "subject": "Lost"}]
    await save(api, campaign_id, {"id": step_id, "seq_variants": variants})
    stored = (await read(api, campaign_id))[0]["sequence_variants"]
    assert [each["subject"] for each in stored] == ["Second first", "New"]
    assert stored[0]["id"] == b["id"]
    assert a["id"] not in {each["id"] for each in stored}


async def test_a_variant_of_another_step_is_dropped(api: ApiClient, campaign_id: int) -> None:
    first, second = await save(api, campaign_id, TWO_VARIANTS, {**TWO_VARIANTS, "seq_number": 2})
    stolen = (await read(api, campaign_id))[0]["sequence_variants"][0]["id"]
    await save(
        api,
        campaign_id,
        {"id": first, "email_body": "Inline now"},
        {"id": second, "seq_variants": [{"id": stolen, "subject": "X"}, {"subject": "Y"}]},
    )
    inline, varied = await read(api, campaign_id)
    assert (inline["sequence_variants"], inline["email_body"]) == (None, "Inline now")
    assert [each["subject"] for each in varied["sequence_variants"]] == ["Y"]


async def test_an_empty_array_deletes_all_steps_and_their_analytics(
    api: ApiClient, campaign_id: int, db: Db, told: Heard
) -> None:
    await save(api, campaign_id, {"subject": "Dropped before"})
    await save(api, campaign_id, TWO_VARIANTS, INLINE)
    assert await save(api, campaign_id) == []
    assert await read(api, campaign_id) == []
    rows = await fetch_dicts(db, "SELECT is_analytics_dropped FROM steps WHERE deleted_at IS NOT NULL")
    assert [row["is_analytics_dropped"] for row in rows] == [True] * 3
    assert [event.is_emptied for event in told.events] == [False, False, True]


async def test_editing_is_allowed_in_every_status(api: ApiClient, db: Db) -> None:
    for status in ("ACTIVE", "PAUSED", "STOPPED", "COMPLETED", "ARCHIVED"):
        campaign_id = await make.campaign(db, api.user_id, status=status)
        await save(api, campaign_id, INLINE)


@pytest.mark.parametrize(
    ("body", "message", "key"),
    [
        ({}, '"sequences" is required', "sequences"),
        ({"sequences": None}, '"sequences" must be an array', "sequences"),
        ({"sequences": ["text"]}, '"sequences[0]" must be of type object', "sequences.0"),
        ({"sequences": [INLINE, 5]}, '"sequences[1]" must be of type object', "sequences.1"),
        (
            {"sequences": [{"seq_number": 0}]},
            '"sequences[0].seq_number" must be larger than or equal to 1',
            "sequences.0.seq_number",
        ),
        (
            {"sequences": [{"seq_number": "first"}]},
            '"sequences[0].seq_number" must be a number',
            "sequences.0.seq_number",
        ),
        (
            {"sequences": [{"seq_delay_details": {"delay_in_days": 366}}]},
            '"sequences[0].seq_delay_details.delay_in_days" must be less than or equal to 365',
            "sequences.0.seq_delay_details.delay_in_days",
        ),
        (
            {"sequences": [{"seq_delay_details": 3}]},
            '"sequences[0].seq_delay_details" must be of type object',
            "sequences.0.seq_delay_details",
        ),
        (
            {"sequences": [{"seq_type": "PIGEON"}]},
            '"sequences[0].seq_type" must be one of [EMAIL, MANUAL]',
            "sequences.0.seq_type",
        ),
        (
            {"sequences": [{"variant_distribution_type": "FAIR"}]},
            '"sequences[0].variant_distribution_type" must be one of [MANUAL_EQUAL, MANUAL_PERCENTAGE, AI_EQUAL]',
            "sequences.0.variant_distribution_type",
        ),
        ({"sequences": [{"subject": 5}]}, '"sequences[0].subject" must be a string', "sequences.0.subject"),
        (
            {"sequences": [{"seq_variants": []}]},
            '"sequences[0].seq_variants" must contain at least 1 items',
            "sequences.0.seq_variants",
        ),
        (
            {"sequences": [{"seq_variants": [{"variant_distribution_percentage": 101}]}]},
            '"sequences[0].seq_variants[0].variant_distribution_percentage" must be less than or equal to 100',
            "sequences.0.seq_variants.0.variant_distribution_percentage",
        ),
        (
            {"sequences": [INLINE, {"variant_distribution_type": "AI_EQUAL"}]},
            '"sequences[1].winning_metric_property" is required',
            "sequences.1.winning_metric_property",
        ),
        (
            {"sequences": [{"variant_distribution_type": "AI_EQUAL", "winning_metric_property": "OPEN_RATE"}]},
            '"sequences[0].lead_distribution_percentage" is required',
            "sequences.0.lead_distribution_percentage",
        ),
        (
            {"sequences": [{"winning_metric_property": "LUCK"}]},
            f'"sequences[0].winning_metric_property" must be one of [{METRICS}]',
            "sequences.0.winning_metric_property",
        ),
        (
            {"sequences": [{"lead_distribution_percentage": 0}]},
            '"sequences[0].lead_distribution_percentage" must be larger than or equal to 1',
            "sequences.0.lead_distribution_percentage",
        ),
    ],
)
async def test_what_cannot_be_read_is_named(
    api: ApiClient, campaign_id: int, body: dict[str, Any], message: str, key: str
) -> None:
    await save(api, campaign_id, INLINE)
    answer = await refusal(api, campaign_id, body)
    assert answer["message"] == message
    assert answer["validation"] == {"source": "body", "keys": [key]}


async def test_a_step_of_another_campaign_is_refused(api: ApiClient, campaign_id: int, db: Db) -> None:
    foreign = await make.step(db, api.user_id, await make.campaign(db, api.user_id, has_step=False))
    (own,) = await save(api, campaign_id, INLINE)
    for steps in ([{"id": foreign}], [{"id": own}, {"id": own}]):
        answer = await refusal(api, campaign_id, {"sequences": steps})
        assert answer["message"] == answer["error"] == f"Invalid sequence id - {steps[-1]['id']}"


async def test_percentages_have_to_add_up(api: ApiClient, campaign_id: int) -> None:
    variants = [{"variant_distribution_percentage": 40}, {"variant_distribution_percentage": 40}]
    step = {"variant_distribution_type": "MANUAL_PERCENTAGE", "seq_variants": variants}
    answer = await refusal(api, campaign_id, {"sequences": [step]})
    assert answer["message"] == "Variant distribution percentage should add up to 100"
    await save(api, campaign_id, {**step, "seq_variants": [*variants, {"distribution": 20}]})


async def test_a_long_sequence_keeps_its_order(api: ApiClient, campaign_id: int) -> None:
    ids = await save(api, campaign_id, *({"subject": str(number), "email_body": "x"} for number in range(200)))
    assert len(set(ids)) == 200
    assert ids == sorted(ids)
