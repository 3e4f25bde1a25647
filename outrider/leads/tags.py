"""Which leads have which tags of the account (contract: leads, Lead tags). The tags themselves are of `mailboxes`."""

from collections.abc import Sequence
from typing import Any

from outrider.kit.db import Db, execute, fetch_dicts
from outrider.leads import store
from outrider.leads.models import TagMappingNotFound
from outrider.leads.store import VISIBLE
from outrider.mailboxes.tags import check_tags


async def list_tags(db: Db, user_id: int, lead_id: int, *, client_id: int | None) -> list[dict[str, Any]]:
    """Of a lead, by name, with the id of each mapping."""
    return await fetch_dicts(
        db,
        f"""
        SELECT tags.id, lead_tags.id AS tag_mapping_id, tags.name, tags.color
        FROM leads
        JOIN lead_tags ON lead_tags.lead_id = leads.id
        JOIN tags ON tags.id = lead_tags.tag_id
        WHERE leads.user_id = %(user_id)s
          AND leads.id = %(lead_id)s
          AND {VISIBLE}
        ORDER BY lower(tags.name), tags.id
        """,  # noqa: S608 - constants
        {"user_id": user_id, "lead_id": lead_id, "client_id": client_id},
    )


async def add(db: Db, user_id: int, lead_id: int, tag_ids: Sequence[int], *, client_id: int | None) -> None:
    """What the lead has already is skipped."""
    await store.lock_lead(db, user_id, lead_id, client_id=client_id)
    await check_tags(db, user_id, tag_ids)
    await execute(
        db,
        """
        INSERT INTO lead_tags (user_id, lead_id, tag_id)
        SELECT %(user_id)s, %(lead_id)s, tag.id
        FROM unnest(%(tag_ids)s::bigint[]) AS tag (id)
        ON CONFLICT (lead_id, tag_id) DO NOTHING
        """,
        {"user_id": user_id, "lead_id": lead_id, "tag_ids": list(tag_ids)},
    )


async def remove(db: Db, user_id: int, mapping_id: int, *, client_id: int | None) -> None:
    gone = await execute(
        db,
        f"""
        DELETE FROM lead_tags
        USING leads
        WHERE lead_tags.user_id = %(user_id)s
          AND lead_tags.id = %(id)s
          AND lead_tags.lead_id = leads.id
          AND {VISIBLE}
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": mapping_id, "client_id": client_id},
    )
    if not gone:
        raise TagMappingNotFound
