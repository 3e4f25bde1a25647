"""What must hold of the database, whatever happened (product behaviour 16). On mails: see `servers`.

Not here: warmup (8) has no engine yet, and that a GET never unsubscribes (9) is a matter of HTTP: tests/tracking.
"""

from outrider.engine.survey import explain
from outrider.kit.db import Db, fetch_dicts
from tests.simulation.servers import Servers
from tests.simulation.story import Broken
from tests.simulation.world import World

_COUNTERS = {
    "mailbox days": """
        SELECT coalesce(counted.mailbox_id, stored.mailbox_id) AS id, counted.n AS counted, stored.n AS stored
        FROM (SELECT mailbox_id, claimed_at::date AS day, count(*) AS n FROM messages
               WHERE step_id IS NOT NULL AND NOT EXISTS (
                     SELECT FROM dispatches AS d WHERE d.message_id = messages.id AND d.state = 'DEFERRED')
               GROUP BY 1, 2) AS counted
        FULL JOIN (SELECT mailbox_id, day, campaign_count AS n FROM mailbox_days WHERE campaign_count <> 0) AS stored
             USING (mailbox_id, day)
        WHERE counted.n IS DISTINCT FROM stored.n
    """,
    "new leads and follow-ups": """
        SELECT coalesce(counted.campaign_id, stored.campaign_id) AS id, counted.n AS counted, stored.n AS stored
        FROM (SELECT campaign_id, count(*) AS n FROM messages
               WHERE step_id IS NOT NULL AND NOT EXISTS (
                     SELECT FROM dispatches AS d WHERE d.message_id = messages.id AND d.state = 'DEFERRED')
               GROUP BY 1) AS counted
        FULL JOIN (SELECT campaign_id, sum(new_count + follow_up_count) AS n FROM campaign_days GROUP BY 1
                   HAVING sum(new_count + follow_up_count) <> 0) AS stored USING (campaign_id)
        WHERE counted.n IS DISTINCT FROM stored.n
    """,
    "events SENT": """
        SELECT m.id, (m.status = 'SENT' OR m.bounce_kind IS NOT NULL)::int AS stored,
               (SELECT count(*) FROM message_events AS e WHERE e.message_id = m.id AND e.type = 'SENT') AS counted
        FROM messages AS m
        WHERE m.step_id IS NOT NULL AND m.status = 'SENT'
          AND (SELECT count(*) FROM message_events AS e WHERE e.message_id = m.id AND e.type = 'SENT') <> 1
    """,
    "opens and clicks": """
        SELECT m.id, m.open_count + m.click_count AS stored,
               (SELECT count(*) FROM message_events AS e
                 WHERE e.message_id = m.id AND e.type IN ('OPENED', 'CLICKED')) AS counted
        FROM messages AS m
        WHERE m.direction = 'OUT'
          AND m.open_count + m.click_count <> (SELECT count(*) FROM message_events AS e
                 WHERE e.message_id = m.id AND e.type IN ('OPENED', 'CLICKED'))
    """,
}


async def look_at_reasons(db: Db, world: World) -> None:
    """10: every lead that is not through has one reason that people can read."""
    for campaign_id in world.campaigns:
        rows = await fetch_dicts(
            db,
            "SELECT id FROM campaign_leads WHERE campaign_id = %(id)s AND status <> 'COMPLETED'",
            {"id": campaign_id},
        )
        wanted = sorted(row["id"] for row in rows)
        found = await explain(db, world.user_id, campaign_id, world.now)
        if sorted(each.campaign_lead_id for each in found) != wanted:
            raise Broken(10, f"leads {wanted} of campaign {campaign_id} have no single reason each: {found}")
        silent = [each for each in found if not each.text.strip()]
        if silent:
            raise Broken(10, f"no sentence: {silent}")


async def look_at_counters(db: Db, world: World) -> None:
    """7: counters are what the events add up to. Mails of deleted leads are gone, their counts stay."""
    if any(why == "was deleted" for why in world.barred_leads.values()):
        return
    for name, sql in _COUNTERS.items():
        wrong = await fetch_dicts(db, sql)  # type: ignore[arg-type]
        if wrong:
            raise Broken(7, f"{name}: {wrong}")


async def look_at_subsequences(db: Db) -> None:
    """13, beyond the list: one at a time, each once, never beside the parent (product behaviour 7)."""
    wrong = await fetch_dicts(
        db,
        """
        SELECT child.parent_campaign_lead_id AS id, array_agg(child.campaign_id) AS campaign_ids, own.status
        FROM campaign_leads AS child
        LEFT JOIN campaign_leads AS own ON own.id = child.parent_campaign_lead_id
        WHERE child.parent_campaign_lead_id IS NOT NULL
        GROUP BY 1, own.status
        HAVING count(*) <> count(DISTINCT child.campaign_id)
            OR count(*) FILTER (WHERE child.status IN ('STARTED', 'INPROGRESS', 'PAUSED'))
               + (own.status IN ('STARTED', 'INPROGRESS'))::int > 1
        """,
    )
    if wrong:
        raise Broken(13, f"leads in more than one place of a conversation: {wrong}")


async def look_at_end(db: Db, world: World, servers: Servers, *, is_calm: bool) -> None:
    """11, and that nothing waits for ever without a reason that somebody can do something about."""
    rows = await fetch_dicts(db, "SELECT id, status FROM campaigns ORDER BY id")
    for row in rows:
        found = await explain(db, world.user_id, row["id"], world.now)
        waiting = [each for each in found if each.code in _PASSING]
        if waiting and row["status"] == "ACTIVE":
            raise Broken(11, f"nothing will happen in campaign {row['id']} any more, but: {waiting}")
        has_leads = any(campaign_id == row["id"] for campaign_id, _, _ in world.leads.values())
        if is_calm and row["status"] != "COMPLETED" and has_leads:
            raise Broken(11, f"campaign {row['id']} is {row['status']} at the end of a calm story: {found}")
    if is_calm:
        _look_at_completeness(world, servers)


_PASSING = {"NOT_DUE", "IN_QUEUE", "GAP", "OUTSIDE_WINDOW", "BEFORE_START", "NEW_LEAD_CAP", "IN_FLIGHT", "BACKOFF"}


def _look_at_completeness(world: World, servers: Servers) -> None:
    for campaign_lead_id, (campaign_id, _, address) in world.leads.items():
        got = [each.step_number for each in servers.sent_to(campaign_lead_id)]
        has_moved = campaign_lead_id in world.origins.values()
        wanted = list(range(1, world.campaigns[campaign_id].step_count + 1))
        if got != (wanted[: len(got)] if has_moved else wanted):
            raise Broken(11, f"{address} got the steps {got} of campaign {campaign_id}", address)
        takers = [each for each in world.campaigns.values() if each.parent_id == campaign_id and each.takes_silent]
        if takers and not has_moved:
            raise Broken(13, f"{address} was not heard of, and enters none of {[each.id for each in takers]}", address)
