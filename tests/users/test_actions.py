"""Making accounts, keys and links."""

from datetime import datetime, timedelta

import pytest

from outrider.kit.db import Db, fetch_value
from outrider.kit.errors import ValidationProblem
from outrider.users import access, actions, store
from outrider.users.models import EmailTaken, KeyNotFound, LinkPurpose, LinkUsedUp, NewAccount, Role
from outrider.users.secrets import digest

PASSWORD = "tide-and-rope-44"


@pytest.fixture
async def account(db: Db, now: datetime) -> NewAccount:
    return await actions.create_account(db, email=" Nora@Hexly.example ", name=None, now=now)


async def test_an_account_begins_with_an_owner_and_a_key(db: Db, account: NewAccount) -> None:
    owner = await store.find_owner(db, account.user_id)
    assert owner is not None
    assert (owner.id, owner.email, owner.name, owner.role) == (
        account.person_id,
        "nora@hexly.example",
        "nora",
        Role.OWNER,
    )
    (key,) = await store.list_keys(db, account.user_id)
    assert (key.name, key.person_id, key.client_id) == ("Main", account.person_id, None)
    assert key.hint == account.api_key[-4:]


async def test_neither_key_nor_token_is_stored(db: Db, account: NewAccount) -> None:
    tables = ("accounts", "people", "api_keys", "one_time_links")
    for table in tables:
        dump = await fetch_value(db, f"SELECT string_agg(t::text, ' ') FROM {table} AS t")  # noqa: S608 - names above
        assert account.api_key not in dump
        assert account.link_token not in dump


async def test_an_account_can_have_a_name(db: Db, now: datetime) -> None:
    account = await actions.create_account(db, email="a@b.example", name=" Harbor Lane ", now=now)
    assert [each.name for each in await store.list_accounts(db)] == ["Harbor Lane"]
    assert [each.id for each in await store.list_accounts(db)] == [account.user_id]


async def test_an_address_belongs_to_one_person(db: Db, account: NewAccount, now: datetime) -> None:
    with pytest.raises(EmailTaken, match=r"User with email nora@hexly\.example already exists"):
        await actions.create_account(db, email="NORA@hexly.example", name=None, now=now)


@pytest.mark.parametrize("email", ["", "nora", "nora@", "a b@c.example"])
async def test_an_address_must_be_one(db: Db, email: str, now: datetime) -> None:
    with pytest.raises(ValidationProblem, match='"email" must be a valid email'):
        await actions.create_account(db, email=email, name=None, now=now)


async def test_a_revoked_key_stays_listed(db: Db, account: NewAccount, now: datetime) -> None:
    key = await actions.create_key(db, account.user_id, name="CRM", now=now)
    await actions.revoke_key(db, account.user_id, key.id, now=now)
    listed = {each.name: each.revoked_at for each in await store.list_keys(db, account.user_id)}
    assert listed == {"Main": None, "CRM": now}


async def test_a_key_is_revoked_once_and_by_its_account_only(db: Db, account: NewAccount, now: datetime) -> None:
    key = await actions.create_key(db, account.user_id, name="CRM", now=now)
    other = await actions.create_account(db, email="other@b.example", name=None, now=now)
    with pytest.raises(KeyNotFound):
        await actions.revoke_key(db, other.user_id, key.id, now=now)
    await actions.revoke_key(db, account.user_id, key.id, now=now)
    with pytest.raises(KeyNotFound):
        await actions.revoke_key(db, account.user_id, key.id, now=now)


async def test_a_link_sets_a_password_once(db: Db, account: NewAccount, now: datetime) -> None:
    person = await store.find_person_by_link(
        db, token_hash=digest(account.link_token), purpose=LinkPurpose.SET_PASSWORD, now=now
    )
    assert person is not None
    assert person.id == account.person_id
    assert await actions.set_password(db, token=account.link_token, password=PASSWORD, now=now) == account.person_id
    with pytest.raises(LinkUsedUp):
        await actions.set_password(db, token=account.link_token, password=PASSWORD, now=now)


async def test_a_link_lasts_seven_days(db: Db, account: NewAccount, now: datetime) -> None:
    with pytest.raises(LinkUsedUp):
        await actions.set_password(
            db, token=account.link_token, password=PASSWORD, now=now + timedelta(days=7, seconds=1)
        )
    late = now + timedelta(days=6, hours=23)
    assert await actions.set_password(db, token=account.link_token, password=PASSWORD, now=late)


async def test_an_unknown_link_sets_nothing(db: Db, account: NewAccount, now: datetime) -> None:
    with pytest.raises(LinkUsedUp):
        await actions.set_password(db, token="guessed", password=PASSWORD, now=now)
    assert await store.find_password_hash(db, account.person_id) is None


@pytest.mark.parametrize(
    ("password", "message"),
    [("1234567", "at least 8 characters"), ("x" * 129, "less than or equal to 128 characters")],
)
async def test_a_password_has_a_length_and_a_bad_one_keeps_the_link(
    db: Db, account: NewAccount, now: datetime, password: str, message: str
) -> None:
    with pytest.raises(ValidationProblem, match=message):
        await actions.set_password(db, token=account.link_token, password=password, now=now)
    await actions.set_password(db, token=account.link_token, password="x" * 128, now=now)


async def test_a_new_password_ends_all_sessions(db: Db, account: NewAccount, now: datetime) -> None:
    await store.insert_session(
        db, account.person_id, token_hash=digest("t"), address=None, expires_at=now + timedelta(days=1), now=now
    )
    await actions.set_password(db, token=account.link_token, password=PASSWORD, now=now)
    assert await access.find_person(db, "t", now=now) is None
