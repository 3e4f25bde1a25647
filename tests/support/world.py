"""A small world on the database: an account, mailboxes leased by an engine, ACTIVE campaigns, leads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from outrider.engine.planner import plan
from outrider.engine.recipients import RecipientLimits
from outrider.engine.rounds import Attempt, Span
from outrider.engine.senders import Senders
from outrider.engine.texts import Texts
from outrider.kit.db import Db, execute, fetch_dicts, fetch_value
from outrider.leads import progress
from outrider.messages import ledger
from outrider.messages.models import Written
from tests.support import make
from tests.support.client import fresh_account

_WORDS = ("", "a first word", "once more", "a last word", "goodbye")


@dataclass
class World:
    """`now` moves by hand; everything is on `db`, in the test's own transaction."""

    db: Db
    now: datetime
    user_id: int
    engine_id: UUID = field(default_factory=uuid4)
    senders: Senders = field(default_factory=lambda: Senders(make.VAULT, tracking_url="https://t.outrider.example"))
    texts: Texts = field(default_factory=Texts)
    recipients: RecipientLimits = field(default_factory=RecipientLimits)
    lead_number: int = 0
    claimed: list[Attempt] = field(default_factory=list)

    @classmethod
    async def make(cls, db: Db, now: datetime) -> "World":
        world = cls(db, now, await fresh_account(db, now))
        await world.engine(world.engine_id)
        return world

    async def engine(self, engine_id: UUID) -> None:
        await execute(
            self.db,
            "INSERT INTO engines (id, lock_key, started_at, heartbeat_at) VALUES (%(id)s, 1, %(now)s, %(now)s)",
            {"id": engine_id, "now": self.now},
        )

    async def mailbox(self, **given: Any) -> int:
        mailbox_id = await make.mailbox(self.db, self.user_id, **given)
        await execute(
            self.db,
            "INSERT INTO mailbox_leases (mailbox_id, engine_id, leased_at) VALUES (%(id)s, %(engine_id)s, %(now)s)",
            {"id": mailbox_id, "engine_id": self.engine_id, "now": self.now},
        )
        return mailbox_id

    async def campaign(self, mailbox_ids: Sequence[int], *, steps: int = 1, **changes: Any) -> int:
        """An ACTIVE campaign; its window opened before the first mail of the day could be held back."""
        campaign_id = await make.campaign(self.db, self.user_id, status="ACTIVE", has_step=False)
        for number in range(1, steps + 1):
            subject = "Port fees" if number == 1 else ""
            body = f"Hello, {_WORDS[number]}"
            await make.step(self.db, self.user_id, campaign_id, number=number, subject=subject, email_body=body)
        for mailbox_id in mailbox_ids:
            await make.attach(self.db, self.user_id, campaign_id, mailbox_id)
        await self.change("campaigns", campaign_id, **{"min_time_between_emails": 10, **changes})
        return campaign_id

    async def leads(self, campaign_id: int, count: int, *, domain: str = "hexly.example") -> list[int]:
        """Leads in the order of import; returns their ids in the campaign."""
        ids = []
        for _ in range(count):
            self.lead_number += 1
            lead_id = await fetch_value(
                self.db,
                """
                INSERT INTO leads (user_id, email, first_name, created_at, updated_at)
                VALUES (%(user_id)s, %(email)s, 'Ada', %(now)s, %(now)s) RETURNING id
                """,
                {"user_id": self.user_id, "email": f"lead{self.lead_number}@{domain}", "now": self.now},
            )
            ids.append(
                await fetch_value(
                    self.db,
                    """
                    INSERT INTO campaign_leads (user_id, campaign_id, lead_id, status, created_at, updated_at)
                    VALUES (%(user_id)s, %(campaign_id)s, %(lead_id)s, 'STARTED', %(now)s, %(now)s) RETURNING id
                    """,
                    {"user_id": self.user_id, "campaign_id": campaign_id, "lead_id": lead_id, "now": self.now},
                )
            )
        return ids

    async def change(self, table: str, row_id: int, **values: Any) -> None:
        key = "mailbox_id" if table == "mailbox_states" else "id"
        for column, value in values.items():
            await self.db.execute(
                f"UPDATE {table} SET {column} = %s WHERE {key} = %s",  # noqa: S608 - names from the tests
                (value, row_id),
            )

    async def row(self, table: str, row_id: int) -> dict[str, Any]:
        key = {"mailbox_states": "mailbox_id", "dispatches": "message_id"}.get(table, "id")
        cursor = await self.db.execute(f"SELECT * FROM {table} WHERE {key} = %s", (row_id,))  # noqa: S608
        values = await cursor.fetchone()
        assert values is not None, f"no row {row_id} in {table}"
        return dict(zip([column.name for column in cursor.description or ()], values, strict=True))

    async def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        condition = " AND ".join(f"{column} = %({column})s" for column in where)
        return await fetch_dicts(self.db, f"SELECT * FROM {table} WHERE {condition}", where)  # type: ignore[arg-type]  # noqa: S608

    async def plan(self, engine_id: UUID | None = None) -> list[Attempt]:
        attempts = await plan(
            self.db,
            engine_id or self.engine_id,
            Span.at(self.now),
            senders=self.senders,
            recipients=self.recipients,
            texts=self.texts,
            stats_id=lambda lead_id, step_id: UUID(int=lead_id * 10_000_000 + step_id),
        )
        self.claimed += attempts
        return attempts

    async def write(self, attempts: Sequence[Attempt]) -> None:
        """As if their texts had been made."""
        await ledger.write(self.db, [written(attempt) for attempt in attempts])

    async def settle(self) -> None:
        """As if every claimed mail had been sent and had been its lead's last."""
        await self.write(self.claimed)
        await execute(
            self.db,
            """
            UPDATE campaign_leads SET status = 'COMPLETED', due_at = NULL
            WHERE id IN (SELECT campaign_lead_id FROM dispatches)
            """,
        )
        await execute(self.db, "DELETE FROM dispatches")

    async def sent(self, campaign_id: int, *, count: int = 1, **changes: Any) -> list[dict[str, Any]]:
        """Leads of this campaign who got its first mail; returns the rows of the mails."""
        leads = await self.leads(campaign_id, count, **changes)
        for _ in leads:
            for attempt in await self.plan():
                await self.write([attempt])
                await execute(
                    self.db,
                    "UPDATE messages SET status = 'SENT', sent_at = %(now)s WHERE id = %(id)s",
                    {"now": self.now, "id": attempt.message_id},
                )
                await execute(self.db, "DELETE FROM dispatches")
                advance = progress.Advance(
                    attempt.lead.id, attempt.mailbox_id, attempt.step.id, 1, self.now, self.now + timedelta(days=1)
                )
                await progress.record_advances(self.db, [advance], self.now)
            self.later(minutes=30)
        return await fetch_dicts(
            self.db,
            "SELECT * FROM messages WHERE campaign_lead_id = ANY(%(leads)s) ORDER BY id",
            {"leads": leads},
        )

    async def events(self) -> list[tuple[str, int]]:
        sql = "SELECT type, campaign_lead_id FROM message_events ORDER BY id"
        return [(row["type"], row["campaign_lead_id"]) for row in await fetch_dicts(self.db, sql)]

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


def written(attempt: Attempt) -> Written:
    return Written(
        id=attempt.message_id,
        user_id=attempt.lead.user_id,
        campaign_id=attempt.campaign.id,
        campaign_lead_id=attempt.lead.id,
        lead_id=attempt.lead.lead_id,
        mailbox_id=attempt.mailbox_id,
        step_id=attempt.step.id,
        step_number=attempt.step.number,
        variant_id=attempt.variant.id if attempt.variant else None,
        stats_id=attempt.stats_id,
        message_id=f"{attempt.stats_id}@brightfold.example",
        from_email="nora@brightfold.example",
        to_email=attempt.lead.email,
        subject="Port fees",
        html="<div>Hello</div>",
        text=None,
        in_reply_to=None,
        references=(),
        is_open_tracked=True,
    )


@pytest.fixture
async def world(db: Db, now: datetime) -> World:
    """09:00 on a Monday; windows are open from 08:00 to 18:00 UTC on weekdays."""
    return await World.make(db, now)
