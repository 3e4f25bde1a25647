"""60 requests per 60 seconds and key, counted by two web processes together (contract: conventions §3)."""

import asyncio
from collections.abc import Sequence

from outrider.kit.clock import SYSTEM_CLOCK
from tests.contract.conftest import Caller
from tests.support.curl import Answer, say

LIMIT = 60


async def say_often(caller: Caller, count: int, *, at_once: int = 8) -> list[Answer]:
    """Over many connections, so that both processes get some."""
    seats = asyncio.Semaphore(at_once)

    async def one() -> Answer:
        async with seats:
            return await asyncio.to_thread(caller.say, "GET", "/campaigns")

    return await asyncio.gather(*(one() for _ in range(count)))


def remaining(answers: Sequence[Answer]) -> list[int]:
    return sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers)


async def test_the_two_processes_count_together(caller: Caller) -> None:
    assert len(caller.place.children("web")) == 2
    answers = await say_often(caller, LIMIT + 5)
    allowed = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert remaining(allowed) == list(range(LIMIT))
    assert remaining(refused) == [0] * 5


async def test_a_refusal_says_when_to_come_back(caller: Caller) -> None:
    allowed = await say_often(caller, LIMIT)
    refused = caller.say("GET", "/campaigns")
    wait = int(refused.headers["retry-after"])
    body = {name: value for name, value in refused.json.items() if name != "request_id"}
    assert 1 <= wait <= 60
    assert body == {
        "statusCode": 429,
        "error": "Too Many Requests",
        "message": f"Too many requests. Please retry after {wait} seconds.",
        "retry_after": wait,
        "ok": False,
    }
    assert refused.headers["x-ratelimit-limit"] == str(LIMIT)
    resets = {answer.headers["x-ratelimit-reset"] for answer in (*allowed, refused)}
    assert len(resets) == 1  # a refused request does not lengthen the window
    now = SYSTEM_CLOCK.wall().timestamp()
    assert now <= int(resets.pop()) <= now + 61


async def test_each_key_has_a_window_of_its_own(caller: Caller, other_caller: Caller) -> None:
    await say_often(caller, LIMIT)
    assert caller.say("GET", "/campaigns").status == 429
    assert other_caller.say("GET", "/campaigns").headers["x-ratelimit-remaining"] == str(LIMIT - 1)


async def test_requests_count_whatever_comes_of_them(caller: Caller) -> None:
    caller.say("GET", "/campaigns/abc")
    caller.say("GET", "/campaigns/77")
    say("OPTIONS", f"{caller.place.url}/api/v1/campaigns?api_key={caller.key}")
    say("GET", f"{caller.place.url}/healthz?api_key={caller.key}")
    assert caller.say("GET", "/campaigns").headers["x-ratelimit-remaining"] == str(LIMIT - 3)
