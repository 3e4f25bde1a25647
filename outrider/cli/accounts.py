"""`outrider account …`, `outrider user …` and `outrider key …`: who may come in."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.table import Table

from outrider.cli.console import Failure, clear_failures, out
from outrider.cli.installation import Installation, installation, opened
from outrider.clients.store import check_reference
from outrider.kit.db import Db
from outrider.kit.replies import written
from outrider.users import actions, store
from outrider.users.models import ApiKey, Person, Role

account = typer.Typer(help="Make and list accounts.", no_args_is_help=True)
user = typer.Typer(help="Let people in.", no_args_is_help=True)
key = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

T = TypeVar("T")
Email = Annotated[str, typer.Option(help="Address of a person of the account.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]


@account.command("create")
def create_account(
    email: Annotated[str, typer.Option(help="The owner's address; also the login.")],
    name: Annotated[str | None, typer.Option(help="The account's name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an account. Prints its API key, once, and a link by which the owner sets a password."""

    async def act(db: Db, place: Installation) -> dict[str, object]:
        made = await actions.create_account(db, email=email, name=name, now=place.clock.now())
        return {
            "user_id": made.user_id,
            "email": email,
            "api_key": made.api_key,
            "password_link": _password_link(place, made.link_token),
        }

    made = _in_transaction(act)
    if as_json:
        _print_json(made)
        return
    out.print(f"Account {made['user_id']} for {email}.", soft_wrap=True)
    out.print(f"API key (shown once):  {made['api_key']}", soft_wrap=True)
    out.print(f"Set the password:      {made['password_link']}", soft_wrap=True)


@account.command("list")
def list_accounts(as_json: AsJson = False) -> None:
    """List the accounts of this installation with their owners."""

    async def act(db: Db, _place: Installation) -> list[dict[str, object]]:
        owners = {owner.user_id: owner.email for owner in await store.list_owners(db)}
        return [
            {
                "user_id": each.id,
                "name": each.name,
                "owner": owners.get(each.id),
                "created_at": written(each.created_at),
            }
            for each in await store.list_accounts(db)
        ]

    _print_rows(_in_transaction(act), ("id", "name", "owner", "made"), as_json=as_json)


@user.command("link")
def make_link(email: Email, as_json: AsJson = False) -> None:
    """Print a new link by which a person sets a password. It works once, for seven days."""

    async def act(db: Db, place: Installation) -> str:
        person = await _person(db, email)
        return _password_link(place, await actions.create_link(db, person.id, now=place.clock.now()))

    link = _in_transaction(act)
    if as_json:
        _print_json({"email": email, "password_link": link})
    else:
        out.out(link)


@user.command("invite")
def invite_person(
    email: Email,
    to: Annotated[str, typer.Option(help="Address of a person of the account that is joined.")],
    name: Annotated[str | None, typer.Option(help="What the others call the person.")] = None,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.MEMBER,
    as_json: AsJson = False,
) -> None:
    """Invite somebody into the team of an account. Prints the link by which a password is set."""

    async def act(db: Db, place: Installation) -> str:
        account_of = await _person(db, to)
        token = await actions.invite(db, account_of.user_id, email=email, name=name, role=role, now=place.clock.now())
        return _password_link(place, token)

    link = _in_transaction(act)
    if as_json:
        _print_json({"email": email, "role": role.value, "password_link": link})
    else:
        out.out(link)


@user.command("list")
def list_people(
    of: Annotated[str, typer.Option(help="Address of a person of the account.")], as_json: AsJson = False
) -> None:
    """List the team of an account with its roles."""

    async def act(db: Db, _place: Installation) -> list[dict[str, object]]:
        team = await store.list_team(db, (await _person(db, of)).user_id)
        return [
            {
                "id": each.id,
                "email": each.email,
                "name": each.name,
                "role": each.role.value,
                "status": "active" if each.is_active else "invited",
            }
            for each in team
        ]

    _print_rows(_in_transaction(act), ("id", "address", "name", "role", "status"), as_json=as_json)


@user.command("remove")
def remove_person(email: Email) -> None:
    """Remove a person from the team. Sessions end; API keys of the account stay."""

    async def act(db: Db, _place: Installation) -> None:
        await actions.remove(db, await _person(db, email))

    _in_transaction(act)
    out.print(f"{email} is removed.", soft_wrap=True)


@key.command("create")
def create_key(
    email: Email,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "API",
    client_id: Annotated[int | None, typer.Option(help="Limit the key to this client's objects.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is printed once."""

    async def act(db: Db, place: Installation) -> dict[str, object]:
        person = await _person(db, email)
        if client_id is not None:
            await check_reference(db, person.user_id, client_id, scope=None)
        made = await actions.create_key(
            db,
            person.user_id,
            name=name,
            client_id=client_id,
            person_id=person.id,
            now=place.clock.now(),
        )
        return {"id": made.id, "name": name, "api_key": made.text}

    made = _in_transaction(act)
    if as_json:
        _print_json(made)
    else:
        out.out(made["api_key"])


@key.command("list")
def list_keys(email: Email, as_json: AsJson = False) -> None:
    """List the keys of an account, by their last characters."""

    async def act(db: Db, _place: Installation) -> list[ApiKey]:
        return await store.list_keys(db, (await _person(db, email)).user_id)

    rows = [_shown(each) for each in _in_transaction(act)]
    _print_rows(rows, ("id", "name", "ends with", "client", "made", "revoked"), as_json=as_json)


@key.command("revoke")
def revoke_key(
    key_id: Annotated[int, typer.Argument(help="Its id, as `outrider key list` shows it.")], email: Email
) -> None:
    """Revoke a key: from the next request on it is unknown."""

    async def act(db: Db, place: Installation) -> None:
        person = await _person(db, email)
        await actions.revoke_key(db, person.user_id, key_id, now=place.clock.now())

    _in_transaction(act)
    out.print(f"Key {key_id} is revoked.")


def _in_transaction(act: Callable[[Db, Installation], Awaitable[T]]) -> T:
    """Run one action on the installation."""

    async def run(place: Installation) -> T:
        async with opened(place) as database, database.transaction() as db:
            return await act(db, place)

    with clear_failures(), installation() as place:
        return asyncio.run(run(place))
    raise AssertionError  # clear_failures ends the program


async def _person(db: Db, email: str) -> Person:
    person = await store.find_person_by_email(db, email.strip().lower())
    if person is None:
        raise Failure(f"Nobody here has the address {email}. `outrider account list` shows the owners.")
    return person


def _password_link(place: Installation, token: str) -> str:
    return f"{place.settings.public_url}/app/set-password/{token}"


def _shown(each: ApiKey) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "hint": each.hint,
        "client_id": each.client_id,
        "created_at": written(each.created_at),
        "revoked_at": written(each.revoked_at) if each.revoked_at else None,
    }


def _print_json(value: Any) -> None:
    out.out(orjson.dumps(value).decode())


def _print_rows(rows: Sequence[dict[str, object]], head: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        _print_json(rows)
        return
    table = Table(*head)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    out.print(table)
