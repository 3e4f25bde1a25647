from datetime import timedelta
from typing import Any

import pytest

from outrider.mailboxes.models import MailboxType, PortType, Verdict, Warmup, WarmupStatus
from tests.support.make import NOW


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("smtp.gmail.com", "GMAIL"),
        ("smtp-relay.google.com", "GMAIL"),
        ("smtp.office365.com", "OUTLOOK"),
        ("smtp-mail.OUTLOOK.com", "OUTLOOK"),
        ("smtp.zoho.eu", "ZOHO"),
        ("mail.brightfold.example", "SMTP"),
        ("", "SMTP"),
    ],
)
def test_a_host_gives_its_provider_away(host: str, expected: str) -> None:
    assert MailboxType.of_host(host) == expected


@pytest.mark.parametrize(
    ("port", "expected"), [(465, "SSL"), (993, "SSL"), (587, "TLS"), (143, "TLS"), (25, "TLS"), (2525, "TLS")]
)
def test_a_port_has_its_usual_encryption(port: int, expected: str) -> None:
    assert PortType.of_port(port) == expected


@pytest.mark.parametrize(
    ("smtp", "imap", "text"),
    [
        (None, None, ""),
        ("535 no", None, "SMTP: 535 no"),
        (None, "NO", "IMAP: NO"),
        ("535 no", "NO", "SMTP: 535 no; IMAP: NO"),
    ],
)
def test_a_verdict_names_what_failed(smtp: str | None, imap: str | None, text: str) -> None:
    verdict = Verdict(smtp, imap)
    assert (verdict.text, verdict.is_success) == (text, text == "")


def warmup(**given: Any) -> Warmup:
    values: dict[str, Any] = {
        "id": 1,
        "mailbox_id": 1,
        "user_id": 1,
        "status": WarmupStatus.ACTIVE,
        "max_email_per_day": 20,
        "is_rampup_enabled": True,
        "rampup_value": 5,
        "reply_rate": 30,
        "warmup_min_count": 3,
        "warmup_max_count": 20,
        "auto_adjust_warmup": False,
        "send_warmups_only_on_weekdays": False,
        "use_custom_domain": False,
        "is_warmup_blocked": False,
        "blocked_reason": None,
        "ramp_started_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Warmup(**{**values, **given})


@pytest.mark.parametrize(("days", "is_over"), [(0, False), (3, False), (4, True), (40, True)])
def test_the_ramp_is_over_when_it_reaches_the_daily_number(days: int, is_over: bool) -> None:
    assert warmup().is_ramp_over(NOW + timedelta(days=days)) is is_over


def test_without_a_ramp_it_is_over_at_once() -> None:
    assert warmup(is_rampup_enabled=False).is_ramp_over(NOW)
