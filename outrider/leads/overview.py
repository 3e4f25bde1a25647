"""Where a lead stands in each of its campaigns, and who receives its mail."""

from typing import Any

from outrider.kit.db import Db, fetch_dicts, fetch_value


async def list_places(db: Db, user_id: int, lead_id: int, *, client_id: int | None) -> list[dict[str, Any]]:
    """By age; `due_at` is when the next mail is due, null for who gets none."""
    return await fetch_dicts(
        db,
        """
        SELECT m.id, m.status, m.category_id, m.revenue, m.last_step_number, m.campaign_id,
               campaigns.name AS campaign_name, campaigns.status AS campaign_status,
               CASE WHEN m.status IN ('STARTED', 'INPROGRESS') THEN m.due_at ELSE m.resume_at END AS due_at
        FROM campaign_leads AS m
        JOIN campaigns ON campaigns.id = m.campaign_id
        WHERE m.user_id = %(user_id)s
          AND m.lead_id = %(lead_id)s
          AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        ORDER BY m.id
        """,
        {"user_id": user_id, "lead_id": lead_id, "client_id": client_id},
    )


async def find_provider(db: Db, domain: str) -> str | None:
    """What the DNS said when it was asked; nobody is asked for this."""
    provider: str | None = await fetch_value(
        db, "SELECT provider FROM domain_providers WHERE domain = %(domain)s", {"domain": domain}
    )
    return provider
