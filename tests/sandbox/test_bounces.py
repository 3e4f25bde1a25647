from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import cast

import pytest
from flufl.bounce import all_failures

from outrider.sandbox.bounces import delivery_report
from outrider.sandbox.people import MAILBOX_FULL, NO_SUCH_USER, Refusal
from tests.sandbox.test_mails import NOW, received
from tests.sandbox.writing import SENDER, campaign_mail

GMAIL_LIKE, POSTFIX_LIKE = "bob@x.example", "bob@y.example"


def report_of(recipient: str, refusal: Refusal = NO_SUCH_USER) -> EmailMessage:
    mail = received(campaign_mail(recipient, number=7), recipient=recipient)
    letter = delivery_report(mail, refusal, now=NOW)
    assert (letter.recipient, letter.envelope_sender) == (SENDER, "")
    return message_from_bytes(letter.raw, policy=policy.default)


@pytest.mark.parametrize("recipient", [GMAIL_LIKE, POSTFIX_LIKE])
@pytest.mark.parametrize("refusal", [NO_SUCH_USER, MAILBOX_FULL])
def test_a_delivery_report_has_the_fields_of_rfc_3464(recipient: str, refusal: Refusal) -> None:
    report = report_of(recipient, refusal)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    _, status, _ = report.iter_parts()
    per_message, per_recipient = cast("list[Message]", status.get_payload())
    assert str(per_message["Reporting-MTA"]).startswith("dns; mx.")
    assert per_recipient["Final-Recipient"] == f"rfc822; {recipient}"
    assert (per_recipient["Action"], per_recipient["Status"]) == ("failed", refusal.enhanced_code)
    assert per_recipient["Diagnostic-Code"] == f"smtp; {refusal.line(recipient)}"


@pytest.mark.parametrize(("recipient", "kind"), [(GMAIL_LIKE, "message/rfc822"), (POSTFIX_LIKE, "text/rfc822-headers")])
def test_a_delivery_report_returns_the_original_message_id(recipient: str, kind: str) -> None:
    original = list(report_of(recipient).iter_parts())[-1]
    assert original.get_content_type() == kind
    assert b"Message-ID: <mail-7@ours.example>" in original.as_bytes()
    assert (b"Do you still print" in original.as_bytes()) == (kind == "message/rfc822")


@pytest.mark.parametrize("recipient", [GMAIL_LIKE, POSTFIX_LIKE])
def test_another_reader_of_bounces_finds_the_failed_address(recipient: str) -> None:
    assert all_failures(report_of(recipient))[1] == {recipient.encode()}
