"""Leads of mailboxes that cannot send go on from others, when somebody asks for it."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from outrider.kit.db import Db
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add_one, change_place, mark_sent, place
from tests.support.make import NOW

_numbers = count(1)


async def _campaign(api: ApiClient, db: Db, boxes: int) -> tuple[int, list[int]]:
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE", has_step=False)
    for number in (1, 2):
        await make.step(db, api.user_id, campaign_id, number=number)
    mailboxes = [await make.mailbox(db, api.user_id) for _ in range(boxes)]
    for mailbox_id in mailboxes:
        await make.attach(db, api.user_id, campaign_id, mailbox_id)
    return campaign_id, mailboxes


async def _sent(api: ApiClient, db: Db, campaign_id: int, mailbox_id: int) -> int:
    lead_id = await add_one(api, campaign_id, f"ada{next(_numbers)}@hexly.example")
    step_id = (await api.get(f"/campaigns/{campaign_id}/sequences")).json()[0]["id"]
    await mark_sent(db, campaign_id, lead_id, step_id=step_id, number=1, at=NOW)
    await change_place(db, campaign_id, lead_id, "mailbox_id = %(box)s, due_at = %(due)s", box=mailbox_id, due=NOW)
    return lead_id


async def _ask(api: ApiClient, campaign_id: int) -> dict[str, Any]:
    return dict((await api.post(f"/campaigns/{campaign_id}/reallocate-leads")).json())


@pytest.mark.parametrize("trouble", ["is_suspended = true", "is_smtp_success = false"])
async def test_leads_of_a_mailbox_in_trouble_are_spread_over_those_that_send(
    api: ApiClient, db: Db, trouble: str
) -> None:
    campaign_id, [broken, *fine] = await _campaign(api, db, 3)
    leads = [await _sent(api, db, campaign_id, broken) for _ in range(4)]
    kept = await _sent(api, db, campaign_id, fine[0])
    await db.execute(f"UPDATE mailboxes SET {trouble} WHERE id = %s", (broken,))  # type: ignore[arg-type]  # noqa: S608
    assert await _ask(api, campaign_id) == {"ok": True, "result": 4}
    places = [await place(db, campaign_id, lead_id) for lead_id in leads]
    assert [each["mailbox_id"] for each in places] == [fine[0], fine[1]] * 2
    assert {each["status"] for each in places} == {"INPROGRESS"}
    assert (await place(db, campaign_id, kept))["mailbox_id"] == fine[0]
    assert await _ask(api, campaign_id) == {"ok": True, "result": 0}


async def test_leads_that_stopped_when_their_mailbox_was_deleted_go_on(api: ApiClient, db: Db) -> None:
    campaign_id, [gone, other] = await _campaign(api, db, 2)
    lead_id = await _sent(api, db, campaign_id, gone)
    assert (await api.delete(f"/email-accounts/{gone}")).status_code == 200
    assert (await place(db, campaign_id, lead_id))["hold_reason"] == "MAILBOX_GONE"
    await db.execute("UPDATE campaigns SET status = 'COMPLETED'")
    assert await _ask(api, campaign_id) == {"ok": True, "result": 1}
    mine = await place(db, campaign_id, lead_id)
    assert (mine["status"], mine["hold_reason"], mine["mailbox_id"]) == ("INPROGRESS", None, other)
    assert mine["due_at"] == NOW + timedelta(days=1)
    assert (await api.get(f"/campaigns/{campaign_id}")).json()["status"] == "ACTIVE"


@pytest.mark.parametrize("columns", ["status = 'COMPLETED'", "status = 'STOPPED', hold_reason = 'REPLIED'"])
async def test_who_gets_no_more_mail_is_left_alone(api: ApiClient, db: Db, columns: Any) -> None:
    campaign_id, [gone, _] = await _campaign(api, db, 2)
    lead_id = await _sent(api, db, campaign_id, gone)
    await change_place(db, campaign_id, lead_id, columns)
    await db.execute("UPDATE mailboxes SET is_suspended = true WHERE id = %s", (gone,))
    assert await _ask(api, campaign_id) == {"ok": True, "result": 0}


async def test_without_a_mailbox_that_sends_nothing_is_moved(api: ApiClient, db: Db) -> None:
    campaign_id, [broken] = await _campaign(api, db, 1)
    lead_id = await _sent(api, db, campaign_id, broken)
    await db.execute("UPDATE mailboxes SET is_smtp_success = false")
    answer = await api.post(f"/campaigns/{campaign_id}/reallocate-leads")
    assert (answer.status_code, answer.json()["message"]) == (400, "Campaign has no email accounts")
    assert (await place(db, campaign_id, lead_id))["mailbox_id"] == broken
