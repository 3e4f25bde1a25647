"""SQL on lists and on who is in them. `scope` is the client whose key asks: it sees the lists that it has made."""

from collections.abc import Sequence
from datetime import datetime

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_one, fetch_value
from outrider.leads.lists.models import LeadList, LeadListNotFound

_LIST = """
    lead_lists.id, lead_lists.user_id, lead_lists.client_id, lead_lists.name, lead_lists.created_at,
    lead_lists.updated_at,
    (SELECT count(*)
     FROM lead_list_members AS member
     WHERE member.list_id = lead_lists.id) AS lead_count,
    (SELECT count(*)
     FROM lead_list_members AS member
     WHERE member.list_id = lead_lists.id
       AND EXISTS (SELECT
                   FROM campaign_leads AS m
                   JOIN campaigns ON campaigns.id = m.campaign_id
                   WHERE m.lead_id = member.lead_id
                     AND campaigns.status IN ('DRAFTED', 'ACTIVE', 'PAUSED'))) AS active_lead_count,
    ARRAY(SELECT jsonb_build_object('id', tags.id, 'name', tags.name, 'color', tags.color)
          FROM lead_list_tags
          JOIN tags ON tags.id = lead_list_tags.tag_id
          WHERE lead_list_tags.list_id = lead_lists.id
          ORDER BY lower(tags.name), tags.id) AS tags
"""
_MINE = """
    lead_lists.user_id = %(user_id)s
    AND (%(scope)s::bigint IS NULL OR lead_lists.client_id = %(scope)s)
"""


async def insert_list(db: Db, user_id: int, name: str, *, scope: int | None, now: datetime) -> int:
    return int(
        await fetch_value(
            db,
            """
            INSERT INTO lead_lists (user_id, client_id, name, created_at, updated_at)
            VALUES (%(user_id)s, %(scope)s, %(name)s, %(now)s, %(now)s)
            RETURNING id
            """,
            {"user_id": user_id, "scope": scope, "name": name, "now": now},
        )
    )


