"""SQL on who wants no mail: unsubscribes by person and by address, and Do Not Contact (decisions 31 to 33)."""

from datetime import datetime
from typing import Any

from outrider.kit.db import Db, execute, fetch_dicts
from outrider.leads.models import HoldReason, Lead


async def list_unsubscribed_clients(db: Db, user_id: int, email: str) -> set[int]:
    """From whose campaigns the address has unsubscribed: ids of clients, 0 for the whole account."""
    rows = await fetch_dicts(
        db,
        """
        SELECT client_id
        FROM unsubscribes
        WHERE user_id = %(user_id)s
          AND email = %(email)s
        """,
        {"user_id": user_id, "email": email},
    )
    return {row["client_id"] for row in rows}


async def insert_unsubscribe(db: Db, user_id: int, email: str, *, client_id: int | None, now: datetime) -> None:
    await execute(
        db,
        """
        INSERT INTO unsubscribes (user_id, email, client_id, created_at)
        VALUES (%(user_id)s, %(email)s, coalesce(%(client_id)s::bigint, 0), %(now)s)
        ON CONFLICT DO NOTHING
        """,
        {"user_id": user_id, "email": email, "client_id": client_id, "now": now},
    )


async def record_unsubscribe(db: Db, lead: Lead, *, client_id: int | None, now: datetime) -> None:
    """Kept by address too, so that it outlives the lead; `client_id` None is the whole account.

    The clients whose campaigns the lead is in show in `unsubscribed_client_id_map`, for the whole account too.
    """
    await insert_unsubscribe(db, lead.user_id, lead.email, client_id=client_id, now=now)
    await execute(
        db,
        """
        UPDATE leads
        SET is_unsubscribed = is_unsubscribed OR %(client_id)s::bigint IS NULL,
            unsubscribed_client_ids = ARRAY(
                SELECT unnest(unsubscribed_client_ids)
                UNION
                SELECT campaigns.client_id
                FROM campaign_leads AS m
                JOIN campaigns ON campaigns.id = m.campaign_id
                WHERE m.lead_id = leads.id
                  AND campaigns.client_id = coalesce(%(client_id)s::bigint, campaigns.client_id)
                ORDER BY 1),
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": lead.id, "user_id": lead.user_id, "client_id": client_id, "now": now},
    )


async def stop_everywhere(
    db: Db, lead: Lead, *, client_id: int | None, reason: HoldReason, now: datetime
) -> list[dict[str, Any]]:
    """Stop the lead where it is open, in the whole account or in a client's campaigns.

    Returns all its campaigns there, ended ones too: `id`, `campaign_id`, `client_id`, and whether it had unsubscribed
    from that campaign before.
    """
    return await fetch_dicts(
        db,
        """
        WITH mine AS (
            SELECT m.id, m.campaign_id, campaigns.client_id, m.is_unsubscribed
            FROM campaign_leads AS m
            JOIN campaigns ON campaigns.id = m.campaign_id
            WHERE m.user_id = %(user_id)s
              AND m.lead_id = %(lead_id)s
              AND (%(client_id)s::bigint IS NULL OR campaigns.client_id = %(client_id)s)
        ), stopped AS (
            UPDATE campaign_leads AS m
            SET status = 'STOPPED',
                hold_reason = %(reason)s,
                due_at = NULL,
                resume_at = NULL,
                hold_code = NULL,
                hold_text = NULL,
                hold_until = NULL,
                updated_at = %(now)s
            FROM mine
            WHERE m.id = mine.id
              AND m.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
        )
        SELECT id, campaign_id, client_id, is_unsubscribed
        FROM mine
        ORDER BY id
        """,
        {"user_id": lead.user_id, "lead_id": lead.id, "client_id": client_id, "reason": reason, "now": now},
    )


async def forbid_contact(db: Db, lead: Lead, *, now: datetime) -> None:
    """Do Not Contact: nobody mails the person, and it is no unsubscribe (decision 32)."""
    await execute(
        db,
        """
        UPDATE leads
        SET is_unsubscribed = true,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
        """,
        {"id": lead.id, "user_id": lead.user_id, "now": now},
    )


async def allow_contact_again(db: Db, lead: Lead, *, category_id: int, now: datetime) -> None:
    """Lift Do Not Contact (`category_id`), unless another campaign says so too or the person has unsubscribed."""
    await execute(
        db,
        """
        UPDATE leads
        SET is_unsubscribed = false,
            updated_at = %(now)s
        WHERE id = %(id)s
          AND user_id = %(user_id)s
          AND NOT EXISTS (
                SELECT
                FROM campaign_leads
                WHERE campaign_leads.lead_id = leads.id
                  AND campaign_leads.category_id = %(category_id)s)
          AND NOT EXISTS (
                SELECT
                FROM unsubscribes
                WHERE unsubscribes.user_id = leads.user_id
                  AND unsubscribes.email = leads.email
                  AND unsubscribes.client_id = 0)
        """,
        {"id": lead.id, "user_id": lead.user_id, "category_id": category_id, "now": now},
    )


async def widen_to_account(db: Db, user_id: int, client_id: int) -> None:
    """The client is going, its campaigns become the account's: who wanted no mail of them gets none of it."""
    await execute(
        db,
        """
        WITH gone AS (
            DELETE FROM unsubscribes
            WHERE user_id = %(user_id)s
              AND client_id = %(client_id)s
            RETURNING email, created_at
        )
        INSERT INTO unsubscribes (user_id, email, client_id, created_at)
        SELECT %(user_id)s, email, 0, created_at
        FROM gone
        ON CONFLICT DO NOTHING
        """,
        {"user_id": user_id, "client_id": client_id},
    )
    await execute(
        db,
        """
        UPDATE leads
        SET is_unsubscribed = true,
            unsubscribed_client_ids = array_remove(unsubscribed_client_ids, %(client_id)s::bigint)
        WHERE user_id = %(user_id)s
          AND unsubscribed_client_ids @> ARRAY[%(client_id)s::bigint]
        """,
        {"user_id": user_id, "client_id": client_id},
    )
