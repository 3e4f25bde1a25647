from datetime import datetime

import pytest

from outrider.clients import store
from outrider.clients.models import UnknownClient
from outrider.kit.db import Db
from tests.support.client import fresh_account, fresh_client


async def test_a_client_is_found_in_its_own_account_only(db: Db, now: datetime) -> None:
    user_id, stranger = await fresh_account(db, now), await fresh_account(db, now)
    client_id = await fresh_client(db, user_id, now)
    client = await store.find_client(db, user_id, client_id)
    assert client is not None
    assert (client.id, client.user_id, client.name) == (client_id, user_id, "Harbor Lane")
    assert await store.find_client(db, stranger, client_id) is None


async def test_a_reference_has_to_be_a_client_the_caller_may_see(db: Db, now: datetime) -> None:
    user_id, stranger = await fresh_account(db, now), await fresh_account(db, now)
    own, sister = await fresh_client(db, user_id, now), await fresh_client(db, user_id, now)
    await store.check_reference(db, user_id, own, scope=None)
    await store.check_reference(db, user_id, own, scope=own)
    for account, client_id, scope in ((user_id, sister, own), (stranger, own, None), (user_id, 424242, None)):
        with pytest.raises(UnknownClient, match="Client not found - Invalid client_id"):
            await store.check_reference(db, account, client_id, scope=scope)
