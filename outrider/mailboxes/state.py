"""What changes with every mail of a mailbox: gaps, counts, back-off, folder positions, and who holds the lease.

Kept apart from `mailboxes` so that the engine never touches the row that people edit. Leases run on real time, never on
the virtual clock: a process is alive or dead on the wall.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from outrider.kit.db import Db, as_ids, as_records, execute, fetch_all, fetch_dicts, fetch_value
from outrider.kit.plain import plain

LEASE_TIME = timedelta(seconds=60)


@plain(frozen=True, slots=True)
class MailboxUse:
    """One campaign mail of a mailbox; `next_send_at`: when it may send again."""

    mailbox_id: int
    claimed_at: datetime
    next_send_at: datetime
    is_follow_up: bool


async def record_claims(db: Db, uses: Sequence[MailboxUse]) -> None:
    """Count these mails and set the gaps; no mailbox occurs twice."""
    await execute(
        db,
        """
        WITH claim AS MATERIALIZED (
            SELECT *
              FROM json_to_recordset(%(uses)s::json)
                   AS c (mailbox_id bigint, claimed_at timestamptz, next_send_at timestamptz,
                         is_follow_up boolean)
        ), paced AS (
            UPDATE mailbox_states AS s
               SET next_send_at = claim.next_send_at,
                   last_sent_at = claim.claimed_at
              FROM claim
             WHERE s.mailbox_id = claim.mailbox_id
        )
        INSERT INTO mailbox_days AS d (mailbox_id, day, campaign_count, follow_up_count)
        SELECT mailbox_id, (claimed_at AT TIME ZONE 'UTC')::date, 1, is_follow_up::integer
          FROM claim
         ORDER BY mailbox_id
            ON CONFLICT (mailbox_id, day)
            DO UPDATE SET campaign_count = d.campaign_count + 1,
                          follow_up_count = d.follow_up_count + excluded.follow_up_count
        """,
        {"uses": as_records(uses)},
    )


@plain(frozen=True, slots=True)
class TakenBack:
    """A mail that came to nothing."""

    mailbox_id: int
    claimed_at: datetime
    is_follow_up: bool


async def take_back_claims(db: Db, mails: Sequence[TakenBack]) -> None:
    """Undo the count of claims that came to nothing; the gap stays, it hurts nobody."""
    await execute(
        db,
        """
        UPDATE mailbox_days AS d
           SET campaign_count = d.campaign_count - back.mail_count,
               follow_up_count = d.follow_up_count - back.follow_up_count
          FROM (SELECT mailbox_id, (claimed_at AT TIME ZONE 'UTC')::date AS day, count(*) AS mail_count,
                       count(*) FILTER (WHERE is_follow_up) AS follow_up_count
                  FROM json_to_recordset(%(mails)s::json)
                       AS claim (mailbox_id bigint, claimed_at timestamptz, is_follow_up boolean)
                 GROUP BY mailbox_id, day) AS back
         WHERE d.mailbox_id = back.mailbox_id
           AND d.day = back.day
        """,
        {"mails": as_records(mails)},
    )


async def reopen(db: Db, mailbox_ids: Sequence[int], claimed_at: Sequence[datetime]) -> None:
    """Let mailboxes send again at once that were claimed for mails which could not be made: there was no mail."""
    await execute(
        db,
        """
        UPDATE mailbox_states AS s
           SET next_send_at = claim.claimed_at
          FROM unnest(%(mailbox_ids)s::bigint[], %(claimed_at)s::timestamptz[]) AS claim (mailbox_id, claimed_at)
         WHERE s.mailbox_id = claim.mailbox_id
           AND s.last_sent_at = claim.claimed_at
        """,
        {"mailbox_ids": list(mailbox_ids), "claimed_at": list(claimed_at)},
    )


async def back_off(db: Db, mailbox_id: int, until: datetime, *, reason: str, is_failure: bool) -> None:
    """Let the mailbox wait; `is_failure` counts towards the longer waits and the verdict that it has failed."""
    await execute(
        db,
        """
        UPDATE mailbox_states
           SET backoff_until = greatest(backoff_until, %(until)s),
               backoff_reason = %(reason)s,
               backoff_step = backoff_step + 1,
               smtp_failure_count = smtp_failure_count + %(is_failure)s::int
         WHERE mailbox_id = %(mailbox_id)s
        """,
        {"mailbox_id": mailbox_id, "until": until, "reason": reason, "is_failure": is_failure},
    )


async def record_successes(db: Db, mailbox_ids: Sequence[int]) -> None:
    """A mail was taken: the waits start from the shortest again."""
    await execute(
        db,
        """
        UPDATE mailbox_states
           SET backoff_until = NULL, backoff_reason = NULL, backoff_step = 0, smtp_failure_count = 0
         WHERE mailbox_id = ANY(%(ids)s)
           AND (backoff_step > 0 OR smtp_failure_count > 0)
        """,
        {"ids": as_ids(mailbox_ids)},
    )


async def record_holds(
    db: Db,
    ids: Sequence[int],
    codes: Sequence[str | None],
    texts: Sequence[str | None],
    until: Sequence[datetime | None],
) -> None:
    """Store why each of these mailboxes sends nothing just now (None: it sends).

    One that is in use at this moment is passed over, so that nobody waits in a circle: the next look is soon.
    """
    await execute(
        db,
        """
        WITH idle AS (
            SELECT mailbox_id
              FROM mailbox_states
             WHERE mailbox_id = ANY(%(ids)s)
               FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE mailbox_states AS s
           SET hold_code = hold.code, hold_text = hold.text, hold_until = hold.until
          FROM unnest(%(ids)s::bigint[], %(codes)s::text[], %(texts)s::text[], %(until)s::timestamptz[])
               AS hold (mailbox_id, code, text, until)
          JOIN idle ON idle.mailbox_id = hold.mailbox_id
         WHERE s.mailbox_id = hold.mailbox_id
        """,
        {"ids": list(ids), "codes": list(codes), "texts": list(texts), "until": list(until)},
    )


@plain(frozen=True, slots=True)
class Backoff:
    """How often a mailbox was put off in a row."""

    mailbox_id: int
    backoff_step: int
    smtp_failure_count: int


async def lock_backoffs(db: Db, mailbox_ids: Sequence[int]) -> dict[int, Backoff]:
    rows = await fetch_all(
        db,
        Backoff,
        """
        SELECT mailbox_id, backoff_step, smtp_failure_count
          FROM mailbox_states
         WHERE mailbox_id = ANY(%(ids)s)
         ORDER BY mailbox_id
           FOR UPDATE
        """,
        {"ids": list(mailbox_ids)},
    )
    return {row.mailbox_id: row for row in rows}


# Engines and leases --------------------------------------------------------------------------------------------------


async def register_engine(db: Db, engine_id: UUID, lock_key: int, wall: datetime) -> None:
    """Announce a process; its session holds the advisory lock `lock_key` for as long as it lives."""
    await execute(
        db,
        """
        INSERT INTO engines (id, lock_key, started_at, heartbeat_at)
        VALUES (%(id)s, %(lock_key)s, %(wall)s, %(wall)s)
        """,
        {"id": engine_id, "lock_key": lock_key, "wall": wall},
    )


async def beat(db: Db, engine_id: UUID, wall: datetime) -> bool:
    """Renew all leases of this engine at once; False: it was declared dead and holds none any more."""
    sql = "UPDATE engines SET heartbeat_at = %(wall)s WHERE id = %(id)s"
    return await execute(db, sql, {"id": engine_id, "wall": wall}) == 1


async def is_engine_running(db: Db, wall: datetime) -> bool:
    """Whether any engine has shown signs of life within the time of a lease."""
    last: datetime | None = await fetch_value(db, "SELECT max(heartbeat_at) FROM engines")
    return last is not None and wall - last <= LEASE_TIME


async def remove_dead_engines(db: Db, wall: datetime) -> int:
    """Remove engines whose session has ended or that were silent for too long; their leases go with them.

    The advisory lock tells at once that a process is gone; the heartbeat tells it when the network is what failed.
    """
    return await execute(
        db,
        """
        DELETE FROM engines AS e
         WHERE e.heartbeat_at < %(silent_since)s
            OR NOT EXISTS (
                SELECT
                  FROM pg_locks AS l
                 WHERE l.locktype = 'advisory'
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                   AND ((l.classid::bigint << 32) | l.objid::bigint) = e.lock_key
                   AND l.objsubid = 1
                   AND l.granted
               )
        """,
        {"silent_since": wall - LEASE_TIME},
    )


async def remove_engine(db: Db, engine_id: UUID) -> None:
    await execute(db, "DELETE FROM engines WHERE id = %(id)s", {"id": engine_id})


_BY_CAMPAIGN: LiteralString = (
    "(SELECT min(cm.campaign_id) FROM campaign_mailboxes AS cm WHERE cm.mailbox_id = m.id), m.id"
)
"""Mailboxes of one campaign go to one engine, as far as that goes: two that plan a campaign wait for each other."""


async def claim_leases(db: Db, engine_id: UUID, wall: datetime, *, at_most: int) -> list[int]:
    """Take mailboxes that nobody holds; returns the ids taken. Several engines share the work by `at_most`."""
    rows = await fetch_dicts(
        db,
        f"""
        INSERT INTO mailbox_leases (mailbox_id, engine_id, leased_at)
        SELECT m.id, %(engine_id)s, %(wall)s
          FROM mailboxes AS m
         WHERE m.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM mailbox_leases AS l WHERE l.mailbox_id = m.id)
         ORDER BY {_BY_CAMPAIGN}
         LIMIT %(at_most)s
            ON CONFLICT (mailbox_id) DO NOTHING
        RETURNING mailbox_id
        """,  # noqa: S608 - a constant
        {"engine_id": engine_id, "wall": wall, "at_most": at_most},
    )
    return [row["mailbox_id"] for row in rows]


async def give_up_leases(db: Db, engine_id: UUID, *, keep: int) -> list[int]:
    """Let go of what is above this engine's share, and of deleted mailboxes; returns the ids let go."""
    rows = await fetch_dicts(
        db,
        f"""
        DELETE FROM mailbox_leases AS l
         USING (SELECT lease.mailbox_id, m.deleted_at IS NOT NULL AS is_deleted,
                       row_number() OVER (ORDER BY {_BY_CAMPAIGN}) AS place
                  FROM mailbox_leases AS lease
                  JOIN mailboxes AS m ON m.id = lease.mailbox_id
                 WHERE lease.engine_id = %(engine_id)s) AS mine
         WHERE l.mailbox_id = mine.mailbox_id
           AND (mine.is_deleted OR mine.place > %(keep)s)
           AND NOT EXISTS (SELECT FROM dispatches AS d
                            WHERE d.mailbox_id = mine.mailbox_id AND d.state <> 'DEFERRED')
        RETURNING l.mailbox_id
        """,  # noqa: S608 - a constant
        {"engine_id": engine_id, "keep": keep},
    )
    return [row["mailbox_id"] for row in rows]


