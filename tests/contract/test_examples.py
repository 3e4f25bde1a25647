"""The examples of the reference, sent as they stand there; the answers have the shapes it shows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Caller
from tests.support.curl import Answer
from tests.support.shape import assert_shape, example

EXAMPLES = Path(__file__).parent / "examples"


def request(name: str) -> str:
    """A body as the reference shows it."""
    return (EXAMPLES / f"request_{name}.json").read_text("utf-8")


SETTINGS, SCHEDULE, SEQUENCES = request("settings"), request("schedule"), request("sequences")
MAILBOX, LEADS, WEBHOOK = request("mailbox"), request("leads"), request("webhook")


def good(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return answer.json


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign that was made by the examples, with everything it needs."""

    caller: Caller
    id: int
    mailbox_id: int

    def say(self, method: str, path: str = "", **options: Any) -> Answer:
        return self.caller.say(method, f"/campaigns/{self.id}{path}", **options)


@pytest.fixture
def campaign(caller: Caller) -> Campaign:
    made = good(caller.say("POST", "/campaigns/create", data='{"name": "Harbour CFO outreach", "client_id": null}'))
    assert_shape(made, example("create_campaign"))
    address = f"nora@{caller.key[:8]}.example"
    saved = good(caller.say("POST", "/email-accounts/save", data=MAILBOX.replace("nora@brightfold.io", address)))
    assert_shape(saved, example("save_mailbox"))
    campaign = Campaign(caller, made["id"], saved["emailAccountId"])
    assert good(campaign.say("POST", "/settings", data=SETTINGS)) == {"ok": True}
    assert good(campaign.say("POST", "/schedule", data=SCHEDULE)) == {"ok": True}
    assert_shape(good(campaign.say("POST", "/sequences", data=SEQUENCES)), example("save_sequence"))
    attached = campaign.say("POST", "/email-accounts", data=json.dumps({"email_account_ids": [campaign.mailbox_id]}))
    assert_shape(good(attached), example("attach_mailbox"))
    return campaign


def test_a_campaign_is_made_listed_read_and_deleted(campaign: Campaign) -> None:
    listed = good(campaign.caller.say("GET", "/campaigns?include_tags=true"))
    assert_shape(listed, example("list_campaigns"))
    (one,) = listed
    shown = example("list_campaigns")[0]
    told = ("scheduler_cron_value", "min_time_btwn_emails", "max_leads_per_day", "follow_up_percentage", "name")
    assert {key: one[key] for key in told} == {key: shown[key] for key in told}
    assert one["track_settings"] == ["DONT_EMAIL_OPEN"]
    assert good(campaign.say("GET"))["schedule_start_time"] == "2026-03-05T07:00:00.000Z"
    assert good(campaign.say("DELETE")) == {"ok": True}
    assert campaign.say("GET").status == 404


OUR_SETTINGS = {"on_missing_variable": "blank", "esp_matching_strict": False} | dict.fromkeys(
    ("count_only_sending_days", "use_lead_timezone"), False
)
"""Beyond the contract, which allows keys to be added."""


def test_settings_are_read_back(campaign: Campaign) -> None:
    read = good(campaign.say("GET", "/settings"))
    assert read == example("read_settings") | {"id": campaign.id, "status": "DRAFTED"} | OUR_SETTINGS


def test_a_sequence_is_read_back(campaign: Campaign) -> None:
    read = good(campaign.say("GET", "/sequences"))
    assert_shape(read, example("fetch_sequence"))
    shares = [variant["variant_distribution_percentage"] for variant in read[0]["sequence_variants"]]
    assert (shares, read[1]["sequence_variants"]) == ([70, 30], None)


def test_mailboxes_are_read_without_their_passwords(campaign: Campaign) -> None:
    read = good(
        campaign.caller.say("GET", f"/email-accounts/{campaign.mailbox_id}/?fetch_campaigns=true&fetch_tags=True")
    )
    assert_shape(read, example("fetch_mailbox"))
    assert (read["password"], read["message_per_day"], read["campaign_ids"]) == (None, 40, [campaign.id])
    assert read["smtp_port_type"] == "SSL"
    assert_shape(good(campaign.caller.say("GET", "/email-accounts/")), example("list_mailboxes"))
    assert_shape(good(campaign.say("GET", "/email-accounts")), example("list_mailboxes"))
    path = f"/email-accounts/{campaign.mailbox_id}"
    assert good(campaign.caller.say("POST", path, data='{"max_email_per_day": 25}')) == {
        "ok": True,
        "message": "Email account details updated successfully!",
        "emailAccountId": campaign.mailbox_id,
    }


