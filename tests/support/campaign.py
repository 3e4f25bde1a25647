"""A campaign as an integration runs it: everything by HTTP, from the mailboxes to the figures."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

_POLL_SECONDS = 0.1
_BATCH = 400

EVERY_HOUR = {
    "timezone": "UTC",
    "days_of_the_week": [0, 1, 2, 3, 4, 5, 6],
    "start_hour": "00:00",
    "end_hour": "23:59",
    "min_time_btw_emails": 1,
    "max_new_leads_per_day": 100_000,
}


@dataclass(frozen=True, slots=True)
class Port:
    """Where a mail server on this machine listens, and how it is spoken to (the wire's words)."""

    number: int
    type: str = "NONE"
    host: str = "127.0.0.1"


async def call(api: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
    answer = await api.request(method, path, **options)
    assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
    return answer.json()


async def connect_mailbox(
    api: httpx.AsyncClient, address: str, password: str, *, smtp: Port, imap: Port, **more: object
) -> int:
    """Both log-ins are tried by the server. Returns the id."""
    body = {
        "from_name": address.partition("@")[0].title(),
        "from_email": address,
        "user_name": address,
        "password": password,
        "smtp_host": smtp.host,
        "smtp_port": smtp.number,
        "smtp_port_type": smtp.type,
        "imap_host": imap.host,
        "imap_port": imap.number,
        "imap_port_type": imap.type,
        **more,
    }
    return int((await call(api, "POST", "/email-accounts/save", json=body))["emailAccountId"])


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign on the server."""

    api: httpx.AsyncClient
    id: int

    @classmethod
    async def make(
        cls,
        api: httpx.AsyncClient,
        name: str,
        *,
        mailbox_ids: Sequence[int],
        steps: Sequence[dict[str, Any]],
        schedule: dict[str, Any] | None = None,
        **settings: object,
    ) -> "Campaign":
        made = cls(api, int((await call(api, "POST", "/campaigns/create", json={"name": name}))["id"]))
        await made.call("POST", "/settings", json=settings)
        await made.call("POST", "/schedule", json=schedule or EVERY_HOUR)
        await made.call("POST", "/sequences", json={"sequences": list(steps)})
        await made.call("POST", "/email-accounts", json={"email_account_ids": list(mailbox_ids)})
        return made

    async def call(self, method: str, path: str = "", **options: Any) -> Any:
        return await call(self.api, method, f"/campaigns/{self.id}{path}", **options)

    async def add_leads(self, leads: Sequence[dict[str, Any]]) -> None:
        for first in range(0, len(leads), _BATCH):
            batch = list(leads[first : first + _BATCH])
            added = await self.call("POST", "/leads", json={"lead_list": batch})
            assert added["total_leads"] == len(batch), added

    async def add_webhook(self, url: str, events: Iterable[str]) -> dict[str, Any]:
        body = {"id": None, "name": "Receiver", "webhook_url": url, "event_types": list(events)}
        return dict(await self.call("POST", "/webhooks", json=body))

    async def start(self) -> None:
        await self.call("POST", "/status", json={"status": "START"})

    async def status(self) -> str:
        return str((await self.call("GET"))["status"])

    async def figures(self) -> dict[str, Any]:
        return dict(await self.call("GET", "/analytics"))

    async def leads(self) -> dict[str, dict[str, Any]]:
        """Every lead's row by address."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.call("GET", "/leads", params={"offset": len(rows), "limit": 100})
            rows += page["data"]
            if not page["data"]:
                return {row["lead"]["email"]: row for row in rows}

    async def statuses(self) -> dict[str, str]:
        return {email: row["status"] for email, row in (await self.leads()).items()}

    async def history(self, lead_id: int) -> list[dict[str, Any]]:
        return list((await self.call("GET", f"/leads/{lead_id}/message-history"))["history"])

    async def webhook_summary(self) -> dict[str, Any]:
        span = {"fromTime": "2000-01-01", "toTime": "2100-01-01"}
        return dict((await self.call("GET", "/webhooks/summary", params=span))["data"])

    async def until_status(self, status: str, *, seconds: float) -> None:
        await eventually_equal(self.status, status, seconds=seconds)


async def until_equal(read: Callable[[], Awaitable[T]], wanted: T, *, seconds: float) -> T:
    """Read again and again until it is what is wanted, or the time is over; returns what was read last."""
    deadline = time.monotonic() + seconds
    found = await read()
    while found != wanted and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        found = await read()
    return found


async def eventually_equal(read: Callable[[], Awaitable[T]], wanted: T, *, seconds: float) -> None:
    """It will be what is wanted; if it never is, the last difference is shown."""
    assert await until_equal(read, wanted, seconds=seconds) == wanted


async def eventually(holds: Callable[[], Awaitable[bool]], *, seconds: float, what: str) -> None:
    """Look again and again until it holds."""
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s it is still not so that {what}"
        await asyncio.sleep(_POLL_SECONDS)
