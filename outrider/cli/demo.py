"""`outrider demo`: an installation, a sandbox of people who answer, and a campaign, on a clock that runs faster."""

import asyncio
import os
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import httpx
import orjson
import typer
from rich.live import Live

from outrider.cli.console import clear_failures, out
from outrider.cli.installation import Installation, installation, opened
from outrider.cli.processes import Child, Tree, listen
from outrider.cli.serve import tree_environment, wait_until_ready
from outrider.demo import screen, workspace
from outrider.demo.receiver import Receiver
from outrider.demo.result import Figures, Result
from outrider.demo.story import MailServers, Story
from outrider.demo.workspace import Tempo
from outrider.engine import survey
from outrider.kit.clock import Clock
from outrider.kit.db import Database
from outrider.sandbox import Pace, Sandbox, steps_by_phrase
from outrider.users import actions as users

_BEGINNING = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)  # a Sunday evening: set up overnight, the week is ahead
_LOGIN = "demo@quaydesk.example"
_PASSWORD_BYTES = 9
_SETTLE_SECONDS = 20.0
_LOOK_SECONDS = 0.25
_REACTION_SECONDS = 0.1  # nobody reacts before the server has noted that the mail was taken


@dataclass(frozen=True, slots=True)
class Options:
    leads: int
    exits: bool
    as_json: bool
    seed: str


@dataclass(frozen=True, slots=True)
class Login:
    """How a person and how a program gets in."""

    password: str
    api_key: str


