"""Files in a mail, read back by the standard library's parser."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outrider.mail.attach import File, attach
from outrider.mail.compose import Skeleton

SKELETON = Skeleton.build(from_address="nora@brightfold.example", from_name="Nora")


def composed(text: str = "Hello", html: str | None = None) -> bytes:
    return SKELETON.fill(
        to="ida@client.example",
        subject="Papers",
        text=text,
        html=html,
        date=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        message_id="1@brightfold.example",
    )


def parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_without_files_a_mail_stays_as_it_is() -> None:
    assert attach(composed(), []) == composed()


@pytest.mark.parametrize("html", [None, "<p>Hello</p>"])
@given(content=st.binary(max_size=300))
def test_a_file_comes_out_as_it_went_in(html: str | None, content: bytes) -> None:
    raw = attach(composed(html=html), [File("offer.pdf", content, "application/pdf"), File("b.bin", b"\0")])
    message = parsed(raw)
    assert message["Subject"] == "Papers"
    assert message.get_content_type() == "multipart/mixed"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "Hello"
    first, second = message.iter_attachments()
    assert (first.get_filename(), first.get_content_type(), first.get_content()) == (
        "offer.pdf",
        "application/pdf",
        content,
    )
    assert second.get_content_type() == "application/octet-stream"
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("offer.pdf", "offer.pdf"),
        ("Angebot für März.pdf", "Angebot für März.pdf"),
        ('a"b\r\nBcc: x@y.example', "a_b__Bcc: x@y.example"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("", "file"),
        ("x" * 500, "x" * 150),
        ("ü" * 500, "ü" * 150),
        ("📎" * 500, "📎" * 150),
    ],
)
def test_names_stay_names(name: str, shown: str) -> None:
    message = parsed(attach(composed(), [File(name, b"x")]))
    (part,) = message.iter_attachments()
    assert part.get_filename() == shown
    assert message["Bcc"] is None


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=120).filter(
    lambda name: name.strip() and not set(name) & set('/\\"')
)


@given(NAMES)
def test_any_name_fits_into_lines(name: str) -> None:
    raw = attach(composed(), [File(name, b"x")])
    (part,) = parsed(raw).iter_attachments()
    assert part.get_filename() == name.strip()
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # RFC 5322 §2.1.1


@pytest.mark.parametrize("mime_type", ["", "pdf", "text/plain\r\nX: y", "message/rfc822", "multipart/mixed"])
def test_types_that_are_none_are_bytes(mime_type: str) -> None:
    (part,) = parsed(attach(composed(), [File("a", b"x", mime_type)])).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
