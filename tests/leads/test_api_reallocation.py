"""One lead gets another mailbox of its campaign over HTTP."""

from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import Db, execute
from tests.support import make
from tests.support.client import ApiClient
from tests.support.leads import add_one, change_place, mark_sent, place
from tests.support.make import NOW

PATH = "/campaigns/update-lead-email-account"
DONE = {"ok": True, "success": True, "message": "Lead email account updated"}


@pytest.fixture
async def case(api: ApiClient, db: Db) -> dict[str, Any]:
    """A campaign of two steps with two mailboxes, and a lead that has got the first step from the first of them."""
    campaign_id = await make.campaign(db, api.user_id, status="ACTIVE", has_step=False)
    steps = [await make.step(db, api.user_id, campaign_id, number=number) for number in (1, 2)]
    boxes = [await make.mailbox(db, api.user_id) for _ in range(3)]
    for mailbox_id in boxes[:2]:
        await make.attach(db, api.user_id, campaign_id, mailbox_id)
    lead_id = await add_one(api, campaign_id)
    await mark_sent(db, campaign_id, lead_id, step_id=steps[0], mailbox_id=boxes[0])
    return {"campaign": campaign_id, "lead": lead_id, "boxes": boxes}


def body(case: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {
        "email_account_id": case["boxes"][1],
        "email_campaign_id": case["campaign"],
        "email_lead_id": case["lead"],
        **given,
    }


@pytest.mark.parametrize(
    "spelled",
    [
        {"override_lead_email_account": True},
        {"overrideLeadEmailAccount": "true"},
        {"campaign_id": "{campaign}", "email_campaign_id": None, "override_lead_email_account": True},
        {"lead_id": "{lead}", "email_lead_id": None, "override_lead_email_account": 1},
    ],
)
async def test_the_next_mails_go_out_from_the_other_mailbox(
    api: ApiClient, db: Db, case: dict[str, Any], spelled: dict[str, Any]
) -> None:
    filled = {key: value.format(**case) if isinstance(value, str) else value for key, value in spelled.items()}
    given = {key: value for key, value in body(case, **filled).items() if value is not None}
    answer = await api.post(PATH, json=given)
    assert (answer.status_code, answer.json()) == (200, DONE)
    mine = await place(db, case["campaign"], case["lead"])
    assert (mine["mailbox_id"], mine["status"], mine["due_at"]) == (case["boxes"][1], "INPROGRESS", NOW)


async def test_a_lead_without_a_mailbox_needs_no_override(api: ApiClient, db: Db, case: dict[str, Any]) -> None:
    await change_place(db, case["campaign"], case["lead"], "mailbox_id = NULL, status = 'STARTED'")
    assert (await api.post(PATH, json=body(case))).json() == DONE
    assert (await place(db, case["campaign"], case["lead"]))["mailbox_id"] == case["boxes"][1]


async def test_a_lead_that_stopped_for_want_of_its_mailbox_goes_on(
    api: ApiClient, db: Db, case: dict[str, Any]
) -> None:
    path = f"/campaigns/{case['campaign']}/email-accounts"
    assert (await api.request("DELETE", path, json={"email_account_ids": case["boxes"][:1]})).status_code == 200
    assert (await place(db, case["campaign"], case["lead"]))["hold_reason"] == "MAILBOX_GONE"
    await execute(db, "UPDATE campaigns SET status = 'COMPLETED'")
    assert (await api.post(PATH, json=body(case))).json() == DONE
    mine = await place(db, case["campaign"], case["lead"])
    assert (mine["mailbox_id"], mine["status"], mine["hold_reason"]) == (case["boxes"][1], "INPROGRESS", None)
    assert mine["due_at"] == NOW + timedelta(days=1)
    assert (await api.get(f"/campaigns/{case['campaign']}")).json()["status"] == "ACTIVE"


@pytest.mark.parametrize("columns", ["status = 'STOPPED', hold_reason = 'REPLIED'", "status = 'PAUSED'"])
async def test_who_is_not_on_its_way_stays_so(api: ApiClient, db: Db, case: dict[str, Any], columns: Any) -> None:
    await change_place(db, case["campaign"], case["lead"], columns)
    before = await place(db, case["campaign"], case["lead"])
    await api.post(PATH, json=body(case, override_lead_email_account=True))
    mine = await place(db, case["campaign"], case["lead"])
    assert mine["mailbox_id"] == case["boxes"][1]
    assert (mine["status"], mine["hold_reason"]) == (before["status"], before["hold_reason"])


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"email_account_id": None}, (400, '"email_account_id" is required')),
        ({"email_campaign_id": None}, (400, '"email_campaign_id" is required')),
        ({"email_lead_id": None}, (400, '"email_lead_id" is required')),
        ({"email_lead_id": "x"}, (400, '"email_lead_id" must be a number')),
        ({"email_campaign_id": 77}, (404, "Campaign not found - Invalid campaign_id.")),
        ({"email_lead_id": 77}, (404, "Lead not found - Invalid lead_id.")),
        ({"email_account_id": 77}, (400, "Email account id - 77 not allowed. Permission Error.")),
        ({"email_account_id": "{unattached}"}, (400, "Email account id - {unattached} not allowed. Permission Error.")),
        ({}, (400, "Lead already has an email account assigned")),
    ],
)
async def test_what_is_refused_changes_nothing(
    api: ApiClient, db: Db, case: dict[str, Any], given: dict[str, Any], refusal: tuple[int, str]
) -> None:
    status, message = refusal
    unattached = str(case["boxes"][2])
    filled = {
        key: value.format(unattached=unattached) if isinstance(value, str) else value for key, value in given.items()
    }
    asked = {key: value for key, value in body(case, **filled).items() if value is not None}
    before = await place(db, case["campaign"], case["lead"])
    answer = await api.post(PATH, json=asked)
    assert (answer.status_code, answer.json()["message"]) == (status, message.format(unattached=unattached))
    assert await place(db, case["campaign"], case["lead"]) == before
