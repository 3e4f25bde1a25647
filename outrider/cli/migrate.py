"""`outrider migrate`: the schema brought up to date without starting anything else."""

import asyncio

from outrider.cli.console import clear_failures, out
from outrider.cli.installation import installation
from outrider.kit.migrate import migrate as run_migrations


def migrate() -> None:
    """Bring the database up to date. `serve` does so by itself."""
    with clear_failures(), installation() as place:
        applied = asyncio.run(run_migrations(place.database_url))
        out.print("\n".join(applied) if applied else "The database is up to date.")
