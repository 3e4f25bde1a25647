"""SQL on steps and variants: a sequence is replaced as a whole, by a fixed number of statements.

Rows are retired, never removed, so that mails keep the step they were sent for; what stays or comes back is revived.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider.campaigns.models import Step, StepDraft, Variant, VariantDraft
from outrider.kit.db import Db, execute, fetch_all, fetch_dicts


@dataclass(frozen=True, slots=True)
class PlacedVariant:
    """A variant draft with the step it belongs to and its place there."""

    step_id: int
    position: int
    draft: VariantDraft


async def list_steps(db: Db, user_id: int, campaign_id: int) -> list[Step]:
    """The sequence of a campaign, in order."""
    return await fetch_all(
        db,
        Step,
        """
        SELECT id, user_id, campaign_id, number, type, delay_days, subject, email_body, variant_distribution_type,
               winning_metric_property, lead_distribution_percentage, is_analytics_dropped,
               created_at, updated_at, deleted_at
        FROM steps
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND deleted_at IS NULL
        ORDER BY number
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


async def list_variants(db: Db, user_id: int, campaign_id: int) -> list[Variant]:
    """The variants of all steps of a campaign, step by step, in order."""
    return await fetch_all(
        db,
        Variant,
        """
        SELECT id, user_id, campaign_id, step_id, position, variant_label, subject, email_body, optional_email_body_1,
               variant_distribution_percentage, created_at, updated_at, deleted_at
        FROM variants
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND deleted_at IS NULL
        ORDER BY step_id, position
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


async def count_filled_fields(db: Db, user_id: int, campaign_id: int) -> list[tuple[frozenset[str], int]]:
    """Which fields the leads that are still to get mail have values for: each set of names with how many have just it.

    Leads of one list mostly have the same, so there are few sets however many leads there are.
    """
    rows = await fetch_dicts(
        db,
        r"""
        SELECT filled.names, count(*) AS lead_count
        FROM campaign_leads
        JOIN leads ON leads.id = campaign_leads.lead_id
        CROSS JOIN LATERAL (
                SELECT ARRAY(SELECT key  -- jsonb keeps its keys in one order
                             FROM jsonb_each_text(leads.custom_fields)
                             WHERE btrim(value, E' \t\n\r\u00a0') <> '')
                       || array_remove(ARRAY[
                              CASE WHEN btrim(first_name, E' \t\n\r\u00a0') <> '' THEN 'first_name' END,
                              CASE WHEN btrim(last_name, E' \t\n\r\u00a0') <> '' THEN 'last_name' END,
                              CASE WHEN btrim(email, E' \t\n\r\u00a0') <> '' THEN 'email' END,
                              CASE WHEN btrim(phone_number, E' \t\n\r\u00a0') <> '' THEN 'phone_number' END,
                              CASE WHEN btrim(company_name, E' \t\n\r\u00a0') <> '' THEN 'company_name' END,
                              CASE WHEN btrim(website, E' \t\n\r\u00a0') <> '' THEN 'website' END,
                              CASE WHEN btrim(location, E' \t\n\r\u00a0') <> '' THEN 'location' END,
                              CASE WHEN btrim(linkedin_profile, E' \t\n\r\u00a0') <> '' THEN 'linkedin_profile' END,
                              CASE WHEN btrim(company_url, E' \t\n\r\u00a0') <> '' THEN 'company_url' END
                          ], NULL) AS names
             ) AS filled
        WHERE campaign_leads.user_id = %(user_id)s
          AND campaign_leads.campaign_id = %(campaign_id)s
          AND campaign_leads.status IN ('STARTED', 'INPROGRESS', 'PAUSED')
        GROUP BY filled.names
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
    return [(frozenset(row["names"]), row["lead_count"]) for row in rows]


async def retire_sequence(db: Db, user_id: int, campaign_id: int, *, now: datetime) -> None:
    """Take every step and variant out. Numbers are free again, so reviving may renumber in any order."""
    await execute(
        db,
        """
        WITH retired_variants AS (
            UPDATE variants
            SET deleted_at = %(now)s
            WHERE user_id = %(user_id)s
              AND campaign_id = %(campaign_id)s
              AND deleted_at IS NULL
        )
        UPDATE steps
        SET deleted_at = %(now)s
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
          AND deleted_at IS NULL
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now},
    )


async def drop_analytics(db: Db, user_id: int, campaign_id: int) -> None:
    """After the sequence was emptied no mail of it counts in any statistic."""
    await execute(
        db,
        """
        UPDATE steps
        SET is_analytics_dropped = true
        WHERE user_id = %(user_id)s
          AND campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


async def revive_steps(
    db: Db, user_id: int, campaign_id: int, steps: Sequence[tuple[int, StepDraft]], *, now: datetime
) -> None:
    """Bring back steps that have an id, with their new number and content."""
    await execute(
        db,
        """
        UPDATE steps
        SET number = given.number,
            type = given.type,
            delay_days = given.delay_days,
            subject = given.subject,
            email_body = given.email_body,
            variant_distribution_type = given.variant_distribution_type,
            winning_metric_property = given.winning_metric_property,
            lead_distribution_percentage = given.lead_distribution_percentage,
            updated_at = %(now)s,
            deleted_at = NULL
        FROM unnest(
            %(id)s::bigint[], %(number)s::integer[], %(type)s::text[], %(delay_days)s::integer[], %(subject)s::text[],
            %(email_body)s::text[], %(variant_distribution_type)s::text[], %(winning_metric_property)s::text[],
            %(lead_distribution_percentage)s::integer[]
        ) AS given (id, number, type, delay_days, subject, email_body, variant_distribution_type,
                    winning_metric_property, lead_distribution_percentage)
        WHERE steps.id = given.id
          AND steps.user_id = %(user_id)s
          AND steps.campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now, **_step_columns(steps)},
    )


async def insert_steps(
    db: Db, user_id: int, campaign_id: int, steps: Sequence[tuple[int, StepDraft]], *, now: datetime
) -> dict[int, int]:
    """Add new steps; the id of each by its number."""
    rows = await fetch_dicts(
        db,
        """
        INSERT INTO steps (
            user_id, campaign_id, number, type, delay_days, subject, email_body, variant_distribution_type,
            winning_metric_property, lead_distribution_percentage, created_at, updated_at
        )
        SELECT %(user_id)s, %(campaign_id)s, given.number, given.type, given.delay_days, given.subject,
               given.email_body, given.variant_distribution_type, given.winning_metric_property,
               given.lead_distribution_percentage, %(now)s, %(now)s
        FROM unnest(
            %(number)s::integer[], %(type)s::text[], %(delay_days)s::integer[], %(subject)s::text[],
            %(email_body)s::text[], %(variant_distribution_type)s::text[], %(winning_metric_property)s::text[],
            %(lead_distribution_percentage)s::integer[]
        ) AS given (number, type, delay_days, subject, email_body, variant_distribution_type,
                    winning_metric_property, lead_distribution_percentage)
        ORDER BY given.number
        RETURNING id, number
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now, **_step_columns(steps)},
    )
    return {row["number"]: row["id"] for row in rows}


async def revive_variants(
    db: Db, user_id: int, campaign_id: int, variants: Sequence[PlacedVariant], *, now: datetime
) -> None:
    """Bring back variants that have an id, with their new place and content."""
    await execute(
        db,
        """
        UPDATE variants
        SET position = given.position,
            variant_label = given.variant_label,
            subject = given.subject,
            email_body = given.email_body,
            optional_email_body_1 = given.optional_email_body_1,
            variant_distribution_percentage = given.variant_distribution_percentage,
            updated_at = %(now)s,
            deleted_at = NULL
        FROM unnest(
            %(id)s::bigint[], %(step_id)s::bigint[], %(position)s::integer[], %(variant_label)s::text[],
            %(subject)s::text[], %(email_body)s::text[], %(optional_email_body_1)s::text[],
            %(variant_distribution_percentage)s::numeric[]
        ) AS given (id, step_id, position, variant_label, subject, email_body, optional_email_body_1,
                    variant_distribution_percentage)
        WHERE variants.id = given.id
          AND variants.step_id = given.step_id
          AND variants.user_id = %(user_id)s
          AND variants.campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now, **_variant_columns(variants)},
    )


async def insert_variants(
    db: Db, user_id: int, campaign_id: int, variants: Sequence[PlacedVariant], *, now: datetime
) -> None:
    await execute(
        db,
        """
        INSERT INTO variants (
            user_id, campaign_id, step_id, position, variant_label, subject, email_body, optional_email_body_1,
            variant_distribution_percentage, created_at, updated_at
        )
        SELECT %(user_id)s, %(campaign_id)s, given.step_id, given.position, given.variant_label, given.subject,
               given.email_body, given.optional_email_body_1, given.variant_distribution_percentage, %(now)s, %(now)s
        FROM unnest(
            %(step_id)s::bigint[], %(position)s::integer[], %(variant_label)s::text[], %(subject)s::text[],
            %(email_body)s::text[], %(optional_email_body_1)s::text[], %(variant_distribution_percentage)s::numeric[]
        ) AS given (step_id, position, variant_label, subject, email_body, optional_email_body_1,
                    variant_distribution_percentage)
        ORDER BY given.step_id, given.position
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now, **_variant_columns(variants)},
    )


_STEP_FIELDS = (
    "id",
    "type",
    "delay_days",
    "subject",
    "email_body",
    "variant_distribution_type",
    "winning_metric_property",
    "lead_distribution_percentage",
)
_VARIANT_FIELDS = (
    "id",
    "variant_label",
    "subject",
    "email_body",
    "optional_email_body_1",
    "variant_distribution_percentage",
)


def _step_columns(steps: Sequence[tuple[int, StepDraft]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [getattr(draft, name) for _, draft in steps] for name in _STEP_FIELDS}
    return {**columns, "number": [number for number, _ in steps]}


def _variant_columns(variants: Sequence[PlacedVariant]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [getattr(variant.draft, name) for variant in variants] for name in _VARIANT_FIELDS
    }
    return {
        **columns,
        "step_id": [variant.step_id for variant in variants],
        "position": [variant.position for variant in variants],
    }
