"""Tags of an account and which mailboxes have them (contract: email-accounts, Get All Tags and what follows)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Any

from outrider.kit.db import Db, execute, fetch_all, fetch_dicts, fetch_one
from outrider.mailboxes import store
from outrider.mailboxes.models import TagNotFound

DEFAULT_COLOR = "#B1FCCF"


@dataclass(frozen=True, slots=True)
class Tag:
    id: int
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """What became of one pair of mailbox and tag; `mapping_id` where one was made or taken away."""

    mailbox_id: int
    tag_id: int
    mapping_id: int | None = None
    reason: str | None = None
    is_known: bool = True


async def list_tags(db: Db, user_id: int) -> list[Tag]:
    """By name."""
    return await fetch_all(
        db,
        Tag,
        """
        SELECT id, name, color
        FROM tags
        WHERE user_id = %(user_id)s
        ORDER BY lower(name), id
        """,
        {"user_id": user_id},
    )


async def check_tags(db: Db, user_id: int, tag_ids: Sequence[int]) -> None:
    """Raises for a tag that the account does not have."""
    if not set(tag_ids) <= {tag.id for tag in await list_tags(db, user_id)}:
        raise TagNotFound


async def find_or_create(db: Db, user_id: int, name: str, color: str, *, now: datetime) -> Tag:
    """The tag with that name as it is, in whatever case it is written, or a new one."""
    tag = await fetch_one(
        db,
        Tag,
        """
        WITH known AS (
            SELECT id, name, color
            FROM tags
            WHERE user_id = %(user_id)s
              AND lower(name) = lower(%(name)s)
            ORDER BY id
            LIMIT 1
        ), made AS (
            INSERT INTO tags (user_id, name, color, created_at)
            SELECT %(user_id)s, %(name)s, %(color)s, %(now)s
            WHERE NOT EXISTS (SELECT FROM known)
            RETURNING id, name, color
        )
        SELECT id, name, color FROM known UNION ALL SELECT id, name, color FROM made
        """,
        {"user_id": user_id, "name": name, "color": color, "now": now},
    )
    if tag is None:
        raise AssertionError("a tag is found or made")
    return tag


async def update(db: Db, user_id: int, tag_id: int, *, name: str | None, color: str | None) -> Tag:
    tag = await fetch_one(
        db,
        Tag,
        """
        UPDATE tags
        SET name = coalesce(%(name)s::text, name),
            color = coalesce(%(color)s::text, color)
        WHERE user_id = %(user_id)s
          AND id = %(id)s
        RETURNING id, name, color
        """,
        {"user_id": user_id, "id": tag_id, "name": name, "color": color},
    )
    if tag is None:
        raise TagNotFound
    return tag


async def add(
    db: Db, user_id: int, mailbox_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None
) -> list[Mapped]:
    """One outcome for each pair, mailbox by mailbox."""
    mailboxes, tags = await _known(db, user_id, mailbox_ids, tag_ids, scope=scope)
    made = await fetch_dicts(
        db,
        """
        INSERT INTO mailbox_tags (user_id, mailbox_id, tag_id)
        SELECT %(user_id)s, mailbox.id, tag.id
        FROM unnest(%(mailbox_ids)s::bigint[]) AS mailbox (id)
        CROSS JOIN unnest(%(tag_ids)s::bigint[]) AS tag (id)
        ON CONFLICT (mailbox_id, tag_id) DO NOTHING
        RETURNING id, mailbox_id, tag_id
        """,
        {"user_id": user_id, "mailbox_ids": list(mailboxes), "tag_ids": list(tags)},
    )
    return _outcomes(mailbox_ids, tag_ids, mailboxes, tags, made, otherwise="Mapping already exists")


async def remove(
    db: Db, user_id: int, mailbox_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None
) -> list[Mapped]:
    """As `add`; the tags themselves stay."""
    mailboxes, tags = await _known(db, user_id, mailbox_ids, tag_ids, scope=scope)
    gone = await fetch_dicts(
        db,
        """
        DELETE FROM mailbox_tags
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
          AND tag_id = ANY(%(tag_ids)s)
        RETURNING id, mailbox_id, tag_id
        """,
        {"user_id": user_id, "mailbox_ids": list(mailboxes), "tag_ids": list(tags)},
    )
    return _outcomes(mailbox_ids, tag_ids, mailboxes, tags, gone, otherwise="Mapping does not exist")


async def replace(db: Db, user_id: int, mailbox_ids: Sequence[int], tag_ids: Sequence[int]) -> None:
    """These mailboxes have these tags and no others."""
    await execute(
        db,
        """
        DELETE FROM mailbox_tags
        WHERE user_id = %(user_id)s
          AND mailbox_id = ANY(%(mailbox_ids)s)
          AND NOT tag_id = ANY(%(tag_ids)s)
        """,
        {"user_id": user_id, "mailbox_ids": list(mailbox_ids), "tag_ids": list(tag_ids)},
    )
    await add(db, user_id, mailbox_ids, tag_ids, scope=None)


async def find_mailbox_ids(db: Db, user_id: int, emails: Sequence[str], *, scope: int | None) -> dict[str, int]:
    """Ids by address in lower case; what is not there is missing."""
    rows = await fetch_dicts(
        db,
        """
        SELECT id, lower(from_email) AS email
        FROM mailboxes
        WHERE user_id = %(user_id)s
          AND lower(from_email) = ANY(%(emails)s)
          AND deleted_at IS NULL
          AND (%(scope)s::bigint IS NULL OR client_id = %(scope)s)
        """,
        {"user_id": user_id, "emails": [email.lower() for email in emails], "scope": scope},
    )
    return {row["email"]: row["id"] for row in rows}


async def _known(
    db: Db, user_id: int, mailbox_ids: Sequence[int], tag_ids: Sequence[int], *, scope: int | None
) -> tuple[set[int], set[int]]:
    """Those that there are."""
    mailboxes = await store.list_visible_ids(db, user_id, mailbox_ids, client_id=scope)
    return mailboxes, {tag.id for tag in await list_tags(db, user_id)} & set(tag_ids)


def _outcomes(
    mailbox_ids: Sequence[int],
    tag_ids: Sequence[int],
    mailboxes: set[int],
    tags: set[int],
    touched: Sequence[Mapping[str, Any]],
    *,
    otherwise: str,
) -> list[Mapped]:
    ids = {(row["mailbox_id"], row["tag_id"]): row["id"] for row in touched}
    outcomes = []
    for pair in product(dict.fromkeys(mailbox_ids), dict.fromkeys(tag_ids)):
        if pair[0] not in mailboxes:
            outcomes.append(Mapped(*pair, reason="Email account not found", is_known=False))
        elif pair[1] not in tags:
            outcomes.append(Mapped(*pair, reason="Tag not found", is_known=False))
        else:
            outcomes.append(Mapped(*pair, ids.get(pair), reason=None if pair in ids else otherwise))
    return outcomes
