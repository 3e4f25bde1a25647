"""What is counted for Prometheus."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import ApiClient


async def count(things: ApiClient, method: str, route: str, status: int) -> float:
    text = (await things.request("GET", "//metrics", key=None)).text
    wanted = {"method": method, "route": route, "status": str(status)}
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "outrider_http_requests_total" and sample.labels == wanted
    )


async def test_requests_are_counted_by_pattern_and_status(things: ApiClient) -> None:
    pattern = "/api/v1/things/{thing_id}"
    before = await count(things, "GET", pattern, 200)
    for number in range(3):
        await things.get(f"/things/{number + 1}")
    assert await count(things, "GET", pattern, 200) == before + 3


async def test_clients_cannot_make_new_series(things: ApiClient) -> None:
    before = await count(things, "other", "unknown", 404)
    await things.request("BREW", "/coffee")
    await things.request("STEAL", "/tea")
    assert await count(things, "other", "unknown", 404) == before + 2


async def test_durations_and_the_process_are_shown(things: ApiClient) -> None:
    await things.get("/things")
    response = await things.get("//metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert 'outrider_http_request_duration_seconds_count{route="/api/v1/things"}' in response.text
    assert "process_resident_memory_bytes" in response.text
