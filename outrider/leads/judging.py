"""What becomes of each row of an import: every check in one statement, which also keeps what is new about the people.

Contract: leads, Add leads to a campaign by ID; product behaviour 6.8. Nothing here runs once per lead in the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, LiteralString

import orjson
from psycopg.rows import tuple_row

from outrider.kit.db import Db
from outrider.leads.emails import email_key


class Verdict(StrEnum):
    """What becomes of a row, in the order of the checks. In an import into a list, IN_CAMPAIGN means: in that list."""

    INVALID = "INVALID"
    REPEATED = "REPEATED"
    IN_CAMPAIGN = "IN_CAMPAIGN"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BLOCKED = "BLOCKED"
    BOUNCED = "BOUNCED"
    ELSEWHERE = "ELSEWHERE"
    ADDED = "ADDED"


@dataclass(frozen=True, slots=True)
class NewLead:
    """A row as it was given. `fields` holds standard fields that are not empty, by name."""

    email: str
    fields: Mapping[str, str]
    custom_fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rules:
    """Which checks are left out. The last one is of the opposite sense: it adds a check."""

    ignore_global_block_list: bool = False
    ignore_unsubscribe_list: bool = False
    ignore_community_bounce_list: bool = False
    ignore_duplicate_leads_in_other_campaign: bool = False


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of the rows, in their order: the address (as given where it is none), verdict and lead."""

    emails: list[str]
    verdicts: list[Verdict]
    lead_ids: list[int | None]

    @property
    def added_count(self) -> int:
        return self.verdicts.count(Verdict.ADDED)


@dataclass(slots=True)
class Sifted:
    """The rows without those that need no database to be judged."""

    emails: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    staged: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Place:
    """What leads are added to: a campaign or a list. `membership` finds `leads` in it."""

    user_id: int
    id: int
    client_id: int | None
    membership: LiteralString


IN_CAMPAIGN: LiteralString = """
    SELECT FROM campaign_leads AS m WHERE m.lead_id = leads.id AND m.campaign_id + 0 = %(place_id)s
"""
IN_LIST: LiteralString = """
    SELECT FROM lead_list_members AS m WHERE m.lead_id = leads.id AND m.list_id + 0 = %(place_id)s
"""


def sift(rows: Iterable[NewLead], seen: set[str]) -> Sifted:
    """Invalid addresses and repetitions (the first one wins) are seen here."""
    sifted = Sifted()
    for place, row in enumerate(rows):
        email = email_key(row.email)
        if email is None:
            sifted.emails.append(row.email)
            sifted.verdicts.append(Verdict.INVALID)
            continue
        sifted.emails.append(email)
        if email in seen:
            sifted.verdicts.append(Verdict.REPEATED)
            continue
        seen.add(email)
        sifted.verdicts.append(Verdict.ADDED)
        sifted.staged.append({"place": place, "email": email, "custom_fields": row.custom_fields, **row.fields})
    return sifted


