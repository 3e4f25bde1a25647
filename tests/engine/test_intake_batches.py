"""Many mails taken in at once end as they would one after the other; one that fails harms no other."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from outrider.engine.inbound.arrival import Arrival, Reader
from outrider.engine.inbound.desk import Desk
from outrider.engine.inbound.intake import take_in, take_in_all
from outrider.kit.db import fetch_dicts
from outrider.leads.models import LeadCategoryUpdated, LeadUnsubscribed
from outrider.mail.imap.answers import Fetched
from outrider.messages.models import MessageBounced, ReplyReceived, UntrackedReplyReceived
from tests.engine.sending import Sending
from tests.support import make
from tests.support.events import hearing
from tests.support.world import World

KINDS: dict[str, tuple[dict[str, str | None], str]] = {
    "reply": ({}, "Tell me more."),
    "twin": ({"Message-ID": "<twin@{domain}>"}, "Tell me more."),
    "refusal": ({}, "Not interested, thanks."),
    "opt-out": ({}, "Please remove me from your list."),
    "away": (
        {"Subject": "Automatic reply", "Auto-Submitted": "auto-replied"},
        "Out of office until 6 March 2026.",
    ),
    "receipt": ({"Subject": "Request received [#4711]", "Auto-Submitted": "auto-generated"}, "A ticket was created."),
    "gone": ({"Auto-Submitted": "auto-replied"}, "I no longer work here."),
    "own": ({"From": "{own}"}, "As I said."),
    "stranger": ({"From": "kim@orr-{domain}", "In-Reply-To": None, "Subject": "An offer"}, "We sell paper."),
    "colleague": ({"From": "bo@{domain}", "In-Reply-To": None}, "Tell me more."),
}
TOLD = (ReplyReceived, MessageBounced, UntrackedReplyReceived, LeadUnsubscribed, LeadCategoryUpdated)
LEADS = 4


class Box:
    """A mailbox that has mailed some people of one company."""

    def __init__(self, world: World, domain: str, mailbox_id: int, mails: list[dict[str, Any]]) -> None:
        self.world = world
        self.domain = domain
        self.mails = mails
        self.reader = Reader(world.user_id, mailbox_id, mails[0]["from_email"])

    @classmethod
    async def make(cls, world: World, domain: str, **changes: Any) -> "Box":
        mailbox_id = await world.mailbox()
        campaign_id = await world.campaign([mailbox_id], steps=2, **changes)
        return cls(world, domain, mailbox_id, await world.sent(campaign_id, count=LEADS, domain=domain))

    def letter(self, kind: str, lead: int, number: int) -> bytes:
        mail = self.mails[lead]
        if kind == "bounce":
            return _report(mail, f"report-{number}@mx.{self.domain}")
        changes, text = KINDS[kind]
        headers: dict[str, str | None] = {
            "From": mail["to_email"],
            "To": mail["from_email"],
            "Subject": "Re: Port fees",
            "Message-ID": f"<{kind}-{number}@{self.domain}>",
            "In-Reply-To": f"<{mail['message_id']}>",
            **changes,
        }
        letter = EmailMessage()
        for name, value in headers.items():
            if value is not None:
                letter[name] = value.replace("{domain}", self.domain).replace("{own}", mail["from_email"])
        letter.set_content(f"{text}\n")
        return letter.as_bytes()

    def letters(self, story: Sequence[tuple[str, int]]) -> list[bytes]:
        return [self.letter(kind, lead, number) for number, (kind, lead) in enumerate(story)]

    async def outcome(self) -> dict[str, Any]:
        """All that is left of it, without what differs from one box to the next."""
        leads = [await self.world.row("campaign_leads", mail["campaign_lead_id"]) for mail in self.mails]
        sent = [await self.world.row("messages", mail["id"]) for mail in self.mails]
        received = await self._rows("SELECT * FROM messages WHERE direction = 'IN' AND mailbox_id = %(mailbox_id)s")
        places = {lead["id"]: place for place, lead in enumerate(leads)}
        people = {mail["to_email"]: place for place, mail in enumerate(self.mails)}
        events = await self._rows(
            """
            SELECT e.* FROM message_events AS e JOIN messages AS m ON m.id = e.message_id
             WHERE m.mailbox_id = %(mailbox_id)s
            """
        )
        suppressed = await self._rows("SELECT email FROM unsubscribes UNION ALL SELECT email_or_domain FROM block_list")
        columns = ("status", "hold_reason", "resume_at", "last_reply_at", "category_id", "is_unread")
        marks = ("first_replied_at", "is_reply_ignored", "bounce_kind", "unsubscribed_at")
        return {
            "leads": [{"is_due": bool(lead["due_at"]), **{name: lead[name] for name in columns}} for lead in leads],
            "sent": [{name: mail[name] for name in marks} for mail in sent],
            "received": sorted(
                (row["kind"], places.get(row["campaign_lead_id"]), row["message_id"].replace(self.domain, "its"))
                for row in received
            ),
            "events": sorted((row["type"], places[row["campaign_lead_id"]]) for row in events),
            "suppressed": sorted(people[row["email"]] for row in suppressed if row["email"] in people),
        }

    async def _rows(self, sql: Any) -> list[dict[str, Any]]:
        return await fetch_dicts(self.world.db, sql, {"mailbox_id": self.reader.mailbox_id})


def _report(mail: dict[str, Any], message_id: str) -> bytes:
    return (
        f"From: Mail Delivery System <MAILER-DAEMON@mx.example>\r\nTo: {mail['from_email']}\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <{message_id}>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nYour message could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {mail['to_email']}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{mail['message_id']}>\r\n\r\n--b--\r\n"
    ).encode()


STORIES: list[list[tuple[str, int]]] = [
    [("reply", 0), ("reply", 1), ("reply", 2), ("reply", 3)],
    [("reply", 0), ("reply", 0), ("reply", 1)],
    [("twin", 0), ("twin", 0), ("twin", 0)],  # the same mail, in several folders
    [("reply", 0), ("bounce", 0), ("bounce", 1), ("reply", 1)],
    [("away", 0), ("reply", 0), ("away", 1), ("reply", 2), ("away", 2)],
    [("receipt", 0), ("gone", 1), ("opt-out", 2), ("reply", 3)],
    [("opt-out", 0), ("reply", 0), ("reply", 1), ("opt-out", 1)],
    [("stranger", 0), ("own", 1), ("colleague", 2), ("stranger", 0), ("reply", 3)],
    [("bounce", 0), ("bounce", 0), ("refusal", 1), ("refusal", 1), ("reply", 2)],
]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "ai_categorisation_options": [1, 2, 3, 4, 5, 6, 7],
            "auto_pause_domain_leads_on_reply": True,
            "out_of_office_detection_settings": Jsonb({"ignoreOOOasReply": True, "autoReactivateOOO": True}),
        },
    ],
    ids=["plain", "rules"],
)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: " ".join(f"{kind}{lead}" for kind, lead in story))
async def test_a_batch_ends_as_its_mails_would_one_by_one(
    world: World, story: list[tuple[str, int]], changes: dict[str, Any]
) -> None:
    single, batch = await Box.make(world, "hexly.example", **changes), await Box.make(world, "tarns.example", **changes)
    with hearing(*TOLD) as heard_singly:
        for raw in single.letters(story):
            await take_in(world.db, make.VAULT, single.reader, raw, world.now, only_matched=False)
    arrivals = [Arrival(batch.reader, raw, world.now) for raw in batch.letters(story)]
    with hearing(*TOLD) as heard_at_once:
        await take_in_all(world.db, make.VAULT, arrivals)
        assert await take_in_all(world.db, make.VAULT, arrivals) == 0
    assert await batch.outcome() == await single.outcome()
    assert sorted(type(event).__name__ for event in heard_at_once.events) == sorted(
        type(event).__name__ for event in heard_singly.events
    )


POISON = """
    CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.subject LIKE '%%poison%%' AND NEW.kind <> 'UNTRACKED' THEN
            RAISE EXCEPTION 'a message that cannot be processed';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse_poison BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION refuse_poison()
