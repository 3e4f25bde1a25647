"""SQL on what the DNS said of domains, and how far each campaign's leads are looked up.

The look-up serves all accounts at once: what a domain's mail hosts are is nobody's secret, and each statement on leads
is about one campaign that was just read with its account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_value
from outrider.mail.provider import Provider

_LOCK = 7432


@dataclass(frozen=True, slots=True)
class Position:
    """A campaign that pairs providers, and the last lead that was looked up."""

    campaign_id: int
    user_id: int
    done_to: int
    next_at: datetime | None


async def try_lock(session: Db) -> bool:
    """Whether nobody else looks up just now; the lock ends with `unlock` or with the connection."""
    return bool(await fetch_value(session, "SELECT pg_try_advisory_lock(%(key)s)", {"key": _LOCK}))


async def unlock(session: Db) -> None:
    await fetch_value(session, "SELECT pg_advisory_unlock(%(key)s)", {"key": _LOCK})


async def list_positions(db: Db) -> list[Position]:
    return await fetch_all(
        db,
        Position,
        """
        SELECT c.id AS campaign_id, c.user_id, coalesce(p.done_to, 0) AS done_to, p.next_at
          FROM campaigns AS c
          LEFT JOIN provider_look_ups AS p ON p.campaign_id = c.id
         WHERE c.status = 'ACTIVE'
           AND c.enable_ai_esp_matching
         ORDER BY c.id
        """,
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead without a first mail."""

    id: int
    domain: str


async def list_waiting(db: Db, user_id: int, campaign_id: int, *, after: int, limit: int) -> list[Waiting]:
    return await fetch_all(
        db,
        Waiting,
        """
        SELECT cl.id, l.domain
          FROM campaign_leads AS cl
          JOIN leads AS l ON l.id = cl.lead_id
         WHERE cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
           AND cl.id > %(after)s
           AND cl.status IN ('STARTED', 'PAUSED')
           AND cl.last_step_number = 0
         ORDER BY cl.id
         LIMIT %(limit)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "after": after, "limit": limit},
    )


async def list_known(db: Db, domains: Sequence[str], *, since: datetime) -> dict[str, Provider]:
    """Return what was asked since then."""
    rows = await fetch_dicts(
        db,
        """
        SELECT domain, provider
          FROM domain_providers
         WHERE domain = ANY(%(domains)s)
           AND looked_up_at > %(since)s
        """,
        {"domains": list(domains), "since": since},
    )
    return {row["domain"]: Provider(row["provider"]) for row in rows}


async def upsert_domains(db: Db, providers: Mapping[str, Provider], now: datetime) -> None:
    await execute(
        db,
        """
        INSERT INTO domain_providers (domain, provider, looked_up_at)
        SELECT domain, provider, %(now)s
          FROM unnest(%(domains)s::text[], %(providers)s::text[]) AS found (domain, provider)
         ORDER BY domain
            ON CONFLICT (domain)
            DO UPDATE SET provider = excluded.provider, looked_up_at = excluded.looked_up_at
        """,
        {"domains": list(providers), "providers": list(providers.values()), "now": now},
    )


async def record_providers(db: Db, user_id: int, campaign_id: int, providers: Mapping[int, Provider]) -> None:
    """Note the provider of these leads (`providers`: campaign lead -> provider); those that waited for it go on."""
    await execute(
        db,
        """
        UPDATE campaign_leads AS cl
           SET provider = found.provider,
               hold_code = CASE WHEN cl.hold_code <> 'PROVIDER_LOOKUP' THEN cl.hold_code END,
               hold_text = CASE WHEN cl.hold_code <> 'PROVIDER_LOOKUP' THEN cl.hold_text END,
               hold_until = CASE WHEN cl.hold_code <> 'PROVIDER_LOOKUP' THEN cl.hold_until END
          FROM unnest(%(ids)s::bigint[], %(providers)s::text[]) AS found (id, provider)
         WHERE cl.id = found.id
           AND cl.user_id = %(user_id)s
           AND cl.campaign_id = %(campaign_id)s
           AND cl.provider IS DISTINCT FROM found.provider
        """,
        {
            "ids": list(providers),
            "providers": list(providers.values()),
            "user_id": user_id,
            "campaign_id": campaign_id,
        },
    )


async def record_position(db: Db, position: Position) -> None:
    await execute(
        db,
        """
        INSERT INTO provider_look_ups (campaign_id, done_to, next_at)
        VALUES (%(campaign_id)s, %(done_to)s, %(next_at)s)
            ON CONFLICT (campaign_id)
            DO UPDATE SET done_to = excluded.done_to, next_at = excluded.next_at
        """,
        asdict(position),
    )
