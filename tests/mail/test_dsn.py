"""Reports of failed mail are recognised, and their verdicts are right."""

from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.mail.dsn import Action, Bounce, BounceKind, Dsn, bounce_kind, classify_bounce, read_dsn, read_dsns
from outrider.mail.parse import parse
from tests.mail.samples import load

SAMPLES = {sample.name: sample for sample in load("bounces") if not sample.is_held_out}
EXPECTED = {name: sample.expected for name, sample in SAMPLES.items()}
OURS = "5a3e0d1c-7b52-4c0e-8f7d-0a1b2c3d4e5f@send.example"


def sample(name: str) -> Dsn | None:
    return read_dsn(SAMPLES[name].parse())


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "action" in expected])
def test_reports_of_all_servers_are_read(name: str) -> None:
    dsn, expected = sample(name), EXPECTED[name]
    assert dsn is not None
    assert (dsn.action, dsn.recipient) == (expected["action"], expected["recipient"])
    assert dsn.original_message_id == (OURS if expected.get("original", True) else None)


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "kind" in expected])
def test_final_failures_get_their_verdict(name: str) -> None:
    dsn, expected = sample(name), EXPECTED[name]
    assert dsn is not None
    bounce = classify_bounce(dsn)
    assert bounce is not None
    assert (bounce.kind, bounce.enhanced_code) == (expected["kind"], expected.get("code"))
    assert (bounce.recipient, bounce.original_message_id) == (expected["recipient"], OURS)
    assert bounce.diagnostic


@pytest.mark.parametrize(
    "name", [name for name, expected in EXPECTED.items() if "action" in expected and "kind" not in expected]
)
def test_notices_of_delay_and_success_are_no_bounces(name: str) -> None:
    dsn = sample(name)
    assert dsn is not None
    assert classify_bounce(dsn) is None


@pytest.mark.parametrize("name", [name for name, expected in EXPECTED.items() if "action" not in expected])
def test_mail_by_people_and_newsletters_are_no_reports(name: str) -> None:
    assert sample(name) is None


def notice(sender: str, subject: str, text: str, headers: str = "") -> Dsn | None:
    head = f"Return-Path: <>\r\nFrom: {sender}\r\nTo: jo@send.example\r\nSubject: {subject}\r\n{headers}\r\n"
    return read_dsn(parse(f"{head}{text}\r\n".encode()))


@pytest.mark.parametrize(
    ("sender", "subject", "text", "headers"),
    [
        ("Mira <mira@acme.example>", "Out of office", "I cannot be reached.", "Auto-Submitted: auto-replied\r\n"),
        ("postmaster@send.example", "Quota", "Your mailbox is full. Mail can not be delivered.", ""),
        ("gate@send.example", "Quarantine", "These messages were not delivered to you:\r\n1. Offer", ""),
        ("Mira <mira@acme.example>", "Declined: Meeting", "I could not reach you.", ""),
    ],
)
def test_what_speaks_of_other_failures_is_no_report(sender: str, subject: str, text: str, headers: str) -> None:
    assert notice(sender, subject, text, headers) is None


@pytest.mark.parametrize(
    "text",
    [
        "Your message to ida@acme.example has not yet been delivered. We will keep trying for 3 days.",
        "Ihre Nachricht an ida@acme.example konnte noch nicht zugestellt werden.",
        "Votre message n'a pas encore été remis à ida@acme.example.",
        "Su mensaje a ida@acme.example no se ha podido entregar todavía.",
        "O seu e-mail para ida@acme.example ainda não foi entregue.",
        "Il messaggio per ida@acme.example non è stato ancora consegnato.",
        "Uw bericht aan ida@acme.example kon nog niet worden afgeleverd.",
        "Meddelandet till ida@acme.example har ännu inte kunnat levereras.",
    ],
)
def test_a_delay_is_told_from_a_failure_in_many_languages(text: str) -> None:
    dsn = notice("MAILER-DAEMON@send.example", "Mail", text, "Content-Type: text/plain; charset=utf-8\r\n")
    assert dsn is not None
    assert (dsn.action, dsn.recipient) == (Action.DELAYED, "ida@acme.example")


def test_all_fields_of_a_report() -> None:
    assert sample("postfix-user-unknown") == Dsn(
        action=Action.FAILED,
        final_recipient="gone@nowhere.example",
        original_recipient="gone@nowhere.example",
        status="5.1.1",
        diagnostic_code="550 5.1.1 <gone@nowhere.example>: Recipient address rejected: "
        "User unknown in virtual mailbox table",
        reporting_mta="mail.send.example",
        remote_mta="mx.nowhere.example",
        original_message_id=OURS,
    )


