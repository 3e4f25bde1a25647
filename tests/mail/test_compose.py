"""Whole mails, read back by the standard parser."""

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.address import InvalidAddress
from outrider.mail.compose import Skeleton, write
from outrider.mail.encoding import crlf_lines

NOW = datetime(2026, 3, 30, 8, 0, 2, tzinfo=UTC)
BERLIN = Skeleton.build(
    from_address="nora@acme.example",
    from_name="Nora Finch",
    reply_to=("sales@acme.example",),
)
ONE_LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=120)


def test_answers_may_go_to_several() -> None:
    several = Skeleton.build(
        from_address="nora@acme.example", from_name="", reply_to=("a@acme.example", "b@acme.example")
    )
    message = read(fill(several))
    assert [each.addr_spec for each in message["Reply-To"].addresses] == ["a@acme.example", "b@acme.example"]


def fill(skeleton: Skeleton = BERLIN, **changed: Any) -> bytes:
    lead: dict[str, Any] = {
        "to": "jane@brightfold.example",
        "subject": "Hi",
        "text": "Hi Jane",
        "date": NOW.astimezone(ZoneInfo("Europe/Berlin")),
        "message_id": "m1@acme.example",
    }
    return skeleton.fill(**(lead | changed))


def read(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=policy.default)


def content_of(part: Any) -> str:
    return cast("str", part.get_payload(decode=True).decode("utf-8"))


@given(subject=ONE_LINE, to_name=ONE_LINE, text=st.text(max_size=1500), html=st.none() | st.text(max_size=1500))
def test_the_standard_parser_reads_back_all_of_unicode(subject: str, to_name: str, text: str, html: str | None) -> None:
    data = fill(subject=subject, to_name=to_name, text=text, html=html)
    assert data.isascii()
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
    message = read(data)
    assert not message.defects
    assert message["Subject"] == subject.strip()
    assert message["From"].addresses[0].display_name == "Nora Finch"
    assert [address.addr_spec for address in message["To"].addresses] == ["jane@brightfold.example"]
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"][: len(parts)]
    assert [content_of(part) for part in parts] == [crlf_lines(body) for body in (text, html) if body is not None]
    assert not any(part.defects for part in parts)


def test_a_first_mail_on_the_wire() -> None:
    data = fill(
        html="<p>Hi Jane</p>", list_unsubscribe=("https://t.acme.example/u/tok", "mailto:nora@acme.example?subject=tok")
    )
    boundary = read(data).get_boundary()
    assert boundary is not None
    assert data.decode().replace(boundary, "BOUNDARY").split("\r\n") == [
        "Date: Mon, 30 Mar 2026 10:00:02 +0200",
        'From: "Nora Finch" <nora@acme.example>',
        "Reply-To: sales@acme.example",
        "To: jane@brightfold.example",
        "Subject: Hi",
        "Message-ID: <m1@acme.example>",
        "List-Unsubscribe: <https://t.acme.example/u/tok>,",
        " <mailto:nora@acme.example?subject=tok>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="BOUNDARY"',
        "",
        "--BOUNDARY",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: 7bit",
        "",
        "Hi Jane",
        "",
        "--BOUNDARY",
        'Content-Type: text/html; charset="utf-8"',
        "Content-Transfer-Encoding: 7bit",
        "",
        "<p>Hi Jane</p>",
        "",
        "--BOUNDARY--",
        "",
    ]


def test_a_follow_up_names_the_mail_it_follows() -> None:
    message = read(fill(in_reply_to="m2@acme.example", references=("m1@acme.example", "m2@acme.example")))
    assert message["In-Reply-To"] == "<m2@acme.example>"
    assert message["References"].split() == ["<m1@acme.example>", "<m2@acme.example>"]


def test_a_first_mail_belongs_to_no_thread_and_has_nothing_that_gives_us_away() -> None:
    plain = Skeleton.build(from_address="nora@acme.example", from_name="")
    message = read(fill(plain))
    assert message.keys() == [
        "Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    ]  # fmt: skip
    assert message.get_content_type() == "text/plain"
    assert b"outrider" not in fill(plain).lower()


def test_the_same_mail_has_the_same_bytes() -> None:
    assert fill(html="<p>x</p>") == fill(html="<p>x</p>")
    assert fill(html="<p>x</p>") != fill(html="<p>x</p>", message_id="m2@acme.example")


def test_a_body_that_holds_the_boundary_is_not_cut() -> None:
    boundary = read(fill(html="x")).get_boundary()
    text = f"--{boundary}--\r\n"
    parts = list(read(fill(text=text, html="x")).iter_parts())
    assert [content_of(part) for part in parts] == [text, "x\r\n"]


def test_an_internationalised_address_is_read_back() -> None:
    data = fill(to="用户@xn--fsqu00a.example")
    assert not data.isascii()  # goes out with SMTPUTF8 only
    message = email.message_from_string(data.decode(), policy=policy.SMTPUTF8)
    assert message["To"].addresses[0].addr_spec == "用户@xn--fsqu00a.example"


@pytest.mark.parametrize("address", ["jane@x.example\r\nBcc: evil@y.example", "jane@x.example>, <evil@y.example"])
def test_no_address_can_smuggle_another_header_in(address: str) -> None:
    with pytest.raises(InvalidAddress):
        fill(to=address)
    with pytest.raises(InvalidAddress):
        Skeleton.build(from_address="nora@acme.example", from_name="", reply_to=address)


@given(st.text(), st.text())
def test_no_text_can_smuggle_another_header_in(subject: str, to_name: str) -> None:
    message = read(fill(subject=subject, to_name=to_name))
    assert message.keys() == [
        "Date", "From", "Reply-To", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
    ]  # fmt: skip


def letter(**changed: Any) -> EmailMessage:
    """A mail that a person writes."""
    said: dict[str, Any] = {
        "to": ("jane@brightfold.example",),
        "subject": "Re: Hi",
        "html": "<p>Hi Jane</p>",
        "text": "Hi Jane",
        "date": NOW,
        "message_id": "m2@acme.example",
    }
    return read(write(BERLIN, **(said | changed)))


def test_a_letter_has_several_recipients_and_copies() -> None:
    message = letter(to=("a@x.example", "b@x.example"), cc=("c@x.example",), in_reply_to="m1@x.example")
    assert [each.addr_spec for each in message["To"].addresses] == ["a@x.example", "b@x.example"]
    assert [each.addr_spec for each in message["Cc"].addresses] == ["c@x.example"]
    assert (message["In-Reply-To"], message["Bcc"]) == ("<m1@x.example>", None)
    assert message.get_content_type() == "multipart/alternative"
    assert letter(to_name="Jane")["To"].addresses[0].display_name == "Jane"
