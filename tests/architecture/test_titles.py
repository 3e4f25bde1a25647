"""Every endpoint of the reference is served once, under the path at which clients look for it."""

import re
from collections import Counter
from collections.abc import Iterator

from fastapi.routing import APIRoute

from outrider.asgi import APIS, api_routes
from outrider.cli.compatibility import Reference, Title, title_of
from outrider.cli.docs import DOCS
from outrider.kit.routing import BASE
from tests.architecture.source import functions, listed, modules

REFERENCE = Reference.read(DOCS)
_PARAMETER = re.compile(r"\{\w+\}")
_TITLES = 125


def endpoints() -> Iterator[APIRoute]:
    """The routes that the OpenAPI document shows; their aliases have the same docstring."""
    return (route for route in api_routes(APIS) if route.include_in_schema)


def shape(title_or_route: Title | APIRoute) -> str:
    """Method and path; parameters may be named otherwise."""
    if isinstance(title_or_route, Title):
        return f"{title_or_route.method} {BASE}{_PARAMETER.sub('{}', title_or_route.path)}"
    return f"{next(iter(title_or_route.methods or ()))} {_PARAMETER.sub('{}', title_or_route.path)}"


def test_the_list_is_that_of_the_reference() -> None:
    assert sorted(title.number for title in REFERENCE.titles) == list(range(1, _TITLES + 1))
    assert len({title.title for title in REFERENCE.titles}) == _TITLES
    assert len({shape(title) for title in REFERENCE.titles}) == _TITLES


def test_every_title_heads_one_endpoint() -> None:
    """Style §4: who searches the source for a title of the reference finds the route that serves it, and no other."""
    counts = Counter(title_of(route.endpoint) for route in endpoints())
    wrong = [f"{count} times: {title}" for title, count in counts.items() if count > 1]
    assert not wrong, "The first docstring line of a route is written once:" + listed(wrong)


def test_what_is_served_stays_served() -> None:
    """An endpoint that disappears breaks every integration that calls it. `is_served` in docs/compatibility.toml is the
    promise; a new endpoint sets it to true."""
    served = {title_of(route.endpoint) for route in endpoints()}
    titles = [title for title in REFERENCE.titles if not title.is_payload]
    gone = [title.title for title in titles if title.is_served and title.title not in served]
    assert not gone, "These are promised in docs/compatibility.toml, but no route has them as its title:" + listed(gone)
    new = [title.title for title in titles if not title.is_served and title.title in served]
    assert not new, "Now served: set is_served = true in docs/compatibility.toml, then `make docs`:" + listed(new)


def test_a_title_is_served_under_its_path() -> None:
    """Clients are written against the paths of the reference; other spellings are aliases (`also=`)."""
    expected = {title.title: shape(title) for title in REFERENCE.titles}
    wrong = [
        f"{title}: {shape(route)} instead of {expected[title]}"
        for route in endpoints()
        if (title := title_of(route.endpoint)) in expected and shape(route) != expected[title]
    ]
    assert not wrong, "These titles belong to other paths:" + listed(wrong)


def test_a_payload_heads_the_function_that_builds_it() -> None:
    """One title of the reference is no route: it is what we send to a receiver."""
    heads = Counter(title_of_function for title_of_function in _function_titles())
    for payload in (title for title in REFERENCE.titles if title.is_payload):
        assert heads[payload.title] == int(payload.is_served), f"{payload.title}: {heads[payload.title]} functions"


def _function_titles() -> Iterator[str]:
    for module in modules():
        if module.layer == "webhooks":
            for function in functions(module.tree):
                body = function.body[0]
                value = getattr(getattr(body, "value", None), "value", None)
                if isinstance(value, str):
                    yield value.strip().partition("\n")[0].removesuffix(".")
