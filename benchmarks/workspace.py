"""An account of two years: 200 campaigns, 500 mailboxes, five mails to each lead, and what became of them.

Rows by INSERT … SELECT, in the order in which mails went out; indexes and foreign keys are made afterwards, as a
restore does. Each lead gets all its mails; of these 35 % are opened, 5 % clicked, 3 % answered, 0.5 % unsubscribed, 2 %
of the first ones bounce. Campaigns begin one after the other and last for some months each.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from benchmarks.product import Product
from outrider.analytics import rollup
from outrider.kit.db import Database

MAILS_EACH = 5
CAMPAIGNS = 200
MAILBOXES = 500
DAYS = 730
_ROLLED_AT_ONCE = 100_000
_FILLED = ("leads", "campaign_leads", "messages", "message_events", "message_bodies", "message_texts")
_SESSION = {"work_mem": "512MB", "maintenance_work_mem": "1GB", "synchronous_commit": "off", "temp_buffers": "256MB"}


def fill(product: Product, email: str, leads: int) -> str:
    """Make the account; returns its API key. Its mails are five times its leads."""
    key = product.account(email)
    with product.database() as db:
        for name, value in _SESSION.items():
            db.execute(sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        user_id = _one(db, "SELECT user_id FROM people WHERE email = %(email)s", email=email)
        with _without_indexes(db):
            for statement in _STATEMENTS:
                db.execute(
                    statement,
                    {
                        "user_id": user_id,
                        "leads": leads,
                        "campaigns": CAMPAIGNS,
                        "mailboxes": MAILBOXES,
                        "days": DAYS,
                        "steps": MAILS_EACH,
                    },
                )
        db.execute("INSERT INTO mail_changes SELECT user_id, id FROM messages WHERE step_id IS NOT NULL")
        asyncio.run(_roll_up(product.url, user_id))
        db.execute("VACUUM ANALYZE")
    return key


async def _roll_up(url: str, user_id: int) -> None:
    """What a job would do over the next hours."""
    database = await Database.open(url)
    try:
        while True:
            async with database.transaction() as db:
                if not await rollup.work_off(db, user_id, at_once=_ROLLED_AT_ONCE):
                    return
    finally:
        await database.close()


def _one(db: psycopg.Connection[Any], statement: LiteralString, **params: Any) -> Any:
    row = db.execute(statement, params).fetchone()
    return row[0] if row else None


@contextmanager
def _without_indexes(db: psycopg.Connection[Any]) -> Iterator[None]:
    """Without indexes, foreign keys and triggers of the big tables; they are there again afterwards."""
    wanted = {"tables": list(_FILLED)}
    keys = db.execute(
        """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
          FROM pg_constraint
         WHERE contype = 'f'
           AND conrelid = ANY(%(tables)s::text[]::regclass[])
        """,
        wanted,
    ).fetchall()
    indexes = db.execute(
        """
        SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
          FROM pg_index AS i
         WHERE i.indrelid = ANY(%(tables)s::text[]::regclass[])
           AND NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid)
        """,
        wanted,
    ).fetchall()
    for table, name, _ in keys:
        db.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name)))
    for name, _ in indexes:
        db.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    for table in _FILLED:
        db.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
    yield
    for _, definition in indexes:
        db.execute(definition)
    for table, name, definition in keys:
        db.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
    for table in _FILLED:
        db.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(table)))


_STATEMENTS: tuple[LiteralString, ...] = (
    "SELECT setseed(0.5)",
    """
    INSERT INTO clients (user_id, name, email, created_at, updated_at)
    SELECT %(user_id)s, 'Client ' || n, format('client%%s@agency.example', n), now() - n * interval '20 days', now()
      FROM generate_series(1, 20) AS n
    """,
    """
    INSERT INTO people (user_id, email, name, role, password_hash, created_at, updated_at)
    SELECT %(user_id)s, format('member%%s@agency.example', n), 'Member ' || n, 'member', 'x', now(), now()
      FROM generate_series(1, 4) AS n
    """,
    """
    INSERT INTO tags (user_id, name, color, created_at)
    SELECT %(user_id)s, 'Pool ' || n, '#A3D9C9', now()
      FROM generate_series(1, 5) AS n
    """,
    """
    CREATE TEMP TABLE campaign AS
    WITH client AS (
        SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM clients WHERE user_id = %(user_id)s
    ), made AS (
        INSERT INTO campaigns (user_id, client_id, name, status, timezone, track_settings, created_at, updated_at)
        SELECT %(user_id)s, (SELECT id FROM client WHERE place = n %% 30), 'Campaign ' || n,
               CASE WHEN n < %(campaigns)s * 0.9 THEN 'COMPLETED' ELSE 'PAUSED' END, 'UTC', '{}',
               now() - (1 - n * 0.8 / %(campaigns)s) * %(days)s * interval '1 day', now()
          FROM generate_series(0, %(campaigns)s - 1) AS n
        RETURNING id, created_at
    )
    SELECT id, created_at AS begins_at, row_number() OVER (ORDER BY id) - 1 AS place FROM made
    """,
    """
    CREATE TEMP TABLE step AS
    WITH made AS (
        INSERT INTO steps (user_id, campaign_id, number, type, delay_days, subject, email_body,
                           variant_distribution_type, created_at, updated_at)
        SELECT %(user_id)s, campaign.id, n, 'EMAIL', CASE n WHEN 1 THEN 0 ELSE n + 1 END,
               CASE n WHEN 1 THEN 'Port fees' ELSE '' END, 'Hello {{first_name}}', 'MANUAL_EQUAL', begins_at, begins_at
          FROM campaign
         CROSS JOIN generate_series(1, %(steps)s) AS n
        RETURNING id, campaign_id, number, delay_days
    )
    SELECT id, campaign_id, number,
           sum(delay_days) OVER (PARTITION BY campaign_id ORDER BY number) * interval '1 day' AS delay
      FROM made
    """,
    """
    CREATE TEMP TABLE mailbox AS
    WITH made AS (
        INSERT INTO mailboxes (user_id, type, from_name, from_email, warmup_key, created_at, updated_at)
        SELECT %(user_id)s, (ARRAY['GMAIL', 'OUTLOOK', 'SMTP'])[1 + n %% 3], 'Nora Quist',
               format('nora%%s@quaydesk%%s.example', n, n %% 60), 'maple-otter',
               now() - %(days)s * interval '1 day', now()
          FROM generate_series(0, %(mailboxes)s - 1) AS n
        RETURNING id, from_email
    )
    SELECT id, from_email, row_number() OVER (ORDER BY id) - 1 AS place FROM made
    """,
    """
    INSERT INTO mailbox_states (mailbox_id, user_id, next_send_at)
    SELECT id, %(user_id)s, now() FROM mailbox
    """,
    """
    INSERT INTO mailbox_tags (user_id, mailbox_id, tag_id)
    SELECT %(user_id)s, mailbox.id, tag.id
      FROM mailbox
      JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM tags WHERE user_id = %(user_id)s) AS tag
        ON tag.place = mailbox.place %% 7 OR tag.place = mailbox.place %% 11
    """,
    # Ten mailboxes for each campaign, so that a mailbox serves several.
    """
    INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
    SELECT %(user_id)s, campaign.id, mailbox.id, begins_at, begins_at
      FROM campaign
     CROSS JOIN generate_series(0, 9) AS n
      JOIN mailbox ON mailbox.place = (campaign.place * 7 + n) %% %(mailboxes)s
    """,
    """
    CREATE TEMP TABLE lead AS
    SELECT nextval('leads_id_seq') AS id, nextval('campaign_leads_id_seq') AS map_id, n AS number,
           format('lead%%s@company%%s.example', n, n %% 9973) AS email, campaign.id AS campaign_id,
           mailbox.id AS mailbox_id, mailbox.from_email,
           date_trunc('day', begins_at) + floor(random() * 0.12 * %(days)s) * interval '1 day'
             + interval '8 hours' + random() * interval '9 hours' AS begins_at
      FROM generate_series(0, %(leads)s - 1) AS n
      JOIN campaign ON campaign.place = n %% %(campaigns)s
      JOIN mailbox ON mailbox.place = (campaign.place * 7 + n / %(campaigns)s %% 10) %% %(mailboxes)s
    """,
    """
    INSERT INTO leads (id, user_id, email, first_name, last_name, company_name, custom_fields, created_at, updated_at)
    SELECT id, %(user_id)s, email, (ARRAY['Ada', 'Bruno', 'Carla', 'Dmitri', 'Elif', 'Farid'])[1 + number %% 6],
           (ARRAY['Quill', 'Voss', 'Holm', 'Brandt', 'Orr'])[1 + number %% 5], 'Tallow Works ' || number %% 9973,
           '{"role": "CFO"}', begins_at, begins_at
      FROM lead
    """,
    """
    CREATE TEMP TABLE mail AS
    SELECT nextval('messages_id_seq') AS id, planned.*
      FROM (SELECT lead.map_id, lead.id AS lead_id, lead.email, lead.campaign_id, lead.mailbox_id, lead.from_email,
                   step.id AS step_id, step.number,
                   lead.begins_at + step.delay + random() * interval '2 hours' AS sent_at,
                   random() AS open_chance, random() AS click_chance, random() AS reply_chance,
                   random() AS bounce_chance, random() AS leave_chance, random() * random() AS wait
              FROM lead
              JOIN step ON step.campaign_id = lead.campaign_id
             ORDER BY sent_at) AS planned
    """,
    """
    INSERT INTO messages (id, user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                          step_number, stats_id, message_id, status, from_email, to_email, subject, claimed_at, sent_at,
                          attempt_count, reply_code, reply_text, open_count, first_opened_at, click_count,
                          first_clicked_at, first_replied_at, bounced_at, bounce_kind, unsubscribed_at, is_open_tracked,
                          created_at)
    SELECT id, %(user_id)s, 'OUT', 'CAMPAIGN', campaign_id, map_id, lead_id, mailbox_id, step_id, number, uuid, uuid
             || '@quaydesk.example', CASE WHEN is_bounced THEN 'BOUNCED' ELSE 'SENT' END, from_email, email,
           'Port fees', sent_at - interval '1 second', sent_at, 1, 250, '2.0.0 Ok: queued as 4ZkQ',
           is_opened::integer, CASE WHEN is_opened THEN sent_at + wait * interval '60 hours' END,
           is_clicked::integer, CASE WHEN is_clicked THEN sent_at + wait * interval '61 hours' END,
           CASE WHEN is_replied THEN sent_at + wait * interval '70 hours' END,
           CASE WHEN is_bounced THEN sent_at + interval '20 seconds' END, CASE WHEN is_bounced THEN 'HARD' END,
           CASE WHEN is_gone THEN sent_at + wait * interval '50 hours' END, true, sent_at - interval '1 second'
      FROM (SELECT *, gen_random_uuid() AS uuid, open_chance < 0.35 AS is_opened,
                   open_chance < 0.35 AND click_chance < 0.15 AS is_clicked, reply_chance < 0.03 AS is_replied,
                   number = 1 AND bounce_chance < 0.02 AS is_bounced, leave_chance < 0.005 AS is_gone
              FROM mail) AS mail
     ORDER BY id
    """,
    """
    INSERT INTO message_bodies (message_id, html, text)
    SELECT id, '<div>Hello Ada,</div><div>most teams of your size handle port fees in a spreadsheet.</div>', NULL
      FROM mail
     ORDER BY id
    """,
    """
    INSERT INTO message_events (user_id, campaign_id, campaign_lead_id, message_id, type, occurred_at)
    SELECT m.user_id, m.campaign_id, m.campaign_lead_id, m.id, event.type, event.at
      FROM messages AS m
     CROSS JOIN LATERAL (
            VALUES ('SENT', m.sent_at), ('OPENED', m.first_opened_at), ('CLICKED', m.first_clicked_at),
                   ('REPLIED', m.first_replied_at), ('BOUNCED', m.bounced_at), ('UNSUBSCRIBED', m.unsubscribed_at)
           ) AS event (type, at)
     WHERE m.user_id = %(user_id)s
       AND event.at IS NOT NULL
    """,
    """
    INSERT INTO campaign_leads (id, user_id, campaign_id, lead_id, mailbox_id, status, last_step_id, last_step_number,
                                last_sent_at, last_reply_at, category_id, is_unread, is_important, is_archived,
                                team_member_id, created_at, updated_at)
    SELECT lead.map_id, %(user_id)s, lead.campaign_id, lead.id, lead.mailbox_id, 'COMPLETED', step.id, step.number,
           sent.last_at, sent.replied_at,
           CASE WHEN sent.replied_at IS NOT NULL AND lead.number %% 5 > 0 THEN 1 + lead.number / 7 %% 7 END,
           sent.replied_at IS NOT NULL AND lead.number %% 20 = 0,
           sent.replied_at IS NOT NULL AND lead.number %% 33 = 0, sent.replied_at IS NOT NULL AND lead.number %% 50 = 0,
           CASE WHEN sent.replied_at IS NOT NULL
                THEN (SELECT id FROM people
                       WHERE user_id = %(user_id)s
                       ORDER BY id
                      OFFSET lead.number %% 7
                       LIMIT 1) END,
           lead.begins_at, sent.last_at
      FROM lead
      JOIN step ON step.campaign_id = lead.campaign_id AND step.number = %(steps)s
      JOIN (SELECT campaign_lead_id, max(sent_at) AS last_at, max(first_replied_at) AS replied_at
              FROM messages
             WHERE user_id = %(user_id)s
             GROUP BY campaign_lead_id) AS sent ON sent.campaign_lead_id = lead.map_id
     ORDER BY lead.map_id
    """,
    # The answers themselves, and what the search of the inbox reads.
    """
    INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, stats_id,
                          message_id, answers_id, status, from_email, to_email, subject, sent_at, is_read, created_at)
    SELECT user_id, 'IN', 'REPLY', campaign_id, campaign_lead_id, lead_id, mailbox_id, gen_random_uuid(),
           'answer-' || id || '@company.example', id, 'RECEIVED', to_email, from_email, 'Re: Port fees',
           first_replied_at, true, first_replied_at
      FROM messages
     WHERE user_id = %(user_id)s
       AND first_replied_at IS NOT NULL
     ORDER BY first_replied_at
    """,
    """
    INSERT INTO message_bodies (message_id, html, text)
    SELECT id, NULL, 'Thanks, tell me more about invoice ' || id || ' please.'
      FROM messages
     WHERE user_id = %(user_id)s
       AND direction = 'IN'
    """,
    """
    INSERT INTO message_texts (message_id, user_id, campaign_lead_id, text)
    SELECT m.id, m.user_id, m.campaign_lead_id, lower(concat_ws(E'\n', m.subject, coalesce(b.text, b.html)))
      FROM campaign_leads AS cl
      JOIN messages AS m ON m.campaign_lead_id = cl.id AND m.sent_at IS NOT NULL
      JOIN message_bodies AS b ON b.message_id = m.id
     WHERE cl.user_id = %(user_id)s
       AND cl.last_reply_at IS NOT NULL
    """,
    "DROP TABLE campaign, step, mailbox, lead, mail",
)
