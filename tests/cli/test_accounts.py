"""Accounts, people and keys from the command line."""

import re
from typing import Any

import orjson
import pytest

from outrider.config import Settings
from outrider.kit.clock import SYSTEM_CLOCK
from outrider.kit.db import Database
from outrider.kit.exchange import Admission
from outrider.users import actions, store
from outrider.users.access import authenticate
from outrider.users.models import KeyInvalid
from tests.cli.conftest import Run
from tests.support.client import fresh_account, fresh_client

EMAIL = "ann@ours.example"


async def created(run: Run, email: str = EMAIL) -> Any:
    return orjson.loads((await run("account", "create", "--email", email, "--json")).stdout)


async def admitted(database: Database, key: str, settings: Settings) -> Admission:
    async with database.connection() as db:
        return await authenticate(db, key, address="127.0.0.1", settings=settings, wall=SYSTEM_CLOCK.wall())


async def test_an_account_is_made_with_a_key_that_works(installed: Run, database: Database, settings: Settings) -> None:
    made = await created(installed)
    assert set(made) == {"user_id", "email", "api_key", "password_link"}
    assert made["email"] == EMAIL
    assert (await admitted(database, made["api_key"], settings)).user_id == made["user_id"]


async def test_the_link_of_a_new_account_sets_the_password_of_its_owner(installed: Run, database: Database) -> None:
    made = await created(installed)
    address, token = made["password_link"].rsplit("/", 1)
    assert address == "https://outreach.example/app/set-password"
    async with database.transaction() as db:
        person_id = await actions.set_password(db, token=token, password="correct horse", now=SYSTEM_CLOCK.now())
        owner = await store.find_owner(db, made["user_id"])
    assert owner is not None
    assert owner.id == person_id


async def test_people_are_shown_the_key_once_and_told_so(installed: Run) -> None:
    result = await installed("account", "create", "--email", EMAIL, "--name", "Quaydesk")
    assert re.search(r"API key \(shown once\): +[0-9a-f-]{36}_[0-9a-z]{7}\n", result.stdout)
    keys = await installed("key", "list", "--email", EMAIL)
    assert "Main" in keys.stdout
    assert not re.search(r"[0-9a-f-]{36}", keys.stdout)


@pytest.mark.parametrize(
    ("email", "sentence"),
    [(EMAIL, f"outrider: User with email {EMAIL} already exists\n"), ("ann", '"email" must be a valid email')],
)
async def test_an_address_that_cannot_be_used_is_said(installed: Run, email: str, sentence: str) -> None:
    await created(installed)
    result = await installed("account", "create", "--email", email)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert result.stdout == ""


async def test_accounts_are_listed_with_their_owners(installed: Run) -> None:
    made = [await created(installed, email) for email in ("ann@ours.example", "bob@theirs.example")]
    rows = orjson.loads((await installed("account", "list", "--json")).stdout)
    assert [(row["user_id"], row["name"], row["owner"]) for row in rows] == [
        (made[0]["user_id"], "ann", "ann@ours.example"),
        (made[1]["user_id"], "bob", "bob@theirs.example"),
    ]
    assert "bob@theirs.example" in (await installed("account", "list")).stdout


async def test_a_new_link_works_beside_the_first_one(installed: Run, database: Database) -> None:
    made = await created(installed)
    link = (await installed("user", "link", "--email", " Ann@Ours.example ")).stdout.strip()
    assert link.startswith("https://outreach.example/app/set-password/")
    assert link != made["password_link"]
    for each in (link, made["password_link"]):
        async with database.transaction() as db:
            token = each.rpartition("/")[2]
            await actions.set_password(db, token=token, password="correct horse", now=SYSTEM_CLOCK.now())


async def test_a_new_key_has_the_rights_of_the_account(installed: Run, database: Database, settings: Settings) -> None:
    made = await created(installed)
    key = (await installed("key", "create", "--email", EMAIL)).stdout.strip()
    admission = await admitted(database, key, settings)
    assert (admission.user_id, admission.client_id) == (made["user_id"], None)