"""


async def test_a_mail_that_cannot_be_processed_is_kept_and_the_others_are_taken_in(sending: Sending) -> None:
    async with sending.database.transaction() as db:
        boxes = [await Box.make(await sending.world(db), domain) for domain in ("hexly.example", "tarns.example")]
    desk = Desk(sending.database, sending.clock, make.VAULT)  # type: ignore[arg-type]
    task = asyncio.create_task(desk.run())
    await sending.execute(POISON)
    try:
        letters = [box.letters([("reply", 0), ("reply", 1), ("reply", 2)]) for box in boxes]
        letters[0][1] = letters[0][1].replace(b"Port fees", b"poison")
        await asyncio.gather(
            *(
                desk.take_in(
                    box.reader,
                    [Fetched(uid, None, frozenset(), raw) for uid, raw in enumerate(raws, 1)],
                    folder="INBOX",
                    uid_validity=7,
                    only_matched=False,
                )
                for box, raws in zip(boxes, letters, strict=True)
            )
        )
    finally:
        await sending.execute("DROP TRIGGER refuse_poison ON messages; DROP FUNCTION refuse_poison")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    rows = await sending.rows("SELECT kind, mailbox_id FROM messages WHERE direction = 'IN' ORDER BY id")
    first, second = (box.reader.mailbox_id for box in boxes)
    assert sorted((row["mailbox_id"], row["kind"]) for row in rows) == sorted(
        [(first, "REPLY"), (first, "UNTRACKED"), (first, "REPLY"), *[(second, "REPLY")] * 3]
    )
    positions = await sending.rows("SELECT mailbox_id, last_uid FROM mailbox_folders ORDER BY mailbox_id")
    assert [(row["mailbox_id"], row["last_uid"]) for row in positions] == [(first, 3), (second, 3)]
