"""Every title of the reference that is served, called as its owner would, answers with the shape of its example.

The walk is made from docs/compatibility.toml and examples/titles.json: a title without an example fails, so does an
example without a title. The calls are those of the isolation walk, to an estate of real objects.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from outrider.asgi import APIS, api_routes
from outrider.cli.compatibility import Reference, title_of
from outrider.cli.docs import DOCS
from outrider.kit.crypto import set_vault
from outrider.kit.db import Db
from tests.support.client import ApiClient, fresh_client
from tests.support.estate import Estate, build
from tests.support.make import NOW, VAULT
from tests.support.shape import differences, example
from tests.test_isolation import BODIES, PATHS, Call, calls, undone

EXAMPLES: dict[str, Any] = example("titles")
SERVED = [title.title for title in Reference.read(DOCS).titles if title.is_served and not title.is_payload]

ELSEWHERE = {
    "Fetch Messages for Email Account": "tests/mailboxes/test_live.py: there is no server to read from",
    "Bulk Fetch Messages for Multiple Email Accounts": "tests/mailboxes/test_live.py: the same",
}
EMPTY = {
    "Add leads to a campaign by ID": "skipped and invalid rows: tests/leads/test_api_add.py",
    "Get Webhooks Publish Summary": "deliveries: tests/webhooks/test_summary.py",
    "Get Lead Category-wise Response": "answers: tests/analytics/test_account.py",
    "Get Provider-wise Overall Performance": "tagged mailboxes: tests/analytics/test_account.py",
    "Fetch Untracked Replies": "attachments: tests/inbox/test_untracked.py",
}
"""Where the estate has not everything that the example shows, and which test has."""

ZEROS = {"Get Campaign Status Stats", "Get Team Board Overall Stats"}
"""Here the reference has the number 0 for what is a text otherwise."""

_HISTORY = {"query": "fetch_message_history=true"}
HOW: dict[str, dict[str, Any]] = {
    "List all Campaigns": {"query": "include_tags=true"},
    "Fetch Email Account By ID": {
        "query": "fetch_tags=true&fetch_campaigns=true",
        "before": "Add Tags to Email Accounts",
    },
    "Fetch Untracked Replies": {"query": "fetchBody=true&fetchAttachments=true"},
    "Add Lead/Domain to Global Block List": {"body": {"domain_block_list": ["tarn.example"]}},
    "Add leads to a campaign by ID": {
        "body": {"lead_list": [{"email": "cy@tarn.example"}], "settings": {"return_lead_ids": True}}
    },
    "Add / Update Campaign Webhook": {
        "body": {
            "webhook_url": "https://tarn.example",
            "event_types": ["LEAD_CATEGORY_UPDATED"],
            "categories": ["Interested"],
        }
    },
    "Remove Tags from Email Accounts": {"before": "Add Tags to Email Accounts"},
    "Fetch Inbox Replies": _HISTORY,
    "Fetch Important Marked Messages": _HISTORY,
    "Fetch Messages with Reminders": _HISTORY,
    "Fetch Scheduled Messages": _HISTORY,
    "Fetch Unread Replies": _HISTORY | {"before": "Change Read Status", "changed": {"read_status": False}},
    "Fetch Snoozed Messages": _HISTORY | {"before": "Snooze a conversation"},
    "Fetched Archived Messages": _HISTORY | {"before": "Archive a conversation"},
}
"""What a call is asked for beside what the isolation walk does, and what is called before it."""


@pytest.fixture(autouse=True)
def _vault() -> None:
    set_vault(VAULT)


def test_every_title_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(SERVED)
    stale = (ELSEWHERE.keys() | EMPTY.keys()) - set(SERVED)
    assert not stale, f"These are no titles: {stale}"


async def test_every_title_answers_as_its_example_shows(db: Db, api: ApiClient) -> None:
    estate = await build(db, api, await fresh_client(db, api.user_id, NOW))
    await _furnish(api, estate)
    by_title = {title_of(call.route.endpoint): call for call in calls() if call.route.include_in_schema}
    wrong = []
    for title in SERVED:
        if title not in ELSEWHERE:
            async with undone(db):
                how = HOW.get(title, {})
                if "before" in how:
                    await _say(by_title[how["before"]], api, estate, changed=how.get("changed", {}))
                answer = await _say(by_title[title], api, estate, query=how.get("query", ""), body=how.get("body"))
                wrong += [f"{title}: {what}" for what in _wrong(title, answer)]
    assert not wrong, "\n".join(wrong)


async def _furnish(api: ApiClient, estate: Estate) -> None:
    """What the examples show and no other test needs of an estate."""
    ids = estate.ids
    tag = {"tag_ids": [ids["tag_id"]]}
    settings = {"track_settings": ["DONT_EMAIL_OPEN"], "ai_categorisation_options": [1, 3, 6]}
    hook = {"webhook_url": "https://tarn.example", "event_types": ["EMAIL_SENT"], "categories": ["Interested"]}
    for path, body in (
        ("/campaigns/tags", tag | {"campaign_ids": [ids["campaign_id"], ids["subsequence_id"]]}),
        (f"/campaigns/{ids['campaign_id']}/settings", settings),
        (f"/campaigns/{ids['subsequence_id']}/settings", settings),
        (f"/campaigns/{ids['campaign_id']}/webhooks", hook | {"id": ids["webhook_id"]}),
    ):
        answer = await api.post(path, json=body)
        assert answer.status_code == 200, answer.text


async def _say(
    call: Call, api: ApiClient, estate: Estate, *, query: str = "", body: Any = None, changed: Any = None
) -> httpx.Response:
    if not (query or body or changed):
        return await call.by(api, estate)
    sent = body if body is not None else {**estate.filled(BODIES.get(call.name, {})), **(changed or {})}
    path = f"{estate.path(PATHS.get(call.name, call.path))}?{query}"
    return await api.request(call.method, path, json=None if call.is_read else sent)


def _wrong(title: str, answer: httpx.Response) -> Iterator[str]:
    shown = EXAMPLES[title]
    if answer.status_code != 200:
        yield f"{answer.status_code} {answer.text[:200]}"
    elif "text/csv" in answer.headers["content-type"]:
        if not answer.text.startswith(shown):
            yield f"{answer.text[:300]} does not begin with {shown}"
    else:
        for difference in differences(answer.json(), shown):
            if title not in ZEROS or " is 0, a int" not in difference:
                yield difference
        if title not in EMPTY:
            for place in _empty(answer.json(), shown, "$"):
                yield f"{place} is empty: the estate shows nothing of it"


def _empty(answer: Any, shown: Any, place: str) -> list[str]:
    """Where the example has rows and the answer has none, so that nothing is compared."""
    if isinstance(shown, list) and shown and not answer:
        return [place]
    if isinstance(shown, list) and shown and answer:
        return _empty(answer[0], shown[0], f"{place}[0]")
    if isinstance(shown, dict) and isinstance(answer, dict):
        return [
            each for key in shown.keys() & answer.keys() for each in _empty(answer[key], shown[key], f"{place}.{key}")
        ]
    return []


def test_the_pages_of_the_api_group_it_as_the_reference_does() -> None:
    shown = {route.summary: route.tags for route in api_routes(APIS) if route.include_in_schema}
    areas = {title.title: title.area for title in Reference.read(DOCS).titles if title.title in shown}
    assert {title: [area] for title, area in areas.items()} == {title: shown[title] for title in areas}
    assert set(SERVED) <= areas.keys()
