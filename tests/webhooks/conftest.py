"""Fixtures of webhooks: a receiver, a guarded client, the policy of the examples, and the scene they play in."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest

from outrider.config import Settings
from outrider.kit.crypto import Vault, set_vault
from outrider.kit.guard import guarded_client
from outrider.webhooks.policy import use_settings
from tests.support.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with guarded_client(settings) as client:
        yield client


@pytest.fixture(autouse=True)
def _policy(settings: Settings) -> Iterator[None]:
    """Links in payloads are those of the examples."""
    use_settings(replace(settings, public_url="https://app.example.org"))
    yield
    use_settings(Settings())


@pytest.fixture(autouse=True)
def _vault() -> None:
    set_vault(Vault("a-key-only-for-tests"))
