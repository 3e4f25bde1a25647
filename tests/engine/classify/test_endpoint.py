"""A language model is asked what a reply means; whatever it says or fails to say, the reply gets a category."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from outrider.config import Settings
from outrider.engine.classify import endpoint
from outrider.engine.classify.endpoint import Choice, Endpoint, ask
from outrider.engine.inbound.jobs import categorise_reply
from outrider.kit.clock import Clock
from outrider.kit.db import Database, fetch_dicts
from outrider.kit.guard import guarded_client
from outrider.kit.jobs import JobContext, run_due_jobs
from tests.engine.test_intake import Desk
from tests.support import make
from tests.support.receiver import Receiver, Reply, receiving
from tests.support.world import World

CHOICES = [Choice(1, "Interested"), Choice(3, "Not Interested"), Choice(100_000, "Competitor", "uses Lemlist")]


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def asking(settings: Settings, server: Receiver) -> Iterator[Settings]:
    """Settings that name the server; this process uses them."""
    base = server.url.partition("/hook")[0]
    named = replace(
        settings,
        classifier_url=f"{base}/v1",
        classifier_key="sk-of-the-operator",
        classifier_model="small-one",
        classifier_timeout_seconds=1,
        allow_private_networks=True,
    )
    endpoint.use_settings(named)
    yield named
    endpoint.use_settings(settings)


def completion(content: str) -> Reply:
    """As such servers answer (API reference: chat completions)."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1772442000,
        "model": "small-one",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 210, "completion_tokens": 24, "total_tokens": 234},
    }
    return Reply(headers={"Content-Type": "application/json"}, body=json.dumps(body).encode())


def saying(category_id: Any, confidence: Any = 0.9, reason: Any = "He says so.") -> str:
    return json.dumps({"category_id": category_id, "confidence": confidence, "reason": reason})


async def asked(settings: Settings, text: str = "No, we are on Lemlist.") -> tuple[int, float, str] | None:
    place = Endpoint.of(settings)
    assert place is not None
    async with guarded_client(settings) as http:
        verdict = await ask(http, place, text, CHOICES)
    return verdict and (verdict.category_id, verdict.confidence, verdict.reason)


async def test_it_is_asked_as_its_api_wants(asking: Settings, server: Receiver) -> None:
    server.replies = [completion(saying(3))]
    assert await asked(asking) == (3, 0.9, "He says so.")
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-of-the-operator"
    assert (request.json["model"], request.json["temperature"]) == ("small-one", 0)
    system, user = request.json["messages"]
    assert (system["role"], user) == ("system", {"role": "user", "content": "No, we are on Lemlist."})
    assert "3 = Not Interested: declines" in system["content"]
    assert "100000 = Competitor: uses Lemlist" in system["content"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saying(1), (1, 0.9, "He says so.")),
        (saying("100000", "0.75"), (100_000, 0.75, "He says so.")),
        (f"```json\n{saying(3)}\n```", (3, 0.9, "He says so.")),
        (f"Sure! {saying(3)} Anything else?", (3, 0.9, "He says so.")),
        (saying(8, 0.9), (8, 0.9, "He says so.")),
        (saying(3, 0.5), (8, 0.5, "Not sure: He says so.")),
        (saying(3, 0.9, None), (3, 0.9, "No reason given.")),
        (saying(3, 0.9, "a\n b " * 200), (3, 0.9, ("a b " * 200)[:300])),
        (saying(2), None),  # not offered
        (saying(7_000_000), None),
        (saying(3, 7), None),
        (saying(3, "very"), None),
        (saying(None), None),
        ("I cannot help with that.", None),
        ("{", None),
        ("[]", None),
        ("", None),
    ],
)
async def test_what_it_says_is_looked_at(
    *, asking: Settings, server: Receiver, content: str, expected: tuple[int, float, str] | None
) -> None:
    server.replies = [completion(content)]
    assert await asked(asking) == expected


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=401, body=b'{"error": {"message": "Incorrect API key", "type": "invalid_request_error"}}'),
        Reply(status=429, body=b'{"error": {"message": "Rate limit reached"}}'),
        Reply(status=500),
        Reply(status=302, headers={"Location": "http://127.0.0.1/elsewhere"}),
        Reply(body=b"<html>not this</html>"),
        Reply(body=b'{"choices": []}'),
        Reply(body=b'{"choices": [{"message": {"content": null}}]}'),
        Reply(body=b"null"),
        Reply(body=b" " * 300_000),
        Reply(is_silent=True),
        Reply(delay=2.0),  # longer than it may take
    ],
)
async def test_a_failure_is_no_answer(asking: Settings, server: Receiver, reply: Reply) -> None:
    server.replies = [reply]
    assert await asked(asking) is None


async def test_a_private_address_is_not_asked_unless_that_is_allowed(asking: Settings, server: Receiver) -> None:
    assert await asked(replace(asking, allow_private_networks=False)) is None
    assert server.requests == []


def test_without_an_address_nobody_is_asked(settings: Settings) -> None:
    assert Endpoint.of(settings) is None
    assert "sk-of" not in repr(replace(settings, classifier_key="sk-of-the-operator"))


async def _taken_in(database: Database, now: datetime, text: str) -> tuple[Desk, int]:
    """A reply that came in, committed, as the engine leaves it."""
    async with database.transaction() as db:
        world = await World.make(db, now)
        desk = await Desk.open(world, ai_categorisation_options=[1, 3, 5])
        await desk.take_in(desk.letter(text=text))
        [mail] = await desk.received()
    return desk, mail["id"]


async def _outcome(database: Database, message_id: int) -> tuple[int | None, str | None]:
    async with database.connection() as db:
        [row] = await fetch_dicts(
            db,
            """
            SELECT cl.category_id, v.source
              FROM messages AS m
              JOIN campaign_leads AS cl ON cl.id = m.campaign_lead_id
              LEFT JOIN reply_verdicts AS v ON v.message_id = m.id
             WHERE m.id = %(id)s
            """,
            {"id": message_id},
        )
    return row["category_id"], row["source"]


@pytest.mark.parametrize(
    ("reply", "text", "expected"),
    [
        (completion(saying(5)), "Not interested, thanks.\n", (5, "ENDPOINT")),
        (Reply(status=503), "Not interested, thanks.\n", (3, "MODEL")),  # the built-in one decides
        (completion("no idea"), "ok\n", (8, "MODEL")),
    ],
)
async def test_a_job_asks_after_the_reply_was_taken_in(
    *,
    database: Database,
    asking: Settings,
    server: Receiver,
    now: datetime,
    reply: Reply,
    text: str,
    expected: tuple[int, str],
) -> None:
    server.replies = [reply]
    desk, message_id = await _taken_in(database, now, text)
    assert await _outcome(database, message_id) == (None, None)
    async with guarded_client(asking) as http:
        ctx = JobContext(database, asking, Clock(), make.VAULT, http)
        await run_due_jobs(ctx)
        assert await _outcome(database, message_id) == expected
        await categorise_reply(ctx, user_id=desk.world.user_id, message_id=message_id)  # once more
    assert len(server.requests) == 1
    assert await _outcome(database, message_id) == expected


async def test_who_asks_for_no_more_mail_is_nobody_elses_business(
    database: Database, asking: Settings, server: Receiver, now: datetime
) -> None:
    _, message_id = await _taken_in(database, now, "Please remove me from your list.\n")
    assert await _outcome(database, message_id) == (3, "RULE")  # 4 is not among the campaign's
    assert server.requests == []
