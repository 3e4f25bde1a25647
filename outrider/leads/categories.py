"""Categories of an account's own, made and changed by its people. The classifier chooses those with a description.

They are not deleted: leads, campaigns, webhooks and figures refer to them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from outrider.kit.db import Db, fetch_one
from outrider.leads import store
from outrider.leads.models import Category, CategoryNameTaken, CategoryNotFound


async def create(db: Db, user_id: int, fields: Mapping[str, Any], *, now: datetime) -> Category:
    await _check_name(db, user_id, fields["name"], category_id=None)
    category = await fetch_one(
        db,
        Category,
        """
        INSERT INTO categories (user_id, name, sentiment_type, description, created_at)
        VALUES (%(user_id)s, %(name)s, %(sentiment_type)s, %(description)s, %(now)s)
            ON CONFLICT DO NOTHING
        RETURNING id, name, sentiment_type, description, created_at
        """,
        {"sentiment_type": None, "description": None, **fields, "user_id": user_id, "now": now},
    )
    if category is None:  # somebody else was faster
        raise CategoryNameTaken
    return category


async def change(db: Db, user_id: int, category_id: int, fields: Mapping[str, Any]) -> Category:
    """Only what is given changes; built-in ones cannot be changed."""
    if "name" in fields:
        await _check_name(db, user_id, fields["name"], category_id=category_id)
    category = await fetch_one(
        db,
        Category,
        """
        UPDATE categories
           SET name = coalesce(%(name)s::text, name),
               sentiment_type = CASE WHEN %(with_sentiment)s THEN %(sentiment_type)s ELSE sentiment_type END,
               description = CASE WHEN %(with_description)s THEN %(description)s ELSE description END
         WHERE id = %(id)s
           AND user_id = %(user_id)s
        RETURNING id, name, sentiment_type, description, created_at
        """,
        {
            "id": category_id,
            "user_id": user_id,
            "name": fields.get("name"),
            "with_sentiment": "sentiment_type" in fields,
            "sentiment_type": fields.get("sentiment_type"),
            "with_description": "description" in fields,
            "description": fields.get("description"),
        },
    )
    if category is None:
        raise CategoryNotFound
    return category


async def _check_name(db: Db, user_id: int, name: str, *, category_id: int | None) -> None:
    """Names tell categories apart in webhooks and settings, whatever their letters."""
    found = await store.find_category_id(db, user_id, category_id=None, name=name)
    if found is not None and found != category_id:
        raise CategoryNameTaken