def test_an_unknown_mailbox_has_its_own_404(caller: Caller) -> None:
    answer = caller.say("GET", "/email-accounts/8812/")
    assert answer.status == 404
    wanted = {
        "ok": False,
        "message": "Email account not found!",
        "errorCode": "ACCOUNT_NOT_FOUND",
        "emailAccountId": 8812,
    }
    assert answer.json.items() >= wanted.items()


def test_leads_are_added_listed_and_found(campaign: Campaign) -> None:
    blocked = good(
        campaign.caller.say(
            "POST", "/leads/add-domain-block-list", data='{"domain_block_list": ["rival.io", "kim@orr.example"]}'
        )
    )
    assert blocked == {
        "ok": True,
        "uploadCount": 2,
        "totalDomainAdded": 2,
        "success": True,
        "message": "2 entries added to block list",
    }
    added = good(campaign.say("POST", "/leads", data=LEADS))
    assert_shape(added, example("add_leads"))
    assert (added["upload_count"], added["total_leads"], added["block_count"], added["duplicate_count"]) == (5, 2, 1, 1)
    assert added["invalid_emails"] == ["nora@@hexly"]
    assert sorted(added["emailToLeadIdMap"]["newlyAddedLeads"]) == ["ada@hexly.io", "bo@tarn.dev"]
    listed = good(campaign.say("GET", "/leads?offset=0&limit=10"))
    assert_shape(listed, example("list_leads"))
    assert (listed["total_leads"], [row["status"] for row in listed["data"]]) == ("2", ["STARTED", "STARTED"])
    found = good(campaign.caller.say("GET", "/leads/?email=ADA@hexly.io"))
    assert_shape(found, example("fetch_lead"))
    assert found["phone_number"] == "4670123456"
    assert good(campaign.caller.say("GET", "/leads/?email=nobody@hexly.io")) == {}


def test_a_lead_is_paused_resumed_unsubscribed_and_deleted(campaign: Campaign) -> None:
    ids = good(campaign.say("POST", "/leads", data=LEADS))["emailToLeadIdMap"]["newlyAddedLeads"]
    path = f"/leads/{ids['ada@hexly.io']}"
    history = good(campaign.say("GET", f"{path}/message-history"))
    assert history == {"history": [], "from": None, "to": None}
    assert good(campaign.say("POST", f"{path}/pause")) == {"ok": True, "data": "success"}
    assert good(campaign.say("GET", "/leads?status=PAUSED"))["total_leads"] == "1"
    resumed = campaign.say("POST", f"{path}/resume", data='{"resume_lead_with_delay_days": null}')
    assert good(resumed) == {"ok": True, "data": "success"}
    assert good(campaign.say("POST", f"{path}/unsubscribe")) == {"ok": True}
    assert good(campaign.caller.say("POST", f"{path}/unsubscribe")) == {"ok": True}
    assert good(campaign.caller.say("GET", "/leads/?email=ada@hexly.io"))["is_unsubscribed"] is True
    assert good(campaign.say("DELETE", path)) == "success"
    assert campaign.say("DELETE", path).status == 404


def test_the_block_list_is_read_and_emptied(caller: Caller) -> None:
    good(
        caller.say(
            "POST", "/leads/add-domain-block-list", data='{"domain_block_list": ["rival.io"], "client_id": null}'
        )
    )
    (entry,) = good(caller.say("GET", "/leads/get-domain-block-list?offset=0&limit=10"))
    shown = {"id": 4211, "email_or_domain": "rival.io", "created_at": "2026-01-25T12:38:45.193Z", "source": "manual"}
    assert_shape(entry, shown | {"client_id": None})
    assert good(caller.say("DELETE", f"/leads/delete-domain-block-list?id={entry['id']}")) == {
        "ok": True,
        "success": True,
        "message": "Entry deleted successfully",
    }
    assert good(caller.say("GET", "/leads/get-domain-block-list")) == []


