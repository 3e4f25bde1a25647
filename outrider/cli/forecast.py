"""`outrider forecast`: what a campaign will send, day by day, if nobody answers."""

import asyncio
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table

from outrider.campaigns.store import find_user_id
from outrider.cli.console import Failure, clear_failures, out
from outrider.cli.installation import Installation, installation, opened
from outrider.engine import wire_forecast
from outrider.engine.forecast import WhatIf
from outrider.engine.forecast import forecast as foresee
from outrider.engine.recipients import RecipientLimits
from outrider.kit.errors import Problem
from outrider.kit.replies import reply
from outrider.wiring import wire


def forecast(
    campaign_id: Annotated[int, typer.Argument(help="The campaign's id, as in its address in the web app.")],
    *,
    days: Annotated[int, typer.Option(min=1, help="How many days to list.")] = wire_forecast.DAYS,
    cap: Annotated[int | None, typer.Option(min=0, help="Try another daily limit for its mailboxes.")] = None,
    new_leads: Annotated[int | None, typer.Option(min=0, help="Try another number of new leads a day.")] = None,
    gap: Annotated[int | None, typer.Option(min=1, help="Try another pause between two mails, in minutes.")] = None,
    mailbox: Annotated[list[int] | None, typer.Option(help="Try these mailboxes (ids; may be repeated).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON for scripts, as the API answers it.")] = False,
) -> None:
    """Foresee a campaign: mails for each day, step and mailbox, its end, and what keeps it from being faster."""
    what_if = WhatIf(
        max_email_per_day=cap,
        max_new_leads_per_day=new_leads,
        min_time_between_emails=gap,
        mailbox_ids=tuple(mailbox) if mailbox else None,
    )

    async def run(place: Installation) -> dict[str, Any]:
        async with opened(place) as database:
            async with database.transaction() as db:
                user_id = await find_user_id(db, campaign_id)
            if user_id is None:
                raise Failure(f"There is no campaign {campaign_id}.")
            found = await foresee(
                database,
                place.vault,
                user_id,
                campaign_id,
                client_id=None,
                now=place.clock.now(),
                tracking_url=place.settings.tracking_url,
                recipients=RecipientLimits.of(place.settings),
                what_if=what_if,
            )
        return wire_forecast.shown(found, days=days, what_if=what_if)

    wire()
    with clear_failures(), installation() as place:
        try:
            shown = asyncio.run(run(place))
        except Problem as problem:
            raise Failure(f"There is nothing to foresee: {problem}") from problem
        written = reply(shown).body
        if as_json:
            out.out(bytes(written).decode())
        else:
            _print(orjson.loads(written))


def _print(shown: dict[str, Any]) -> None:
    table = Table("day", "mails", "first", "follow-ups", "what kept it from being more")
    for day in shown["by_day"]:
        limit = (day["limited_by"] or {}).get("text", "")
        table.add_row(day["date"], str(day["emails"]), str(day["new_leads"]), str(day["follow_ups"]), limit)
    out.print(f"{shown['campaign_name']} ({shown['status']}), {shown['timezone']}")
    out.print(table)
    for box in shown["by_mailbox"]:
        out.print(f"{box['emails']:>8,} mails from {box['from_email']}")
    for reason in shown["not_mailed"]:
        out.print(f"{reason['leads']:>8,} leads get no more mail: {reason['text']}")
    end = shown["completed_at"] or "not within a year"
    out.print(f"{shown['total_emails']:,} mails to {shown['total_leads']:,} leads. Completed: {end}.", soft_wrap=True)
