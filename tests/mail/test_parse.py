"""A received mail becomes values, whatever its bytes are."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outrider.mail import parse as module
from outrider.mail.parse import Correspondent, Incoming, parse, parse_date
from outrider.mail.quote import new_text

CORPUS = Path(__file__).parent / "corpus"
SAMPLES = [path.read_bytes() for path in sorted(CORPUS.rglob("*.eml"))]


def with_header(line: str) -> Incoming:
    return parse(line.encode("utf-8", "surrogateescape") + b"\r\n\r\nbody\r\n")


def test_the_fields_of_an_answer() -> None:
    mail = parse(
        b"Message-ID: <CAK9x+qd71@mail.tallowworks.example>\r\n"
        b"In-Reply-To: <5a3e@send.example>\r\n"
        b"References: <first@send.example>\r\n <5a3e@send.example>\r\n"
        b'From: "Voss, Mira" <Mira@TallowWorks.example>\r\n'
        b"Sender: pa@tallowworks.example\r\n"
        b"Reply-To: Sales <sales@tallowworks.example>\r\n"
        b"To: jo@send.example\r\n"
        b"Cc: Sam <sam@tallowworks.example>, =?utf-8?q?Zo=C3=AB?= <zoe@x.example>\r\n"
        b"Subject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b"Date: Mon, 30 Mar 2026 13:42:08 +0200\r\n"
        b"X-Note: one\r\nx-note: two\r\n\r\nhi\r\n"
    )
    assert mail.message_id == "CAK9x+qd71@mail.tallowworks.example"
    assert mail.in_reply_to == ("5a3e@send.example",)
    assert mail.references == ("first@send.example", "5a3e@send.example")
    assert mail.thread_ids == ("5a3e@send.example", "first@send.example")
    assert (mail.from_name, mail.from_address) == ("Voss, Mira", "Mira@tallowworks.example")
    assert mail.sender == Correspondent("", "pa@tallowworks.example")
    assert mail.reply_to == (Correspondent("Sales", "sales@tallowworks.example"),)
    assert [person.address for person in mail.to] == ["jo@send.example"]
    assert mail.cc == (Correspondent("Sam", "sam@tallowworks.example"), Correspondent("Zoë", "zoe@x.example"))
    assert mail.subject == "Re: Grüße"
    assert mail.date == datetime(2026, 3, 30, 11, 42, 8, tzinfo=UTC)
    assert (mail.headers.get("X-NOTE"), mail.headers.get_all("x-note")) == ("one", ("one", "two"))
    assert "X-Other" not in mail.headers


def test_missing_headers_are_empty_values() -> None:
    mail = parse(b"\r\nhello\r\n")
    assert (mail.message_id, mail.from_address, mail.from_name, mail.date) == (None, None, "", None)
    assert (mail.subject, mail.to, mail.cc, mail.in_reply_to, mail.references) == ("", (), (), (), ())
    assert mail.text == "hello\n"


def test_an_empty_mail_is_read() -> None:
    assert parse(b"").text == ""


@pytest.mark.parametrize(
    ("header", "addresses"),
    [
        ("From: a@acme.example, b@acme.example", ["a@acme.example", "b@acme.example"]),
        ("From: a@acme.example\r\nFrom: b@acme.example", ["a@acme.example", "b@acme.example"]),
        ("From: <a@acme.example>", ["a@acme.example"]),
        ('From: "b@evil.example" <a@acme.example>', ["a@acme.example"]),
        ("From: =?utf-8?q?Doe=2C_Jan?= <a@acme.example>", ["a@acme.example"]),
        ("From: Jan\r\n <a@acme.example>", ["a@acme.example"]),
        ("From: a@ACME.Example.", ["a@acme.example"]),
        ("From: jö@bücher.example", ["jö@xn--bcher-kva.example"]),
        ("From: not an address", []),
        ("From: team:;", []),
        ("From: " + "(" * 5_000, []),
        ("From:", []),
    ],
)
def test_the_authors(header: str, addresses: list[str]) -> None:
    assert [author.address for author in with_header(header).authors] == addresses


@pytest.mark.parametrize("header", ["Message-ID: ", "Message-ID: <>", "Message-ID: no brackets", "X-Nothing: x"])
def test_a_mail_without_a_usable_message_id_has_none(header: str) -> None:
    assert with_header(header).message_id is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mon, 30 Mar 2026 10:00:00 -0000", datetime(2026, 3, 30, 10, tzinfo=UTC)),
        ("30 Mar 26 10:00 +0200 (CEST)", datetime(2026, 3, 30, 8, tzinfo=UTC)),
        ("Mon, 30 Mar 2026 10:00:00 GMT", datetime(2026, 3, 30, 10, tzinfo=UTC)),
        ("Mon, 30 Mar 2026 25:00:00 +0000", None),
        ("Fri, 31 Dec 9999 23:00:00 -2300", None),
        ("Thu, 1 Jan 1970 00:00:00 +0000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_utc_or_nothing(text: str, expected: datetime | None) -> None:
    assert parse_date(text) == expected


def test_bytes_above_127_in_headers_are_read_as_utf_8_or_latin_1() -> None:
    assert parse(b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\n").subject == "Grüße"
    assert parse(b"Subject: Gr\xfc\xdfe\r\n\r\n").subject == "Grüße"


def test_long_values_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGE", 10_000)
    mail = parse(b"Subject: " + b"x" * 5_000 + b"\r\n\r\n" + b"y" * 20_000)
    assert len(mail.subject) == module.MAX_SUBJECT
    assert len(mail.text or "") < 10_000
    assert mail.size == 25_013


def test_a_broken_charset_of_a_multipart_without_parts_does_no_harm() -> None:
    mail = parse(b"Content-Type: multipart/mixed; charset=\xff\r\n\r\ncaf\xe9\r\n")
    assert mail.text == "café\n"


def test_parameters_the_standard_library_cannot_read_do_no_harm() -> None:
    mail = parse(b"Content-Type: multipart/mixed; boundary*0=a; boundary*=b\r\n\r\n--a\r\n\r\nhello\r\n--a--\r\n")
    assert "hello" in (mail.text or "")


def test_parts_in_parts_without_end_are_read_as_text() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(2_000))
    assert "multipart/mixed" in (parse(nested + b"\r\nhello").text or "")


def test_a_header_block_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEADER_BLOCK", 1_000)
    mail = parse(b"Subject: first\r\n" + b"X-Filler: x\r\n" * 1_000 + b"\r\nbody\r\n")
    assert (mail.subject, mail.text) == ("first", "body\n")


def assert_storable(mail: Incoming) -> None:
    texts = [mail.subject, mail.text, mail.html, mail.html_form, mail.message_id, *mail.references, *mail.in_reply_to]
    people = [*mail.authors, *mail.to, *mail.cc, *mail.reply_to]
    texts += [text for person in people for text in (person.name, person.address)]
    texts += [text for part in mail.attachments for text in (part.name, part.content_type, part.content_id)]
    for text in filter(None, texts):
        assert "\x00" not in text
        text.encode("utf-8")


BREAKERS = [
    *(
        b"\r\n\r\n",
        b"\r\n",
        b"\n",
        b"=?utf-8?b?",
        b"?=",
        b"--",
        b'"',
        b";",
        b"<",
        b">",
        b"(",
        b"\x00",
        b"\xff\xfe",
        b"=",
        b": ",
    ),
    *(b"Content-Type: multipart/mixed; boundary=x\r\n", b"charset*0*=utf-16", b"charset=\xff", b"filename*=zz''%"),
    *(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: uuencode\r\n"),
    *(b"message/rfc822", b"multipart/", b"text/"),
]
# Where (modulo the length), how many bytes go, and what comes instead.
mutations = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 40), st.binary(max_size=8) | st.sampled_from(BREAKERS)),
    max_size=12,
)


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), mutations)
def test_no_bytes_make_it_raise(sample: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for where, gone, new in changes:
        position = where % (len(sample) + 1)
        sample = sample[:position] + new + sample[position + gone :]
    assert_storable(parse(sample))


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_noise_makes_it_raise(noise: bytes) -> None:
    assert_storable(parse(noise))


def sample(name: str) -> Incoming:
    return parse((CORPUS / "replies" / f"{name}.eml").read_bytes())


def test_a_reply_from_gmail() -> None:
    mail = sample("gmail")
    assert mail.from_address == "mira@tallowworks.example"
    assert (mail.text or "").startswith("Sounds good, Tuesday? Grüße\n")
    assert (mail.html or "").startswith('<div dir="ltr">Sounds good, Tuesday? Grüße</div>')
    assert new_text(mail) == "Sounds good, Tuesday? Grüße\n"


def test_a_reply_from_outlook_in_german() -> None:
    mail = sample("outlook-german-base64")
    assert (mail.from_name, mail.from_address) == ("Jörg Müller", "Joerg.Mueller@tallow.example")
    assert mail.subject == "AW: Idee für Tallow Works"
    assert new_text(mail) == "Hallo,\n\nnächste Woche passt es mir.\n\nGrüße\nJörg\n"


def test_a_reply_from_apple_mail_with_an_attachment_in_the_middle() -> None:
    mail = sample("apple-mixed")
    assert [(part.name, part.content) for part in mail.attachments] == [("Pläne.pdf", b"%PDF-1.7\n")]
    assert (mail.html or "").count("<html>") == 2
    assert new_text(mail) == "See the plan.\n"


def test_a_mail_that_is_broken_everywhere_still_says_something() -> None:
    mail = sample("broken-everything")
    assert mail.date is None
    assert "café" in mail.subject
    assert "café" in (mail.text or "")
    assert "<b>ok</b>" in (mail.html or "")
