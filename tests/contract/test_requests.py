"""How requests may be written and what every answer has, over real HTTP (contract: conventions)."""

import gzip
import json
from uuid import UUID

import pytest

from tests.contract.conftest import Caller
from tests.support.curl import Answer, say
from tests.support.installation import Place

NAME = '{"name": "Harbour CFO outreach"}'
KNOWN_BAD_KEY = "3f7b0b0e-0000-4000-8000-000000000000_abcdefg"


def without_request_id(answer: Answer) -> object:
    return {name: value for name, value in answer.json.items() if name != "request_id"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-API-Key", "{key}"),
        ("x-api-key", " {key} "),
        ("Authorization", "Bearer {key}"),
        ("Authorization", "bearer {key}"),
        ("Authorization", "{key}"),
    ],
)
def test_the_key_may_stand_in_a_header(caller: Caller, name: str, value: str) -> None:
    headers = {name: value.format(key=caller.key)}
    answer = say("GET", f"{caller.place.url}/api/v1/campaigns", headers=headers)
    assert (answer.status, answer.json) == (200, [])


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ('{{"name": "A", "api_key": "{key}"}}', "application/json"),
        ('{{"name": "A", "api_key": "{key}"}}', "application/x-www-form-urlencoded"),
        ('  {{"name": "A", "api_key": "{key}"}}', None),
        ("name=A&api_key={key}", "application/x-www-form-urlencoded"),
    ],
)
def test_the_key_may_stand_in_the_body(caller: Caller, data: str, content_type: str | None) -> None:
    answer = say(
        "POST",
        f"{caller.place.url}/api/v1/campaigns/create",
        data=data.format(key=caller.key),
        headers={"Content-Type": content_type},
    )
    assert answer.json["name"] == "A"
    assert "x-ignored-fields" not in answer.headers


def test_the_key_of_the_query_counts_first(caller: Caller) -> None:
    wrong = {"X-API-Key": KNOWN_BAD_KEY, "Authorization": f"Bearer {KNOWN_BAD_KEY}"}
    assert caller.say("GET", "/campaigns", headers=wrong).status == 200
    url = f"{caller.place.url}/api/v1/campaigns?api_key={KNOWN_BAD_KEY}"
    assert say("GET", url, headers={"X-API-Key": caller.key}).status == 401


@pytest.mark.parametrize(("query", "text"), [("", "API key is required."), ("?api_key=", "API key is required.")])
def test_a_missing_key_is_said_to_be_missing(place: Place, query: str, text: str) -> None:
    answer = say("GET", f"{place.url}/api/v1/campaigns{query}")
    assert answer.status == 401
    assert without_request_id(answer) == {"message": text, "error": text, "statusCode": 401, "ok": False}
    assert answer.headers["www-authenticate"] == "ApiKey"


def test_an_unknown_key_is_refused_before_anything_else(place: Place) -> None:
    answer = say("POST", f"{place.url}/api/v1/campaigns/abc/status?api_key={KNOWN_BAD_KEY}", data="{}")
    text = "Invalid API Key"
    assert answer.status == 401
    assert without_request_id(answer) == {"message": text, "error": text, "statusCode": 401, "ok": False}
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        ({}, NAME),
        ({"Content-Type": None}, NAME),
        ({"Content-Type": "text/plain"}, NAME),
        ({"Content-Type": "application/json; charset=utf-8"}, "\n  " + NAME),
        ({"Content-Type": "multipart/form-data"}, NAME),
        ({}, "name=Harbour+CFO+outreach"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, gzip.compress(NAME.encode(), mtime=0)),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            '--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nHarbour CFO outreach\r\n--x--\r\n',
        ),
    ],
)
def test_the_content_type_is_not_trusted(caller: Caller, headers: dict[str, str | None], data: str | bytes) -> None:
    answer = caller.say("POST", "/campaigns/create", data=data, headers=headers)
    assert (answer.status, answer.json["name"]) == (200, "Harbour CFO outreach")