def test_webhooks_are_saved_listed_and_deleted(campaign: Campaign) -> None:
    saved = good(campaign.say("POST", "/webhooks", data=WEBHOOK))
    assert_shape(saved, example("save_webhook"))
    assert_shape(good(campaign.say("GET", "/webhooks")), example("list_webhooks"))
    summary = good(
        campaign.say("GET", "/webhooks/summary?fromTime=2026-03-01T00:00:00Z&toTime=2026-03-31T23:59:59.999Z")
    )
    assert_shape(summary, example("webhook_summary"))
    assert summary["data"]["timeRange"] == example("webhook_summary")["data"]["timeRange"]
    deleted = good(campaign.say("DELETE", "/webhooks", data=json.dumps({"id": saved["id"]})))
    assert deleted == {"ok": True, "success": True, "message": "Webhook deleted successfully"}


def test_figures_of_a_campaign_that_has_sent_nothing(campaign: Campaign) -> None:
    good(campaign.say("POST", "/leads", data=LEADS))
    figures = good(campaign.say("GET", "/analytics"))
    assert_shape(figures, example("analytics"))
    assert (figures["sent_count"], figures["sequence_count"], figures["campaign_lead_stats"]["total"]) == ("0", "2", 3)
    assert good(campaign.say("GET", "/statistics?limit=5")) == {"total_stats": "0", "data": [], "offset": 0, "limit": 5}


def test_the_export_is_a_file(campaign: Campaign) -> None:
    good(campaign.say("POST", "/leads", data=LEADS))
    answer = campaign.say("GET", "/leads-export")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f"attachment; filename=sl_campaign_{campaign.id}_leads.csv"
    head, *rows = answer.body.decode().splitlines()
    assert head.startswith("id,campaign_lead_map_id,status,category,is_interested,created_at,first_name")
    assert len(rows) == 3


def test_a_campaign_is_started_and_paused(campaign: Campaign) -> None:
    assert good(campaign.say("POST", "/status", data='{"status": "START"}')) == {"ok": True}
    assert good(campaign.say("GET"))["status"] == "ACTIVE"
    assert good(campaign.say("POST", "/status", data='{"status": "PAUSED"}')) == {"ok": True}
    assert good(campaign.say("GET"))["status"] == "PAUSED"


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("/schedule", "Campaign schedule is not set"),
        ("/sequences", "Campaign has no sequences"),
        ("/email-accounts", "Campaign has no email accounts"),
    ],
)
def test_what_a_start_needs_is_said(caller: Caller, missing: str, text: str) -> None:
    campaign_id = good(caller.say("POST", "/campaigns/create", data="{}"))["id"]
    for path, data in (("/schedule", SCHEDULE), ("/sequences", SEQUENCES)):
        if path != missing:
            good(caller.say("POST", f"/campaigns/{campaign_id}{path}", data=data))
    answer = caller.say("POST", f"/campaigns/{campaign_id}/status", data='{"status": "START"}')
    assert answer.status == 400
    assert (answer.json["error"], answer.json["message"]) == (text, text)


def test_a_client_is_made_with_a_key_and_deleted(caller: Caller) -> None:
    address = f"ops@{caller.key[:8]}.example"
    client = {
        "name": "Harbor Lane Studio",
        "email": address,
        "permission": ["reply_master_inbox"],
        "logo": "Harbor Lane",
    }
    made = good(caller.say("POST", "/client/save", data=json.dumps({**client, "password": "tide-and-rope-44"})))
    assert_shape(made, example("save_client"))
    assert_shape(good(caller.say("GET", "/client/")), example("list_clients"))
    key = good(caller.say("POST", "/client/api-key", data=json.dumps({"clientId": made["id"], "keyName": "Prod Key"})))
    assert_shape(key, example("create_client_key"))
    assert [each["id"] for each in good(caller.say("GET", "/client/api-key"))["data"]] == [key["data"]["id"]]
    assert good(caller.say("DELETE", f"/client/{made['id']}"))["message"] == "Client deleted successfully"
