"""Nobody reads or changes what is another's: a walk over all routes, aliases too (contract: conventions §4, clients).

Every route is asked for the objects of one estate by whom they are no business of. A new route needs an entry here only
if it has a body, or names things elsewhere than in its path; a new kind of id is added to `tests/support/estate.py`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from outrider.asgi import APIS, api_routes
from outrider.kit.crypto import set_vault
from outrider.kit.db import Db, execute
from outrider.kit.exchange import ANY_KEY
from outrider.kit.lenient import needs_of
from outrider.kit.routing import BASE
from tests.support.client import ApiClient, fresh_client
from tests.support.estate import MARK, Estate, build
from tests.support.make import NOW, VAULT

Connect = Callable[..., Awaitable[ApiClient]]

BODIES: dict[str, Any] = {
    "campaigns.update_status": {"status": "PAUSED"},
    "campaigns.update_settings": {"name": "<mark> renamed"},
    "campaigns.update_schedule": {
        "timezone": "UTC",
        "days_of_the_week": [1],
        "start_hour": "09:00",
        "end_hour": "17:00",
        "min_time_btw_emails": 10,
        "max_new_leads_per_day": 10,
    },
    "campaigns.update_campaign": {"name": "<mark> renamed"},
    "campaigns.save_sequence": {
        "sequences": [{"seq_number": 1, "seq_delay_details": {"delay_in_days": 0}, "subject": "Hi", "email_body": "Hi"}]
    },
    "campaigns.choose_winner": {"seq_number": 1, "variant": "A"},
    "campaigns.add_tags": {"campaign_ids": ["{campaign_id}"], "tag_ids": ["{tag_id}"]},
    "campaigns.remove_tags": {"campaign_ids": ["{campaign_id}"], "tag_ids": ["{tag_id}"]},
    "campaigns.add_mailboxes_by_tag": {"tag_ids": ["{tag_id}"]},
    "campaigns.add_mailboxes": {"email_account_ids": ["{email_account_id}"]},
    "campaigns.remove_mailboxes": {"email_account_ids": ["{email_account_id}"]},
    "campaigns.assign_team_member": {"teamMemberId": None},
    "campaigns.create_subsequence": {"parent_campaign_id": "{campaign_id}"},
    "leads.add_leads": {"lead_list": [{"email": "cy@<mark>.example"}]},
    "imports.start_import": "email\ncy@tarn.example\n",
    "imports.preview_import": "email\ncy@tarn.example\n",
    "leads.assign_mailbox": {
        "email_campaign_id": "{campaign_id}",
        "email_lead_id": "{lead_id}",
        "email_account_id": "{email_account_id}",
        "override_lead_email_account": True,
    },
    "engine.send_test_mail": {"sequenceNumber": 1, "customEmailAddress": "eve@tarn.example"},
    "leads.change_lead_status": {"status": "PAUSED"},
    "leads.update_lead": {"first_name": "Eve"},
    "leads.update_lead_anywhere": {"first_name": "Eve"},
    "leads.update_category": {"category_id": 1},
    "leads.create_category": {"name": "Eve"},
    "leads.change_category": {"name": "Other"},
    "lists.create_list": {"listName": "Eve"},
    "lists.update_list": {"listName": "Eve"},
    "lists.import_rows": {"leadList": [{"email": "cy@<mark>.example"}]},
    "lists.assign_tags": {"listIds": ["{list_id}"], "tagIds": ["{tag_id}"]},
    "lists.push_to_list": {"listId": "{list_id}", "leadIds": ["{leadId}"]},
    "lists.push_campaign_to_list": {"listId": "{list_id}", "campaignId": "{campaign_id}", "allLeads": True},
    "lists.push_to_campaign": {"campaignId": "{campaign_id}", "leadList": {"listId": "{list_id}"}},
    "lists.push_between_lists": {"toListId": "{list_of_account}", "fromListId": "{list_id}", "action": "move"},
    "leads.add_lead_tags": {"leadId": "{leadId}", "tagIds": ["{tag_id}"]},
    "blocks.delete_entry": {"id": "{block_id}"},
    "mailboxes.save_account": {"id": "{email_account_id}", "from_name": "Eve"},
    "mailboxes.update_account": {"from_name": "Eve"},
    "mailboxes.update_warmup": {"warmup_enabled": True},
    "mailboxes.delete_accounts": {"ids": ["{email_account_id}"]},
    "mailboxes.add_tags": {"email_account_ids": ["{email_account_id}"], "tag_ids": ["{tag_id}"]},
    "mailboxes.remove_tags": {"email_account_ids": ["{email_account_id}"], "tag_ids": ["{tag_id}"]},
    "mailboxes.create_tag": {"name": "Eve"},
    "mailboxes.save_tag": {"id": "{tag_id}", "name": "Eve"},
    "mailboxes.set_tags": {"email_account_ids": ["{email_account_id}"], "tags": []},
    "mailboxes.list_tags_of_accounts": {"email_ids": ["nora@<mark>.example"]},
    "messages.send_single_email": {
        "to": "x@tarn.example",
        "subject": "Hi",
        "body": "Hi",
        "fromEmailId": "{email_account_id}",
    },
    "mailboxes.save_oauth_account": {
        "id": "{email_account_id}",
        "type": "GMAIL",
        "token": {"access_token": "x", "expires_in": 3600},
    },
    "mailboxes.fetch_messages_in_bulk": [{"account_id": "{email_account_id}"}],
    "clients.save_client": {"id": "{client_id}", "name": "Eve"},
    "clients.delete_named_client": {"id": "{client_id}"},
    "clients.create_key": {"clientId": "{client_id}", "keyName": "Eve"},
    "clients.delete_named_key": {"id": "{id}"},
    "clients.reset_named_key": {"id": "{id}"},
    "engine.attach_untracked_reply": {"email_lead_map_id": "{lead_map_id}"},
    "inbox.change_read_status": {"email_lead_map_id": "{lead_map_id}", "read_status": True},
    "inbox.mark_unread": {"email_lead_map_id": "{lead_map_id}"},
    "inbox.mark_important": {"email_lead_map_id": "{lead_map_id}", "is_important": False},
    "inbox.archive": {"email_lead_map_id": "{lead_map_id}"},
    "inbox.snooze": {"email_lead_map_id": "{lead_map_id}", "snooze_until": "2026-03-09"},
    "inbox.update_category": {"email_lead_map_id": "{lead_map_id}", "category_id": 1},
    "inbox.update_revenue": {"email_lead_map_id": "{lead_map_id}", "revenue": 5},
    "inbox.update_team_member": {"email_lead_map_id": "{lead_map_id}", "team_member_id": None},
    "inbox.push_to_subsequence": {"email_lead_map_id": "{lead_map_id}", "sub_sequence_id": "{subsequence_id}"},
    "inbox.resume_lead": {"email_lead_map_id": "{lead_map_id}"},
    "inbox.set_reminder": {"email_lead_map_id": "{lead_map_id}", "reminder_time": "2026-03-09"},
    "inbox.create_note": {"email_lead_map_id": "{lead_map_id}", "note_message": "Eve"},
    "inbox.create_task": {"email_lead_map_id": "{lead_map_id}", "name": "Eve"},
    "inbox.create_note_on_lead": {"lead_id": "{leadId}", "note": "Eve"},
    "inbox.create_task_on_lead": {"lead_id": "{leadId}", "task": "Eve"},
    "inbox.change_task": {"status": "completed"},
    "inbox.reply_to_lead": {"email_stats_id": "{stats_id}", "email_body": "Eve"},
    "inbox.reply_to_lead_of_path": {"email_body": "Eve"},
    "inbox.forward_mail": {"stats_id": "{stats_id}", "to_emails": "eve@tarn.example"},
    "inbox.forward_mail_of_campaign": {
        "campaign_id": "{campaign_id}",
        "stats_id": "{stats_id}",
        "to_emails": "eve@tarn.example",
    },
    "inbox.block_domains": {"domains": ["tarn.example"]},
    "webhooks.save_campaign_webhook": {"webhook_url": "https://tarn.example", "event_types": ["EMAIL_SENT"]},
    "webhooks.delete_campaign_webhook": {"id": "{webhook_id}"},
    "webhooks.delete_webhook": {"id": "{webhook_id}"},
    "webhooks.create_webhook": {
        "webhook_url": "https://tarn.example",
        "association_type": "campaign",
        "email_campaign_id": "{campaign_id}",
    },
    "webhooks.update_webhook": {"name": "Eve"},
    "webhooks.retrigger_all_failed_events": {"campaign_id": "{campaign_id}"},
}
"""What a route is sent: the estate's ids, in a body that would be right for whom they belong to."""

