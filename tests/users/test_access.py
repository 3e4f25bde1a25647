"""Who may come in, and how often."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from outrider.config import Settings
from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.db import Database, Db, execute, fetch_value
from outrider.kit.errors import TooMany
from outrider.kit.exchange import Admission
from outrider.users import access, actions
from outrider.users.models import KeyInvalid, KeyMissing, LogInRefused, NewAccount

PASSWORD = "tide-and-rope-44"
ADDRESS = "198.51.100.7"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, rate_limit_requests=3, rate_limit_window_seconds=60, failed_auth_per_minute=2)


@pytest.fixture
async def account(db: Db, now: datetime) -> NewAccount:
    return await actions.create_account(db, email="nora@hexly.example", name=None, now=now)


@pytest.fixture
def wall() -> datetime:
    return SYSTEM_CLOCK.wall()


async def admit(db: Db, key: str | None, settings: Settings, wall: datetime) -> Admission:
    return await access.authenticate(db, key, address=ADDRESS, settings=settings, wall=wall)


async def test_a_key_tells_whose_it_is(db: Db, account: NewAccount, settings: Settings, wall: datetime) -> None:
    admission = await admit(db, account.api_key, settings, wall)
    assert (admission.user_id, admission.client_id) == (account.user_id, None)
    assert (admission.limit, admission.count) == (3, 1)
    assert admission.window_ends_at == wall + timedelta(seconds=60)


async def test_a_missing_an_unknown_and_a_revoked_key_are_refused(
    db: Db, account: NewAccount, settings: Settings, now: datetime, wall: datetime
) -> None:
    with pytest.raises(KeyMissing):
        await admit(db, None, settings, wall)
    with pytest.raises(KeyMissing):
        await admit(db, "", settings, wall)
    with pytest.raises(KeyInvalid):
        await admit(db, account.api_key[:-1] + "!", settings, wall)
    key = await actions.create_key(db, account.user_id, name="CRM", now=now)
    await actions.revoke_key(db, account.user_id, key.id, now=now)
    with pytest.raises(KeyInvalid):
        await admit(db, key.text, settings, wall)


async def test_a_window_is_opened_by_its_first_request_and_lasts_exactly(
    db: Db, account: NewAccount, settings: Settings, wall: datetime
) -> None:
    seconds = [0, 20, 59.999, 60, 61]
    counts = [(await admit(db, account.api_key, settings, wall + timedelta(seconds=after))).count for after in seconds]
    assert counts == [1, 2, 3, 1, 2]


async def test_a_refused_request_neither_counts_nor_lengthens_the_window(
    db: Db, account: NewAccount, settings: Settings, wall: datetime
) -> None:
    for _ in range(3):
        await admit(db, account.api_key, settings, wall)
    for after in (10, 20, 59):
        admission = await admit(db, account.api_key, settings, wall + timedelta(seconds=after))
        assert admission.count == 4
        assert admission.window_ends_at == wall + timedelta(seconds=60)
    assert (await admit(db, account.api_key, settings, wall + timedelta(seconds=60))).count == 1


async def test_keys_of_one_account_do_not_share_a_window(
    db: Db, account: NewAccount, settings: Settings, now: datetime, wall: datetime
) -> None:
    other = await actions.create_key(db, account.user_id, name="CRM", now=now)
    await admit(db, account.api_key, settings, wall)
    assert (await admit(db, other.text, settings, wall)).count == 1


async def test_a_key_may_have_its_own_limit(
    db: Db, account: NewAccount, settings: Settings, now: datetime, wall: datetime
) -> None:
    key = await actions.create_key(db, account.user_id, name="CRM", rate_limit_requests=500, now=now)
    assert (await admit(db, key.text, settings, wall)).limit == 500
    unlimited = replace(settings, rate_limit_requests=0)
    assert (await admit(db, key.text, unlimited, wall)).limit == 500


async def test_zero_switches_the_limit_off(db: Db, account: NewAccount, settings: Settings, wall: datetime) -> None:
    admission = await admit(db, account.api_key, replace(settings, rate_limit_requests=0), wall)
    assert (admission.limit, admission.count, admission.window_ends_at) == (0, 0, None)
    assert await fetch_value(db, "SELECT count(*) FROM rate_limits") == 0


async def test_all_processes_share_the_window(
    database: Database, database_url: str, settings: Settings, now: datetime, wall: datetime
) -> None:
    """Two pools as of two processes, forty requests at once, room for thirty."""
    async with database.transaction() as db:
        account = await actions.create_account(db, email="nora@hexly.example", name=None, now=now)
    other = await Database.open(database_url, max_size=5)
    limited = replace(settings, rate_limit_requests=30)

    async def ask(pool: Database) -> int:
        async with pool.connection() as db:
            return (await admit(db, account.api_key, limited, wall)).count

    counts = await asyncio.gather(*(ask(pool) for pool in (database, other) for _ in range(20)))
    await other.close()
    assert Counter(counts) == Counter([*range(1, 31), *[31] * 10])


async def test_too_many_wrong_keys_from_one_address(
    db: Db, account: NewAccount, settings: Settings, wall: datetime
) -> None:
    for _ in range(2):
        with pytest.raises(KeyInvalid):
            await admit(db, "wrong-key", settings, wall)
    with pytest.raises(TooMany, match="retry after 60 seconds"):
        await admit(db, "wrong-key", settings, wall)
    assert await admit(db, account.api_key, settings, wall)
    with pytest.raises(KeyInvalid):
        await access.authenticate(db, "wrong-key", address="203.0.113.9", settings=settings, wall=wall)
    with pytest.raises(KeyInvalid):
        await admit(db, "wrong-key", settings, wall + timedelta(seconds=60))


async def test_the_limit_of_wrong_keys_can_be_off(db: Db, settings: Settings, wall: datetime) -> None:
    free = replace(settings, failed_auth_per_minute=0)
    for _ in range(5):
        with pytest.raises(KeyInvalid):
            await admit(db, "wrong-key", free, wall)


async def test_old_failures_are_forgotten(db: Db, settings: Settings, wall: datetime) -> None:
    await execute(
        db,
        "INSERT INTO failed_authentications VALUES ('203.0.113.9', %(long_ago)s, 7)",
        {"long_ago": wall - timedelta(hours=2)},
    )
    with pytest.raises(KeyInvalid):
        await admit(db, "wrong-key", settings, wall)
    assert await fetch_value(db, "SELECT array_agg(address) FROM failed_authentications") == [ADDRESS]


class TestLogIn:
    @pytest.fixture(autouse=True)
    async def password(self, db: Db, account: NewAccount, now: datetime) -> None:
        await actions.set_password(db, token=account.link_token, password=PASSWORD, now=now)

    async def log_in(self, db: Db, settings: Settings, now: datetime, *, email: str, password: str) -> str:
        return await access.log_in(
            db, email, password, address=ADDRESS, settings=settings, now=now, wall=SYSTEM_CLOCK.wall()
        )

    async def test_a_session_tells_who_it_is_for_thirty_days(
        self, db: Db, account: NewAccount, settings: Settings, now: datetime
    ) -> None:
        token = await self.log_in(db, settings, now, email=" NORA@hexly.example", password=PASSWORD)
        person = await access.find_person(db, token, now=now + timedelta(days=29))
        assert person is not None
        assert person.id == account.person_id
        assert await access.find_person(db, token, now=now + timedelta(days=30)) is None
        assert await access.find_person(db, "guessed", now=now) is None

    async def test_logging_out_ends_one_session(self, db: Db, settings: Settings, now: datetime) -> None:
        first = await self.log_in(db, settings, now, email="nora@hexly.example", password=PASSWORD)
        second = await self.log_in(db, settings, now, email="nora@hexly.example", password=PASSWORD)
        await access.log_out(db, first)
        assert await access.find_person(db, first, now=now) is None
        assert await access.find_person(db, second, now=now) is not None

    async def test_guessing_is_slowed_and_does_not_tell_who_is_known(
        self, db: Db, settings: Settings, now: datetime
    ) -> None:
        for email in ("nora@hexly.example", "nobody@hexly.example"):
            with pytest.raises(LogInRefused, match="E-mail or password is wrong"):
                await self.log_in(db, settings, now, email=email, password="wrong-password")
        with pytest.raises(TooMany):
            await self.log_in(db, settings, now, email="nora@hexly.example", password="wrong-password")
        with pytest.raises(TooMany):  # a right one among many guesses
            await self.log_in(db, settings, now, email="nora@hexly.example", password=PASSWORD)
        with pytest.raises(KeyInvalid):  # programs are counted by themselves
            await admit(db, "wrong-key", settings, SYSTEM_CLOCK.wall())
