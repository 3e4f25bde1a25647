"""A sandbox whose people act at once and do nothing unless told, and a web server for them."""

from collections.abc import AsyncIterator

import pytest

from outrider.sandbox import AT_ONCE, People, Sandbox
from tests.sandbox.web import Web, run_web
from tests.sandbox.writing import PASSWORD, SENDER

NOBODY_ACTS = People(open=0, click=0, reply=0, out_of_office=0, unsubscribe=0, bounce_at_rcpt=0, bounce_later=0)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(people=NOBODY_ACTS, pace=AT_ONCE) as running:
        running.add_mailbox(SENDER, PASSWORD)
        yield running


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with run_web() as running:
        yield running