QUERIES: dict[str, str] = {
    "leads.find_lead": "email=ada@zebrawood.example",
    "inbox.get_reply_status": "message_id=zebrawood@zebrawood.example",
    "analytics": "start_date=2026-03-01&end_date=2026-03-03&timezone=UTC",
}
"""By endpoint or by slice, where a read needs one."""

PATHS: dict[str, str] = {"inbox.get_conversation": "/master-inbox/{lead_map_id}"}
"""Where a name in a path means another id than elsewhere."""

VIEWS = dict.fromkeys(
    (
        "inbox.list_replies",
        "inbox.list_unread",
        "inbox.list_important",
        "inbox.list_snoozed",
        "inbox.list_reminders",
        "inbox.list_scheduled",
        "inbox.list_archived",
        "inbox.list_sent",
        "inbox.list_assigned",
        "inbox.list_any",
    ),
    "only reads what is the caller's own",
)

HARMLESS: dict[str, str] = {
    **VIEWS,
    "imports.resume_import": "there is none that was given up",
    "inbox.block_domains": "makes something of the caller's own",
    "campaigns.create_campaign": "makes something of the caller's own",
    "blocks.add_entries": "makes something of the caller's own",
    "mailboxes.check_credentials": "stores nothing",
    "leads.create_category": "makes something of the caller's own",
    "lists.create_list": "makes something of the caller's own",
    "mailboxes.create_tag": "makes something of the caller's own",
    "mailboxes.fetch_messages_in_bulk": "says of each account that it was not found, and answers 200",
    "mailboxes.delete_accounts": "names those that it has not found, and answers 200",
    "mailboxes.add_tags": "says of each pair that it was not found, and answers 200",
    "mailboxes.remove_tags": "says of each pair that it was not found, and answers 200",
}
"""Writes that name nothing of anybody's, or answer for each id by itself; why each."""