def report_about(*blocks: str) -> bytes:
    status = "\r\n\r\n".join(("Reporting-MTA: dns; mail.send.example", *blocks))
    return (
        "From: MAILER-DAEMON@send.example\r\nTo: jo@send.example\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        f"--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--b--\r\n"
    ).encode()


def test_of_several_recipients_the_failed_one_is_told() -> None:
    raw = report_about(
        "Final-Recipient: rfc822; a@acme.example\r\nAction: delivered\r\nStatus: 2.0.0",
        "Final-Recipient: rfc822; b@acme.example\r\nAction: failed\r\nStatus: 5.1.1",
    )
    assert [(dsn.recipient, dsn.action) for dsn in read_dsns(parse(raw))] == [
        ("a@acme.example", Action.DELIVERED),
        ("b@acme.example", Action.FAILED),
    ]
    dsn = read_dsn(parse(raw))
    assert dsn is not None
    assert dsn.recipient == "b@acme.example"


def test_the_recipient_is_the_one_we_wrote_to_and_not_the_one_behind_an_alias() -> None:
    block = (
        "Original-Recipient: rfc822;info@acme.example\r\nFinal-Recipient: rfc822;bob@inner.example\r\nAction: failed"
    )
    dsn = read_dsn(parse(report_about(block)))
    assert dsn is not None
    assert dsn.recipient == "info@acme.example"


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [
        ("failed", "5.1.1", Action.FAILED),
        ("Failure", "5.1.1", Action.FAILED),
        ("error", "5.1.1", Action.FAILED),
        ("delayed (will retry)", "4.4.1", Action.DELAYED),
        ("", "4.4.1", Action.DELAYED),
        ("", "2.0.0", Action.DELIVERED),
        ("", "", Action.FAILED),
        ("expanded", "2.0.0", Action.EXPANDED),
    ],
)
def test_the_action_is_read_loosely(action: str, status: str, expected: Action) -> None:
    dsn = read_dsn(
        parse(report_about(f"Final-Recipient: rfc822; a@acme.example\r\nAction: {action}\r\nStatus: {status}"))
    )
    assert dsn is not None
    assert dsn.action is expected


