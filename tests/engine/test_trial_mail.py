"""A test mail over HTTP, submitted to the sandbox: what arrives, and what is left as it was."""

from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from outrider.kit.db import execute, fetch_dicts
from tests.engine.sending import TRACKING_URL, Sending
from tests.support.client import ApiClient

SENT = {"ok": True, "success": True, "message": "Test email sent successfully"}
ME = "me@ours.example"
BODY = '<p>Hello {{first_name}}, <a href="https://x.example/">look</a></p>'
TABLES = (
    "messages",
    "dispatches",
    "message_events",
    "mailbox_days",
    "mailbox_states",
    "campaign_leads",
    "webhook_events",
)


class Case:
    """A campaign of two steps, two mailboxes and a lead; `case.send(…)` asks for a test mail."""

    def __init__(self, sending: Sending, api: ApiClient) -> None:
        self.sending, self.api = sending, api
        self.campaign_id, self.lead_id = 0, 0
        self.boxes: list[int] = []

    async def set_up(self) -> None:
        async with self.sending.database.transaction() as db:
            world = await self.sending.world(db)
            self.boxes = [await self.sending.mailbox(world) for _ in range(3)]
            self.campaign_id = await world.campaign(
                self.boxes[:2], steps=2, unsubscribe_text="No more", add_unsubscribe_tag=True
            )
            await execute(db, "UPDATE steps SET email_body = %(body)s, subject = 'Fees'", {"body": BODY})
            await execute(db, "UPDATE steps SET subject = '' WHERE number = 2")
            await world.leads(self.campaign_id, 1)
            [lead] = await fetch_dicts(db, "SELECT id, email FROM leads", {})
            self.lead_id, self.lead_email = lead["id"], lead["email"]
            await execute(db, "UPDATE leads SET first_name = 'Vera'")
        self.sending.sandbox.add_mailbox(ME, "secret")
        self.sending.sandbox.add_mailbox(self.lead_email, "secret")

    async def ask(self, **body: Any) -> Any:
        return await self.api.post(f"/campaigns/{self.campaign_id}/send-test-email", json=body)

    async def sent(self, *, at: str = ME, **body: Any) -> EmailMessage:
        """Ask for one, and read what arrived."""
        answer = await self.ask(**body)
        assert (answer.status_code, answer.json()) == (200, SENT), answer.text
        message = message_from_bytes(self.sending.sandbox.mails_to(at)[-1].raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message

    async def rows(self) -> Any:
        async with self.sending.database.transaction() as db:
            return [await fetch_dicts(db, f"SELECT * FROM {table}", {}) for table in TABLES]  # type: ignore[arg-type]  # noqa: S608

    async def change(self, statement: str, **values: Any) -> None:
        async with self.sending.database.transaction() as db:
            await execute(db, statement, values)  # type: ignore[arg-type]


@pytest.fixture
async def case(sending: Sending, make_app: Callable[..., Any], connect: Callable[..., Awaitable[ApiClient]]) -> Case:
    async with sending.database.transaction() as db:
        await sending.world(db)
        app = make_app(sending.database, tracking_url=TRACKING_URL)
        api = await connect(app, db, user_id=sending.user_id)
    made = Case(sending, api)
    await made.set_up()
    return made


async def test_it_is_the_mail_of_the_step_without_anything_that_counts(case: Case) -> None:
    before = await case.rows()
    mail = await case.sent(
        leadId=case.lead_id, sequenceNumber=1, selectedEmailAccountId=case.boxes[1], customEmailAddress=ME
    )
    assert (mail["To"], mail["Subject"]) == (ME, "Fees")
    assert "box2@ours.example" in mail["From"]
    assert mail["List-Unsubscribe"] is None
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert 'Hello Vera, <a href="https://x.example/">look</a>' in html
    assert "No more" in html
    assert "/o/" not in html
    assert "/c/" not in html
    assert await case.rows() == before


async def test_it_goes_to_the_lead_if_nobody_is_named(case: Case) -> None:
    mail = await case.sent(at=case.lead_email, sequence_number="1")
    assert mail["To"] == case.lead_email
    assert "box1@ours.example" in mail["From"]


async def test_each_has_a_message_id_of_its_own(case: Case) -> None:
    shown = (await case.api.get(f"/campaigns/{case.campaign_id}/preview")).json()
    ids = {(await case.sent(sequenceNumber=1, to=ME))["Message-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert not any(each in shown["source"] for each in ids)


async def test_a_follow_up_is_an_answer_in_the_thread(case: Case) -> None:
    mail = await case.sent(seq_number=2, custom_email_address=ME)
    assert mail["Subject"] == "Re: Fees"
    assert mail["In-Reply-To"]


async def test_the_variant_is_chosen_by_label_or_id(case: Case) -> None:
    variants = [{"variant_label": label, "subject": f"Subject {label}", "email_body": "Hi"} for label in "AB"]
    path = f"/campaigns/{case.campaign_id}/sequences"
    assert (await case.api.post(path, json={"sequences": [{"seq_variants": variants}]})).status_code == 200
    second = (await case.api.get(path)).json()[0]["sequence_variants"][1]["id"]
    for given in ({"variantLabel": "B"}, {"seq_variant_id": second}):
        assert (await case.sent(sequenceNumber=1, to=ME, **given))["Subject"] == "Subject B"
    assert (await case.sent(sequenceNumber=1, to=ME))["Subject"] == "Subject A"


async def test_without_leads_a_sample_fills_the_text(case: Case) -> None:
    await case.change("DELETE FROM campaign_leads")
    mail = await case.sent(sequenceNumber=1, to=ME)
    assert "Hello Ada" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    answer = await case.ask(sequenceNumber=1)
    assert (answer.status_code, answer.json()["message"]) == (400, '"customEmailAddress" is required')


async def test_a_mailbox_that_is_well_is_taken_first(case: Case) -> None:
    await case.change("UPDATE mailboxes SET is_suspended = true WHERE id = %(id)s", id=case.boxes[0])
    assert "box2@ours.example" in (await case.sent(sequenceNumber=1, to=ME))["From"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, '"sequenceNumber" is required'),
        ({"sequenceNumber": "x"}, '"sequenceNumber" must be a number'),
        ({"sequenceNumber": 3}, "Sequence not found"),
        ({"sequenceNumber": 1, "to": "me"}, '"customEmailAddress" must be a valid email'),
        ({"sequenceNumber": 1, "leadId": 77}, "Lead not found - Invalid lead_id."),
        ({"sequenceNumber": 1, "variantLabel": "Z"}, "Variant not found - Z"),
        ({"sequenceNumber": 1, "email_account_id": 77}, "Email account id - 77 not allowed. Permission Error."),
    ],
)
async def test_what_is_no_request(case: Case, body: dict[str, Any], message: str) -> None:
    answer = await case.ask(**body)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert case.sending.sandbox.mails_to(case.lead_email) == []


async def test_a_mailbox_must_be_one_of_the_campaign(case: Case) -> None:
    answer = await case.ask(sequenceNumber=1, to=ME, selectedEmailAccountId=case.boxes[2])
    wanted = f"Email account id - {case.boxes[2]} not allowed. Permission Error."
    assert (answer.status_code, answer.json()["message"]) == (400, wanted)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM campaign_mailboxes", "Campaign has no email accounts"),
        ("UPDATE mailboxes SET is_suspended = true", "The email account is suspended."),
        (
            "UPDATE mailboxes SET is_smtp_success = false, smtp_failure_error = '535 no'",
            "The email account is disconnected: 535 no",
        ),
        ("UPDATE steps SET subject = ''", "The subject of step 1 is empty for this lead."),
        (
            """
            INSERT INTO block_list (user_id, email_or_domain, source, created_at)
            SELECT id, 'me@ours.example', 'manual', now() FROM accounts
            """,
            "The recipient is on the block list.",
        ),
        (
            "INSERT INTO unsubscribes (user_id, email, created_at) SELECT id, 'me@ours.example', now() FROM accounts",
            "The recipient has unsubscribed.",
        ),
    ],
)
async def test_what_is_not_sent_is_said(case: Case, change: str, message: str) -> None:
    await case.change("UPDATE steps SET subject = 'Fees', email_body = 'Hi'")
    await case.change(change)
    answer = await case.ask(sequenceNumber=1, to=ME)
    assert (answer.status_code, answer.json()["message"]) == (400, message)
    assert (answer.json()["error"], answer.json()["ok"]) == (message, False)
    assert case.sending.sandbox.mails_to(ME) == []


async def test_the_words_of_the_server_are_passed_on(case: Case) -> None:
    case.sending.sandbox.add_mailbox("box1@ours.example", "another password")
    answer = await case.ask(sequenceNumber=1, to=ME, email_account_id=case.boxes[0])
    assert answer.status_code == 400
    assert "535" in answer.json()["message"] or "authentication" in answer.json()["message"].lower()


async def test_a_campaign_of_others_is_unknown(case: Case) -> None:
    answer = await case.api.post("/campaigns/77/send-test-email", json={"sequenceNumber": 1})
    assert (answer.status_code, answer.json()["error"]) == (404, "Campaign not found - Invalid campaign_id.")