ELSEWHERE_PROVEN = {
    "engine.show_forecast": "needs a scratch copy, which the transaction of a test cannot have",
    "mailboxes.fetch_messages": "there is no server to read from",
    "mailboxes.save_oauth_account": "there is no app of a provider",
    "messages.send_single_email": "there is no server to submit to",
    "engine.send_test_mail": "there is no server to submit to",
}

NOT_FOUND_OTHERWISE = {
    "campaigns.add_tags": (400, "Campaign not found - Invalid campaign_id."),
    "campaigns.remove_tags": (400, "Campaign not found - Invalid campaign_id."),
    "analytics.show_by_date": (400, "Invalid campaign id"),
    "leads.get_lead": (200, '{"ok":true,"data":[]}'),
    "mailboxes.list_tags_of_accounts": (406, "do not belong to this user"),
    "inbox.get_conversation": (200, '{"ok":true,"data":[]}'),
    "inbox.list_notes": (200, '{"ok":true,"data":[]}'),
    "inbox.list_tasks": (200, '{"ok":true,"data":[]}'),
    "mailboxes.suspend_account": (400, "Email account not found or does not belong to you"),
    "mailboxes.unsuspend_account": (400, "Email account not found or does not belong to you"),
}
"""How the contract says it where it is not 404."""

SHARED = {
    "mailboxes.list_tags": "clients see the tags of the account",
    "leads.list_categories": "clients see the categories of the account",
    "leads.list_lead_tags": "clients see the tags of the account",
}

OF_ITS_OWN = {
    **VIEWS,
    "clients.save_client": "its own password",
    "clients.create_key": "its own keys",
    "clients.delete_key": "its own keys",
    "clients.delete_named_key": "its own keys",
    "clients.reset_key": "its own keys",
    "clients.reset_named_key": "its own keys",
    "messages.list_message_histories": "only reads",
    "mailboxes.list_tags_of_accounts": "only reads",
    "mailboxes.fetch_messages": "only reads",
    "mailboxes.fetch_messages_in_bulk": "only reads",
}
"""Writes that need no right, as far as the contract goes."""


@dataclass(frozen=True, slots=True)
class Call:
    route: APIRoute
    method: str

    @property
    def name(self) -> str:
        """`leads.pause_lead`"""
        return f"{self.route.endpoint.__module__.split('.')[-2]}.{self.route.endpoint.__name__}"

    @property
    def path(self) -> str:
        return self.route.path.removeprefix(BASE)

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.name})"

    async def by(self, caller: ApiClient, estate: Estate | None) -> httpx.Response:
        query = QUERIES.get(self.name) or QUERIES.get(self.name.partition(".")[0], "")
        path = estate.path(PATHS.get(self.name, self.path)) if estate else self.path
        body = BODIES.get(self.name, {})
        sent = estate.filled(body) if estate else body
        if isinstance(sent, str):
            return await caller.request(
                self.method, f"{path}?{query}", content=sent, headers={"content-type": "text/csv"}
            )
        return await caller.request(self.method, f"{path}?{query}", json=None if self.is_read else sent)


