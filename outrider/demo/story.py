"""The story of one campaign, told through the public HTTP API: set up, import, start, watch."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from outrider.demo import workspace
from outrider.demo.workspace import Account, Tempo

_IMPORT_POLL_SECONDS = 0.1
_WATCH_SECONDS = 0.25
_EVENTS = (
    "EMAIL_SENT",
    "EMAIL_OPEN",
    "EMAIL_LINK_CLICK",
    "EMAIL_REPLY",
    "EMAIL_BOUNCE",
    "LEAD_UNSUBSCRIBED",
    "CAMPAIGN_STATUS_CHANGED",
)


class StoryFailed(Exception):
    """An answer that the story cannot go on with."""


@dataclass(frozen=True, slots=True)
class MailServers:
    """Where the demo's mailboxes live."""

    host: str
    smtp_port: int
    imap_port: int


class Story:
    """Talks to one installation with one key, like any integration."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def call(self, method: str, path: str, **options: Any) -> Any:
        answer = await self._http.request(method, path, **options)
        if not answer.is_success:
            raise StoryFailed(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    async def set_up(self, servers: MailServers, tempo: Tempo, *, webhook_url: str) -> int:
        """Connect the mailboxes and make the campaign; returns its id."""
        mailbox_ids = [await self._connect(account, servers, tempo) for account in workspace.ACCOUNTS]
        campaign = await self.call("POST", "/campaigns/create", json={"name": "Harbour CFO outreach"})
        campaign_id: int = campaign["id"]
        path = f"/campaigns/{campaign_id}"
        await self.call(
            "POST",
            f"{path}/settings",
            json={
                "unsubscribe_text": "No more mails, please",
                "add_unsubscribe_tag": True,
                "stop_lead_settings": "REPLY_TO_AN_EMAIL",
                "out_of_office_detection_settings": {"ignoreOOOasReply": True},
            },
        )
        await self.call(
            "POST",
            f"{path}/schedule",
            json={
                "timezone": "Europe/Lisbon",
                "days_of_the_week": [1, 2, 3, 4, 5],
                "start_hour": "08:30",
                "end_hour": "18:00",
                "min_time_btw_emails": tempo.gap_minutes,
                "max_new_leads_per_day": 100_000,
            },
        )
        await self.call("POST", f"{path}/sequences", json={"sequences": workspace.steps()})
        await self.call("POST", f"{path}/email-accounts", json={"email_account_ids": mailbox_ids})
        await self.call(
            "POST",
            f"{path}/webhooks",
            json={"id": None, "name": "Demo receiver", "webhook_url": webhook_url, "event_types": list(_EVENTS)},
        )
        return campaign_id

    async def _connect(self, account: Account, servers: MailServers, tempo: Tempo) -> int:
        made = await self.call(
            "POST",
            "/email-accounts/save",
            json={
                "id": None,
                "from_name": account.name,
                "from_email": account.address,
                "user_name": account.address,
                "password": account.password,
                "smtp_host": servers.host,
                "smtp_port": servers.smtp_port,
                "smtp_port_type": "NONE",
                "imap_host": servers.host,
                "imap_port": servers.imap_port,
                "imap_port_type": "NONE",
                "max_email_per_day": tempo.mails_per_day,
                "signature": workspace.signature(account),
            },
        )
        return int(made["emailAccountId"])

    async def import_leads(self, campaign_id: int, csv_text: str) -> dict[str, Any]:
        """Upload a CSV file and wait until it is imported; returns the result."""
        started = await self.call(
            "POST",
            f"/campaigns/{campaign_id}/leads/import",
            content=csv_text.encode(),
            headers={"content-type": "text/csv"},
        )
        while True:
            progress = await self.call("GET", f"/campaigns/{campaign_id}/leads/import/{started['import_id']}")
            if progress["status"] in ("COMPLETED", "FAILED"):
                return dict(progress)
            await asyncio.sleep(_IMPORT_POLL_SECONDS)

    async def start(self, campaign_id: int) -> None:
        await self.call("POST", f"/campaigns/{campaign_id}/status", json={"status": "START"})

    async def figures(self, campaign_id: int) -> dict[str, Any]:
        return dict(await self.call("GET", f"/campaigns/{campaign_id}/analytics"))

    async def watch(self, campaign_id: int) -> AsyncIterator[dict[str, Any]]:
        """Give the figures again and again until the campaign is COMPLETED."""
        while True:
            figures = await self.figures(campaign_id)
            yield figures
            if figures["status"] == "COMPLETED":
                return
            await asyncio.sleep(_WATCH_SECONDS)

    async def webhook_summary(self, campaign_id: int) -> dict[str, Any]:
        summary = await self.call(
            "GET",
            f"/campaigns/{campaign_id}/webhooks/summary",
            params={"fromTime": "2000-01-01", "toTime": "2100-01-01"},
        )
        return dict(summary["data"])
