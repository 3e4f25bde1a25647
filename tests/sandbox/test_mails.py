from datetime import UTC, datetime

from outrider.sandbox.mails import ReceivedMail
from tests.sandbox.writing import campaign_mail

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def received(raw: bytes, *, recipient: str = "ann@theirs.example", number: int = 1) -> ReceivedMail:
    return ReceivedMail(number, NOW, "me@ours.example", "me@ours.example", recipient, raw)


def test_a_mail_tells_its_place_in_the_thread() -> None:
    mail = received(campaign_mail("ann@theirs.example", number=3, subject="Re: Grüße", thread=("a@x", "b@x")))
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("mail-3@ours.example", "b@x", ("a@x", "b@x"))
    assert (mail.subject, mail.thread_subject) == ("Re: Grüße", "Grüße")


def test_a_mail_tells_its_texts_and_ways_out() -> None:
    mail = received(campaign_mail("ann@theirs.example", web="http://127.0.0.1:1"))
    assert mail.text.strip() == "Do you still print your invoices?"
    assert "<p>Do you still print" in mail.html
    assert mail.unsubscribe_addresses == ("http://127.0.0.1:1/u/1", "mailto:me@ours.example?subject=leave-1")
    assert mail.offers_one_click


def test_the_text_of_an_html_mail_is_its_html_without_tags() -> None:
    mail = received(b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Only <b>this</b></p>\r\n")
    assert mail.text.split() == ["Only", "this"]


def test_a_charset_nobody_knows_is_read_as_well_as_possible() -> None:
    mail = received('Content-Type: text/plain; charset="nobody-knows"\r\n\r\nGrüße\r\n'.encode())
    assert mail.text.strip() == "Grüße"


def test_a_bare_text_is_a_mail_too() -> None:
    mail = received(b"Subject: Hi\r\n\r\nJust text\r\n")
    assert (mail.message_id, mail.references, mail.html, mail.unsubscribe_addresses) == ("", (), "", ())
    assert not mail.offers_one_click