async def count_shares(db: Db) -> tuple[int, int]:
    """Return (mailboxes, engines): an engine's fair share is the quotient, rounded up."""
    rows = await fetch_dicts(
        db,
        """
        SELECT (SELECT count(*) FROM mailboxes WHERE deleted_at IS NULL) AS mailbox_count,
               (SELECT count(*) FROM engines) AS engine_count
        """,
    )
    return rows[0]["mailbox_count"], rows[0]["engine_count"]


# Positions in folders ------------------------------------------------------------------------------------------------


@plain(frozen=True, slots=True)
class FolderPosition:
    """What was read last of a folder (RFC 9051 §2.3.1.1: valid for one UIDVALIDITY)."""

    folder: str
    uid_validity: int
    last_uid: int
    checked_at: datetime | None = None  # when that was stored


async def list_positions(db: Db, mailbox_id: int) -> list[FolderPosition]:
    return await fetch_all(
        db,
        FolderPosition,
        "SELECT folder, uid_validity, last_uid, checked_at FROM mailbox_folders WHERE mailbox_id = %(mailbox_id)s",
        {"mailbox_id": mailbox_id},
    )


async def record_positions(db: Db, positions: Sequence[tuple[int, FolderPosition]], *, now: datetime) -> None:
    """Positions of mailboxes. With the same UIDVALIDITY none goes back: another engine may have read on."""
    rows = {
        (mailbox_id, position.folder): {
            "mailbox_id": mailbox_id,
            "folder": position.folder,
            "uid_validity": position.uid_validity,
            "last_uid": position.last_uid,
        }
        for mailbox_id, position in positions  # the last of each folder
    }
    await execute(
        db,
        """
        INSERT INTO mailbox_folders AS f (mailbox_id, folder, uid_validity, last_uid, checked_at)
        SELECT mailbox_id, folder, uid_validity, last_uid, %(now)s
          FROM json_to_recordset(%(rows)s::json)
               AS given (mailbox_id bigint, folder text, uid_validity bigint, last_uid bigint)
         ORDER BY mailbox_id, folder
            ON CONFLICT (mailbox_id, folder)
            DO UPDATE SET uid_validity = excluded.uid_validity,
                          last_uid = CASE WHEN f.uid_validity = excluded.uid_validity
                                          THEN greatest(f.last_uid, excluded.last_uid)
                                          ELSE excluded.last_uid
                                      END,
                          checked_at = excluded.checked_at
        """,
        {"rows": as_records(list(rows.values())), "now": now},
    )


async def record_single_send(db: Db, mailbox_id: int, now: datetime) -> None:
    """A mail outside of campaigns: it is counted for the day, the cap does not look at it."""
    await execute(
        db,
        """
        INSERT INTO mailbox_days AS d (mailbox_id, day, other_count)
        VALUES (%(mailbox_id)s, %(today)s, 1)
        ON CONFLICT (mailbox_id, day) DO UPDATE
        SET other_count = d.other_count + 1
        """,
        {"mailbox_id": mailbox_id, "today": now.date()},
    )
