"""The table of commands."""

import asyncio

import typer

from outrider.cli.accounts import account, key
from outrider.cli.console import clear_failures, out
from outrider.cli.demo import demo
from outrider.cli.installation import installation
from outrider.cli.serve import serve
from outrider.kit.migrate import migrate as run_migrations

app = typer.Typer(
    help="Outrider: self-hosted cold outreach with a Smartlead-compatible API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(serve)
app.command()(demo)
app.add_typer(account, name="account")
app.add_typer(key, name="key")


@app.command()
def migrate() -> None:
    """Bring the database up to date. `serve` does so by itself."""
    with clear_failures(), installation() as place:
        applied = asyncio.run(run_migrations(place.database_url))
        out.print("\n".join(applied) if applied else "The database is up to date.")
