"""One spelling of paths, and the tree that finds routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from outrider.kit.http import Api
from outrider.kit.routing import RouteTree, canonical

api = Api("things")


@api.get("/leads/{lead_id}")
async def get_lead() -> Response:
    """Get Lead"""
    return Response()


@api.get("/leads/fetch-categories")
async def fetch_categories() -> Response:
    """Fetch Categories"""
    return Response()


@api.post("/leads/{lead_id}", also=["PUT", "POST /leads"])
async def update_lead() -> Response:
    """Update Lead"""
    return Response()


@api.get("/leads/{lead_id}/campaigns")
async def list_campaigns() -> Response:
    """List Campaigns"""
    return Response()


@api.get("/leads/all/{cursor}")
async def list_all() -> Response:
    """List All"""
    return Response()


TREE = RouteTree(api.router.routes)  # type: ignore[arg-type] # all are API routes


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/api/v1/leads/7", "get_lead", {"lead_id": "7"}),
        ("GET", "/api/v1/leads/fetch-categories", "fetch_categories", {}),
        ("POST", "/api/v1/leads/fetch-categories", "update_lead", {"lead_id": "fetch-categories"}),
        ("PUT", "/api/v1/leads/7", "update_lead", {"lead_id": "7"}),
        ("POST", "/api/v1/leads", "update_lead", {}),
        ("GET", "/api/v1/leads/all/x", "list_all", {"cursor": "x"}),
        ("GET", "/api/v1/leads/all/campaigns", "list_all", {"cursor": "campaigns"}),
        ("GET", "/api/v1/leads/any/campaigns", "list_campaigns", {"lead_id": "any"}),
    ],
)
def test_literal_segments_win_whatever_the_order(method: str, path: str, name: str, parameters: dict[str, str]) -> None:
    found = TREE.find(method, path)
    assert found is not None
    assert found[0].name == name
    assert found[1] == parameters


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/leads"),
        ("PATCH", "/api/v1/leads/7"),
        ("GET", "/leads/7"),
        ("GET", "/api/v1/leads/7/other"),
        ("GET", "/"),
        ("GET", ""),
    ],
)
def test_what_is_not_registered_is_not_found(method: str, path: str) -> None:
    assert TREE.find(method, path) is None


def test_two_routes_for_one_request_are_refused_at_start() -> None:
    twice = Api("things")

    @twice.get("/leads/{lead_id}")
    async def one() -> Response:
        return Response()

    @twice.get("/leads/{id}")
    async def two() -> Response:
        return Response()

    with pytest.raises(ValueError, match="registered twice"):
        RouteTree(twice.router.routes)  # type: ignore[arg-type] # all are API routes


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("/api/v1/campaigns/", "/api/v1/campaigns"),
        ("//api//v1///campaigns//7/", "/api/v1/campaigns/7"),
        ("/api/campaigns", "/api/v1/campaigns"),
        ("/v1/campaigns", "/api/v1/campaigns"),
        ("/api/v1/smart-delivery/spam-test/folder", "/api/v1/spam-test/folder"),
        ("/api/v1/smart-prospect/countries", "/api/v1/search-email-leads/countries"),
        ("/v1/smart-prospect/countries/", "/api/v1/search-email-leads/countries"),
        ("/api/v1/smart-senders/get-vendors", "/api/v1/smart-senders/get-vendors"),
        ("/api/v1", "/api/v1"),
        ("/api/v1/", "/api/v1"),
        ("/", "/"),
        ("///", "/"),
        ("/healthz/", "/healthz"),
        ("/app/campaigns/", "/app/campaigns"),
        ("/v1", "/v1"),
    ],
)
def test_paths_have_one_spelling(given: str, meant: str) -> None:
    assert canonical(given) == meant


@given(st.text(alphabet="/ab1v\x00", max_size=12).map(lambda text: "/" + text))
def test_the_one_spelling_is_final(path: str) -> None:
    once = canonical(path)
    assert canonical(once) == once
    assert once.startswith("/")
    assert "//" not in once
