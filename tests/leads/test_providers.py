"""The look-up of providers: once for each domain, in campaigns that pair providers, on a database that commits."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from outrider.kit.db import Database, fetch_dicts
from outrider.leads.providers.jobs import look_up
from outrider.mail import dns
from outrider.mail.dns import Resolver
from tests.support.dns_server import DnsServer, dns_server
from tests.support.world import World

_RECORDS = {
    "quay.example": ["10 aspmx.l.google.com."],
    "tarn.example": ["10 tarn-example.mail.protection.outlook.com."],
    "loom.example": ["10 mx.mimecast.com."],
}


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        server.mail.update(_RECORDS)
        yield server


async def _campaign(database: Database, now: datetime, **changes: object) -> tuple[int, list[int]]:
    """A lead at each of the domains, one twice, one at a domain that does not exist."""
    async with database.transaction() as db:
        world = await World.make(db, now)
        campaign_id = await world.campaign([await world.mailbox()], **{"enable_ai_esp_matching": True, **changes})
        leads = []
        for domain in (*_RECORDS, "quay.example", "nowhere.example"):
            leads += await world.leads(campaign_id, 1, domain=domain)
        return campaign_id, leads


async def _providers(database: Database, campaign_id: int) -> list[str | None]:
    async with database.connection() as db:
        sql = "SELECT provider FROM campaign_leads WHERE campaign_id = %(id)s ORDER BY id"
        return [row["provider"] for row in await fetch_dicts(db, sql, {"id": campaign_id})]


async def test_each_domain_is_asked_once(database: Database, now: datetime, server: DnsServer) -> None:
    campaign_id, _ = await _campaign(database, now)
    resolver = Resolver([server.address])
    for _ in range(2):  # the job runs again after a crash
        await look_up(database, resolver, now)
        assert await _providers(database, campaign_id) == ["GOOGLE", "MICROSOFT", "GATEWAY", "GOOGLE", "OTHER"]
    assert sorted(server.asked) == sorted([*_RECORDS, "nowhere.example"])


async def test_what_is_known_is_kept_for_seven_days(database: Database, now: datetime, server: DnsServer) -> None:
    campaign_id, _ = await _campaign(database, now)
    resolver = Resolver([server.address])
    await look_up(database, resolver, now)
    server.mail["loom.example"] = ["10 mx.zoho.com."]
    server.asked.clear()
    await look_up(database, resolver, now + timedelta(days=6))
    assert server.asked == []
    await look_up(database, resolver, now + timedelta(days=7))
    assert await _providers(database, campaign_id) == ["GOOGLE", "MICROSOFT", "ZOHO", "GOOGLE", "OTHER"]


async def test_leads_added_later_are_looked_up_and_go_on(database: Database, now: datetime, server: DnsServer) -> None:
    campaign_id, _ = await _campaign(database, now)
    resolver = Resolver([server.address])
    await look_up(database, resolver, now)
    async with database.transaction() as db:
        user_id = (await fetch_dicts(db, "SELECT user_id FROM campaigns"))[0]["user_id"]
        world = World(db, now, user_id, lead_number=100)
        [added] = await world.leads(campaign_id, 1, domain="tarn.example")
        await world.change("campaign_leads", added, hold_code="PROVIDER_LOOKUP", hold_text="Wait.", hold_until=now)
        [held] = await world.leads(campaign_id, 1, domain="tarn.example")
        await world.change("campaign_leads", held, hold_code="TEMPLATE", hold_text="Broken.", hold_until=now)
    await look_up(database, resolver, now)
    async with database.connection() as db:
        sql = "SELECT provider, hold_code, hold_until FROM campaign_leads ORDER BY id DESC LIMIT 2"
        rows = [tuple(row.values()) for row in await fetch_dicts(db, sql)]
    assert rows == [("MICROSOFT", "TEMPLATE", now), ("MICROSOFT", None, None)]


@pytest.mark.parametrize("changes", [{"enable_ai_esp_matching": False}, {"status": "PAUSED"}])
async def test_campaigns_that_do_not_pair_ask_nobody(
    database: Database, now: datetime, server: DnsServer, changes: dict[str, object]
) -> None:
    campaign_id, _ = await _campaign(database, now, **changes)
    await look_up(database, Resolver([server.address]), now)
    assert server.asked == []
    assert set(await _providers(database, campaign_id)) == {None}


async def test_without_an_answer_a_lead_counts_as_any_other_and_is_asked_again_after_an_hour(
    database: Database, now: datetime, server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_SECONDS", 0.2)
    campaign_id, _ = await _campaign(database, now)
    server.broken.update(["quay.example", "loom.example"])
    resolver = Resolver([server.address])
    await look_up(database, resolver, now)
    assert await _providers(database, campaign_id) == ["OTHER", "MICROSOFT", "OTHER", "OTHER", "OTHER"]
    server.broken.clear()
    await look_up(database, resolver, now + timedelta(minutes=59))
    assert (await _providers(database, campaign_id))[0] == "OTHER"
    await look_up(database, resolver, now + timedelta(minutes=60))
    assert await _providers(database, campaign_id) == ["GOOGLE", "MICROSOFT", "GATEWAY", "GOOGLE", "OTHER"]
