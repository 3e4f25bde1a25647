"""What belongs to one account and one of its clients: one of everything, marked with a word that nobody else uses.

A new kind of object with ids in paths is added here, so that the walk of `tests/test_isolation.py` can ask for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from tests.support import make
from tests.support.client import ApiClient

MARK = "zebrawood"
"""In every text of the estate, so that it is seen in whatever answer it leaks into."""


@dataclass(frozen=True, slots=True)
class Estate:
    """The ids by the names that paths give them."""

    user_id: int
    ids: Mapping[str, int | str]

    def path(self, pattern: str) -> str:
        return pattern.format_map(self.ids)

    def filled(self, value: Any) -> Any:
        """A body with its `{names}` replaced by ids."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
            return self.ids[value[1:-1]]
        return value.replace("<mark>", MARK) if isinstance(value, str) else value

    async def rows(self, db: Db) -> set[str]:
        """Every row of the account in whatever table, as texts; when a key was last used is no change."""
        return {row["row"] for row in await fetch_dicts(db, await _everything(db), {"user_id": self.user_id})}  # type: ignore[arg-type]


async def _everything(db: Db) -> str:
    tables = await fetch_dicts(
        db,
        """
        SELECT table_name
        FROM information_schema.columns
        WHERE column_name = 'user_id'
          AND table_schema = 'public'
          AND table_name <> 'mail_changes'  -- notes of what is to be counted, worked off by whoever reads figures
        """,
    )
    parts = [
        f"SELECT '{name} ' || (to_jsonb(t) - 'last_used_at')::text AS row FROM {name} AS t WHERE user_id = %(user_id)s"  # noqa: S608
        for name in sorted(row["table_name"] for row in tables)
    ]
    return " UNION ALL ".join(parts)


async def build(db: Db, owner: ApiClient, client_id: int) -> Estate:
    """Made through the API where there is a route for it."""

    async def post(path: str, body: Any) -> Any:
        answer = await owner.post(path, json=body)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    await post("/client/save", {"id": client_id, "name": f"{MARK} client"})
    mailbox_id = await make.mailbox(
        db,
        owner.user_id,
        client_id=client_id,
        from_email=f"nora@{MARK}.example",
        from_name=f"{MARK} sender",
        custom_tracking_domain="127.0.0.1",
    )
    failed = await make.mailbox(db, owner.user_id, client_id=client_id, from_email=f"li@{MARK}.example")
    await execute(db, "UPDATE mailboxes SET is_smtp_success = false WHERE id = %(id)s", {"id": failed})
    campaign_id = await make.campaign(db, owner.user_id, client_id=client_id)
    await post(f"/campaigns/{campaign_id}/settings", {"name": f"{MARK} campaign"})
    variants = [
        {"subject": f"{MARK} {label}", "email_body": f"{MARK} {label}", "variant_label": label} for label in "AB"
    ]
    step = {"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "seq_variants": variants} | {
        "variant_distribution_type": "AI_EQUAL",
        "lead_distribution_percentage": 20,
        "winning_metric_property": "OPEN_RATE",
    }
    await post(f"/campaigns/{campaign_id}/sequences", {"sequences": [step]})
    await make.attach(db, owner.user_id, campaign_id, mailbox_id)
    await post(f"/campaigns/{campaign_id}/leads", {"lead_list": [{"email": f"ada@{MARK}.example", "first_name": MARK}]})
    lead_map_id = await fetch_value(db, "SELECT max(id) FROM campaign_leads")
    lead_id = await fetch_value(db, "SELECT max(id) FROM leads")
    imported = await owner.post(
        f"/campaigns/{campaign_id}/leads/import",
        content=f"email\nbo@{MARK}.example\n",
        headers={"content-type": "text/csv"},
    )
    task_id = await _converse(db, owner, lead_map_id, mailbox_id)
    subsequence = {"parent_campaign_id": campaign_id, "name": f"{MARK} subsequence", "trigger": "NO_REPLY"}
    subsequence_id = (await post("/campaigns/create-subsequence", subsequence))["id"]
    stats_id, scheduled_id = await _write(db, owner, campaign_id, lead_map_id, mailbox_id)
    webhook = await post(
        f"/campaigns/{campaign_id}/webhooks",
        {"webhook_url": f"https://{MARK}.example/hook", "event_types": ["EMAIL_SENT"], "name": MARK},
    )
    await post("/webhook/create", {"webhook_url": f"https://{MARK}.example/client", "client_id": client_id})
    await post("/webhook/create", {"webhook_url": f"https://{MARK}.example/account", "association_type": "user"})
    blocked = {"domain_block_list": [f"rival-{MARK}.example"], "client_id": client_id}
    await post("/leads/add-domain-block-list", blocked)
    block_id = await fetch_value(db, "SELECT max(id) FROM block_list")
    tag = await post("/tags", {"name": "Cold pool"})
    list_id, list_of_account, tag_mapping_id = await _gather(db, owner, client_id, lead_id, tag["data"]["id"])
    await post("/leads/categories", {"name": "Own"})
    category_id = await fetch_value(db, "SELECT max(id) FROM categories")
    key = await post("/client/api-key", {"clientId": client_id, "keyName": f"{MARK} key"})
    return Estate(
        owner.user_id,
        {
            "client_id": client_id,
            "id": key["data"]["id"],
            "email_account_id": mailbox_id,
            "campaign_id": campaign_id,
            "subsequence_id": subsequence_id,
            "lead_map_id": lead_map_id,
            "leadId": lead_id,
            "lead_id": lead_id,
            "task_id": task_id,
            "stats_id": stats_id,
            "scheduled_message_id": scheduled_id,
            "reply_id": str(await fetch_value(db, "SELECT stats_id FROM messages WHERE kind = 'UNTRACKED'")),
            "import_id": imported.json()["import_id"],
            "webhook_id": webhook["id"],
            "block_id": block_id,
            "tag_id": tag["data"]["id"],
            "category_id": category_id,
            "account_id": mailbox_id,
            "list_id": list_id,
            "list_of_account": list_of_account,
            "tagMappingId": tag_mapping_id,
        },
    )