@pytest.mark.parametrize(
    ("code", "diagnostic", "kind"),
    [
        # hard
        ("5.1.1", "550 5.1.1 User unknown", BounceKind.HARD),
        ("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist.", BounceKind.HARD),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", BounceKind.HARD),
        ("5.0.0", "550 No such person at this address", BounceKind.HARD),
        (None, "550 Requested action not taken: mailbox unavailable", BounceKind.HARD),
        (None, "550 Unknown user", BounceKind.HARD),
        (None, "551 User not local", BounceKind.HARD),
        (None, "User ida@nowhere.example is not in our database; user is not registered", BounceKind.HARD),
        (None, "The relay has suppressed sending to this address: recent history of bouncing", BounceKind.HARD),
        ("5.7.1", "553 sorry, this recipient is not in my validrcptto list (#5.7.1)", BounceKind.HARD),
        ("4.0.0", "DNS Error: lookup of nodomain.example responded with code NXDOMAIN", BounceKind.HARD),
        ("5.7.1", "550 5.7.1 No such user", BounceKind.HARD),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", BounceKind.HARD),
        (
            "5.4.4",
            "Host or domain name not found. Name service error for name=x.example type=AAAA: Host not found",
            BounceKind.HARD,
        ),
        ("5.1.10", "556 5.1.10 Domain does not accept mail (nullMX)", BounceKind.HARD),
        ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled.", BounceKind.HARD),
        ("5.4.310", "550 5.4.310 DNS domain nodomain.example does not exist", BounceKind.HARD),
        (None, "all relevant MX records point to non-existent hosts", BounceKind.HARD),
        (
            None,
            "554 delivery error: dd This user doesn't have a yahoo.com account (gone@yahoo.com) [0]",
            BounceKind.HARD,
        ),
        # soft
        ("5.2.2", "552 5.2.2 Mailbox full", BounceKind.SOFT),
        ("4.2.2", "452 4.2.2 The email account that you tried to reach is over quota.", BounceKind.SOFT),
        (None, "552 Requested mail action aborted: exceeded storage allocation", BounceKind.SOFT),
        ("4.7.1", "451 4.7.1 Greylisting in action, please come back later", BounceKind.SOFT),
        ("4.4.1", "connect to mx.nowhere.example[192.0.2.25]:25: Connection timed out", BounceKind.SOFT),
        (
            "4.4.3",
            "Host or domain name not found. Name service error for name=x.example type=MX: Host not found, try again",
            BounceKind.SOFT,
        ),
        ("5.4.7", "delivery time expired", BounceKind.SOFT),
        ("5.4.300", "550 5.4.300 Message expired -> 451 4.7.1 Try later", BounceKind.SOFT),
        ("5.4.6", "mail for x.example loops back to myself", BounceKind.SOFT),
        ("5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop ATTR34", BounceKind.SOFT),
        ("4.1.1", "450 4.1.1 User unknown", BounceKind.SOFT),
        (None, "421 Service not available", BounceKind.SOFT),
        (None, "", BounceKind.SOFT),
        (None, "Your message was not delivered.", BounceKind.SOFT),
        # sender originated
        ("5.7.1", "550 5.7.1 Message rejected as spam by Content Filtering.", BounceKind.SENDER),
        ("5.7.26", "550-5.7.26 This mail has been blocked because the sender is unauthenticated.", BounceKind.SENDER),
        (None, "421 RP-001 The mail server IP connecting to us has exceeded the rate limit allowed", BounceKind.SENDER),
        (None, "554 permanent error: your reverse DNS entry is missing", BounceKind.SENDER),
        (None, "550 DMARC check failed", BounceKind.SENDER),
        (None, "550 too many recipients today for this account", BounceKind.SENDER),
        (None, "554 Denied [CS] [85a1] (Mode: normal)", BounceKind.SENDER),
        (None, "550 Administrative prohibition - envelope blocked", BounceKind.SENDER),
        ("5.7.1", "554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org", BounceKind.SENDER),
        (None, "554 Message not allowed - [PH01] Email not accepted for policy reasons.", BounceKind.SENDER),
        ("4.7.28", "421-4.7.28 Our system has detected an unusual rate of unsolicited mail", BounceKind.SENDER),
        ("5.1.8", "550 5.1.8 Access denied, bad outbound sender AS(42003)", BounceKind.SENDER),
        ("5.1.90", "550 5.1.90 Your message can't be sent because you've reached your daily limit", BounceKind.SENDER),
        ("5.7.60", "550 5.7.60 SMTP; Client does not have permissions to send as this sender", BounceKind.SENDER),
        ("5.2.3", "552 5.2.3 Your message exceeded Google's message size limits.", BounceKind.SENDER),
        ("5.3.4", "552 5.3.4 Message size exceeds fixed limit", BounceKind.SENDER),
        (
            "5.7.509",
            "550 5.7.509 Access denied, sending domain send.example does not pass DMARC verification",
            BounceKind.SENDER,
        ),
        ("5.7.1", "550 5.7.1 Unauthenticated email is not accepted due to domain's DMARC policy", BounceKind.SENDER),
        (
            None,
            "550 SC-001 (COL004) Messages from 192.0.2.7 weren't sent. They are on our block list (S3140).",
            BounceKind.SENDER,
        ),
        (
            None,
            "Domain send.example has exceeded the max emails per hour (101/100 (101%)) allowed. Message discarded.",
            BounceKind.SENDER,
        ),
    ],
)
def test_the_meaning_of_real_answers(code: str | None, diagnostic: str, kind: BounceKind) -> None:
    assert bounce_kind(code, diagnostic) is kind


def test_the_code_in_the_words_is_taken_when_the_report_has_only_a_general_one() -> None:
    bounce = classify_bounce(Dsn(Action.FAILED, status="5.0.0", diagnostic_code="550 5.1.1 User unknown"))
    assert bounce == Bounce(BounceKind.HARD, None, "5.1.1", "550 5.1.1 User unknown", None)


def test_an_ip_address_is_no_code() -> None:
    bounce = classify_bounce(Dsn(Action.FAILED, diagnostic_code="host mx.example[5.1.1.20] said: 550 go away"))
    assert bounce is not None
    assert bounce.enhanced_code is None


@pytest.mark.parametrize(
    "text", ["\n" * 100_000, "-" * 100_000, "--\n" * 30_000, "a@b " * 25_000, "user not " * 10_000]
)
def test_a_hostile_notice_is_read_in_bounded_time(text: str) -> None:
    head = "From: mailer-daemon@acme.example\r\nTo: jo@send.example\r\nSubject: failure notice\r\n"
    head += f"In-Reply-To: <{OURS}>\r\n"
    assert read_dsn(parse(f"{head}\r\n{text}".encode())) == Dsn(
        Action.FAILED, diagnostic_code=ANY, original_message_id=OURS
    )


@settings(max_examples=150)
@given(
    st.sampled_from([sample.raw for sample in load("bounces")]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 60), st.binary(max_size=6)), max_size=8),
)
def test_no_report_makes_it_raise(raw: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for where, gone, new in changes:
        position = where % (len(raw) + 1)
        raw = raw[:position] + new + raw[position + gone :]
    for dsn in read_dsns(parse(raw)):
        bounce = classify_bounce(dsn)
        assert (bounce is None) == (dsn.action is not Action.FAILED)
        (dsn.diagnostic_code + (dsn.recipient or "") + (dsn.original_message_id or "")).encode("utf-8")
