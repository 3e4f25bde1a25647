"""The golden list of routes: what is served changes on purpose only."""

from outrider.asgi import APIS, api_routes
from outrider.clients.models import PERMISSIONS
from outrider.kit.exchange import ANY_KEY, MAIN_KEY
from outrider.kit.lenient import needs_of
from tests.architecture.routes import GOLDEN, served_routes
from tests.architecture.source import listed


def test_routes_are_those_of_the_list() -> None:
    """An alias that is dropped with a refactoring breaks the clients that used it, and no other test may call it."""
    expected, served = set(GOLDEN.read_text("utf-8").splitlines()), set(served_routes())
    how = "Meant? Then accept it: .venv/bin/python -m tests.architecture.routes"
    assert not expected - served, f"No longer served. {how}" + listed(sorted(expected - served))
    assert not served - expected, f"Served, but not in the list. {how}" + listed(sorted(served - expected))


def test_every_route_says_what_a_clients_key_needs() -> None:
    """Contract, clients: permissions are enforced on every route. Where nobody has decided no client's key is let in,
    which is safe and still wrong: the agency's customer has no access to what is its own."""
    decided = {ANY_KEY, MAIN_KEY, *PERMISSIONS}
    wrong = [
        f"{', '.join(sorted(route.methods or ()))} {route.path}"
        for route in api_routes(APIS)
        if needs_of(route.endpoint) not in decided
    ]
    assert not wrong, 'Say it: Api(writes_need="leads"), or needs="leads", ANY_KEY, MAIN_KEY at the route:' + listed(
        wrong
    )
