"""SQL on A/B tests that find a winner: what became of the mails of the test, how far it is, what was decided.

The engine's statements run over all accounts at once; every row they write carries its own account.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from outrider.campaigns.experiment import DecisionReason, Experiment, Figures
from outrider.campaigns.models import WinningMetric
from outrider.kit.db import Db, as_ids, as_records, execute, fetch_all, fetch_dicts


@dataclass(frozen=True, slots=True)
class Trial:
    """How far the test of a step is; `winner_id`: the variant that all later leads get."""

    step_id: int
    user_id: int
    campaign_id: int
    look_at: datetime | None
    sample_size: int | None
    sampled_until: datetime | None
    winner_id: int | None
    is_by_hand: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by the numbers or by a person, and the numbers of that moment."""

    user_id: int
    campaign_id: int
    step_id: int
    decided_at: datetime
    winner_id: int | None
    reason: DecisionReason
    metric: str | None
    figures: Sequence[Mapping[str, Any]]


async def open_trials(db: Db, now: datetime) -> None:
    """Begin a test for each step of an ACTIVE campaign that is to find a winner and has none yet."""
    await execute(
        db,
        """
        INSERT INTO variant_tests (step_id, user_id, campaign_id, look_at)
        SELECT s.id, s.user_id, s.campaign_id, %(now)s
          FROM steps AS s
          JOIN campaigns AS c ON c.id = s.campaign_id AND c.status = 'ACTIVE'
         WHERE s.variant_distribution_type = 'AI_EQUAL'
           AND s.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM variant_tests AS t WHERE t.step_id = s.id)
            ON CONFLICT DO NOTHING
        """,
        {"now": now},
    )


async def lock_due_trials(db: Db, now: datetime) -> list[Trial]:
    """Return the tests of ACTIVE campaigns that are to be looked at now; those that others look at are passed over."""
    return await fetch_all(
        db,
        Trial,
        """
        SELECT t.step_id, t.user_id, t.campaign_id, t.look_at, t.sample_size, t.sampled_until, t.winner_id, t.is_by_hand
          FROM variant_tests AS t
          JOIN steps AS s ON s.id = t.step_id
          JOIN campaigns AS c ON c.id = t.campaign_id
         WHERE t.look_at <= %(now)s
           AND s.variant_distribution_type = 'AI_EQUAL'
           AND s.deleted_at IS NULL
           AND c.status = 'ACTIVE'
         ORDER BY t.step_id
           FOR UPDATE OF t SKIP LOCKED
        """,
        {"now": now},
    )


async def lock_trial(db: Db, user_id: int, campaign_id: int, step_id: int) -> Trial | None:
    rows = await fetch_all(
        db,
        Trial,
        """
        SELECT step_id, user_id, campaign_id, look_at, sample_size, sampled_until, winner_id, is_by_hand
          FROM variant_tests
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
           AND step_id = %(step_id)s
           FOR UPDATE
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "step_id": step_id},
    )
    return rows[0] if rows else None


async def list_trials(db: Db, user_id: int, campaign_id: int) -> list[Trial]:
    return await fetch_all(
        db,
        Trial,
        """
        SELECT step_id, user_id, campaign_id, look_at, sample_size, sampled_until, winner_id, is_by_hand
          FROM variant_tests
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )


