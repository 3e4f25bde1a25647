"""A few hundred stories in every test run; `make simulate N=2000` tells thousands."""

import pytest

from outrider.kit.crypto import set_vault
from outrider.kit.db import Database
from outrider.wiring import wire
from tests.simulation.__main__ import explain
from tests.simulation.run import Run
from tests.simulation.story import Broken, Story
from tests.support import make
from tests.support.database import Cleaner

_STORIES = 200
_PARTS = 20


async def tell(database: Database, seed: int) -> Story:
    set_vault(make.VAULT)
    wire()
    story = Story(seed)
    try:
        await Run(story, database, Cleaner.of(database.url)).tell()
    except Broken as broken:
        pytest.fail(explain(story, broken))
    return story


@pytest.mark.parametrize("part", range(_PARTS))
async def test_whatever_happens_the_invariants_hold(database: Database, part: int) -> None:
    for seed in range(1 + part, 1 + _STORIES, _PARTS):
        await tell(database, seed)


@pytest.mark.parametrize("seed", [3, 11, 34])
async def test_the_same_seed_tells_the_same_story(database: Database, seed: int) -> None:
    """Invariant 12: the same state, time and seed give the same decisions."""
    first, second = [(await tell(database, seed)).lines for _ in range(2)]
    assert first == second
    assert any("→" in line for line in first)
