"""The golden list of routes: what is served changes on purpose only."""

from tests.architecture.routes import GOLDEN, served_routes
from tests.architecture.source import listed


def test_routes_are_those_of_the_list() -> None:
    """An alias that is dropped with a refactoring breaks the clients that used it, and no other test may call it."""
    expected, served = set(GOLDEN.read_text("utf-8").splitlines()), set(served_routes())
    how = "Meant? Then accept it: .venv/bin/python -m tests.architecture.routes"
    assert not expected - served, f"No longer served. {how}" + listed(sorted(expected - served))
    assert not served - expected, f"Served, but not in the list. {how}" + listed(sorted(served - expected))
