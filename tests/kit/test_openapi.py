"""The OpenAPI document and its page."""

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.support.client import ApiClient


@pytest.fixture
async def document(things: ApiClient) -> Any:
    response = await things.request("GET", "//openapi.json", key=None)
    assert response.status_code == 200
    return response.json()


def operations(document: Any) -> list[Any]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_titles_come_from_the_docstrings(document: Any) -> None:
    saved = document["paths"]["/api/v1/things"]["post"]
    assert saved["summary"] == "Save Thing"
    assert saved["description"] == "What is sent comes back."
    assert saved["tags"] == ["things"]


def test_operation_ids_are_unique_and_stable(document: Any) -> None:
    ids = [operation["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert "support_save_thing" in ids


def test_aliases_are_not_shown(document: Any) -> None:
    assert "/api/v1/thing" not in document["paths"]
    assert set(document["paths"]["/api/v1/things"]) == {"get", "post"}


def test_refusals_have_the_envelope(document: Any) -> None:
    for operation in operations(document):
        assert set(operation["responses"]) == {"200", "4XX"}
    assert set(document["components"]["schemas"]["Refusal"]["required"]) == {"error", "message", "statusCode", "ok"}


def test_keys_are_described(document: Any) -> None:
    assert set(document["components"]["securitySchemes"]) == {"query", "header", "bearer"}
    assert document["security"] == [{"query": []}, {"header": []}, {"bearer": []}]


def test_parameters_have_their_documented_names_and_limits(document: Any) -> None:
    parameters = {each["name"]: each for each in document["paths"]["/api/v1/things"]["get"]["parameters"]}
    assert set(parameters) == {"colors", "owner_id", "search", "offset", "limit", "page"}
    assert parameters["offset"]["schema"]["minimum"] == 0


class Reader(HTMLParser):
    """Every tag and where it points to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]


async def test_the_page_shows_everything_without_scripts_or_the_internet(things: ApiClient, document: Any) -> None:
    response = await things.request("GET", "//docs", key=None)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    page = Reader()
    page.feed(response.text)
    assert page.tags.count("details") == len(operations(document))
    assert "script" not in page.tags
    assert all(address.startswith(("#", "/")) for address in page.addresses)
    for operation in operations(document):
        assert operation["summary"] in response.text
    assert "one of RED, BLUE" in response.text
