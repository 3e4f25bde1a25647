"""B2: campaign mails per second with AUTH and TLS, against a bare loop that submits the same mails without a database.

A mailbox for every 20 mails: it connects, TLS from the first byte, logs in with its own password and sends its 20 mails
on that connection. The yardstick is the loop that anybody would write, with Python's smtplib, on connections like
these: as many processes of it as the product has engines, with mails that the product has written before. It is not our
own client, for then a faster client would make the ratio worse.
"""

import os
import smtplib
import ssl
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks import campaigning, submission
from benchmarks.harness import CannotMeasure, Measurement
from benchmarks.product import Api, Product, free_port
from tests.support.certificates import write_certificate

FULL = 50_000
_MAILS_EACH = 20
_HOST = "localhost"


def measure(leads: int) -> list[Measurement]:
    """Send one campaign of so many leads, with the yardstick before and after it."""
    with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
        folder = Path(name)
        place = _Place(write_certificate(folder), free_port(), max(leads // _MAILS_EACH, 1))
        engines = os.cpu_count() or 1
        product = Product(
            folder / "data",
            {
                "OUTRIDER_CLOCK": campaigning.clock(),
                "OUTRIDER_ENGINES": str(engines),
                "SSL_CERT_FILE": str(place.certificate),
            },
        )
        with product.running():
            api = Api(product.port, product.account("bench@quaydesk.example"))
            mailbox_ids = [
                campaigning.add_mailbox(api, number, place.port, port_type="SSL", host=_HOST)
                for number in range(place.mailbox_count)
            ]
            _leave_only_smtp(product)
            warm_up = campaigning.add_campaign(api, mailbox_ids, count=campaigning.WARM_UP)
            campaign_id = campaigning.add_campaign(api, mailbox_ids, count=leads)
            kept = folder / "mails"
            kept.mkdir()
            with place.serving(keep_in=kept):
                campaigning.run(api, product, warm_up, mailbox_count=place.mailbox_count)
        mails = [path.read_bytes() for path in kept.iterdir()]
        with place.serving() as server:
            before = place.bare_loop(mails, engines)
            was_sent, was_connected = server.mail_count, server.session_count
            with product.running():
                seconds = campaigning.run(
                    Api(product.port, api.key), product, campaign_id, mailbox_count=place.mailbox_count
                )
                counts = campaigning.counts(product, campaign_id)
            taken, connections = server.mail_count - was_sent, server.session_count - was_connected
            after = place.bare_loop(mails, engines)
    campaigning.compare(leads, taken, counts)
    if not _MAILS_EACH / 2 <= taken / connections <= _MAILS_EACH * 2:
        raise CannotMeasure(f"{taken} mails went over {connections} connections, not {_MAILS_EACH} over each.")
    return [
        Measurement(
            name="B2",
            what=f"campaign mails with TLS and AUTH, {place.mailbox_count:,} mailboxes, {leads:,} leads",
            unit="mails/s",
            value=leads / seconds,
            yardstick=(before + after) / 2,
            against=f"bare loop of smtplib, {engines} processes, the same mails and connections, before and after",
            must=0.5,
            aim=0.8,
            notes=(
                f"{taken:,} mails at the server = rows in the database: {campaigning.shown(counts)}",
                f"{connections:,} connections, {taken / connections:.1f} mails over each",
                f"{seconds:.1f} s; the bare loop {before:,.0f} mails/s before, {after:,.0f} after",
                *([] if leads >= FULL else [f"fewer leads than the full size: --leads {FULL}"]),
            ),
        )
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the mails go: the server and who may log in."""

    certificate: Path
    port: int
    mailbox_count: int

    def serving(self, *, keep_in: Path | None = None) -> AbstractContextManager[submission.Submission]:
        passwords = {campaigning.address(n): campaigning.password(n) for n in range(self.mailbox_count)}
        return submission.serving(self.certificate, port=self.port, passwords=passwords, keep_in=keep_in)

    def bare_loop(self, mails: Sequence[bytes], processes: int) -> float:
        """Mails per second. The processes start before they are measured."""
        shares = [range(first, self.mailbox_count, processes) for first in range(min(processes, self.mailbox_count))]
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            spans = list(pool.map(_submit, [self] * len(shares), shares, [mails] * len(shares)))
        seconds = max(end for _, end in spans) - min(start for start, _ in spans)
        return self.mailbox_count * _MAILS_EACH / seconds


def _submit(place: _Place, numbers: range, mails: Sequence[bytes]) -> tuple[float, float]:
    """Each mailbox connects and sends its mails; returns when it began and ended, by the clock that all share."""
    context = ssl.create_default_context(cafile=place.certificate)
    started_at = time.monotonic()
    for number in numbers:
        sender = campaigning.address(number)
        with smtplib.SMTP_SSL(_HOST, place.port, context=context) as server:
            server.login(sender, campaigning.password(number))
            for count in range(_MAILS_EACH):
                recipient = f"lead.{number}.{count}@tallow{number % 997}.example"
                server.sendmail(sender, [recipient], mails[(number + count) % len(mails)])
    return started_at, time.monotonic()


def _leave_only_smtp(product: Product) -> None:
    """The API insists on an IMAP server; here is none."""
    with product.database() as db:
        db.execute("UPDATE mailboxes SET imap_host = NULL")
