"""The worlds of the engine tests."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from outrider.kit.crypto import set_vault
from outrider.kit.db import Database
from outrider.sandbox import Pace, People, Sandbox
from outrider.wiring import wire
from tests.engine.sending import HandClock, Sending
from tests.support import make

_QUIET = People(open=0, click=0, reply=0, out_of_office=0, unsubscribe=0, bounce_at_rcpt=0, bounce_later=0)


@pytest.fixture(scope="session", autouse=True)
def wired() -> None:
    """Everybody who listens to events listens."""
    set_vault(make.VAULT)
    wire()


@pytest.fixture
async def sending(database: Database, now: datetime) -> AsyncIterator[Sending]:
    """Real SMTP to the sandbox, where nobody does anything unless told."""
    async with Sandbox(people=_QUIET, pace=Pace()) as sandbox:
        made = Sending(database, sandbox, HandClock(now))
        yield made
        await made.submitter.close()
