"""The PyPI client `smartlead-cli`, unchanged, with only its base URL changed: all its commands against running servers.

It is run as its users run it: the command `smartlead` with a key and a base address in the environment. The rows of
`STORIES` are its commands in an order in which one leads to the other; a command that no row has fails a test.
"""

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from time import sleep
from typing import Any

import pytest
from smartlead_cli.main import app
from typer.main import get_command

from outrider.kit.db import Database
from tests.contract.conftest import Caller
from tests.support.leads import mail

COMMAND = Path(sys.executable).with_name("smartlead")
SECONDS = 120


@dataclass(frozen=True, slots=True)
class Client:
    """`client("campaigns", "list")` is `smartlead campaigns list`; returns what it printed."""

    caller: Caller
    home: Path
    base: str

    def __call__(self, *words: str) -> Any:
        done = self.run(*words)
        assert done.returncode == 0, f"smartlead {' '.join(words)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def run(self, *words: str, key: str | None = None) -> "subprocess.CompletedProcess[str]":
        ours = {"SMARTLEAD_BASE_URL": self.base, "SMARTLEAD_API_KEY": key or self.caller.key}
        return subprocess.run(  # noqa: S603 - a tool of the tests
            [COMMAND, *words],
            env=self.environment | ours,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """Without a key: what it knows then stands in its home directory."""
        return {**os.environ, "HOME": str(self.home)}


@pytest.fixture
def client(caller: Caller, tmp_path: Path) -> Client:
    """Its settings are read from the home directory: an empty one, so that nothing but the base is changed."""
    return Client(caller, tmp_path, f"{caller.place.url}/api/v1")


@dataclass(frozen=True, slots=True)
class Row:
    """One command: its words, what it is given, what its answer has, and which ids later rows need of it.

    `{names}` in what is given, and in what is expected, stand for ids that were remembered.
    """

    command: str
    given: tuple[str, ...] = ()
    body: Any = None
    has: Any = field(default_factory=dict)
    remembers: Mapping[str, str] = field(default_factory=dict)
    """A name, and where its value is in the answer: `data.0.lead.id`."""


STEP = {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": "Hello", "email_body": "<p>Hi</p>"}
BOX = {
    "from_name": "Rita Mendes",
    "from_email": "rita@{account}.example",
    "password": "secret",
    "smtp_host": "127.0.0.1",
    "smtp_port": 2525,
    "imap_host": "127.0.0.1",
    "imap_port": 2143,
}
HOOK = {
    "id": None,
    "name": "CRM",
    "webhook_url": "https://hooks.example.net/sl",
    "event_types": ["EMAIL_SENT", "CAMPAIGN_STATUS_CHANGED", "UNTRACKED_REPLIES", "MANUAL_STEP_REACHED"],
    "categories": ["Interested"],
}
ADA = {"email": "ada@hexly.io", "first_name": "Ada", "custom_fields": {"Title": "CTO"}}
SCHEDULE = ("--timezone", "Europe/Lisbon", "--day", "1", "--day", "2", "--start-hour", "09:00", "--end-hour", "17:00")
OK = {"ok": True}
DONE = {"ok": True, "data": "success"}


def raw(method: str, path: str, *more: str, **row: Any) -> Row:
    return Row("raw request", ("--method", method, "--path", path, *more), **row)


CAMPAIGNS = (
    raw("POST", "/email-accounts/save", body=BOX, has=OK, remembers={"mailbox": "emailAccountId"}),
    Row("campaigns create", ("--name", "Harbour CFO outreach"), has=OK, remembers={"campaign": "id"}),
    Row("campaigns schedule", ("{campaign}", *SCHEDULE, "--min-time-btw-emails", "12"), has=OK),
    Row("campaigns schedule", ("{campaign}", "--schedule-start-time", "2026-03-05T07:00:00Z"), has=OK),
    Row(
        "campaigns update",
        (
            "{campaign}",
            *("--track-setting", "DONT_TRACK_EMAIL_OPEN", "--stop-lead-settings", "REPLY_TO_AN_EMAIL"),
            *("--unsubscribe-text", "No more", "--follow-up-percentage", "60", "--no-send-as-plain-text"),
            *("--force-plain-text", "--enable-ai-esp-matching", "--auto-pause-domain-leads-on-reply"),
            *("--ignore-ss-mailbox-sending-limit", "--domain-level-rate-limit", "--bounce-autopause-threshold", "5"),
            *("--ai-category-id", "1", "--ai-category-id", "3"),
        ),
        has=OK,
    ),
    raw("POST", "/campaigns/{campaign}/sequences", body={"sequences": [STEP]}, has=OK),
    raw("POST", "/campaigns/{campaign}/email-accounts", body={"email_account_ids": ["{mailbox}"]}, has=OK),
    Row("campaigns leads add", ("{campaign}",), body={"lead_list": [ADA]}, has={"total_leads": 1, "upload_count": 1}),
    Row("campaigns status", ("{campaign}", "--status", "START"), has=OK),
    Row(
        "campaigns get",
        ("{campaign}",),
        has={
            "status": "ACTIVE",
            "track_settings": ["DONT_EMAIL_OPEN"],
            "follow_up_percentage": 60,
            "unsubscribe_text": "No more",
            "force_plain_text": True,
            "enable_ai_esp_matching": True,
            "ai_categorisation_options": [1, 3],
            "min_time_btwn_emails": 12,
            "schedule_start_time": "2026-03-05T07:00:00.000Z",
            "scheduler_cron_value": {"tz": "Europe/Lisbon", "days": [1, 2], "startHour": "09:00", "endHour": "17:00"},
        },
    ),
    Row("campaigns list", ("--include-tags", "--offset", "0"), has=[{"id": "{campaign}", "tags": []}]),
    Row("campaigns analytics top", ("{campaign}",), has={"sent_count": "0", "campaign_lead_stats": {"total": 1}}),
    Row(
        "campaigns analytics by-date",
        ("{campaign}", "--start-date", "2026-03-01", "--end-date", "2026-03-30"),
        has={"start_date": "2026-03-01", "sent_count": "0", "total_count": "1"},
    ),
    Row("campaigns status", ("{campaign}", "--status", "PAUSED"), has=OK),
    Row("campaigns delete", ("{campaign}", "--yes"), has=OK),
    Row("campaigns list", has=[]),
)
LEADS = (
    Row("campaigns create", ("--name", "Autumn"), has=OK, remembers={"campaign": "id"}),
    raw(
        "POST", "/campaigns/{campaign}/sequences", body={"sequences": [STEP]}, remembers={"step": "data.sequences.0.id"}
    ),
    Row("campaigns leads add", ("{campaign}",), body={"lead_list": [ADA, {"email": "bo@tarn.dev"}]}),
    Row(
        "campaigns leads list",
        ("{campaign}", "--limit", "10", "--offset", "0"),
        has={"total_leads": "2", "data": [{"lead": {"email": "ada@hexly.io"}}, {"lead": {"email": "bo@tarn.dev"}}]},
        remembers={"ada": "data.0.lead.id", "bo": "data.1.lead.id"},
    ),
    Row("campaigns leads get", ("{campaign}", "{ada}"), has={"status": "STARTED", "lead": {"first_name": "Ada"}}),
    Row("campaigns leads update", ("{campaign}", "{ada}"), body={"email": "ada@hexly.io", "last_name": "L"}, has=OK),
    Row("campaigns leads patch", ("{campaign}", "{ada}", "--company-name", "Hexly"), has=OK),
    Row(
        "leads get-by-email",
        ("--email", "ada@hexly.io"),
        has={"id": "{ada}", "company_name": "Hexly", "last_name": "L", "custom_fields": {"Title": "CTO"}},
    ),
    Row(
        "campaigns statistics",
        ("{campaign}", "--limit", "5", "--email-sequence-number", "1"),
        has={"total_stats": "1", "data": [{"lead_email": "ada@hexly.io", "sequence_number": 1}], "limit": 5},
    ),
    Row("campaigns statistics", ("{campaign}", "--email-status", "replied"), has={"total_stats": "0", "data": []}),
    Row(
        "campaigns leads message-history",
        ("{campaign}", "{ada}"),
        has={"history": [{"type": "SENT", "email_seq_number": "1"}], "to": "ada@hexly.io"},
    ),
    Row("campaigns leads pause", ("{campaign}", "{ada}"), has=DONE),
    Row("campaigns leads resume", ("{campaign}", "{bo}", "--delay-days", "2"), has=DONE),
    Row("campaigns leads unsubscribe", ("{campaign}", "{ada}"), has=OK),
    Row("leads unsubscribe-all", ("{ada}",), has=OK),
    Row("leads get-by-email", ("--email", "ada@hexly.io"), has={"is_unsubscribed": True}),
    Row("leads get-by-email", ("--email", "nobody@hexly.io"), has={}),
    Row("campaigns leads delete", ("{campaign}", "{bo}", "--yes"), has="success"),
)
REST = (
    Row("campaigns create", ("--name", "Autumn"), has=OK, remembers={"campaign": "id"}),
    Row("webhooks upsert", ("{campaign}",), body=HOOK, has={"name": "CRM"}, remembers={"hook": "id"}),
    Row("webhooks list", ("{campaign}",), has=[{"id": "{hook}", "categories": ["Interested"]}]),
    Row("webhooks delete", ("{campaign}", "--webhook-id", "{hook}", "--yes"), has=OK),
    Row("webhooks list", ("{campaign}",), has=[]),
    raw("GET", "/leads/", "--query", "email=x@y.io", "--include-meta", has={"status_code": 200, "data": {}}),
    raw("GET", "/campaigns/", "--query", "limit=1", "--header", "X-Request-Id=mine", has=[{"id": "{campaign}"}]),
    Row("raw examples", has={"examples": [{}, {}, {}]}),
    Row("config show", has={"core": {"base_url": "{base}"}}),
    Row("config set", ("defaults.limit", "7"), has=OK),
    Row("config show", ("--reveal",), has={"core": {"api_key": "{key}"}, "defaults": {"limit": 7}}),
)
STORIES = {"campaigns": CAMPAIGNS, "leads": LEADS, "rest": REST}
BY_HAND = {"config init": "asks questions; test_it_is_set_up_by_questions answers them"}


def commands(command: Any, *words: str) -> Iterator[str]:
    """Every command that the client has."""
    for name, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from commands(each, *words, name)
        else:
            yield " ".join((*words, name))


def test_every_command_is_in_a_story() -> None:
    told = {row.command for story in STORIES.values() for row in story} | BY_HAND.keys()
    assert set(commands(get_command(app))) == told


@pytest.mark.parametrize("story", STORIES)
async def test_all_its_commands_work(client: Client, accounts: Database, story: str) -> None:
    ids = {"account": client.caller.key[:8], "base": client.base, "key": client.caller.key}
    for row in STORIES[story]:
        if row.command == "campaigns statistics" and "sent" not in ids:
            ids["sent"] = await send(accounts, client, ids)
        body = [] if row.body is None else ["--body-json", filled(json.dumps(row.body), ids)]
        answer = client(*row.command.split(), *(filled(word, ids) for word in row.given), *body)
        assert has(answer, row.has, ids), f"{row}: {answer}"
        ids |= {name: str(value_at(answer, place)) for name, place in row.remembers.items()}


async def send(accounts: Database, client: Client, ids: Mapping[str, str]) -> str:
    """Ada has got the first step: nobody sends mails here."""
    user_id = client("campaigns", "get", ids["campaign"])["user_id"]
    async with accounts.transaction() as db:
        campaign_id, lead_id, step_id = (int(ids[name]) for name in ("campaign", "ada", "step"))
        return str(await mail(db, user_id, campaign_id, lead_id, step_id=step_id))


def filled(text: str, ids: Mapping[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def has(answer: Any, expected: Any, ids: Mapping[str, str]) -> bool:
    """Whether the answer has what is expected: of objects these keys, of lists these items and no more."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(
            key in answer and has(answer[key], value, ids) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(answer, list)
            and len(answer) == len(expected)
            and all(has(one, other, ids) for one, other in zip(answer, expected, strict=True))
        )
    if isinstance(expected, str) and expected.startswith("{"):
        return str(answer) == filled(expected, ids)
    return bool(answer == expected)


def value_at(answer: Any, place: str) -> Any:
    for word in place.split("."):
        answer = answer[int(word)] if word.isdigit() else answer[word]
    return answer


def test_it_is_set_up_by_questions(client: Client) -> None:
    """It wants a terminal, tries the key it is told, and knows it from then on."""
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(  # noqa: S603 - a tool of the tests
        [COMMAND, "config", "init"],
        env=client.environment | {"TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,  # without a terminal of its own it reads the key from this one
    )
    os.close(theirs)
    try:
        read_until(ours, "Smartlead API key")
        while termios.tcgetattr(ours)[3] & termios.ECHO:  # what is typed before it hides the key is thrown away
            sleep(0.01)
        os.write(ours, f"{client.caller.key}\n".encode())
        read_until(ours, "API base URL")
        os.write(ours, f"{client.base}\n".encode())
        read_until(ours, "Token is valid (received 0 campaigns)")
        read_until(ours, '"retries"')
        asked.wait(SECONDS)
    finally:
        asked.kill()
        asked.wait()
        os.close(ours)
    assert asked.returncode == 0
    listed = subprocess.run(  # noqa: S603 - a tool of the tests
        [COMMAND, "campaigns", "list"], env=client.environment, capture_output=True, timeout=SECONDS, check=False
    )
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])


def read_until(terminal: int, words: str) -> None:
    said = ""
    while words not in said:
        ready, _, _ = select([terminal], [], [], SECONDS)
        assert ready, f"It does not say {words!r}: {said}"
        said += os.read(terminal, 4096).decode()


def test_it_shows_tables(client: Client) -> None:
    campaign_id = str(client.caller.say("POST", "/campaigns/create", data='{"name": "Autumn"}').json["id"])
    client.caller.say("POST", f"/campaigns/{campaign_id}/leads", data=json.dumps({"lead_list": [ADA]}))
    for words, shown in (("campaigns list", "Autumn"), (f"campaigns leads list {campaign_id}", "ada@hexly.io")):
        told = client.run("--pretty", *words.split())
        assert (told.returncode, shown in told.stdout) == (0, True), told.stdout + told.stderr


def test_it_understands_our_errors(client: Client) -> None:
    unknown = client.run("campaigns", "get", "77")
    assert (unknown.returncode, "not_found" in unknown.stderr + unknown.stdout) == (1, True)
    refused = client.run("campaigns", "list", key="3f7b0b0e-0000-4000-8000-000000000000_abcdefg")
    assert (refused.returncode, "auth_error" in refused.stderr + refused.stdout) == (1, True)
    campaign_id = str(client("campaigns", "create", "--name", "Autumn")["id"])
    early = client.run("campaigns", "status", campaign_id, "--status", "START")
    assert "Campaign schedule is not set" in early.stderr + early.stdout
