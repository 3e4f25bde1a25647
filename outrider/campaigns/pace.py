"""What the engine counts for a campaign with every mail: its gap on each mailbox, first mails of a day, variants.

Kept apart from the rows that people edit. A day is the campaign's own local date.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import LiteralString

from outrider.kit.db import Db, as_records, execute
from outrider.kit.plain import plain


@plain(frozen=True, slots=True)
class Use:
    """One mail of a campaign through a mailbox."""

    campaign_id: int
    mailbox_id: int
    claimed_at: datetime
    next_send_at: datetime
    day: date
    is_first_mail: bool
    variant_id: int | None


async def record_uses(db: Db, uses: Sequence[Use]) -> None:
    """Count these mails; no (campaign, mailbox) occurs twice."""
    await execute(
        db,
        f"""
        WITH used AS MATERIALIZED (SELECT * FROM {_USES}),
        paced AS (
            UPDATE campaign_mailboxes AS cm
               SET next_send_at = used.next_send_at,
                   last_sent_at = used.claimed_at
              FROM used
             WHERE cm.campaign_id = used.campaign_id
               AND cm.mailbox_id = used.mailbox_id
        ),
        {_COUNTS}
        """,  # noqa: S608 - constants
        {"uses": as_records(uses), "sign": 1},
    )


async def take_back_uses(db: Db, uses: Sequence[Use]) -> None:
    """Undo the counts of mails that came to nothing."""
    await execute(
        db,
        f"WITH used AS MATERIALIZED (SELECT * FROM {_USES}), {_COUNTS}",  # noqa: S608 - constants
        {"uses": as_records(uses), "sign": -1},
    )


async def reopen(db: Db, uses: Sequence[Use]) -> None:
    """Let mailboxes serve again at once that were claimed for mails which could not be made: there was no mail."""
    await execute(
        db,
        """
        UPDATE campaign_mailboxes AS cm
           SET next_send_at = used.claimed_at
          FROM unnest(%(campaign_ids)s::bigint[], %(mailbox_ids)s::bigint[], %(claimed_at)s::timestamptz[])
               AS used (campaign_id, mailbox_id, claimed_at)
         WHERE cm.campaign_id = used.campaign_id
           AND cm.mailbox_id = used.mailbox_id
           AND cm.last_sent_at = used.claimed_at
        """,
        {
            "campaign_ids": [use.campaign_id for use in uses],
            "mailbox_ids": [use.mailbox_id for use in uses],
            "claimed_at": [use.claimed_at for use in uses],
        },
    )


_USES: LiteralString = """
    json_to_recordset(%(uses)s::json)
    AS used (campaign_id bigint, mailbox_id bigint, claimed_at timestamptz, next_send_at timestamptz, day date,
             is_first_mail boolean, variant_id bigint)
"""

_COUNTS: LiteralString = """
    chosen AS (
        INSERT INTO variant_counts AS c (variant_id, assigned_count)
        SELECT variant_id, %(sign)s * count(*)
          FROM used
         WHERE variant_id IS NOT NULL
         GROUP BY variant_id
         ORDER BY variant_id
            ON CONFLICT (variant_id) DO UPDATE SET assigned_count = c.assigned_count + excluded.assigned_count
    )
    INSERT INTO campaign_days AS d (campaign_id, day, new_count, follow_up_count)
    SELECT campaign_id, day, %(sign)s * count(*) FILTER (WHERE is_first_mail),
           %(sign)s * count(*) FILTER (WHERE NOT is_first_mail)
      FROM used
     GROUP BY campaign_id, day
     ORDER BY campaign_id, day
        ON CONFLICT (campaign_id, day)
        DO UPDATE SET new_count = d.new_count + excluded.new_count,
                      follow_up_count = d.follow_up_count + excluded.follow_up_count
"""


async def record_holds(
    db: Db,
    ids: Sequence[int],
    codes: Sequence[str | None],
    texts: Sequence[str | None],
    until: Sequence[datetime | None],
) -> None:
    """Store why each of these campaigns sends nothing just now (None: it sends)."""
    await execute(
        db,
        """
        UPDATE campaigns AS c
           SET hold_code = hold.code, hold_text = hold.text, hold_until = hold.until
          FROM unnest(%(ids)s::bigint[], %(codes)s::text[], %(texts)s::text[], %(until)s::timestamptz[])
               AS hold (campaign_id, code, text, until)
         WHERE c.id = hold.campaign_id
        """,
        {"ids": list(ids), "codes": list(codes), "texts": list(texts), "until": list(until)},
    )