async def judge(
    db: Db, place: Place, staged: Sequence[Mapping[str, Any]], rules: Rules, *, now: datetime
) -> list[tuple[int, str, int | None]]:
    """Judge the rows, insert the people that are new, and write what is new about those that are known.

    The rows travel as one JSON text: measured faster than a dozen arrays, and the planner sees a good estimate. It is
    planned anew each time, because a plan made for an empty installation would be kept while the tables grow.
    """
    async with db.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            f"""
            WITH staged AS MATERIALIZED (
                SELECT *
                FROM jsonb_to_recordset(%(staged)s::jsonb) AS staged (
                    place integer, email text, first_name text, last_name text, phone_number text, company_name text,
                    website text, location text, linkedin_profile text, company_url text, custom_fields jsonb)
            ), known AS MATERIALIZED (
                SELECT staged.*,
                       leads.id AS lead_id,
                       -- found by the lead, who is in few campaigns: for a new campaign the statistics know nothing
                       EXISTS ({place.membership}) AS is_in_campaign,
                       coalesce(leads.is_unsubscribed, false) AS is_forbidden,
                       ARRAY(SELECT unsubscribes.client_id
                             FROM unsubscribes
                             WHERE unsubscribes.user_id = %(user_id)s
                               AND unsubscribes.email = staged.email
                             UNION
                             SELECT unnest(leads.unsubscribed_client_ids)) AS unsubscribed_from
                FROM staged
                LEFT JOIN leads ON leads.user_id = %(user_id)s AND leads.email = staged.email
            ), blocked AS MATERIALIZED (
                -- by the address, its domain, or a domain above that
                SELECT wanted.place
                FROM (SELECT place, email AS entry FROM staged
                      UNION ALL
                      SELECT place, array_to_string(labels[label:], '.')
                      FROM staged
                      CROSS JOIN LATERAL string_to_array(split_part(email, '@', -1), '.') AS labels
                      CROSS JOIN LATERAL generate_series(1, cardinality(labels) - 1) AS label) AS wanted
                JOIN block_list ON block_list.user_id = %(user_id)s
                               AND block_list.email_or_domain = wanted.entry
                               AND (block_list.client_id IS NULL OR block_list.client_id = %(client_id)s::bigint)
                WHERE NOT %(ignore_global_block_list)s
            ), judged AS MATERIALIZED (
                SELECT known.*,
                       CASE
                           WHEN is_in_campaign THEN 'IN_CAMPAIGN'
                           WHEN NOT %(ignore_unsubscribe_list)s
                                AND (is_forbidden
                                     OR unsubscribed_from && ARRAY[0, %(client_id)s::bigint]) THEN 'UNSUBSCRIBED'
                           WHEN place IN (SELECT place FROM blocked) THEN 'BLOCKED'
                           WHEN NOT %(ignore_community_bounce_list)s
                                AND EXISTS (SELECT FROM hard_bounces
                                            WHERE hard_bounces.email = known.email) THEN 'BOUNCED'
                           WHEN %(ignore_duplicate_leads_in_other_campaign)s
                                AND EXISTS (SELECT FROM campaign_leads AS other
                                            WHERE other.lead_id = known.lead_id) THEN 'ELSEWHERE'
                           ELSE 'ADDED'
                       END AS verdict
                FROM known
            ), new_people AS (
                -- in the order of the addresses, so that two imports cannot wait for each other
                INSERT INTO leads (user_id, email, first_name, last_name, phone_number, company_name, website, location,
                                   linkedin_profile, company_url, custom_fields, is_unsubscribed,
                                   unsubscribed_client_ids, created_at, updated_at)
                SELECT %(user_id)s, email, first_name, last_name, phone_number, company_name, website, location,
                       linkedin_profile, company_url, custom_fields, 0 = ANY(unsubscribed_from),
                       array_remove(unsubscribed_from, 0), %(now)s, %(now)s
                FROM judged
                WHERE verdict = 'ADDED'
                  AND lead_id IS NULL
                ORDER BY email
                ON CONFLICT (user_id, email) DO NOTHING
            ), news AS (
                SELECT leads.id, coalesce(judged.first_name, leads.first_name) AS first_name,
                       coalesce(judged.last_name, leads.last_name) AS last_name,
                       coalesce(judged.phone_number, leads.phone_number) AS phone_number,
                       coalesce(judged.company_name, leads.company_name) AS company_name,
                       coalesce(judged.website, leads.website) AS website,
                       coalesce(judged.location, leads.location) AS location,
                       coalesce(judged.linkedin_profile, leads.linkedin_profile) AS linkedin_profile,
                       coalesce(judged.company_url, leads.company_url) AS company_url,
                       leads.custom_fields || merged.custom_fields AS custom_fields
                FROM judged
                JOIN leads ON leads.id = judged.lead_id
                CROSS JOIN LATERAL (
                        SELECT coalesce(jsonb_object_agg(key, value), '{{}}') AS custom_fields
                        FROM jsonb_each(judged.custom_fields)
                        WHERE value NOT IN ('null', '""')
                     ) AS merged
                WHERE judged.verdict IN ('ADDED', 'IN_CAMPAIGN')
                ORDER BY leads.id
                FOR NO KEY UPDATE OF leads
            ), updated AS (
                UPDATE leads
                SET first_name = news.first_name,
                    last_name = news.last_name,
                    phone_number = news.phone_number,
                    company_name = news.company_name,
                    website = news.website,
                    location = news.location,
                    linkedin_profile = news.linkedin_profile,
                    company_url = news.company_url,
                    custom_fields = news.custom_fields,
                    updated_at = %(now)s
                FROM news
                WHERE leads.id = news.id
                  AND (leads.first_name, leads.last_name, leads.phone_number, leads.company_name, leads.website,
                       leads.location, leads.linkedin_profile, leads.company_url, leads.custom_fields)
                      IS DISTINCT FROM
                      (news.first_name, news.last_name, news.phone_number, news.company_name, news.website,
                       news.location, news.linkedin_profile, news.company_url, news.custom_fields)
            )
            SELECT place, verdict, lead_id
            FROM judged
            """,  # noqa: S608 - constants
            {
                "staged": orjson.dumps(staged).decode(),
                "user_id": place.user_id,
                "place_id": place.id,
                "client_id": place.client_id,
                "ignore_global_block_list": rules.ignore_global_block_list,
                "ignore_unsubscribe_list": rules.ignore_unsubscribe_list,
                "ignore_community_bounce_list": rules.ignore_community_bounce_list,
                "ignore_duplicate_leads_in_other_campaign": rules.ignore_duplicate_leads_in_other_campaign,
                "now": now,
            },
            prepare=False,
        )
        return await cursor.fetchall()