async def measure(db: Db, user_id: int | None, step_ids: Sequence[int]) -> list[Experiment]:
    """Return what became of the mails of these tests: the first ones of each step, as many as its share of the leads.

    Opens and clicks are those of people. None for the account: the engine asks, for all.
    """
    rows = await fetch_dicts(
        db,
        """
        WITH tested AS (
            SELECT s.id, s.campaign_id, s.winning_metric_property AS metric,
                   coalesce(t.sample_size,
                            ceil(s.lead_distribution_percentage / 100.0
                                 * (SELECT count(*)
                                      FROM campaign_leads AS cl
                                     WHERE cl.campaign_id = s.campaign_id
                                       AND cl.status <> 'BLOCKED'))::bigint) AS wanted
              FROM steps AS s
              LEFT JOIN variant_tests AS t ON t.step_id = s.id
             WHERE s.id = ANY(%(step_ids)s)
               AND s.winning_metric_property IS NOT NULL
               AND s.lead_distribution_percentage IS NOT NULL
               AND (%(user_id)s::bigint IS NULL OR s.user_id = %(user_id)s)
        ), sample AS MATERIALIZED (
            SELECT tested.id AS step_id, mail.variant_id, mail.sent_at,
                   CASE tested.metric
                       WHEN 'OPEN_RATE' THEN mail.first_opened_at IS NOT NULL
                       WHEN 'CLICK_RATE' THEN mail.first_clicked_at IS NOT NULL
                       WHEN 'REPLY_RATE' THEN mail.first_replied_at IS NOT NULL
                       ELSE mail.first_replied_at IS NOT NULL
                            AND EXISTS (SELECT
                                          FROM campaign_leads AS cl
                                          JOIN categories AS c ON c.id = cl.category_id
                                         WHERE cl.id = mail.campaign_lead_id
                                           AND c.sentiment_type = 'positive')
                   END AS is_event
              FROM tested
             CROSS JOIN LATERAL (
                    SELECT m.variant_id, m.campaign_lead_id, m.sent_at, m.first_opened_at, m.first_clicked_at,
                           m.first_replied_at
                      FROM messages AS m
                     WHERE m.campaign_id = tested.campaign_id
                       AND m.step_id = tested.id
                       AND m.variant_id IS NOT NULL
                       AND m.sent_at IS NOT NULL
                     ORDER BY m.sent_at, m.id
                     LIMIT tested.wanted
                   ) AS mail
        )
        SELECT tested.id AS step_id, tested.metric, tested.wanted, v.id AS variant_id, v.variant_label AS label,
               (SELECT count(*) FROM sample WHERE sample.step_id = tested.id) AS sampled,
               (SELECT max(sent_at) FROM sample WHERE sample.step_id = tested.id) AS sampled_until,
               count(sample.sent_at) AS sent_count,
               count(*) FILTER (WHERE sample.is_event) AS event_count
          FROM tested
          JOIN variants AS v ON v.step_id = tested.id AND v.deleted_at IS NULL
          LEFT JOIN sample ON sample.step_id = tested.id AND sample.variant_id = v.id
         GROUP BY tested.id, tested.metric, tested.wanted, v.id, v.variant_label, v.position
         ORDER BY tested.id, v.position
        """,
        {"user_id": user_id, "step_ids": as_ids(step_ids)},
    )
    found: dict[int, Experiment] = {}
    for row in rows:
        test = found.setdefault(
            row["step_id"],
            Experiment(
                row["step_id"], WinningMetric(row["metric"]), row["wanted"], row["sampled"], row["sampled_until"]
            ),
        )
        test.variants.append(Figures(row["variant_id"], row["label"], row["sent_count"], row["event_count"]))
    return list(found.values())


async def update_trials(db: Db, trials: Sequence[Trial]) -> None:
    await execute(
        db,
        """
        UPDATE variant_tests AS t
           SET look_at = changed.look_at,
               sample_size = changed.sample_size,
               sampled_until = changed.sampled_until,
               winner_id = changed.winner_id,
               is_by_hand = changed.is_by_hand
          FROM json_to_recordset(%(trials)s::json)
               AS changed (step_id bigint, user_id bigint, look_at timestamptz, sample_size integer,
                           sampled_until timestamptz, winner_id bigint, is_by_hand boolean)
         WHERE t.step_id = changed.step_id
           AND t.user_id = changed.user_id
        """,
        {"trials": as_records(trials)},
    )


async def insert_trial(db: Db, trial: Trial) -> None:
    await execute(
        db,
        """
        INSERT INTO variant_tests (step_id, user_id, campaign_id, look_at)
        VALUES (%(step_id)s, %(user_id)s, %(campaign_id)s, %(look_at)s)
            ON CONFLICT DO NOTHING
        """,
        {
            "step_id": trial.step_id,
            "user_id": trial.user_id,
            "campaign_id": trial.campaign_id,
            "look_at": trial.look_at,
        },
    )


async def reopen_trials(db: Db, user_id: int, campaign_id: int, now: datetime) -> None:
    """A winner that was deleted is none any more: the numbers of those that are left decide anew."""
    await execute(
        db,
        """
        UPDATE variant_tests AS t
           SET winner_id = NULL, is_by_hand = false, look_at = %(now)s
         WHERE t.user_id = %(user_id)s
           AND t.campaign_id = %(campaign_id)s
           AND t.winner_id IS NOT NULL
           AND NOT EXISTS (SELECT FROM variants AS v WHERE v.id = t.winner_id AND v.deleted_at IS NULL)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "now": now},
    )


async def insert_decisions(db: Db, decisions: Sequence[Decision]) -> None:
    await execute(
        db,
        """
        INSERT INTO variant_decisions (user_id, campaign_id, step_id, decided_at, winner_id, reason, metric, figures)
        SELECT user_id, campaign_id, step_id, decided_at, winner_id, reason, metric, figures
          FROM json_to_recordset(%(decisions)s::json)
               AS decision (user_id bigint, campaign_id bigint, step_id bigint, decided_at timestamptz,
                            winner_id bigint, reason text, metric text, figures jsonb)
        """,
        {"decisions": as_records(decisions)},
    )


async def list_decisions(db: Db, user_id: int, campaign_id: int) -> list[Decision]:
    """All decisions about the steps of a campaign, in their order."""
    return await fetch_all(
        db,
        Decision,
        """
        SELECT user_id, campaign_id, step_id, decided_at, winner_id, reason, metric, figures
          FROM variant_decisions
         WHERE user_id = %(user_id)s
           AND campaign_id = %(campaign_id)s
         ORDER BY id
        """,
        {"user_id": user_id, "campaign_id": campaign_id},
    )
