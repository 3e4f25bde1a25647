"""The PyPI client `smartlead-cli`, unchanged, with only its base URL changed.

It is run as its users run it: the command `smartlead` with a key and a base address in the environment.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Caller

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
        ours = {"HOME": str(self.home), "SMARTLEAD_BASE_URL": self.base, "SMARTLEAD_API_KEY": key or self.caller.key}
        return subprocess.run(  # noqa: S603 - a tool of the tests
            [COMMAND, *words], env={**os.environ, **ours}, capture_output=True, text=True, timeout=SECONDS, check=False
        )


@pytest.fixture
def client(caller: Caller, tmp_path: Path) -> Client:
    """Its settings are read from the home directory: an empty one, so that nothing but the base is changed."""
    return Client(caller, tmp_path, f"{caller.place.url}/api/v1")


def connect_mailbox(caller: Caller) -> int:
    """The client has no command for mailboxes."""
    body = {
        "from_name": "Rita Mendes",
        "from_email": f"rita@{caller.key[:8]}.example",
        "password": "secret",
        "smtp_host": "127.0.0.1",
        "smtp_port": 2525,
        "imap_host": "127.0.0.1",
        "imap_port": 2143,
    }
    return int(caller.say("POST", "/email-accounts/save", data=json.dumps(body)).json["emailAccountId"])


def test_it_makes_and_starts_a_campaign(client: Client) -> None:
    mailbox_id = connect_mailbox(client.caller)
    campaign_id = str(client("campaigns", "create", "--name", "Harbour CFO outreach")["id"])
    schedule = [
        "--timezone",
        "Europe/Lisbon",
        "--day",
        "1",
        "--day",
        "2",
        "--start-hour",
        "09:00",
        "--end-hour",
        "17:00",
    ]
    assert client("campaigns", "schedule", campaign_id, *schedule, "--min-time-btw-emails", "12") == {"ok": True}
    settings = ["--track-setting", "DONT_TRACK_EMAIL_OPEN", "--follow-up-percentage", "60", "--no-send-as-plain-text"]
    assert client("campaigns", "update", campaign_id, *settings) == {"ok": True}
    step = {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": "Hello", "email_body": "<p>Hi</p>"}
    steps = ["--path", f"/campaigns/{campaign_id}/sequences", "--body-json", json.dumps({"sequences": [step]})]
    assert client("raw", "request", "--method", "POST", *steps)["ok"] is True
    mailboxes = ["--path", f"/campaigns/{campaign_id}/email-accounts"]
    body = ["--body-json", json.dumps({"email_account_ids": [mailbox_id]})]
    assert client("raw", "request", "--method", "POST", *mailboxes, *body)["ok"] is True
    leads = {"lead_list": [{"email": "ada@hexly.io", "first_name": "Ada", "custom_fields": {"Title": "CTO"}}]}
    assert client("campaigns", "leads", "add", campaign_id, "--body-json", json.dumps(leads))["total_leads"] == 1
    assert client("campaigns", "status", campaign_id, "--status", "START") == {"ok": True}
    read = client("campaigns", "get", campaign_id)
    assert (read["status"], read["track_settings"]) == ("ACTIVE", ["DONT_EMAIL_OPEN"])
    assert read["scheduler_cron_value"] == {
        "tz": "Europe/Lisbon",
        "days": [1, 2],
        "startHour": "09:00",
        "endHour": "17:00",
    }
    assert [campaign["id"] for campaign in client("campaigns", "list")] == [int(campaign_id)]


def create_campaign(caller: Caller) -> str:
    return str(caller.say("POST", "/campaigns/create", data='{"name": "Autumn"}').json["id"])


def test_it_works_with_leads(client: Client) -> None:
    campaign_id = create_campaign(client.caller)
    leads = {"lead_list": [{"email": "ada@hexly.io", "first_name": "Ada"}, {"email": "bo@tarn.dev"}]}
    client("campaigns", "leads", "add", campaign_id, "--body-json", json.dumps(leads))
    listed = client("campaigns", "leads", "list", campaign_id)
    assert [row["lead"]["email"] for row in listed["data"]] == ["ada@hexly.io", "bo@tarn.dev"]
    lead_id = str(listed["data"][0]["lead"]["id"])
    client("campaigns", "leads", "patch", campaign_id, lead_id, "--company-name", "Hexly")
    found = client("leads", "get-by-email", "--email", "ada@hexly.io")
    assert (found["id"], found["company_name"]) == (lead_id, "Hexly")
    assert client("campaigns", "leads", "pause", campaign_id, lead_id) == {"ok": True, "data": "success"}
    assert client("campaigns", "leads", "delete", campaign_id, lead_id, "--yes") == "success"


def test_it_works_with_webhooks_and_figures(client: Client) -> None:
    campaign_id = create_campaign(client.caller)
    hook = {
        "id": None,
        "name": "CRM",
        "webhook_url": "https://hooks.example.net/sl",
        "event_types": ["EMAIL_SENT", "CAMPAIGN_STATUS_CHANGED", "UNTRACKED_REPLIES", "MANUAL_STEP_REACHED"],
        "categories": ["Interested"],
    }
    webhook_id = client("webhooks", "upsert", campaign_id, "--body-json", json.dumps(hook))["id"]
    assert [each["id"] for each in client("webhooks", "list", campaign_id)] == [webhook_id]
    assert client("webhooks", "delete", campaign_id, "--webhook-id", str(webhook_id), "--yes")["ok"] is True
    assert client("campaigns", "analytics", "top", campaign_id)["sent_count"] == "0"
    assert client("campaigns", "statistics", campaign_id)["data"] == []
    assert client("campaigns", "delete", campaign_id, "--yes") == {"ok": True}


def test_it_shows_tables(client: Client) -> None:
    create_campaign(client.caller)
    shown = client.run("--pretty", "campaigns", "list")
    assert shown.returncode == 0
    assert "Autumn" in shown.stdout


def test_it_understands_our_errors(client: Client) -> None:
    unknown = client.run("campaigns", "get", "77")
    assert (unknown.returncode, "not_found" in unknown.stderr + unknown.stdout) == (1, True)
    refused = client.run("campaigns", "list", key="3f7b0b0e-0000-4000-8000-000000000000_abcdefg")
    assert (refused.returncode, "auth_error" in refused.stderr + refused.stdout) == (1, True)
    early = client.run("campaigns", "status", create_campaign(client.caller), "--status", "START")
    assert "Campaign schedule is not set" in early.stderr + early.stdout