async def test_a_key_can_be_limited_to_a_client(installed: Run, database: Database, settings: Settings) -> None:
    made = await created(installed)
    async with database.transaction() as db:
        client_id = await fresh_client(db, made["user_id"], SYSTEM_CLOCK.now())
    key = orjson.loads(
        (await installed("key", "create", "--email", EMAIL, "--client-id", str(client_id), "--json")).stdout
    )
    assert (await admitted(database, key["api_key"], settings)).client_id == client_id


async def test_the_client_of_another_account_is_unknown(installed: Run, database: Database) -> None:
    await created(installed)
    async with database.transaction() as db:
        other = await fresh_account(db, SYSTEM_CLOCK.now())
        client_id = await fresh_client(db, other, SYSTEM_CLOCK.now())
    result = await installed("key", "create", "--email", EMAIL, "--client-id", str(client_id))
    assert result.exit_code == 1
    assert "Client not found - Invalid client_id." in result.stderr


async def test_a_revoked_key_is_unknown_and_stays_in_the_list(
    installed: Run, database: Database, settings: Settings
) -> None:
    made = await created(installed)
    [row] = orjson.loads((await installed("key", "list", "--email", EMAIL, "--json")).stdout)
    assert row["revoked_at"] is None
    revoke = ("key", "revoke", str(row["id"]), "--email", EMAIL)
    assert (await installed(*revoke)).exit_code == 0
    assert (await installed(*revoke)).exit_code == 1
    with pytest.raises(KeyInvalid):
        await admitted(database, made["api_key"], settings)
    [row] = orjson.loads((await installed("key", "list", "--email", EMAIL, "--json")).stdout)
    assert row["revoked_at"] is not None
    assert row["hint"] == made["api_key"][-4:]


async def test_the_key_of_another_account_cannot_be_revoked(
    installed: Run, database: Database, settings: Settings
) -> None:
    made = await created(installed)
    await created(installed, "bob@theirs.example")
    [row] = orjson.loads((await installed("key", "list", "--email", EMAIL, "--json")).stdout)
    result = await installed("key", "revoke", str(row["id"]), "--email", "bob@theirs.example")
    assert result.exit_code == 1
    assert "API key not found" in result.stderr
    assert await admitted(database, made["api_key"], settings)


@pytest.mark.parametrize("words", [("user", "link"), ("key", "create"), ("key", "list"), ("key", "revoke", "1")])
async def test_an_address_of_nobody_is_said(installed: Run, words: tuple[str, ...]) -> None:
    result = await installed(*words, "--email", "nobody@ours.example")
    assert result.exit_code == 1
    assert "Nobody here has the address nobody@ours.example." in result.stderr


async def test_a_person_is_invited_listed_and_removed(installed: Run, database: Database) -> None:
    await created(installed)
    invite = ("user", "invite", "--email", "noor@ours.example", "--to", EMAIL, "--role", "viewer", "--json")
    link = orjson.loads((await installed(*invite)).stdout)["password_link"]
    team = orjson.loads((await installed("user", "list", "--of", EMAIL, "--json")).stdout)
    assert [(each["email"], each["role"], each["status"]) for each in team] == [
        (EMAIL, "owner", "invited"),
        ("noor@ours.example", "viewer", "invited"),
    ]
    async with database.transaction() as db:
        await actions.set_password(db, token=link.rsplit("/", 1)[1], password="correct horse", now=SYSTEM_CLOCK.now())
    team = orjson.loads((await installed("user", "list", "--of", EMAIL, "--json")).stdout)
    assert [each["status"] for each in team] == ["invited", "active"]
    await installed("user", "remove", "--email", "noor@ours.example")
    assert len(orjson.loads((await installed("user", "list", "--of", EMAIL, "--json")).stdout)) == 1


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("invite", "--email", EMAIL, "--to", EMAIL), "User with email ann@ours.example already exists"),
        (("invite", "--email", "x@ours.example", "--to", EMAIL, "--role", "owner"), "owner of an account"),
        (("remove", "--email", EMAIL), "owner of an account"),
    ],
)
async def test_owners_are_neither_invited_nor_removed(installed: Run, command: tuple[str, ...], sentence: str) -> None:
    await created(installed)
    refused = await installed("user", *command)
    assert refused.exit_code == 1
    assert sentence in refused.stderr