@pytest.mark.parametrize("data", ["{", '{"name": }', b'{"name": "\xff"}', "[1, 2"])
def test_a_body_that_is_no_json_is_refused(caller: Caller, data: str | bytes) -> None:
    answer = caller.say("POST", "/campaigns/create", data=data, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    expected = {"statusCode": 400, "error": "Bad Request", "message": "Invalid JSON body", "ok": False}
    assert without_request_id(answer) == expected


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/", "//campaigns", "/campaigns//"])
def test_slashes_make_no_difference_and_no_redirect(caller: Caller, path: str) -> None:
    assert caller.say("GET", path).json == []


@pytest.mark.parametrize("path", ["/campaigns/create", "/campaigns/create/", "/campaigns"])
def test_a_body_survives_every_spelling_of_the_path(caller: Caller, path: str) -> None:
    assert caller.say("POST", path, data=NAME).json["name"] == "Harbour CFO outreach"


@pytest.mark.parametrize("base", ["/api/v1", "/api", "/v1"])
def test_old_bases_lead_to_the_same_routes(caller: Caller, base: str) -> None:
    assert say("GET", f"{caller.place.url}{base}/campaigns?api_key={caller.key}").json == []


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
def test_the_status_may_be_set_by_other_verbs(caller: Caller, method: str) -> None:
    campaign_id = caller.say("POST", "/campaigns/create", data=NAME).json["id"]
    answer = caller.say(method, f"/campaigns/{campaign_id}/status", data='{"status": "STOPPED"}')
    assert answer.json == {"ok": True}


@pytest.mark.parametrize(("method", "path"), [("GET", "/nope"), ("POST", "/campaigns/1/nope"), ("PUT", "/leads/all/x")])
def test_an_unknown_route_is_404_in_json(caller: Caller, method: str, path: str) -> None:
    answer = caller.say(method, path)
    assert answer.status == 404
    assert without_request_id(answer) == {
        "statusCode": 404,
        "error": "Not Found",
        "message": f"Cannot {method} /api/v1{path}",
        "ok": False,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/campaigns/77"),
        ("DELETE", "/campaigns/77"),
        ("POST", "/campaigns/77/schedule"),
        ("GET", "/campaigns/77/leads"),
        ("GET", "/campaigns/77/statistics"),
        ("GET", "/campaigns/77/analytics"),
        ("GET", "/campaigns/77/leads-export"),
        ("GET", "/campaigns/77/webhooks"),
        ("GET", "/campaigns/77/sequences"),
        ("GET", "/campaigns/77/email-accounts"),
    ],
)
def test_an_unknown_campaign_is_404_everywhere(caller: Caller, method: str, path: str) -> None:
    answer = caller.say(method, path)
    text = "Campaign not found - Invalid campaign_id."
    assert answer.status == 404
    assert without_request_id(answer) == {"error": text, "message": text, "statusCode": 404, "ok": False}


@pytest.mark.parametrize(
    ("method", "path", "data", "text", "source", "key"),
    [
        ("GET", "/campaigns/abc", None, '"campaign_id" must be a number', "params", "campaign_id"),
        ("POST", "/campaigns/create", '{"name": 5}', '"name" must be a string', "body", "name"),
        ("GET", "/email-accounts?limit=101", None, '"limit" must be less than or equal to 100', "query", "limit"),
        ("GET", "/email-accounts?offset=-1", None, '"offset" must be larger than or equal to 0', "query", "offset"),
        ("GET", "/leads", None, '"email" is required', "query", "email"),
        ("POST", "/leads/add-domain-block-list", "{}", '"domain_block_list" is required', "body", "domain_block_list"),
    ],
)
def test_validation_speaks_as_the_original(  # noqa: PLR0917 - a table
    caller: Caller, method: str, path: str, data: str | None, text: str, source: str, key: str
) -> None:
    answer = caller.say(method, path, data=data)
    assert answer.status == 400
    assert without_request_id(answer) == {
        "statusCode": 400,
        "error": "Bad Request",
        "message": text,
        "validation": {"source": source, "keys": [key]},
        "ok": False,
    }


def test_unknown_fields_are_ignored_and_named(caller: Caller) -> None:
    answer = caller.say("POST", "/campaigns/create", data='{"name": "A", "colour": "blue", "size": 3}')
    assert answer.status == 200
    assert {name.strip() for name in answer.headers["x-ignored-fields"].split(",")} == {"colour", "size"}


