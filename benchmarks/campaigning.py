"""A campaign as B1 and B2 send it, from the mailboxes to the last outcome in the database.

One step with two variants: Liquid, spintax, an open pixel, two tracked links, a signature, List-Unsubscribe and
one-click headers. The clock of the product runs so fast that a mailbox whose mail was taken may send the next one at
once: the gaps are kept, they just do not bind.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from benchmarks.harness import CannotMeasure
from benchmarks.leads import csv_file, people
from benchmarks.product import Api, Product
from outrider.kit.clock import Clock

WARM_UP = 400
_ROWS_PER_FILE = 25_000
_SPEED = 6000.0  # a gap of two minutes is 20 ms
_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 1800.0
BODIES = (
    '<div>{Hello|Hi|Good {{sl_time_of_day}}} {{first_name | default: "there"}},</div><div><br></div>'
    "<div>I came across {{company_name}} while {looking at|reading about} freight in {{location}}. "
    '{% if role == "CFO" %}Most finance leads I speak with see port fees only when they are booked'
    "{% else %}Most teams of your size handle port fees in a spreadsheet{% endif %}, and by then it is "
    "{too late|hard} to {object|argue}.</div><div><br></div>"
    "<div>We {wrote down|collected} how {{employees}}-person companies get them right: "
    '<a href="https://quaydesk.example/guide?from={{location}}&utm_source=mail">the short guide</a>.</div>'
    "<div><br></div><div>Would {a call|ten minutes} {next week|on {{sl_day_of_week}}} be of use? "
    'You can pick a time here: <a href="https://quaydesk.example/calendar?ref={{first_name}}">calendar</a>.</div>'
    "<div><br></div><div>%signature%</div>",
    "<div>{{first_name}},</div><div><br></div>"
    "<div>{a quick question|one question} about {{company_name}}: who looks after port fees "
    '{% if role == "CTO" %}on your side, if not you{% else %}at the moment{% endif %}? '
    "{We see|I keep seeing} the same three errors on invoices in {{location}}, and each of them can be "
    "{claimed back|reversed} within sixty days.</div><div><br></div>"
    '<div>The three errors, with examples: <a href="https://quaydesk.example/errors?src=b">two minutes to read</a>. '
    'And what {others|your neighbours} saved: <a href="https://quaydesk.example/cases?city={{location | downcase}}">'
    "four cases</a>.</div><div><br></div><div>Is it worth a look?</div><div><br></div><div>%signature%</div>",
)
SUBJECTS = ("{Port fees|Quay fees}, {{first_name}}?", "{{company_name}} and {port fees|quay costs}")


def clock() -> str:
    """The setting OUTRIDER_CLOCK."""
    return Clock.starting_at(_MONDAY, speed=_SPEED).format()


def address(number: int) -> str:
    return f"nora{number}@quaydesk{number % 40}.example"


def password(number: int) -> str:
    return f"secret-{number}"


def add_mailbox(api: Api, number: int, port: int, *, port_type: str, host: str = "127.0.0.1") -> int:
    name = address(number)
    made = api.call(
        "POST",
        "/email-accounts/save",
        {
            "id": None,
            "from_name": "Nora Quist",
            "from_email": name,
            "user_name": name,
            "password": password(number),
            "smtp_host": host,
            "smtp_port": port,
            "smtp_port_type": port_type,
            "imap_host": "127.0.0.1",
            "imap_port": 143,
            "max_email_per_day": 100_000,
            "time_to_wait_in_mins": 1,
            "signature": f"<p>Nora Quist<br>Quaydesk<br>{name}</p>",
        },
    )
    return int(made["emailAccountId"])


def add_campaign(api: Api, mailbox_ids: Sequence[int], *, count: int) -> int:
    """A campaign in DRAFTED with its leads."""
    campaign_id = int(api.call("POST", "/campaigns/create", {"name": f"{count} leads"})["id"])
    path = f"/campaigns/{campaign_id}"
    api.call("POST", f"{path}/settings", {"unsubscribe_text": "No more mails, please", "add_unsubscribe_tag": True})
    api.call(
        "POST",
        f"{path}/schedule",
        {
            "timezone": "Europe/Lisbon",
            "days_of_the_week": [0, 1, 2, 3, 4, 5, 6],
            "start_hour": "00:00",
            "end_hour": "23:59",
            "min_time_btw_emails": 1,
            "max_new_leads_per_day": 1_000_000,
        },
    )
    variants = [
        {"variant_label": label, "subject": subject, "email_body": body, "variant_distribution_percentage": 50}
        for label, subject, body in zip("AB", SUBJECTS, BODIES, strict=True)
    ]
    step = {
        "seq_number": 1,
        "seq_delay_details": {"delay_in_days": 0},
        "variant_distribution_type": "MANUAL_PERCENTAGE",
        "seq_variants": variants,
    }
    api.call("POST", f"{path}/sequences", {"sequences": [step]})
    api.call("POST", f"{path}/email-accounts", {"email_account_ids": list(mailbox_ids)})
    rows = list(people(count, seed=str(count)))
    for start in range(0, count, _ROWS_PER_FILE):
        part = rows[start : start + _ROWS_PER_FILE]
        if api.import_leads(campaign_id, csv_file(part)) != len(part):
            raise CannotMeasure("Not every lead was imported.")
    return campaign_id


def run(api: Api, product: Product, campaign_id: int, *, mailbox_count: int) -> float:
    """Start the campaign and wait until it is COMPLETED; returns the seconds between."""
    with product.database() as db:
        _wait_for_leases(db, mailbox_count)
        api.call("POST", f"/campaigns/{campaign_id}/status", {"status": "START"})
        started_at = time.monotonic()
        while _value(db, "SELECT status FROM campaigns WHERE id = %s", campaign_id) != "COMPLETED":
            if time.monotonic() - started_at > _PATIENCE_SECONDS:
                raise CannotMeasure(f"The campaign does not come to its end: {counts(product, campaign_id)}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - started_at


def _wait_for_leases(db: psycopg.Connection[Any], mailbox_count: int) -> None:
    deadline = time.monotonic() + 60
    while _value(db, "SELECT count(*) FROM mailbox_leases WHERE mailbox_id > %s", 0) < mailbox_count:
        if time.monotonic() > deadline:
            raise CannotMeasure("The engine does not lease the mailboxes.")
        time.sleep(_POLL_SECONDS)


_COUNTS = {
    "messages sent": "SELECT count(*) FROM messages WHERE campaign_id = %s AND status = 'SENT'",
    "bodies": (
        "SELECT count(*) FROM message_bodies AS b JOIN messages AS m ON m.id = b.message_id "
        "WHERE m.campaign_id = %s AND b.html IS NOT NULL"
    ),
    "events": "SELECT count(*) FROM message_events WHERE campaign_id = %s AND type = 'SENT'",
    "leads completed": "SELECT count(*) FROM campaign_leads WHERE campaign_id = %s AND status = 'COMPLETED'",
}
_NOTHING_LEFT = "SELECT count(*) FROM dispatches WHERE campaign_id = %s"


def counts(product: Product, campaign_id: int) -> dict[str, int]:
    with product.database() as db:
        found = {name: int(_value(db, sql, campaign_id)) for name, sql in _COUNTS.items()}
        if _value(db, _NOTHING_LEFT, campaign_id):
            raise CannotMeasure("Mails are still on their way in a campaign that is COMPLETED.")
        return found


def compare(leads: int, taken: int, counted: dict[str, int]) -> None:
    if taken != leads or set(counted.values()) != {leads}:
        raise CannotMeasure(f"{leads} leads, {taken} mails at the sink, in the database: {shown(counted)}")


def shown(counted: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counted.items())


def _value(db: psycopg.Connection[Any], sql: Any, value: int) -> Any:
    row = db.execute(sql, [value]).fetchone()
    return row[0] if row else None
