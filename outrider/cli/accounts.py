"""`outrider account …` and `outrider key …`: who may call the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
import typer
from rich.table import Table

from outrider.cli.console import Failure, clear_failures, out
from outrider.cli.installation import Installation, installation, opened
from outrider.kit.db import Db
from outrider.kit.replies import written
from outrider.users import actions, store
from outrider.users.models import ApiKey, Person

account = typer.Typer(help="Make accounts.", no_args_is_help=True)
key = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

T = TypeVar("T")


def in_transaction(act: Callable[[Db, Installation], Awaitable[T]]) -> T:
    """Run one action on the installation."""

    async def run(place: Installation) -> T:
        async with opened(place) as database, database.transaction() as db:
            return await act(db, place)

    with clear_failures(), installation() as place:
        return asyncio.run(run(place))
    raise AssertionError  # clear_failures ends the program


@account.command("create")
def create_account(
    email: str = typer.Option(..., help="The owner's address; also the login."),
    name: str | None = typer.Option(None, help="The account's name."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object for scripts."),
) -> None:
    """Make an account. Prints its API key, once, and a link by which the owner sets a password."""

    async def act(db: Db, place: Installation) -> dict[str, object]:
        made = await actions.create_account(db, email=email, name=name, now=place.clock.now())
        link = f"{place.settings.public_url}/app/set-password/{made.link_token}"
        return {"user_id": made.user_id, "email": email, "api_key": made.api_key, "password_link": link}

    made = in_transaction(act)
    if as_json:
        out.out(orjson.dumps(made).decode())
        return
    out.print(f"Account {made['user_id']} for {email}.")
    out.print(f"API key (shown once):  {made['api_key']}", soft_wrap=True)
    out.print(f"Set the password:      {made['password_link']}", soft_wrap=True)


@key.command("create")
def create_key(
    email: str = typer.Option(..., help="A person of the account."),
    name: str = typer.Option("API", help="What the key is for."),
    client_id: int | None = typer.Option(None, help="Limit the key to this client's objects."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object for scripts."),
) -> None:
    """Make an API key. It is printed once."""

    async def act(db: Db, place: Installation) -> dict[str, object]:
        person = await _person(db, email)
        made = await actions.create_key(
            db,
            person.user_id,
            name=name,
            client_id=client_id,
            person_id=person.id,
            now=place.clock.now(),
        )
        return {"id": made.id, "name": name, "api_key": made.text}

    made = in_transaction(act)
    out.out(orjson.dumps(made).decode() if as_json else str(made["api_key"]))


@key.command("list")
def list_keys(
    email: str = typer.Option(..., help="A person of the account."),
    as_json: bool = typer.Option(False, "--json", help="A JSON array for scripts."),
) -> None:
    """List the keys of an account, by their last characters."""

    async def act(db: Db, _place: Installation) -> list[ApiKey]:
        return await store.list_keys(db, (await _person(db, email)).user_id)

    keys = in_transaction(act)
    if as_json:
        out.out(orjson.dumps([_shown(each) for each in keys]).decode())
        return
    table = Table("id", "name", "ends with", "client", "made", "revoked")
    for each in keys:
        table.add_row(*(str(value or "") for value in _shown(each).values()))
    out.print(table)


def _shown(each: ApiKey) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "hint": each.hint,
        "client_id": each.client_id,
        "created_at": written(each.created_at),
        "revoked_at": written(each.revoked_at) if each.revoked_at else None,
    }


async def _person(db: Db, email: str) -> Person:
    person = await store.find_person_by_email(db, email.strip().lower())
    if person is None:
        raise Failure(f"Nobody here has the address {email}.")
    return person


@key.command("revoke")
def revoke_key(
    key_id: int = typer.Argument(..., help="Its id, as `key list` shows it."),
    email: str = typer.Option(..., help="A person of the account."),
) -> None:
    """Revoke a key: from the next request on it is unknown."""

    async def act(db: Db, place: Installation) -> None:
        person = await _person(db, email)
        await actions.revoke_key(db, person.user_id, key_id, now=place.clock.now())

    in_transaction(act)
    out.print(f"Key {key_id} is revoked.")