def demo(  # noqa: PLR0917 - typer reads options from parameters
    leads: Annotated[int, typer.Option(min=1, help="How many leads the campaign has.")] = 300,
    exits: Annotated[bool, typer.Option("--exit", help="End when the campaign is COMPLETED.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    speed: Annotated[float, typer.Option(min=1, help="How much faster than the wall time passes.")] = 10_000,
    seed: Annotated[str, typer.Option(help="Other seeds, other people.")] = "quaydesk",
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run a real campaign against the sandbox: real SMTP out, real IMAP in, webhooks, numbers that add up."""
    options = Options(leads, exits, as_json, seed)
    with clear_failures(), tempfile.TemporaryDirectory(prefix="outrider-demo-") as folder:
        settings = {
            "data_dir": os.environ.get("OUTRIDER_DATA_DIR", folder),
            "clock": Clock.starting_at(_BEGINNING, speed=speed).format(),
            "rate_limit_requests": 0,
            "allow_private_networks": "true",
            "log_level": os.environ.get("OUTRIDER_LOG_LEVEL", "warning"),
            "host": host,
            "port": port,
        }
        with installation(**settings) as place:
            result = _run(place, options)
    if result is not None and not result.is_good:
        sys.exit(1)


def _run(place: Installation, options: Options) -> Result | None:
    """Start the processes, tell the story, end the processes."""
    settings = place.settings
    listener = listen(settings.host, settings.port)
    web = Child("web", ("web", str(listener.fileno())), (listener.fileno(),))
    login = asyncio.run(_make_account(place))
    children = [web, Child("engine", ("engine",))]
    tree = Tree(children, environ=tree_environment(place), postgres=place.postgres, listener=listener)
    tree.start()
    try:
        wait_until_ready(settings.host, settings.port, tree)
        return asyncio.run(_until_signal(Stage(place, options, tree, login).play()))
    finally:
        tree.end()


async def _make_account(place: Installation) -> Login:
    """The only thing that the API cannot do: an account with its first key and a password."""
    password, now = secrets.token_urlsafe(_PASSWORD_BYTES), place.clock.now()
    async with opened(place) as database, database.transaction() as db:
        made = await users.create_account(db, email=_LOGIN, name="Quaydesk", now=now)
        await users.set_password(db, token=made.link_token, password=password, now=now)
        return Login(password, made.api_key)


async def _until_signal(story: Coroutine[Any, Any, Result]) -> Result | None:
    """SIGTERM and Ctrl-C end the story, not the clean-up."""
    task = asyncio.create_task(story)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None


class Stage:
    """The demo while it plays: the installation, the mail world, the receiver of webhooks, one campaign."""

    def __init__(self, place: Installation, options: Options, tree: Tree, login: Login) -> None:
        self._place = place
        self._options = options
        self._tree = tree
        self._login = login
        self._base = f"http://{place.settings.host}:{place.settings.port}"
        self._sandbox = Sandbox(seed=options.seed, clock=place.clock, pace=Pace(least_wall_seconds=_REACTION_SECONDS))
        self._receiver = Receiver()
        self._campaign_id = 0

    async def play(self) -> Result:
        started_at = time.monotonic()
        headers = {"x-api-key": self._login.api_key}
        async with (
            self._sandbox,
            self._receiver,
            httpx.AsyncClient(base_url=f"{self._base}/api/v1", headers=headers, timeout=60) as http,
            opened(self._place) as database,
        ):
            watcher = asyncio.create_task(self._look_after())
            story = Story(http)
            await self._begin(story)
            await self._watch(story)
            result = replace(await self._settle(story, database), seconds=time.monotonic() - started_at)
            self._report(result)
            if not self._options.exits:
                await asyncio.Event().wait()
            watcher.cancel()
            return result

    async def _look_after(self) -> None:
        while True:
            self._tree.look_after()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _begin(self, story: Story) -> None:
        for account in workspace.ACCOUNTS:
            self._sandbox.add_mailbox(account.address, account.password)
        servers = MailServers(self._sandbox.host, self._sandbox.smtp_port, self._sandbox.imap_port)
        leads = self._options.leads
        self._campaign_id = await story.set_up(servers, Tempo.of(leads), webhook_url=self._receiver.url)
        await story.import_leads(self._campaign_id, workspace.leads_csv(leads, seed=self._options.seed))
        await story.start(self._campaign_id)

    async def _watch(self, story: Story) -> None:
        """Until the campaign is COMPLETED; drawn for people, silent for scripts."""
        if self._options.as_json:
            async for _ in story.watch(self._campaign_id):
                pass
            return
        self._tell_login()
        with Live(console=out, refresh_per_second=8) as live:
            async for figures in story.watch(self._campaign_id):
                now, receiver = self._place.clock.now(), self._receiver
                live.update(screen.draw(figures, now=now, webhooks=receiver.total, latest=receiver.latest))

    async def _settle(self, story: Story, database: Database) -> Result:
        """Wait until the last people have done what they had in mind and the server has heard of it."""
        await self._sandbox.settle()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            result = await self._measure(story, database)
            if result.is_agreed or time.monotonic() > deadline:
                return result
            await asyncio.sleep(_LOOK_SECONDS)

    async def _measure(self, story: Story, database: Database) -> Result:
        figures = await story.figures(self._campaign_id)
        summary = await story.webhook_summary(self._campaign_id)
        tally = self._sandbox.tally(steps_by_phrase(workspace.PHRASES))
        async with database.connection() as db:
            now = self._place.clock.now()
            reasons = await survey.explain(db, figures["user_id"], self._campaign_id, now)
        return Result(
            status=figures["status"],
            leads=int(figures["campaign_lead_stats"]["total"]),
            server=Figures.of_server(figures),
            sandbox=Figures.of_sandbox(tally),
            duplicates=tally.mails.duplicates,
            webhook_events=int(summary["sent_count"]),
            webhooks_delivered=self._receiver.total,
            unexplained=sum(1 for reason in reasons if not reason.text),
            seconds=0.0,
        )

    def _report(self, result: Result) -> None:
        if self._options.as_json:
            out.out(orjson.dumps(result.as_dict()).decode())
            return
        for line in screen.summary(result):
            out.print(line, soft_wrap=True)
        if not self._options.exits:
            out.print(
                f"\nIt stays up at [bold]{self._base}[/bold] (API reference: {self._base}/docs). Ctrl-C stops it."
            )
            self._tell_login()
            key = self._login.api_key
            out.print(f"API key  {key}", soft_wrap=True)
            out.print(f"try      curl '{self._base}/api/v1/campaigns?api_key={key}'", soft_wrap=True)

    def _tell_login(self) -> None:
        out.print(f"web app  {self._base}/app/", soft_wrap=True)
        out.print(f"login    {_LOGIN} / password {self._login.password}", soft_wrap=True)
