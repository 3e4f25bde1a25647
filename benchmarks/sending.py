"""B1: campaign mails per second into a local SMTP sink, against Postfix's `smtp-source` into the same sink.

200 mailboxes, one step with two variants: Liquid, spintax, an open pixel, two tracked links, a signature,
List-Unsubscribe and one-click headers. The whole product runs (web, engine, its own PostgreSQL with fsync). The clock
of the product runs so fast that a mailbox whose mail was taken may send the next one at once: the gaps are kept, they
just do not bind. One engine for each core: a process of Python uses one, and who sends this much sets OUTRIDER_ENGINES.
"""

import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import postfix
from benchmarks.harness import CannotMeasure, Measurement
from benchmarks.leads import csv_file, people
from benchmarks.product import Api, Product, free_port
from outrider.kit.clock import Clock

FULL = 50_000
_MAILBOXES = 200
_WARM_UP = 400
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


def measure(leads: int) -> list[Measurement]:
    """Send one campaign of so many leads, with the yardstick before and after it."""
    postfix.require()
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # smtp-sink writes as nobody, below
        clock = Clock.starting_at(_MONDAY, speed=_SPEED).format()
        engines = os.cpu_count() or 1
        product = Product(folder / "data", {"OUTRIDER_CLOCK": clock, "OUTRIDER_ENGINES": str(engines)})
        port = free_port()
        with product.running():
            api = Api(product.port, product.account("bench@quaydesk.example"))
            mailbox_ids = [_mailbox(api, number, port) for number in range(_MAILBOXES)]
            _leave_only_smtp(product)
            warm_up = _campaign(api, mailbox_ids, count=_WARM_UP)
            campaign_id = _campaign(api, mailbox_ids, count=leads)
            with postfix.sink(folder, port=port, dump_to=folder / "mails"):
                _run(api, product, warm_up)
        size = postfix.mean_size(folder / "mails")
        with postfix.sink(folder, port=port) as sink:
            before = postfix.source(sink, count=leads, size=size)
            sent_before = sink.count
            with product.running():
                seconds = _run(Api(product.port, api.key), product, campaign_id)
                counts = _counts(product, campaign_id)
            taken = sink.count - sent_before
            after = postfix.source(sink, count=leads, size=size)
    _compare(leads, taken, counts)
    return [
        Measurement(
            name="B1",
            what=f"campaign mails into smtp-sink, {_MAILBOXES} mailboxes, {leads:,} leads, {size:,} octets a mail",
            unit="mails/s",
            value=leads / seconds,
            yardstick=2 * leads / (before + after),
            against="smtp-source -d -s 20, before and after",
            must=0.15,
            aim=0.5,
            notes=(
                f"{taken:,} mails at the sink = rows in the database: {_shown(counts)}",
                f"OUTRIDER_ENGINES={engines}, one for each core; the default is 1, for small machines",
                f"{seconds:.1f} s; the yardstick took {before:.1f} s before and {after:.1f} s after",
                *([] if leads >= FULL else [f"fewer leads than the full size: --leads {FULL}"]),
            ),
        )
    ]


def _mailbox(api: Api, number: int, port: int) -> int:
    address = f"nora{number}@quaydesk{number % 40}.example"
    made = api.call(
        "POST",
        "/email-accounts/save",
        {
            "id": None,
            "from_name": "Nora Quist",
            "from_email": address,
            "user_name": address,
            "password": "secret",
            "smtp_host": "127.0.0.1",
            "smtp_port": port,
            "smtp_port_type": "NONE",
            "imap_host": "127.0.0.1",
            "imap_port": 143,
            "max_email_per_day": 100_000,
            "time_to_wait_in_mins": 1,
            "signature": f"<p>Nora Quist<br>Quaydesk<br>{address}</p>",
        },
    )
    return int(made["emailAccountId"])


def _leave_only_smtp(product: Product) -> None:
    """The API insists on an IMAP server and a log-in; here is neither (smtp-sink answers AUTH with a wrong code)."""
    with product.database() as db:
        db.execute("UPDATE mailboxes SET imap_host = NULL, username = NULL, password = NULL")


def _campaign(api: Api, mailbox_ids: Sequence[int], *, count: int) -> int:
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


def _run(api: Api, product: Product, campaign_id: int) -> float:
    """Start the campaign and wait until it is COMPLETED; returns the seconds between."""
    with product.database() as db:
        _wait_for_leases(db)
        api.call("POST", f"/campaigns/{campaign_id}/status", {"status": "START"})
        started_at = time.monotonic()
        while _value(db, "SELECT status FROM campaigns WHERE id = %s", campaign_id) != "COMPLETED":
            if time.monotonic() - started_at > _PATIENCE_SECONDS:
                raise CannotMeasure(f"The campaign does not come to its end: {_counts(product, campaign_id)}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - started_at


def _wait_for_leases(db: psycopg.Connection[Any]) -> None:
    deadline = time.monotonic() + 60
    while _value(db, "SELECT count(*) FROM mailbox_leases WHERE mailbox_id > %s", 0) < _MAILBOXES:
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


def _counts(product: Product, campaign_id: int) -> dict[str, int]:
    with product.database() as db:
        counts = {name: int(_value(db, sql, campaign_id)) for name, sql in _COUNTS.items()}
        if _value(db, _NOTHING_LEFT, campaign_id):
            raise CannotMeasure("Mails are still on their way in a campaign that is COMPLETED.")
        return counts


def _compare(leads: int, taken: int, counts: dict[str, int]) -> None:
    if taken != leads or set(counts.values()) != {leads}:
        raise CannotMeasure(f"{leads} leads, {taken} mails at the sink, in the database: {_shown(counts)}")


def _shown(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _value(db: psycopg.Connection[Any], sql: Any, value: int) -> Any:
    row = db.execute(sql, [value]).fetchone()
    return row[0] if row else None
