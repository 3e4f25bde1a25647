"""The world of the engine tests."""

from datetime import datetime

import pytest

from outrider.kit.db import Db
from tests.engine.world import World


@pytest.fixture
async def world(db: Db, now: datetime) -> World:
    """09:00 on a Monday; windows are open from 08:00 to 18:00 UTC on weekdays."""
    return await World.make(db, now)
