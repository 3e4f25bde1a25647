"""Mailboxes are saved without a log-in here; the tests of verification switch it on."""

from dataclasses import replace

import pytest

from outrider.config import Settings
from outrider.kit.crypto import set_vault
from tests.support.make import VAULT


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, verify_on_save=False)


@pytest.fixture(autouse=True)
def vault_of_the_process() -> None:
    set_vault(VAULT)