async def _gather(db: Db, owner: ApiClient, client_id: int, lead_id: int, tag_id: int) -> tuple[int, int, int]:
    """Two lists with the lead and a tag, the first of them the client's; returns them and the id of the lead's tag."""
    list_ids = []
    for owned_by in (client_id, None):
        made = await owner.post("/lead-list", json={"listName": f"{MARK} list"})
        list_ids.append(int(made.json()["data"]["id"]))
        await execute(
            db,
            "UPDATE lead_lists SET client_id = %(client_id)s WHERE id = %(id)s",
            {"client_id": owned_by, "id": list_ids[-1]},
        )
        await owner.post(f"/lead-list/{list_ids[-1]}/import", json={"leads": [{"email": f"ada@{MARK}.example"}]})
        await owner.post("/lead-list/assign-tags", json={"listIds": list_ids[-1], "tagIds": tag_id})
    await owner.post("/crm/leads/tags", json={"leadId": lead_id, "tagIds": tag_id})
    return list_ids[0], list_ids[1], int(await fetch_value(db, "SELECT max(id) FROM lead_tags"))


async def _converse(db: Db, owner: ApiClient, lead_map_id: int, mailbox_id: int) -> int:
    """A conversation in every view of the inbox, and a reply of nobody's; returns the task."""
    place = {"email_lead_map_id": lead_map_id}
    await owner.post("/master-inbox/create-note", json={**place, "note_message": MARK})
    task = await owner.post("/master-inbox/create-task", json={**place, "name": MARK})
    await owner.post("/master-inbox/set-reminder", json={**place, "message": MARK, "reminder_time": "2026-03-03"})
    await execute(
        db,
        """
        UPDATE campaign_leads
           SET last_reply_at = created_at, last_sent_at = created_at, is_unread = true, is_important = true,
               team_member_id = (SELECT min(id) FROM people WHERE user_id = %(user_id)s)
         WHERE id = %(id)s
        """,
        {"user_id": owner.user_id, "id": lead_map_id},
    )
    await execute(
        db,
        """
        INSERT INTO messages (user_id, direction, kind, mailbox_id, stats_id, message_id, status, from_email, to_email,
                              subject, sent_at, created_at)
        VALUES (%(user_id)s, 'IN', 'UNTRACKED', %(mailbox_id)s, gen_random_uuid(), %(mark)s || '-2@tarn.example',
                'RECEIVED', %(mark)s, %(mark)s, %(mark)s, %(now)s, %(now)s)
        """,
        {"user_id": owner.user_id, "mailbox_id": mailbox_id, "mark": MARK, "now": make.NOW},
    )
    return int(task.json()["data"]["task"][0]["id"])


async def _write(db: Db, owner: ApiClient, campaign_id: int, lead_map_id: int, mailbox_id: int) -> tuple[str, int]:
    """A mail of the campaign, and an answer by hand that is to go later; returns the thread and the answer."""
    stats_id = await fetch_value(
        db,
        """
        INSERT INTO messages (user_id, direction, kind, campaign_id, campaign_lead_id, lead_id, mailbox_id, step_id,
                              step_number, stats_id, message_id, status, from_email, to_email, subject, sent_at,
                              claimed_at, created_at)
        SELECT m.user_id, 'OUT', 'CAMPAIGN', m.campaign_id, m.id, m.lead_id, %(mailbox_id)s, steps.id, 1,
               gen_random_uuid(), %(mark)s || '-1@zebrawood.example', 'SENT', %(mark)s, 'ada@zebrawood.example',
               %(mark)s, %(now)s, %(now)s, %(now)s
          FROM campaign_leads AS m
          JOIN steps ON steps.campaign_id = m.campaign_id AND steps.deleted_at IS NULL
         WHERE m.id = %(id)s
        RETURNING stats_id
        """,
        {"mailbox_id": mailbox_id, "mark": MARK, "now": make.NOW, "id": lead_map_id},
    )
    body = {"email_stats_id": str(stats_id), "email_body": MARK, "scheduled_time": "2026-04-01"}
    await owner.post(f"/campaigns/{campaign_id}/reply-email-thread", json=body)
    scheduled_id = await fetch_value(db, "SELECT max(message_id) FROM handwritten_mails")
    await execute(
        db,
        "UPDATE messages SET message_id = %(mark)s || '@zebrawood.example' WHERE id = %(id)s",
        {"mark": MARK, "id": scheduled_id},
    )
    return str(stats_id), int(scheduled_id)
