"""B1: campaign mails per second into a local SMTP sink, against Postfix's `smtp-source` into the same sink.

200 mailboxes send a campaign. The whole product runs (web, engine, its own PostgreSQL with fsync). One engine for each
core: a process of Python uses one, and who sends this much sets OUTRIDER_ENGINES.
"""

import os
import tempfile
from pathlib import Path

from benchmarks import campaigning, postfix
from benchmarks.harness import Measurement
from benchmarks.product import Api, Product, free_port

FULL = 50_000
_MAILBOXES = 200


def measure(leads: int) -> list[Measurement]:
    """Send one campaign of so many leads, with the yardstick before and after it."""
    postfix.require()
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # smtp-sink writes as nobody, below
        engines = os.cpu_count() or 1
        product = Product(folder / "data", {"OUTRIDER_CLOCK": campaigning.clock(), "OUTRIDER_ENGINES": str(engines)})
        port = free_port()
        with product.running():
            api = Api(product.port, product.account("bench@quaydesk.example"))
            mailbox_ids = [campaigning.add_mailbox(api, number, port, port_type="NONE") for number in range(_MAILBOXES)]
            _leave_only_smtp(product)
            warm_up = campaigning.add_campaign(api, mailbox_ids, count=campaigning.WARM_UP)
            campaign_id = campaigning.add_campaign(api, mailbox_ids, count=leads)
            with postfix.sink(folder, port=port, dump_to=folder / "mails"):
                campaigning.run(api, product, warm_up, mailbox_count=_MAILBOXES)
        size = postfix.mean_size(folder / "mails")
        with postfix.sink(folder, port=port) as sink:
            before = postfix.source(sink, count=leads, size=size)
            sent_before = sink.count
            with product.running():
                seconds = campaigning.run(Api(product.port, api.key), product, campaign_id, mailbox_count=_MAILBOXES)
                counts = campaigning.counts(product, campaign_id)
            taken = sink.count - sent_before
            after = postfix.source(sink, count=leads, size=size)
    campaigning.compare(leads, taken, counts)
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
                f"{taken:,} mails at the sink = rows in the database: {campaigning.shown(counts)}",
                f"OUTRIDER_ENGINES={engines}, one for each core; the default is 1, for small machines",
                f"{seconds:.1f} s; the yardstick took {before:.1f} s before and {after:.1f} s after",
                *([] if leads >= FULL else [f"fewer leads than the full size: --leads {FULL}"]),
            ),
        )
    ]


def _leave_only_smtp(product: Product) -> None:
    """The API insists on an IMAP server and a log-in; here is neither (smtp-sink answers AUTH with a wrong code)."""
    with product.database() as db:
        db.execute("UPDATE mailboxes SET imap_host = NULL, username = NULL, password = NULL")