def calls() -> Iterator[Call]:
    for route in api_routes(APIS):
        for method in sorted(route.methods or ()):
            yield Call(route, method)


@pytest.fixture(autouse=True)
def _vault() -> None:
    set_vault(VAULT)


@pytest.fixture
async def client_id(db: Db, api: ApiClient) -> int:
    """Whose the estate is, in the account of `api`."""
    return await fresh_client(db, api.user_id, NOW)


@asynccontextmanager
async def undone(db: Db) -> AsyncIterator[None]:
    async with db.transaction(force_rollback=True):
        yield


async def test_the_walk_asks_what_the_owner_would_get(db: Db, api: ApiClient, client_id: int) -> None:
    """The walks below say nothing about a route that refuses everybody: for the owner each of these calls works."""
    estate = await build(db, api, client_id)
    wrong = []
    for call in calls():
        async with undone(db):
            answer = await call.by(api, estate)
        if answer.status_code != 200 and call.name not in HARMLESS | ELSEWHERE_PROVEN:
            wrong.append(f"{call}: {answer.status_code} {answer.text[:150]}")
    assert not wrong, "Give these a body that works for the owner (BODIES):\n" + "\n".join(wrong)


@pytest.mark.parametrize("who", ["another account", "another client"])
async def test_what_is_anothers_is_neither_read_nor_changed(
    who: str, db: Db, api: ApiClient, client_id: int, connect: Connect
) -> None:
    user_id = api.user_id if who == "another client" else None
    sister = await fresh_client(db, api.user_id, NOW) if user_id else None
    stranger = await connect(api.app, db, user_id=user_id, client_id=sister)
    shared = SHARED if sister else {}
    lists = [call for call in calls() if call.is_read and "{" not in call.path and call.name not in shared]
    before = {str(call): (await call.by(stranger, None)).text for call in lists}
    estate = await build(db, api, client_id)
    rows = await estate.rows(db)
    wrong = [f"{call}: tells of others" for call in lists if (await call.by(stranger, None)).text != before[str(call)]]
    for call in calls():
        answer = await call.by(stranger, estate)
        wrong += [f"{call}: {answer.status_code} {text}" for text in _tells(call, answer)]
        lost = rows - await estate.rows(db)
        if lost:
            wrong.append(f"{call}: changes {min(lost)[:100]}")
            rows = await estate.rows(db)
    assert not wrong, "\n".join(wrong)


def _tells(call: Call, answer: httpx.Response) -> Iterator[str]:
    """What is wrong with an answer to somebody whom it is no business of."""
    if MARK in answer.text and MARK not in str(answer.request.url) and answer.status_code == 200:
        yield "shows something"
    is_free = "{" not in call.path and (call.is_read or call.name in HARMLESS)
    status, words = NOT_FOUND_OTHERWISE.get(call.name, (404, ""))
    is_refused = answer.status_code == 403 or (answer.status_code == status and words in answer.text)
    if not is_free and not is_refused:
        yield f"is no refusal: {answer.text[:100]}"


async def test_a_key_without_rights_writes_nothing(db: Db, api: ApiClient, client_id: int, connect: Connect) -> None:
    """Its own objects it may read; for every write a word of the area is missing, and the body is not looked at."""
    await execute(db, "UPDATE clients SET permissions = '{view_only}' WHERE id = %(id)s", {"id": client_id})
    caller = await connect(api.app, db, user_id=api.user_id, client_id=client_id)
    estate = await build(db, api, client_id)
    rows = await estate.rows(db)
    wrong = []
    for call in calls():
        if call.name in OF_ITS_OWN or (call.is_read and needs_of(call.route.endpoint) == ANY_KEY):
            continue
        for body in (None, {"sequences": 5}):
            answer = await caller.request(call.method, estate.path(call.path), json=body)
            if (answer.status_code, answer.json().get("error")) != (403, "Permission denied"):
                wrong.append(f"{call}: {answer.status_code} {answer.text[:100]}")
    assert not wrong, "\n".join(wrong)
    assert await estate.rows(db) == rows


def test_the_tables_name_routes_that_exist() -> None:
    names = {call.name for call in calls()}
    slices = {name.partition(".")[0] for name in names}
    tables = (BODIES, HARMLESS, ELSEWHERE_PROVEN, NOT_FOUND_OTHERWISE, SHARED, OF_ITS_OWN)
    stale = {name for table in tables for name in table} - names | (QUERIES.keys() - names - slices)
    assert not stale, f"These are no endpoints any more: {sorted(stale)}"
