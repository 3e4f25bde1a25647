"""The funnel as it grows, drawn in the terminal."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from outrider.demo.result import Result

_BARS = (
    ("leads contacted", "unique_sent_count", "white"),
    ("opened", "unique_open_count", "cyan"),
    ("clicked", "unique_click_count", "blue"),
    ("replied", "reply_count", "green"),
    ("bounced", "bounce_count", "red"),
    ("unsubscribed", "unsubscribed_count", "yellow"),
)
_BAR_WIDTH = 40


def draw(figures: Mapping[str, Any], *, now: datetime, webhooks: int, latest: Iterable[str]) -> RenderableType:
    """One frame: the date in the demo's own time, the funnel, leads by status, webhooks as they arrive."""
    leads = figures["campaign_lead_stats"]
    head = Text.assemble(
        (f"{now:%A %d %b %H:%M} UTC", "bold"),
        f"   {figures['name']}: ",
        (figures["status"], "bold green"),
        f"   {figures['sent_count']} mails sent",
    )
    parts: list[RenderableType] = [
        head,
        Text(),
        _funnel(figures, int(leads["total"])),
        Text(),
        _people(leads),
        *_events(webhooks, latest),
    ]
    return Panel(Group(*parts))


def summary(result: Result) -> Iterable[str]:
    """How it ended, in a few sentences."""
    server = result.server
    twice = f"{result.duplicates} mails were sent twice" if result.duplicates else "nobody got a mail twice"
    yield f"The campaign is {result.status} after {result.seconds:.0f} s."
    yield f"{server.sent} mails to {result.leads} leads, {twice}."
    yield (
        f"{server.opened} people opened, {server.clicked} clicked, {server.replied} answered, "
        f"{server.bounced} bounced, {server.unsubscribed} unsubscribed."
    )
    if result.is_agreed:
        yield f"The sandbox counted the same by itself, and all {result.webhook_events} webhooks arrived."
        return
    yield f"The sandbox counted differently: {result.sandbox}"
    yield f"Webhooks: {result.webhooks_delivered} of {result.webhook_events} arrived."


def _funnel(figures: Mapping[str, Any], total: int) -> Table:
    table = Table.grid(padding=(0, 2))
    for label, key, colour in _BARS:
        count = int(figures[key])
        bar = ProgressBar(total=max(total, 1), completed=count, width=_BAR_WIDTH, complete_style=colour)
        table.add_row(label, str(count), bar)
    return table


def _people(leads: Mapping[str, Any]) -> Text:
    names = ("notStarted", "inprogress", "completed", "stopped", "blocked", "paused")
    return Text("leads   " + "   ".join(f"{name} {leads[name]}" for name in names), style="dim")


def _events(webhooks: int, latest: Iterable[str]) -> list[Text]:
    return [Text(f"webhooks received {webhooks}", style="dim"), *(Text(f"  {line}", style="dim") for line in latest)]
