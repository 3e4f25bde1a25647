"""Bodies on the wire: line breaks, signature, way out, plain text, text part (product behaviour 2.3 to 2.6)."""

import re
from datetime import timedelta
from typing import Any

import pytest

from outrider.kit.db import execute
from outrider.sandbox import ReceivedMail
from tests.engine.sending import TRACKING_URL, Sending

_WAY_OUT = re.compile(rf"{re.escape(TRACKING_URL)}/u/[\w-]+")
UNTRACKED = ["DONT_EMAIL_OPEN", "DONT_LINK_CLICK"]


async def _send(sending: Sending, body: str, **changes: Any) -> ReceivedMail:
    async with sending.database.transaction() as db:
        world = await sending.world(db)
        mailbox_id = await sending.mailbox(world, signature="<p>Nora <b>Quist</b></p>")
        campaign_id = await world.campaign([mailbox_id], **{"track_settings": UNTRACKED, **changes})
        await execute(db, "UPDATE steps SET email_body = %(body)s", {"body": body})
        await world.leads(campaign_id, 1)
    assert await sending.round() == 1
    return sending.only_mail()


def _lines(text: str) -> str:
    """Without the line end that every part has, and with the way out as one word."""
    return _WAY_OUT.sub("WAY-OUT", text.replace("\r\n", "\n")).rstrip("\n")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("one\ntwo", "one\ntwo"),
        ("one\r\ntwo", "one\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("one<br/>\ntwo", "one\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div>one</div>\n<div>two</div>", "one\ntwo"),
        ("one\n\ntwo", "one\n\ntwo"),
        ("<div>one</div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one\n<div>two</div>three<br>four", "one\ntwo\nthree\nfour"),
    ],
)
@pytest.mark.parametrize("is_plain", [False, True])
async def test_every_way_to_break_a_line_breaks_it_once(
    sending: Sending, *, body: str, text: str, is_plain: bool
) -> None:
    mail = await _send(sending, body, send_as_plain_text=is_plain)
    assert _lines(mail.text) == text
    assert (mail.html == "") is is_plain


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("Hello", "Hello"),  # never by itself
        ("Hello %signature%", "Hello <p>Nora <b>Quist</b></p>"),
        ("Hello {{signature}}", "Hello <p>Nora <b>Quist</b></p>"),
        ("%sender-firstname% %sender-name% %sender-domain%", "Nora Nora Quist ours.example"),
        ("{{sender-firstname}} {{Sender Email}}", "Nora box1@ours.example"),
    ],
)
async def test_tokens_of_the_sender(sending: Sending, body: str, html: str) -> None:
    assert _lines((await _send(sending, body)).html) == html


@pytest.mark.parametrize(
    ("body", "unsubscribe_text", "text"),
    [
        ("Hello", None, "Hello"),
        ("Hello", "", "Hello"),
        ("Hello", "No more mails", "Hello\nNo more mails (WAY-OUT)"),
        ("%unsubscribe-text% Hello", "No more mails", "No more mails (WAY-OUT) Hello"),
        ("Hello %unsubscribe-text%!", None, "Hello!"),
        ("<p>Hello</p>", "No <more>", "Hello\n\nNo <more> (WAY-OUT)"),
    ],
)
async def test_the_way_out_stands_at_the_end_or_where_the_author_says(
    sending: Sending, body: str, unsubscribe_text: str | None, text: str
) -> None:
    mail = await _send(sending, body, unsubscribe_text=unsubscribe_text)
    assert _lines(mail.text) == text
    assert (TRACKING_URL in mail.html) is bool(unsubscribe_text)
    assert mail.unsubscribe_addresses == ()


@pytest.mark.parametrize("setting", ["send_as_plain_text", "force_plain_text"])
async def test_in_plain_text_the_way_out_is_words_and_the_header(sending: Sending, setting: str) -> None:
    mail = await _send(
        sending, "Hello", unsubscribe_text="Tell me to stop", add_unsubscribe_tag=True, **{setting: True}
    )
    assert _lines(mail.text) == "Hello\nTell me to stop"
    web, mailto = mail.unsubscribe_addresses
    assert _WAY_OUT.fullmatch(web)
    assert mailto.startswith("mailto:box1@ours.example?subject=unsubscribe%20")
    assert mail.offers_one_click


async def test_a_mail_has_no_headers_but_its_own(sending: Sending) -> None:
    mail = await _send(sending, "Hello")
    names = [name for name, _ in mail.message.raw_items() if name not in {"Received", "Return-Path"}]
    assert names == ["Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type"]


async def test_the_time_of_day_is_that_of_the_sending_in_the_zone_of_the_campaign(sending: Sending) -> None:
    sending.clock.time += timedelta(hours=3)  # 12:00 in UTC
    body = "{{sl_time_of_day}} {{sl_day_of_week}}"
    mail = await _send(sending, body, timezone="Pacific/Auckland", start_hour="00:00", end_hour="23:59")
    assert _lines(mail.html) == "morning Tuesday"