async def load_list(db: Db, user_id: int, list_id: int, *, scope: int | None) -> LeadList:
    found = await fetch_one(
        db,
        LeadList,
        f"""
        SELECT {_LIST}
        FROM lead_lists
        WHERE lead_lists.id = %(id)s
          AND {_MINE}
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": list_id, "scope": scope},
    )
    if found is None:
        raise LeadListNotFound
    return found


async def list_lists(
    db: Db,
    user_id: int,
    *,
    scope: int | None,
    name: str | None,
    tag_ids: Sequence[int] | None,
    offset: int,
    limit: int | None,
) -> tuple[int, list[LeadList]]:
    """How many there are, and a page of them, newest first. `name`: has this in it, `tag_ids`: has one of these."""
    params = {
        "user_id": user_id,
        "scope": scope,
        "name": name,
        "tag_ids": None if tag_ids is None else list(tag_ids),
        "offset": offset,
        "limit": limit,
    }
    matches = f"""
        {_MINE}
        AND (%(name)s::text IS NULL OR strpos(lower(lead_lists.name), lower(%(name)s)) > 0)
        AND (%(tag_ids)s::bigint[] IS NULL
             OR EXISTS (SELECT
                        FROM lead_list_tags
                        WHERE lead_list_tags.list_id = lead_lists.id
                          AND lead_list_tags.tag_id = ANY(%(tag_ids)s)))
    """  # noqa: S608 - constants
    total: int = await fetch_value(db, f"SELECT count(*) FROM lead_lists WHERE {matches}", params)  # noqa: S608 - constants
    rows = await fetch_all(
        db,
        LeadList,
        f"""
        SELECT {_LIST}
        FROM lead_lists
        WHERE {matches}
        ORDER BY lead_lists.id DESC
        OFFSET %(offset)s
        LIMIT %(limit)s
        """,  # noqa: S608 - constants
        params,
    )
    return total, rows


async def lock_list(db: Db, user_id: int, list_id: int, *, scope: int | None) -> int | None:
    """Whoever changes who is in a list waits here; returns whose list it is: of a client, or None for the account."""
    rows = await fetch_dicts(
        db,
        f"""
        SELECT client_id
        FROM lead_lists
        WHERE lead_lists.id = %(id)s
          AND {_MINE}
        FOR NO KEY UPDATE
        """,  # noqa: S608 - constants
        {"user_id": user_id, "id": list_id, "scope": scope},
    )
    if not rows:
        raise LeadListNotFound
    client_id: int | None = rows[0]["client_id"]
    return client_id


async def list_ids(db: Db, user_id: int, wanted: Sequence[int], *, scope: int | None) -> list[int]:
    """Those of the ids that are lists."""
    rows = await fetch_dicts(
        db,
        f"""
        SELECT id
        FROM lead_lists
        WHERE lead_lists.id = ANY(%(ids)s)
          AND {_MINE}
        ORDER BY id
        """,  # noqa: S608 - constants
        {"user_id": user_id, "ids": list(wanted), "scope": scope},
    )
    return [row["id"] for row in rows]


async def rename_list(db: Db, user_id: int, list_id: int, name: str, *, scope: int | None, now: datetime) -> bool:
    return bool(
        await execute(
            db,
            f"""
            UPDATE lead_lists
            SET name = %(name)s,
                updated_at = %(now)s
            WHERE lead_lists.id = %(id)s
              AND {_MINE}
            """,  # noqa: S608 - constants
            {"user_id": user_id, "id": list_id, "name": name, "scope": scope, "now": now},
        )
    )


async def delete_list(db: Db, user_id: int, list_id: int) -> list[int]:
    """Who was in it."""
    rows = await fetch_dicts(
        db,
        """
        WITH gone AS (
            DELETE FROM lead_lists
            WHERE id = %(id)s
              AND user_id = %(user_id)s
        )
        SELECT lead_id
        FROM lead_list_members
        WHERE list_id = %(id)s
        """,
        {"user_id": user_id, "id": list_id},
    )
    return [row["lead_id"] for row in rows]


async def insert_members(
    db: Db, user_id: int, list_id: int, lead_ids: Sequence[int], *, is_archived: bool = False, now: datetime
) -> int:
    """Put leads into a list; how many were not in it. Archived are those who come out of their campaigns, and stay so
    in whatever list they are moved to.
    """
    new_count: int = await fetch_value(
        db,
        """
        WITH changed AS (
            UPDATE lead_lists
            SET updated_at = %(now)s
            WHERE id = %(list_id)s
              AND user_id = %(user_id)s
        ), put AS (
            INSERT INTO lead_list_members AS member (list_id, lead_id, user_id, is_archived, created_at)
            SELECT %(list_id)s, leads.id, %(user_id)s,
                   %(is_archived)s
                       OR EXISTS (SELECT
                                  FROM lead_list_members AS other
                                  WHERE other.lead_id = leads.id
                                    AND other.is_archived),
                   %(now)s
            FROM leads
            WHERE leads.user_id = %(user_id)s
              AND leads.id = ANY(%(lead_ids)s)
            ORDER BY leads.id
            ON CONFLICT (list_id, lead_id) DO UPDATE
            SET is_archived = member.is_archived OR excluded.is_archived
            RETURNING (xmax = 0) AS is_new
        )
        SELECT count(*) FILTER (WHERE is_new)
        FROM put
        """,
        {"user_id": user_id, "list_id": list_id, "lead_ids": list(lead_ids), "is_archived": is_archived, "now": now},
    )
    return new_count


async def delete_members(
    db: Db,
    user_id: int,
    lead_ids: Sequence[int],
    *,
    scope: int | None,
    list_ids: Sequence[int] | None = None,
    but: int | None = None,
) -> None:
    """Take leads out of these lists, or out of all lists except `but`."""
    await execute(
        db,
        """
        DELETE FROM lead_list_members AS member
        USING lead_lists
        WHERE member.user_id = %(user_id)s
          AND member.lead_id = ANY(%(lead_ids)s)
          AND lead_lists.id = member.list_id
          AND (%(list_ids)s::bigint[] IS NULL OR member.list_id = ANY(%(list_ids)s))
          AND (%(but)s::bigint IS NULL OR member.list_id <> %(but)s)
          AND (%(scope)s::bigint IS NULL OR lead_lists.client_id = %(scope)s)
        """,
        {
            "user_id": user_id,
            "lead_ids": list(lead_ids),
            "list_ids": None if list_ids is None else list(list_ids),
            "but": but,
            "scope": scope,
        },
    )


async def change_tags(
    db: Db, user_id: int, list_ids: Sequence[int], *, add: Sequence[int], remove: Sequence[int]
) -> None:
    await execute(
        db,
        """
        DELETE FROM lead_list_tags
        WHERE user_id = %(user_id)s
          AND list_id = ANY(%(list_ids)s)
          AND tag_id = ANY(%(tag_ids)s)
        """,
        {"user_id": user_id, "list_ids": list(list_ids), "tag_ids": list(remove)},
    )
    await execute(
        db,
        """
        INSERT INTO lead_list_tags (list_id, tag_id, user_id)
        SELECT list.id, tag.id, %(user_id)s
        FROM unnest(%(list_ids)s::bigint[]) AS list (id)
        CROSS JOIN unnest(%(tag_ids)s::bigint[]) AS tag (id)
        ON CONFLICT (list_id, tag_id) DO NOTHING
        """,
        {"user_id": user_id, "list_ids": list(list_ids), "tag_ids": list(add)},
    )
