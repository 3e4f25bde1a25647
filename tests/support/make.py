"""Factories: rows with sensible values; a test names only what matters.

`await make.mailbox(db, user_id)` returns the id of a mailbox that could send, `await make.campaign(db, user_id)` the id
of a campaign in DRAFTED, with a schedule and one step.
"""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from outrider.kit.crypto import Vault
from outrider.kit.db import Db, execute, fetch_value
from outrider.mailboxes import store as mailboxes

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VAULT = Vault("a-key-only-for-tests")
_numbers = count(1)


async def mailbox(db: Db, user_id: int, **given: Any) -> int:
    """A mailbox of its own address, with a log-in and a state."""
    values: dict[str, Any] = {
        "client_id": None,
        "type": "SMTP",
        "from_name": "Nora Quist",
        "from_email": f"nora{next(_numbers)}@brightfold.example",
        "username": "nora",
        "password": VAULT.seal("secret"),
        "smtp_host": "smtp.brightfold.example",
        "smtp_port": 465,
        "smtp_port_type": "SSL",
        "imap_host": "imap.brightfold.example",
        "imap_port": 993,
        "imap_port_type": "SSL",
        "imap_username": None,
        "imap_password": None,
        "max_email_per_day": 100,
        "time_to_wait_minutes": None,
        "signature": None,
        "custom_tracking_domain": None,
        "bcc_email": None,
        "different_reply_to_address": None,
        "warmup_key": "maple-otter",
        "is_suspended": False,
        "now": NOW,
    }
    values = {**values, **given, "user_id": user_id}
    mailbox_id = await mailboxes.insert_mailbox(db, values)
    assert mailbox_id is not None
    await mailboxes.insert_state(db, user_id, mailbox_id, now=values["now"])
    return mailbox_id


async def campaign(
    db: Db, user_id: int, *, status: str = "DRAFTED", client_id: int | None = None, has_step: bool = True
) -> int:
    campaign_id: int = await fetch_value(
        db,
        """
        INSERT INTO campaigns (
            user_id, client_id, name, status, timezone, days, start_hour, end_hour, created_at, updated_at
        )
        VALUES (
            %(user_id)s, %(client_id)s, 'Harbour CFO outreach', %(status)s,
            'UTC', '{1,2,3,4,5}', '08:00', '18:00', %(now)s, %(now)s
        )
        RETURNING id
        """,
        {"user_id": user_id, "client_id": client_id, "status": status, "now": NOW},
    )
    if has_step:
        await step(db, user_id, campaign_id)
    return campaign_id


async def step(
    db: Db, user_id: int, campaign_id: int, *, number: int = 1, subject: str = "Port fees", email_body: str = "Hello"
) -> int:
    step_id: int = await fetch_value(
        db,
        """
        INSERT INTO steps (
            user_id, campaign_id, number, type, delay_days, subject, email_body, variant_distribution_type,
            created_at, updated_at
        )
        VALUES (
            %(user_id)s, %(campaign_id)s, %(number)s, 'EMAIL', 1, %(subject)s, %(email_body)s, 'MANUAL_EQUAL',
            %(now)s, %(now)s
        )
        RETURNING id
        """,
        {
            "user_id": user_id,
            "campaign_id": campaign_id,
            "number": number,
            "subject": subject,
            "email_body": email_body,
            "now": NOW,
        },
    )
    return step_id


async def attach(db: Db, user_id: int, campaign_id: int, mailbox_id: int) -> None:
    """Let a campaign send from a mailbox."""
    await execute(
        db,
        """
        INSERT INTO campaign_mailboxes (user_id, campaign_id, mailbox_id, created_at, updated_at)
        VALUES (%(user_id)s, %(campaign_id)s, %(mailbox_id)s, %(now)s, %(now)s)
        """,
        {"user_id": user_id, "campaign_id": campaign_id, "mailbox_id": mailbox_id, "now": NOW},
    )
