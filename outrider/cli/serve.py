"""`outrider serve`: everything in one process tree, ready when it says so."""

import asyncio
import http.client
import time
from enum import StrEnum
from typing import Annotated

import typer

from outrider.cli.console import clear_failures, err, out
from outrider.cli.installation import Installation, installation, opened
from outrider.cli.processes import Child, Tree, listen
from outrider.config import variable
from outrider.kit.db import fetch_value

_READY_SECONDS = 30.0
_POLL_SECONDS = 0.05
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - any address means this machine too


class Role(StrEnum):
    ALL = "all"
    WEB = "web"
    ENGINE = "engine"


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all. Setting: OUTRIDER_HOST.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Setting: OUTRIDER_PORT.")] = None,
    web_workers: Annotated[int | None, typer.Option(help="Web processes. Setting: OUTRIDER_WEB_WORKERS.")] = None,
    role: Annotated[
        Role, typer.Option(help="What runs here: on many machines, `web` on some and `engine` on others.")
    ] = Role.ALL,
) -> None:
    """Run Outrider: web, engine and, unless DATABASE_URL is set, its own PostgreSQL."""
    with clear_failures(), installation(host=host, port=port, web_workers=web_workers) as place:
        _run(place, role)


def _run(place: Installation, role: Role) -> None:
    """Start the processes and stay until a signal."""
    settings = place.settings
    listener = None if role is Role.ENGINE else listen(settings.host, settings.port)
    engine_count = 0 if role is Role.WEB else settings.engines
    children = [Child(f"engine {number}", ("engine",)) for number in range(1, engine_count + 1)]
    if listener is not None:
        descriptor = listener.fileno()
        children += [
            Child(f"web {number}", ("web", str(descriptor)), (descriptor,))
            for number in range(1, settings.web_workers + 1)
        ]
    has_accounts = asyncio.run(_prepare(place))
    tree = Tree(children, environ=tree_environment(place), postgres=place.postgres, listener=listener)

    def announce() -> None:
        check = "/readyz" if role is Role.ALL else "/healthz"  # the engine of a web machine runs elsewhere
        is_ready = listener is None or wait_until_ready(settings.host, settings.port, tree, check=check)
        if tree.is_stopping:
            return
        if not is_ready:
            err.print("Outrider is not ready yet; the log above says why.")
        _greet(place, role, has_accounts=has_accounts)

    tree.run(on_started=announce)


def tree_environment(place: Installation) -> dict[str, str]:
    """The settings of the children: exactly those of this process, with the database that is running."""
    return {**place.environ, variable("database_url"): place.database_url}


async def _prepare(place: Installation) -> bool:
    """Bring the schema up to date before anybody works with it; returns whether there is an account."""
    async with opened(place) as database, database.connection() as db:
        return bool(await fetch_value(db, "SELECT EXISTS (SELECT FROM accounts)"))


def wait_until_ready(host: str, port: int, tree: Tree, *, check: str = "/healthz") -> bool:
    """Ask until the answer is yes; False after too long or when the tree is told to stop."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and not tree.is_stopping:
        if ask(host, port, check) is not None:
            return True
        tree.look_after()
        time.sleep(_POLL_SECONDS)
    return False


def ask(host: str, port: int, path: str) -> bytes | None:
    """What a server on this machine says to a GET, if it is well; asked past any proxy of the environment."""
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=2.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _greet(place: Installation, role: Role, *, has_accounts: bool) -> None:
    url = place.settings.public_url
    if role is Role.ENGINE:
        out.print("Outrider's engine runs. Ctrl-C stops it.")
        return
    out.print(f"Outrider runs at [bold]{url}[/bold] (API: {url}/docs). Ctrl-C stops it.", soft_wrap=True)
    if not has_accounts:
        out.print(
            "There is no account yet. Make one: [bold]outrider account create --email you@example.com[/bold]",
            soft_wrap=True,
        )
