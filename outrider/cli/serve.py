"""`outrider serve`: everything in one process tree, ready when it says so."""

import asyncio
import time
from enum import StrEnum
from typing import Annotated

import httpx
import typer

from outrider.cli.console import clear_failures, err, out
from outrider.cli.installation import Installation, installation, opened
from outrider.cli.processes import Child, Tree, child_environment, listen
from outrider.users import store as users

_READY_SECONDS = 30.0
_POLL_SECONDS = 0.05


class Role(StrEnum):
    ALL = "all"
    WEB = "web"
    ENGINE = "engine"


def serve(
    host: str | None = typer.Option(None, help="Address to listen on; 0.0.0.0 for all. [setting: HOST]"),
    port: int | None = typer.Option(None, help="Port to listen on. [setting: PORT]"),
    web_workers: int | None = typer.Option(None, help="Web processes. [setting: WEB_WORKERS]"),
    role: Annotated[
        Role, typer.Option(help="What runs here: on many machines, `web` on some and `engine` on others.")
    ] = Role.ALL,
) -> None:
    """Run Outrider: web, engine and, unless DATABASE_URL is set, its own PostgreSQL."""
    with clear_failures(), installation(host=host, port=port, web_workers=web_workers) as place:
        run_tree(place, role=role)


def run_tree(place: Installation, *, role: Role = Role.ALL, quiet: bool = False) -> None:
    """Start the processes and stay until a signal."""
    settings = place.settings
    children = []
    if role is not Role.ENGINE:
        listener = listen(settings.host, settings.port)
        children += [
            Child(f"web {number + 1}", ("web", str(listener.fileno())), (listener.fileno(),))
            for number in range(settings.web_workers)
        ]
    has_accounts = asyncio.run(_prepare(place))
    if role is not Role.WEB:
        children.append(Child("engine", ("engine",)))
    tree = Tree(children, environ=tree_environment(place), postgres=place.postgres)

    def announce() -> None:
        if role is not Role.ENGINE and not wait_until_ready(settings.host, settings.port, tree):
            err.print("The web server is not ready yet; see the log above.")
        if not quiet:
            _greet(place, role, has_accounts=has_accounts)

    tree.run(on_started=announce)


def tree_environment(place: Installation) -> dict[str, str]:
    """The settings of the children: exactly those of this process."""
    settings = place.settings
    return child_environment(
        {},
        OUTRIDER_DATABASE_URL=place.database_url,
        OUTRIDER_DATA_DIR=str(settings.data_dir.resolve()),
        OUTRIDER_HOST=settings.host,
        OUTRIDER_PORT=str(settings.port),
        OUTRIDER_WEB_WORKERS=str(settings.web_workers),
        OUTRIDER_PUBLIC_URL=settings.public_url,
        OUTRIDER_TRACKING_URL=settings.tracking_url,
        OUTRIDER_CLOCK=settings.clock,
        OUTRIDER_RATE_LIMIT_REQUESTS=str(settings.rate_limit_requests),
        OUTRIDER_ALLOW_PRIVATE_NETWORKS=str(settings.allow_private_networks).lower(),
        OUTRIDER_LOG_LEVEL=settings.log_level,
    )


async def _prepare(place: Installation) -> bool:
    """Bring the schema up to date before anybody works with it; returns whether there is an account."""
    async with opened(place) as database, database.connection() as db:
        return bool(await users.list_accounts(db))


def wait_until_ready(host: str, port: int, tree: Tree) -> bool:
    """Ask /healthz until it answers; False after too long or when the tree is told to stop."""
    address = "127.0.0.1" if host in ("0.0.0.0", "") else host  # noqa: S104 - any address means this machine too
    url = f"http://[{address}]:{port}/healthz" if ":" in address else f"http://{address}:{port}/healthz"
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and not tree.is_stopping:
        try:
            if httpx.get(url, timeout=2.0).is_success:
                return True
        except httpx.TransportError:
            pass
        time.sleep(_POLL_SECONDS)
    return False


def _greet(place: Installation, role: Role, *, has_accounts: bool) -> None:
    settings = place.settings
    if role is Role.ENGINE:
        out.print("Outrider's engine runs. Ctrl-C stops it.")
        return
    out.print(
        f"Outrider runs at [bold]{settings.public_url}[/bold] (API: {settings.public_url}/docs). Ctrl-C stops it."
    )
    if not has_accounts:
        out.print("There is no account yet. Make one: [bold]outrider account create --email you@example.com[/bold]")