def test_another_account_sees_nothing_of_this_one(caller: Caller, other_caller: Caller) -> None:
    campaign_id = caller.say("POST", "/campaigns/create", data=NAME).json["id"]
    assert other_caller.say("GET", "/campaigns").json == []
    assert other_caller.say("GET", f"/campaigns/{campaign_id}").status == 404
    assert other_caller.say("DELETE", f"/campaigns/{campaign_id}").status == 404
    assert caller.say("GET", f"/campaigns/{campaign_id}").json["id"] == campaign_id


def test_a_delete_may_carry_its_id_in_body_query_or_path(caller: Caller) -> None:
    campaign_id = caller.say("POST", "/campaigns/create", data=NAME).json["id"]
    path = f"/campaigns/{campaign_id}/webhooks"
    hook = '{"webhook_url": "https://hooks.example.net/sl", "event_types": ["EMAIL_REPLY"]}'
    ids = [caller.say("POST", path, data=hook).json["id"] for _ in range(3)]
    answers = [
        caller.say("DELETE", path, data=json.dumps({"id": ids[0]})),
        caller.say("DELETE", f"{path}?id={ids[1]}"),
        caller.say("DELETE", f"{path}/{ids[2]}"),
    ]
    assert [answer.json["ok"] for answer in answers] == [True, True, True]
    assert caller.say("GET", path).json == []


def test_head_is_get_without_a_body(caller: Caller) -> None:
    answer = caller.say("HEAD", "/campaigns")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["x-ratelimit-limit"] == "60"


def test_a_preflight_needs_no_key(place: Place) -> None:
    headers = {"Origin": "https://crm.example", "Access-Control-Request-Headers": "content-type, x-api-key"}
    answer = say("OPTIONS", f"{place.url}/api/v1/campaigns/create", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"
    assert answer.headers["access-control-allow-headers"] == "content-type, x-api-key"
    assert answer.headers["access-control-max-age"] == "86400"


def test_errors_carry_the_cors_headers_too(place: Place) -> None:
    answer = say("GET", f"{place.url}/api/v1/campaigns", headers={"Origin": "https://crm.example"})
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-ratelimit-reset" in answer.headers["access-control-expose-headers"]


def test_a_request_id_is_kept_if_it_is_one_and_made_if_not(caller: Caller) -> None:
    assert caller.say("GET", "/campaigns", headers={"X-Request-Id": "job-7.a"}).headers["x-request-id"] == "job-7.a"
    made = caller.say("GET", "/campaigns", headers={"X-Request-Id": "no good"}).headers["x-request-id"]
    assert UUID(made)


def test_a_repeated_request_with_an_idempotency_key_is_done_once(caller: Caller) -> None:
    headers: dict[str, str | None] = {"Idempotency-Key": "create-1"}
    first, second = (caller.say("POST", "/campaigns/create", data=NAME, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert second.headers["idempotent-replay"] == "true"
    assert len(caller.say("GET", "/campaigns").json) == 1


def test_a_body_beyond_the_limit_is_refused(caller: Caller) -> None:
    answer = caller.say("POST", "/campaigns/create", data='{"name": "' + "x" * (10 * 1024 * 1024) + '"}')
    assert answer.status == 413
    assert (answer.json["error"], answer.json["message"]) == ("Payload Too Large", "request entity too large")


def test_large_answers_are_compressed_for_those_who_can_read_it(caller: Caller) -> None:
    for number in range(4):
        caller.say("POST", "/campaigns/create", data=f'{{"name": "Autumn {number}"}}')
    answer = caller.say("GET", "/campaigns", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(answer.body))) == 4


@pytest.mark.parametrize("path", ["/", "/healthz"])
def test_health_needs_no_key(place: Place, path: str) -> None:
    answer = say("GET", f"{place.url}{path}")
    assert (answer.status, answer.json["ok"], answer.json["name"]) == (200, True, "Outrider")


def test_the_reference_is_served(place: Place) -> None:
    document = say("GET", f"{place.url}/openapi.json")
    assert "/api/v1/campaigns/create" in json.loads(document.body)["paths"]
    assert say("GET", f"{place.url}/docs").status == 200


def test_a_browser_at_the_root_is_sent_to_the_web_app(place: Place) -> None:
    answer = say("GET", f"{place.url}/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert (answer.status, answer.headers["location"]) == (302, "/app/")
